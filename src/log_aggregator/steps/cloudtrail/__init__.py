"""CloudTrail's digests, validated from packs and originals, with its archived public keys."""

"""Checks that a digest is what CloudTrail wrote: its place, its signature, and what the next digest
says about it
(https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-custom-validation.html).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from log_aggregator.core.digests import (
    BAD_SIGNATURE,
    DIGEST_BYTES_MAX,
    INVALID_FORMAT,
    MOVED,
    SIGNATURE_ALGORITHM,
    WRONG_HASH,
    Chain,
    Digest,
    DigestName,
    Flaw,
    Link,
    check_signature,
    parse_digest,
)
from log_aggregator.core.rsa import PublicKey, parse_public_key
from log_aggregator.steps.cloudtrail.public_keys import KeyRing


@dataclass(frozen=True, slots=True)
class ReadDigest:
    """A digest as it was read, with its object's user metadata."""

    metadata: Mapping[str, str]
    parsed: Digest | Flaw


@dataclass(frozen=True, slots=True)
class Claim:
    """What a valid digest says about the one before it, which belongs to `chain`."""

    link: Link
    by: Digest
    chain: Chain


def use_digest(metadata: Mapping[str, str], pieces: Iterable[bytes]) -> ReadDigest:
    """Parses an object's bytes. Gives up on large objects: digests are small."""
    data = bytearray()
    for piece in pieces:
        data += piece
        if len(data) > DIGEST_BYTES_MAX:
            return ReadDigest(metadata, INVALID_FORMAT)
    return ReadDigest(metadata, parse_digest(bytes(data)))


def find_signature(metadata: Mapping[str, str], claims: Sequence[Claim]) -> tuple[str, bool]:
    """The signature in hex, and whether it comes from the next digest. CloudTrail stores it in the
    object's user metadata, which copying tools lose; the next valid digest repeats it.
    """
    own = metadata.get("signature", "")
    held = next((claim.link.signature for claim in claims if claim.link.signature), "")
    return (own, False) if own else (held or "", bool(held))


def find_flaw(
    name: DigestName, digest: Digest, metadata: Mapping[str, str], signature: str, keys: KeyRing
) -> Flaw | None:
    """What is wrong with a digest by itself. Raises BadPack, or StoreError if the archive of keys
    cannot be read.
    """
    if (digest.bucket, digest.key) != (name.chain.bucket, name.key):
        return MOVED
    if (
        not signature
        or metadata.get("signature-algorithm", SIGNATURE_ALGORITHM) != SIGNATURE_ALGORITHM
    ):
        return BAD_SIGNATURE
    generated = None
    if name.chain.is_backfill:
        generated = _parse_generated(metadata)
        if generated is None:
            return INVALID_FORMAT
    key = _find_key(keys, name.chain.region, digest.fingerprint, generated)
    return key if isinstance(key, Flaw) else check_signature(digest, signature, key)


def find_broken_link(digest: Digest, signature: str, claims: Iterable[Claim]) -> Flaw | None:
    """A flaw if a newer digest says something different about this one."""
    for claim in claims:
        if (
            claim.link.sha256 not in (None, digest.sha256)
            or (claim.link.signature or "").lower() != signature.lower()
        ):
            return broken_link(claim)
    return None


def broken_link(claim: Claim) -> Flaw:
    return Flaw(f"{WRONG_HASH.text}: s3://{claim.by.bucket}/{claim.by.key} links to another")


def _find_key(
    keys: KeyRing, region: str, fingerprint: str, generated: datetime | None
) -> PublicKey | Flaw:
    found = keys.find(region, fingerprint, generated)
    if found is None:
        return Flaw(f"public key not found in region {region} for fingerprint {fingerprint}")
    try:
        return parse_public_key(found.der)
    except ValueError:
        return Flaw(f"Unable to load PKCS #1 key with fingerprint {fingerprint}")


def _parse_generated(metadata: Mapping[str, str]) -> datetime | None:
    """When a backfill digest was made. None if the metadata lack it, or not in CloudTrail's
    form.
    """
    try:
        generated = datetime.fromisoformat(metadata["backfill-generation-timestamp"])
    except (KeyError, ValueError):
        return None
    return generated if generated.tzinfo else None

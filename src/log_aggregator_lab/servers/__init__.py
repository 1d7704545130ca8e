"""Servers on this machine: S3, and CloudTrail's public keys."""

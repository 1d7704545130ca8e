"""What CloudTrail is asked for to check its signatures, as a Protocol in AWS's own verb."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class TrailKey:
    """A public key with which CloudTrail signs the digests of one region. `der` is PKCS#1's
    RSAPublicKey.
    """

    fingerprint: str
    der: bytes
    valid_from: datetime
    valid_until: datetime


class TrailKeys(Protocol):
    """CloudTrail's ListPublicKeys. Each region has keys of its own."""

    def list_public_keys(self, region: str, first: datetime, last: datetime) -> list[TrailKey]:
        """The keys that were valid at any time from `first` to `last`, UTC. Raises only errors of
        StoreError's branch.
        """

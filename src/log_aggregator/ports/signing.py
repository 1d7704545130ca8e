"""What signs custody records, and what says when it did, as Protocols."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from log_aggregator.core.signatures import Stamp


class Signer(Protocol):
    """A private RSA key, wherever it is."""

    @property
    def name(self) -> str:
        """What the key is called: the ARN of a KMS key, or `sha256:` and the hash of its public
        key.
        """

    @property
    def public_key(self) -> bytes:
        """DER of X.509's SubjectPublicKeyInfo."""

    def sign(self, message: bytes) -> bytes:
        """RSASSA-PKCS1-v1_5 with SHA-256. Raises RequestFailed."""


class TimeStamper(Protocol):
    """A time-stamping authority (RFC 3161) as it is asked."""

    def stamp(self, data: bytes) -> bytes:
        """DER of a TimeStampResp over the SHA-256 of the data. Raises RequestFailed."""


@dataclass(frozen=True, slots=True)
class Signing:
    """What records are signed with."""

    signer: Signer
    stamper: TimeStamper | None = None


class StampReader(Protocol):
    """Time-stamping authorities as they are believed."""

    def read(self, time_stamp: bytes, data: bytes) -> Stamp:
        """Raises ValueError where it is no time stamp of that data by one of them; the text says
        why.
        """

"""What signs custody records and time-stamps the signatures, as Protocols."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from log_aggregator.core.signatures import Stamp


class Signer(Protocol):
    """A private RSA key, in KMS or in a file."""

    @property
    def name(self) -> str:
        """The ARN of a KMS key, or `sha256:` and the hash of the public key."""

    @property
    def public_key(self) -> bytes:
        """DER of X.509's SubjectPublicKeyInfo."""

    def sign(self, message: bytes) -> bytes:
        """RSASSA-PKCS1-v1_5 with SHA-256. Raises RequestFailed."""


class TimeStamper(Protocol):
    """A time-stamping authority (RFC 3161) that makes time stamps."""

    def stamp(self, data: bytes) -> bytes:
        """DER of a TimeStampResp over the SHA-256 of the data. Raises RequestFailed."""


@dataclass(frozen=True, slots=True)
class Signing:
    """What records are signed with."""

    signer: Signer
    stamper: TimeStamper | None = None


class StampReader(Protocol):
    """The time-stamping authorities that are trusted."""

    def read(self, time_stamp: bytes, data: bytes) -> Stamp:
        """Raises ValueError if it is not a time stamp of that data by one of them; the text says
        why.
        """

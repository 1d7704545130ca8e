"""A key that signs the digests of a rehearsal, as CloudTrail signs its own. It is made for one
rehearsal and never stored; its signatures prove nothing.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from log_aggregator.core.rsa import MODULUS_BITS_MIN, PublicKey, encode_message
from log_aggregator.ports.trail_keys import TrailKey

EXPONENT = 65_537
PRIME_BITS = MODULUS_BITS_MIN // 2
"""For the shortest key that validation accepts, which is quick to make."""
ROUNDS = 40
"""Rounds of Miller-Rabin with random bases: a composite passes all of them once in 2^80."""
SMALL_PRIMES = tuple(
    number
    for number in range(3, 2_000, 2)
    if all(number % divisor for divisor in range(3, int(number**0.5) + 1, 2))
)
VALID = timedelta(days=30)
SEQUENCE, INTEGER = 0x30, 0x02


@dataclass(frozen=True, slots=True)
class SigningKey:
    """The public key, and the secret exponent."""

    public: PublicKey
    d: int

    def sign(self, message: bytes) -> bytes:
        """RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017, section 8.2.1)."""
        length = self.public.length_bytes
        encoded = int.from_bytes(encode_message(message, length))
        return pow(encoded, self.d, self.public.n).to_bytes(length)

    @property
    def der(self) -> bytes:
        """The RSAPublicKey of PKCS#1, as CloudTrail's ListPublicKeys returns it
        (https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_ListPublicKeys.html)."""
        numbers = _encode(INTEGER, _octets(self.public.n)) + _encode(INTEGER, _octets(EXPONENT))
        return _encode(SEQUENCE, numbers)

    @property
    def fingerprint(self) -> str:
        """32 hex digits, like CloudTrail's."""
        return hashlib.md5(self.der, usedforsecurity=False).hexdigest()


@dataclass(frozen=True, slots=True)
class RehearsalKeys:
    """Implements `TrailKeys` for the one key of a rehearsal."""

    key: SigningKey
    now: datetime

    def list_public_keys(self, region: str, first: datetime, last: datetime) -> list[TrailKey]:
        begin, end = self.now - VALID, self.now + VALID
        if first > end or last < begin:
            return []
        return [TrailKey(self.key.fingerprint, self.key.der, begin, end)]


def make_signing_key() -> SigningKey:
    """A new random key."""
    p = _make_prime()
    q = _make_prime()
    while q == p:
        q = _make_prime()
    return SigningKey(PublicKey(p * q, EXPONENT), pow(EXPONENT, -1, (p - 1) * (q - 1)))


def _make_prime() -> int:
    # The two highest bits are set, so that the product of two has all its bits.
    candidate = secrets.randbits(PRIME_BITS) | (3 << (PRIME_BITS - 2)) | 1
    while not _is_prime(candidate):
        candidate += 2
    return candidate


def _is_prime(candidate: int) -> bool:
    if candidate % EXPONENT == 1 or any(candidate % prime == 0 for prime in SMALL_PRIMES):
        return False
    odd, twos = candidate - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    return all(
        _passes(candidate, 2 + secrets.randbelow(candidate - 3), odd, twos) for _ in range(ROUNDS)
    )


def _passes(candidate: int, witness: int, odd: int, twos: int) -> bool:
    value = pow(witness, odd, candidate)
    if value in (1, candidate - 1):
        return True
    for _ in range(twos - 1):
        value = value * value % candidate
        if value == candidate - 1:
            return True
    return False


def _octets(number: int) -> bytes:
    return number.to_bytes(number.bit_length() // 8 + 1)


def _encode(tag: int, content: bytes) -> bytes:
    length = len(content)
    if length < 0x80:
        return bytes([tag, length]) + content
    octets = length.to_bytes((length.bit_length() + 7) // 8)
    return bytes([tag, 0x80 | len(octets)]) + octets + content

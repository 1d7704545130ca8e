"""RSASSA-PKCS1-v1_5 with SHA-256, verification only: RFC 8017, sections 8.2.2 and A.1.1.

No secret is involved, so nothing here needs to take constant time. The padding is never parsed:
the one correct encoded message is built and compared as a whole, which leaves a forger no bytes to
choose.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

MODULUS_BITS_MIN = 1024
MODULUS_BITS_MAX = 16_384
"""A larger key is an attempt to keep us busy."""

_SEQUENCE, _INTEGER, _BIT_STRING = 0x30, 0x02, 0x03
_RSA_ENCRYPTION = bytes.fromhex("06092a864886f70d0101010500")
"""The DER of AlgorithmIdentifier's content: rsaEncryption, NULL (RFC 3279, section 2.3.1)."""
_SHA256_INFO = bytes.fromhex("3031300d060960864801650304020105000420")
"""The DER of DigestInfo up to the hash (RFC 8017, section 9.2, note 1)."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """Modulus and exponent."""

    n: int
    e: int

    def __post_init__(self) -> None:
        if not MODULUS_BITS_MIN <= self.n.bit_length() <= MODULUS_BITS_MAX or self.n % 2 == 0:
            raise ValueError(f"it is not the modulus of an RSA key: {self.n.bit_length()} bits")
        if not 3 <= self.e < self.n or self.e % 2 == 0:
            raise ValueError("it is not the exponent of an RSA key")

    @property
    def length_bytes(self) -> int:
        return (self.n.bit_length() + 7) // 8


def verify(key: PublicKey, message: bytes, signature: bytes) -> bool:
    """Whether the owner of the key has signed the message."""
    value = int.from_bytes(signature)
    if len(signature) != key.length_bytes or value >= key.n:
        return False
    return pow(value, key.e, key.n).to_bytes(key.length_bytes) == encode_message(
        message, key.length_bytes
    )


def parse_public_key(der: bytes) -> PublicKey:
    """PKCS#1's RSAPublicKey, as CloudTrail's ListPublicKeys returns it. Raises ValueError if it is
    anything else, or not DER.
    """
    content, end = _read(der, 0, _SEQUENCE)
    n, position = _read(content, 0, _INTEGER)
    e, content_end = _read(content, position, _INTEGER)
    if end != len(der) or content_end != len(content):
        raise ValueError("there are bytes after the key")
    return PublicKey(_parse_positive(n), _parse_positive(e))


def parse_public_key_info(der: bytes) -> PublicKey:
    """X.509's SubjectPublicKeyInfo (RFC 5280, section 4.1) of an RSA key, as KMS's GetPublicKey
    and `openssl pkey -pubout` return it. Raises ValueError if it is anything else, or not DER.
    """
    content, end = _read(der, 0, _SEQUENCE)
    algorithm, position = _read(content, 0, _SEQUENCE)
    bits, content_end = _read(content, position, _BIT_STRING)
    if algorithm != _RSA_ENCRYPTION:
        raise ValueError("it is not an RSA key")
    if end != len(der) or content_end != len(content) or bits[:1] != b"\x00":
        raise ValueError("there are bytes after the key")
    return parse_public_key(bits[1:])


def encode_message(message: bytes, length_bytes: int) -> bytes:
    """EMSA-PKCS1-v1_5."""
    hashed = _SHA256_INFO + hashlib.sha256(message).digest()
    return b"\x00\x01" + b"\xff" * (length_bytes - len(hashed) - 3) + b"\x00" + hashed


def _read(data: bytes, start: int, tag: int) -> tuple[bytes, int]:
    """(the content of the element at `start`, its end)."""
    if len(data) < start + 2 or data[start] != tag:
        raise ValueError("it is not the DER of an RSA public key")
    length, begin = data[start + 1], start + 2
    if length & 0x80:
        begin += length & 0x7F
        encoded = data[start + 2 : begin]
        length = int.from_bytes(encoded)
        # DER has only one form of a length: the short one if it fits, and no leading zeros.
        if len(encoded) != begin - start - 2 or length < 0x80 or encoded[0] == 0:
            raise ValueError("a length is not in DER's form")
    if len(data) < begin + length:
        raise ValueError("the key is cut short")
    return data[begin : begin + length], begin + length


def _parse_positive(content: bytes) -> int:
    value = int.from_bytes(content, signed=True)
    if value <= 0 or len(content) != value.bit_length() // 8 + 1:
        raise ValueError("an integer is not in DER's form")
    return value

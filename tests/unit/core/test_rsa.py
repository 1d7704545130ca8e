"""The signature check agrees with `cryptography`, and accepts nothing that is not a key."""

from __future__ import annotations

import hashlib
from functools import lru_cache

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from log_aggregator.core.rsa import PublicKey, parse_public_key, verify

SIZES = (1024, 1032, 2048, 3072)


@lru_cache(maxsize=8)
def private_key(bits: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65_537, bits)


def der_of(key: rsa.RSAPrivateKey) -> bytes:
    return key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.PKCS1
    )


def judge(key: rsa.RSAPrivateKey, message: bytes, signature: bytes) -> bool:
    try:
        key.public_key().verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return True


@given(st.sampled_from(SIZES), st.binary(max_size=200))
@settings(max_examples=60, deadline=None)
def test_a_valid_signature_verifies(bits: int, message: bytes) -> None:
    """A signature by the key's owner is valid for its message and for no other."""
    private = private_key(bits)
    key = parse_public_key(der_of(private))
    signature = private.sign(message, padding.PKCS1v15(), hashes.SHA256())
    assert verify(key, message, signature)
    assert not verify(key, message + b"x", signature)


@given(
    st.binary(max_size=40),
    st.integers(0, 2047),
    st.sampled_from(["bit", "cut", "zeros", "long", "any"]),
    st.binary(max_size=300),
)
@settings(max_examples=300, deadline=None)
def test_it_agrees_with_cryptography(message: bytes, bit: int, change: str, noise: bytes) -> None:
    """Of damaged, cut, padded and invented signatures, it accepts the same ones as a widely used
    library.
    """
    private = private_key(2048)
    good = private.sign(message, padding.PKCS1v15(), hashes.SHA256())
    flipped = bytearray(good)
    flipped[bit // 8] ^= 1 << bit % 8
    signature = {
        "bit": bytes(flipped),
        "cut": good[: bit % 256],
        "zeros": b"\0" * (bit % 3) + good,
        "long": good + noise,
        "any": noise,
    }[change]
    assert verify(parse_public_key(der_of(private)), message, signature) == judge(
        private, message, signature
    )


def encode(private: rsa.RSAPrivateKey, block: bytes) -> bytes:
    """A signature whose encoded message is this block, as only the key's owner can make it."""
    numbers = private.private_numbers()
    return pow(int.from_bytes(block), numbers.d, numbers.public_numbers.n).to_bytes(256)


SHA256_INFO = bytes.fromhex("3031300d060960864801650304020105000420")
SHA1_INFO = bytes.fromhex("3021300906052b0e03021a05000414")


@pytest.mark.parametrize(
    "block",
    [
        lambda hashed: (
            b"\0\1" + b"\xff" * 8 + b"\0" + SHA256_INFO + hashed + b"\xaa" * (256 - 62)
        ),  # Bleichenbacher's: rubbish behind it
        lambda hashed: b"\0\1" + b"\xff" * 201 + b"\xfe\0" + SHA256_INFO + hashed,
        lambda hashed: b"\0\2" + b"\xff" * 202 + b"\0" + SHA256_INFO + hashed,
        lambda hashed: b"\1\1" + b"\xff" * 202 + b"\0" + SHA256_INFO + hashed,
        lambda hashed: (
            b"\0\1"
            + b"\xff" * 204
            + b"\0"
            + bytes.fromhex("302f300b0609608648016503040201")
            + b"\x04\x20"
            + hashed
        ),  # no NULL
        lambda hashed: b"\0\1" + b"\xff" * 218 + b"\0" + SHA1_INFO + hashed[:20],
    ],
)
def test_only_the_standard_encoding_is_accepted(block: object) -> None:
    """A message in any other encoding than the standard's is refused, even if the key's owner made
    it.
    """
    assert callable(block)
    private, message = private_key(2048), b"message"
    made = block(hashlib.sha256(message).digest())
    assert len(made) >= 255
    assert not verify(
        parse_public_key(der_of(private)), message, encode(private, made[:256].rjust(256, b"\0"))
    )


def test_a_signature_above_the_modulus_is_refused() -> None:
    """Adding the modulus gives another text for the same number, which is not a valid signature."""
    private = private_key(1025)  # 129 bytes, of which the first has room
    key = parse_public_key(der_of(private))
    signature = private.sign(b"m", padding.PKCS1v15(), hashes.SHA256())
    larger = int.from_bytes(signature) + key.n
    assert verify(key, b"m", signature)
    assert not verify(key, b"m", larger.to_bytes(129))
    assert not verify(key, b"m", b"\0" + signature)


@given(st.sampled_from(SIZES))
def test_keys_are_parsed(bits: int) -> None:
    """Modulus and exponent survive PKCS#1's DER unchanged."""
    private = private_key(bits)
    numbers = private.public_key().public_numbers()
    assert parse_public_key(der_of(private)) == PublicKey(numbers.n, numbers.e)


@given(st.integers(0, 269), st.integers(0, 255), st.booleans())
@settings(max_examples=400, deadline=None)
def test_a_damaged_key_is_different_or_refused(position: int, value: int, cut: bool) -> None:
    """Anything but a key's DER is a ValueError; a change that leaves valid DER gives another key,
    never the same.
    """
    der = der_of(private_key(2048))
    damaged = der[:position] if cut else der[:position] + bytes([value]) + der[position + 1 :]
    try:
        found = parse_public_key(damaged)
    except ValueError:
        return
    assert (found == parse_public_key(der)) == (damaged == der)


@pytest.mark.parametrize(
    "der",
    [
        b"",
        b"\x30\x00",
        b"\x30\x80\x00\x00",  # a length without an end
        der_of(private_key(2048)) + b"\0",
        private_key(2048)
        .public_key()
        .public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo),
        b"\x30\x06\x02\x01\x23\x02\x01\x03",  # 35 and 3: far too small
        b"\x30\x84\x00\x00\x01\x0a" + der_of(private_key(2048))[4:],  # a length with zeros in front
    ],
    ids=lambda value: type(value).__name__,  # the keys are made anew in every process
)
def test_other_keys_are_refused(der: bytes) -> None:
    """Only the DER of an RSA public key of a sensible size is accepted."""
    with pytest.raises(ValueError, match=r"key|DER|length|integer|exponent|modulus"):
        parse_public_key(der)

"""A signature is stored byte for byte, and says what its signer signed."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.signing import make_signer, private_key, public_pem

from log_aggregator.core.rsa import parse_public_key_info
from log_aggregator.core.signatures import (
    SIGNATURE_BYTES_MAX,
    Signature,
    Statement,
    decode_signature,
    encode_signature,
    find_flaw,
    name_key,
    parse_public_keys,
    parse_signature_key,
    parse_signing_key,
    signature_key,
)
from log_aggregator.errors import BadPack
from log_aggregator.model import Target

DEST = Target("dest")
FIELDS = st.sampled_from(
    [
        *("statement", "key", "public_key", "signature", "time_stamp", "algorithm", "bucket"),
        *("record", "sequence", "sha256", "signed_at", "format", "version"),
    ]
)
MOMENT = datetime(2026, 3, 15, 1, 7, 12, tzinfo=UTC)
STATEMENT = Statement("dest", "custody/0000001/0000001234.jsonl.gz", 1234, "ab" * 32, MOMENT)


@cache
def sign(statement: Statement = STATEMENT, number: int = 0) -> Signature:
    signer = make_signer(number)
    return Signature(statement, signer.name, signer.public_key, signer.sign(statement.encode()))


def test_the_signed_message_is_as_documented() -> None:
    """It has sorted keys, no spaces and no line break, so a checker elsewhere makes the
    same bytes.
    """
    assert STATEMENT.encode() == (
        b'{"bucket":"dest","format":"log-aggregator-signature",'
        b'"record":"custody/0000001/0000001234.jsonl.gz","sequence":1234,'
        b'"sha256":"' + b"ab" * 32 + b'","signed_at":"2026-03-15T01:07:12Z","version":1}'
    )


def test_a_signature_can_be_checked_without_this_program() -> None:
    """The object alone is enough for any RSA library."""
    stored = json.loads(encode_signature(sign()))
    message = json.dumps(stored["statement"], sort_keys=True, separators=(",", ":")).encode()
    private_key().public_key().verify(
        decode_signature(encode_signature(sign())).signature,
        message,
        padding.PKCS1v15(),
        hashes.SHA256(),
    )
    assert stored["algorithm"] == "RSASSA_PKCS1_V1_5_SHA_256"
    assert stored["key"] == name_key(make_signer().public_key)
    assert "time_stamp" not in stored


@pytest.mark.parametrize("root", ["", "aggregated/"], ids=["destination", "in-place"])
@given(st.integers(0, 9_000_000_000))
@settings(max_examples=30)
def test_keys_survive_parsing(root: str, sequence: int) -> None:
    target = Target("dest", root)
    key = signature_key(target, sequence)
    assert key.startswith(f"{root}signatures/")
    assert parse_signature_key(target, key) == sequence
    assert parse_signature_key(target, f"x{key}") is None
    assert parse_signature_key(target, f"{key}x") is None


def test_where_a_signature_is_stored() -> None:
    assert signature_key(DEST, 1234) == "signatures/0000001/0000001234.json"
    assert parse_signature_key(DEST, "signatures/0000002/0000001234.json") is None


@pytest.mark.parametrize("stamp", [None, b"token"], ids=["bare", "stamped"])
def test_a_signature_survives_encoding(stamp: bytes | None) -> None:
    signature = replace(sign(), time_stamp=stamp)
    assert decode_signature(encode_signature(signature)) == signature
    assert find_flaw(signature, DEST, 1234) is None


def test_every_changed_byte_is_found() -> None:
    """With any byte of the object changed, it cannot be read or a check fails."""
    data = encode_signature(sign())
    for position in range(len(data)):
        changed = bytearray(data)
        changed[position] ^= 1
        try:
            found = decode_signature(bytes(changed))
        except BadPack:
            continue
        assert find_flaw(found, DEST, 1234) is not None, position


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text + b" ",
        lambda text: b" " + text,
        lambda text: text[:-1],
        lambda text: text.replace(b'"version":1', b'"version":1,"more":2'),
        lambda text: text.replace(b'"version":1', b'"version":2'),
        lambda text: text.replace(b'"sequence":1234', b'"sequence":"1234"'),
        lambda text: text.replace(b"SHA_256", b"SHA_512"),
        lambda _: b"{}",
        lambda _: b"[]",
        lambda _: b"",
        lambda text: text + b" " * SIGNATURE_BYTES_MAX,
    ],
    ids=[
        "space-behind",
        "space-before",
        "cut",
        "more-said",
        "other-version",
        "text-for-number",
        "other-algorithm",
        "empty",
        "list",
        "nothing",
        "huge",
    ],
)
def test_invalid_signatures_are_refused(change: Callable[[bytes], bytes]) -> None:
    with pytest.raises(BadPack):
        decode_signature(change(encode_signature(sign())))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=9),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=6),
        max_leaves=12,
    )
)
@settings(max_examples=150, deadline=None)
def test_any_other_json_is_refused(value: object) -> None:
    """Whatever its fields hold, the error is BadPack."""
    whole = json.loads(encode_signature(sign()))
    changed = whole | value if isinstance(value, dict) else value
    data = json.dumps(changed, sort_keys=True, separators=(",", ":")).encode() + b"\n"
    with contextlib.suppress(BadPack):
        assert encode_signature(decode_signature(data)) == data


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (replace(STATEMENT, bucket="other"), "it is for a record in bucket other"),
        (replace(STATEMENT, sequence=1233), "it is for record 1233, custody/"),
        (replace(STATEMENT, record="custody/0000001/0000001233.jsonl.gz"), "it is for record 1234"),
    ],
    ids=["bucket", "sequence", "record"],
)
def test_a_signature_is_valid_only_at_its_place(statement: Statement, expected: str) -> None:
    assert (find_flaw(sign(statement), DEST, 1234) or "").startswith(expected)


def test_a_signature_of_something_else_is_refused() -> None:
    """Another statement, another key or another name of the key is refused."""
    other = replace(STATEMENT, sha256="cd" * 32)
    flaw = find_flaw(replace(sign(), statement=other), DEST, 1234)
    assert flaw == "it does not fit its public key and its statement"
    swapped = replace(sign(), public_key=make_signer(1).public_key, key=make_signer(1).name)
    assert find_flaw(swapped, DEST, 1234) == flaw
    renamed = replace(sign(), key=make_signer(1).name)
    assert find_flaw(renamed, DEST, 1234) == "its public key is not the one that it names"


def test_short_keys_are_refused() -> None:
    short = private_key(5, 1024)
    (der,) = [
        short.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    ]
    assert parse_public_key_info(der).n.bit_length() == 1024
    with pytest.raises(ValueError, match="1024 bits; expected 2048"):
        parse_signing_key(der)
    signature = short.sign(STATEMENT.encode(), padding.PKCS1v15(), hashes.SHA256())
    flaw = find_flaw(Signature(STATEMENT, name_key(der), der, signature), DEST, 1234)
    assert flaw is not None
    assert "its public key cannot be used" in flaw


def test_public_keys_are_read_from_files() -> None:
    """PEM, several PEM keys with text between them, and DER are accepted, nothing else."""
    pems = [public_pem(private_key(number)) for number in (0, 1)]
    ders = [make_signer(number).public_key for number in (0, 1)]
    assert parse_public_keys(b"the first\n" + pems[0] + b"\nthe second\r\n" + pems[1]) == ders
    assert parse_public_keys(ders[0]) == ders[:1]
    pkcs1 = (
        private_key()
        .public_key()
        .public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1)
    )
    elliptic = public_pem(ec.generate_private_key(ec.SECP256R1()))
    for bad in (b"", b"text", pems[0][:90], pkcs1, elliptic, ders[0] + b"x", ders[0][:-1]):
        with pytest.raises(ValueError):  # noqa: PT011 - the words are the parser's
            parse_public_keys(bad)

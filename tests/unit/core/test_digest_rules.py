"""Digests are read strictly: anything CloudTrail would not have written is a flaw, never an
exception.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from dataclasses import replace
from functools import lru_cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from log_aggregator.core.digests import (
    BAD_SIGNATURE,
    INVALID_FORMAT,
    TRAILING_DATA,
    WRONG_HASH,
    Chain,
    Digest,
    LogHash,
    check_signature,
    inflate,
    parse_digest,
    parse_digest_key,
    string_to_sign,
)
from log_aggregator.core.rsa import parse_public_key
from log_aggregator_lab.organisation.digests import list_digests, public_key_der
from log_aggregator_lab.organisation.generate import small
from log_aggregator_lab.organisation.synthetic import SyntheticObject

SPEC = replace(small(5), objects=30, backfilled_logs=1, digest_chains=1)
KEY = parse_public_key(public_key_der(SPEC))


def by_type(value: object) -> str:
    """Names for cases whose bytes contain the time of day."""
    return type(value).__name__


@lru_cache(maxsize=1)
def objects() -> tuple[SyntheticObject, ...]:
    return tuple(list_digests(SPEC))


def read(item: SyntheticObject) -> Digest:
    digest = parse_digest(item.body)
    assert isinstance(digest, Digest)
    return digest


def fields_of(item: SyntheticObject) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(gzip.decompress(item.body))
    return fields


def pack(value: object) -> bytes:
    return gzip.compress(json.dumps(value).encode())


def test_digests_of_the_lab_are_read_and_verify() -> None:
    """Every digest, including starting, empty and backfill digests, is read whole, and its
    signature is valid.
    """
    for item in objects():
        digest, fields = read(item), fields_of(item)
        assert (digest.bucket, digest.key, digest.end_text) == (
            item.bucket,
            item.key,
            fields["digestEndTime"],
        )
        assert [(log.bucket, log.key, log.sha256) for log in digest.logs] == [
            (log["s3Bucket"], log["s3Object"], log["hashValue"]) for log in fields["logFiles"]
        ]
        assert (digest.previous is None) == (fields["previousDigestS3Object"] is None)
        assert check_signature(digest, item.metadata["signature"], KEY) is None
        assert check_signature(digest, item.metadata["signature"].upper(), KEY) is None


def test_the_signed_text_is_as_documented() -> None:
    """It holds the end of the hour, place, hash and previous signature; a starting digest has the
    word null.
    """
    starting, second = read(objects()[0]), read(objects()[1])
    document = gzip.decompress(objects()[0].body)
    assert string_to_sign(starting).decode().split("\n") == [
        starting.end_text,
        f"{starting.bucket}/{starting.key}",
        hashlib.sha256(document).hexdigest(),
        "null",
    ]
    assert string_to_sign(second).decode().split("\n")[3] == objects()[0].metadata["signature"]


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_a_changed_byte_invalidates_a_digest(data: st.DataObject) -> None:
    """A digest's document with any byte changed is no longer a digest, or its signature is
    invalid.
    """
    item = data.draw(st.sampled_from(objects()[:5]))
    document = bytearray(gzip.decompress(item.body))
    position = data.draw(st.integers(0, len(document) - 1))
    document[position] ^= data.draw(st.integers(1, 255))
    changed = parse_digest(gzip.compress(bytes(document)))
    assert (
        not isinstance(changed, Digest)
        or check_signature(changed, item.metadata["signature"], KEY) == BAD_SIGNATURE
    )


@pytest.mark.parametrize(
    "signature", ["", "zz", "0", "00" * 256, "ab" * 255, " " + "ab" * 256, "é" * 512]
)
def test_invalid_signatures_fail(signature: str) -> None:
    """Texts that are not hex, or not as long as the key, are bad signatures."""
    assert check_signature(read(objects()[1]), signature, KEY) == BAD_SIGNATURE


REQUIRED = (
    "digestEndTime",
    "digestStartTime",
    "digestS3Bucket",
    "digestS3Object",
    "digestPublicKeyFingerprint",
    "previousDigestSignature",
    "logFiles",
)


@pytest.mark.parametrize("name", REQUIRED)
def test_missing_fields_invalidate_a_digest(name: str) -> None:
    """A document that lacks a field needed for the signature or the check is not a digest."""
    fields = fields_of(objects()[1])
    del fields[name]
    assert parse_digest(pack(fields)) == INVALID_FORMAT


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.just("\ud800") | st.floats(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*REQUIRED, "s3Bucket", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(
    st.sampled_from(
        [
            *REQUIRED,
            "previousDigestS3Bucket",
            "previousDigestS3Object",
            "previousDigestHashValue",
            "",
        ]
    ),
    JSON_VALUES,
)
@settings(max_examples=300, deadline=None)
def test_malformed_fields_are_reported_as_flaws(name: str, value: object) -> None:
    """Any value of a field or of the whole document gives a digest or a flaw, never an
    exception.
    """
    fields: object = fields_of(objects()[1]) | {name: value} if name else value
    parsed = parse_digest(pack(fields))
    assert parsed == INVALID_FORMAT or isinstance(parsed, Digest)
    if isinstance(parsed, Digest):
        string_to_sign(parsed)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        gzip.compress(b"not json"),
        gzip.compress(b"\xff"),
        gzip.compress(b"[" * 100_000),
        gzip.compress(b"{}")[:-3],
        gzip.compress(b"{}") + b"x",
        gzip.compress(b"{}") * 2,
        zlib.compress(b"{}"),
    ],
    ids=by_type,
)
def test_other_contents_are_reported_as_a_flaw(data: bytes) -> None:
    """Content that is not gzip, is cut short, is not JSON or has several documents is a flaw."""
    assert parse_digest(data) == INVALID_FORMAT


def test_a_second_gzip_member_makes_a_digest_invalid() -> None:
    """A digest followed by anything is invalid: no unsigned data can be added."""
    assert parse_digest(objects()[1].body + gzip.compress(b"")) == INVALID_FORMAT


def test_inflating_is_limited() -> None:
    """Content that would inflate beyond the limit is refused; exactly the limit is accepted."""
    assert inflate(gzip.compress(b"x" * 1000), 1000) == b"x" * 1000
    assert inflate(gzip.compress(b"x" * 1001), 1000) is None


@given(st.binary(max_size=5_000), st.integers(1, 700))
def test_a_log_hash_covers_the_inflated_bytes(data: bytes, length: int) -> None:
    """A log's hash is that of its inflated bytes, for any piece size."""
    body = gzip.compress(data)
    log = LogHash()
    for first in range(0, len(body), length):
        log.take(body[first : first + length])
    assert log.compare(hashlib.sha256(data).hexdigest()) is None
    assert log.compare(hashlib.sha256(data + b"x").hexdigest()) == WRONG_HASH


@pytest.mark.parametrize("length", [1, 7, 10_000])
@pytest.mark.parametrize(
    ("extra", "flaw"),
    [(b"x", TRAILING_DATA), (gzip.compress(b""), TRAILING_DATA), (b"\0" * 600, TRAILING_DATA)],
    ids=by_type,
)
def test_data_after_a_log_invalidates_it(extra: bytes, flaw: object, length: int) -> None:
    """A log with anything after its gzip member is invalid, as it is for the AWS CLI."""
    body = gzip.compress(b"log") + extra
    log = LogHash()
    for first in range(0, len(body), length):
        log.take(body[first : first + length])
    assert log.compare(hashlib.sha256(b"log").hexdigest()) == flaw


@pytest.mark.parametrize(
    "body",
    [b"", b"plain text", gzip.compress(b"log" * 100)[:-1], gzip.compress(b"log")[:4]],
    ids=by_type,
)
def test_damaged_logs_are_invalid(body: bytes) -> None:
    """Anything but a whole gzip member has an invalid format, whatever its bytes hash to."""
    log = LogHash()
    log.take(body)
    assert log.compare(hashlib.sha256(body).hexdigest()) == INVALID_FORMAT


FOLDER = "o-exampleorg1/AWSLogs/o-exampleorg1/111122223333/"
NAME = "111122223333_CloudTrail-Digest_us-gov-west-1_my_trail_name_eu-west-1_20260314T101112Z"


def test_keys_of_digests_are_parsed() -> None:
    """A key gives the chain and the end of the hour; underscores in a trail's name are part
    of it.
    """
    found = parse_digest_key(
        "b", f"{FOLDER}CloudTrail-Digest/us-gov-west-1/2026/03/14/{NAME}.json.gz"
    )
    assert found is not None
    assert found.chain == Chain(
        "b", FOLDER, "111122223333", "us-gov-west-1", "my_trail_name", "eu-west-1"
    )
    assert found.end.isoformat() == "2026-03-14T10:11:12+00:00"
    backfill = parse_digest_key(
        "b", f"{FOLDER}CloudTrail-Digest/us-gov-west-1/2026/03/14/{NAME}_backfill.json.gz"
    )
    assert backfill is not None
    assert backfill.chain == replace(found.chain, is_backfill=True)
    assert backfill.end == found.end


@pytest.mark.parametrize(
    "key",
    [
        f"{FOLDER}CloudTrail/us-gov-west-1/2026/03/14/{NAME}.json.gz",
        f"{FOLDER}CloudTrail-Digest/eu-west-1/2026/03/14/{NAME}.json.gz",
        f"{FOLDER}CloudTrail-Digest/us-gov-west-1/2026/03/14/{NAME}.json",
        (
            f"{FOLDER}CloudTrail-Digest/us-gov-west-1/2026/03/14/"
            f"{NAME.replace('0314T10', '0332T10')}.json.gz"
        ),
        f"{FOLDER}CloudTrail-Digest/us-gov-west-1/2026/03/14/sub/{NAME}.json.gz",
        (
            f"{FOLDER}CloudTrail-Digest/us-gov-west-1/2026/03/14/"
            f"{NAME.replace('111122223333', '111122223334')}.json.gz"
        ),
        "",
    ],
)
def test_other_keys_are_not_digests(key: str) -> None:
    """Other services, regions, accounts and endings, and impossible dates, are not digests."""
    assert parse_digest_key("b", key) is None

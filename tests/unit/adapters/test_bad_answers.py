"""Answers with a good status that S3 would never give: they lead to a valid value or a store error,
and never crash the run.
"""

from __future__ import annotations

from contextlib import suppress

import pytest
from tests.unit.adapters.conftest import Answer, CannedS3
from tests.unit.adapters.test_s3_store import CALLS, contents, listing

from log_aggregator.adapters.s3.writing import decode_crc, encode_crc
from log_aggregator.errors import StoreError
from log_aggregator.model import StoredObject

ANSWERS = {
    "nothing": Answer(200, b""),
    "another page": Answer(200, b"<html><body>Welcome</body></html>"),
    "no checksum": Answer(
        200,
        b"",
        {"ETag": '"e"', "x-amz-checksum-crc64nvme": "A", "x-amz-checksum-type": "FULL_OBJECT"},
    ),
}


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("call", CALLS)
def test_incomplete_answers_are_store_errors(canned: CannedS3, call: str, answer: str) -> None:
    """An answer that cannot be used becomes a store error."""
    canned.answers = [ANSWERS[answer]]
    with suppress(StoreError):
        CALLS[call](canned.store)


@pytest.mark.parametrize(
    ("part", "instead"),
    [("<Size>3", "<Size>three"), ("2025-01-01T", "yesterday"), ("<Key>k", "<Key>%ff")],
)
@pytest.mark.parametrize("call", ["ListObjectsV2", "ListObjectsV2 prefixes"])
def test_an_impossible_entry_spoils_its_page(
    canned: CannedS3, call: str, part: str, instead: str
) -> None:
    """An invalid size, time or key makes the listing an error, because leaving the entry out would
    hide it.
    """
    canned.answers = [Answer(200, listing(contents("k").replace(part, instead)))]
    with pytest.raises(StoreError, match="an entry of the listing cannot be read"):
        CALLS[call](canned.store)


def test_a_head_without_an_etag_is_an_error(canned: CannedS3) -> None:
    """The error says that the ETag is missing."""
    canned.answers = [ANSWERS["nothing"]]
    with pytest.raises(StoreError, match="BadAnswer: the answer has no etag"):
        CALLS["HeadObject"](canned.store)


def test_an_impossible_checksum_is_ignored(canned: CannedS3) -> None:
    """An invalid checksum counts as none, so the pack is read back."""
    canned.answers = [ANSWERS["no checksum"]]
    stored = CALLS["HeadObject"](canned.store)
    assert isinstance(stored, StoredObject)
    assert stored.crc64nvme is None
    assert [
        decode_crc(value) for value in (None, "", "A", "AAAA", "AAAAAAAAAAA=-7", encode_crc(5))
    ] == [None] * 5 + [5]

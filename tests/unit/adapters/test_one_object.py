"""Answers about one object: a refusal, a header, a body. They mean nothing for S3 as a whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.unit.adapters.conftest import Answer, CannedS3
from tests.unit.adapters.test_s3_store import error

from log_aggregator.adapters.s3 import S3Store
from log_aggregator.adapters.s3.errors import make_error
from log_aggregator.errors import ObjectRefused, StoreError, Unreachable
from log_aggregator.ports.store import Body

HEADERS = {"ETag": '"e"', "Last-Modified": "Wed, 01 Jan 2025 00:00:00 GMT"}
WHOLE = Answer(200, b"0123456789", HEADERS)
READS: dict[str, Callable[[S3Store], Body]] = {
    "plain": lambda store: store.get_object("b", "k", if_match="e"),
    "checked": lambda store: store.get_object_checked("b", "k", if_match="e")[0],
}
VALUES = {
    "Latin-1": "gr\xfcn",
    "UTF-8": b"gr\xc3\xbcn".decode("latin-1"),
    "no text": "\x80\xfe\xff",
    "a space of Latin-1": "a\xa0",
    "a line of Latin-1": "a\x85b",
}
"""As http.server sends them: a character is a byte."""


def with_header(name: str, value: str) -> Answer:
    return replace(WHOLE, headers={**HEADERS, name: value})


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize(
    "name", ["Content-Disposition", "Content-Language", "Cache-Control", "x-of-a-proxy"]
)
def test_an_odd_header_that_is_not_needed_is_ignored(
    canned: CannedS3, name: str, value: str, read: str
) -> None:
    """The header is never put back, so the object is read all the same."""
    canned.answers = [with_header(name, VALUES[value])]
    body = READS[read](canned.store)
    assert (body.data, body.metadata) == (WHOLE.body, {})


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("name", ["x-amz-meta-note", "Content-Type", "Content-Encoding"])
def test_an_odd_header_that_is_needed_comes_back_exactly(
    canned: CannedS3, name: str, value: str, read: str
) -> None:
    """Each character of it is one byte, so it comes back byte for byte."""
    canned.answers = [with_header(name, VALUES[value])]
    body = READS[read](canned.store)
    came = {
        "Content-Type": body.content_type,
        "Content-Encoding": body.content_encoding,
        "x-amz-meta-note": body.metadata.get("note"),
    }
    assert came[name] == VALUES[value]


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-amz-meta-note", "a\x01b"),
        ("Content-Length", "ten"),
    ],
)
def test_an_unreadable_header_is_an_error_of_its_object(
    canned: CannedS3, name: str, value: str, read: str
) -> None:
    """A control character or an invalid length is an error."""
    canned.answers = [with_header(name, value)]
    with pytest.raises(ObjectRefused, match="s3://b/k"):
        READS[read](canned.store)


@pytest.mark.parametrize(
    ("name", "value"), [("x-amz-meta-note", "a\x01b"), ("Content-Length", "ten")]
)
def test_an_unreadable_head_is_an_error_of_its_object(
    canned: CannedS3, name: str, value: str
) -> None:
    """It ends as an error of this object, not as one of Python's."""
    canned.answers = [with_header(name, value)]
    with pytest.raises(ObjectRefused, match="HeadObject s3://b/k: Bad"):
        canned.store.head_object("b", "k")


@pytest.mark.parametrize("read", READS)
def test_a_body_that_always_breaks_off_is_an_error_of_its_object(
    canned: CannedS3, read: str
) -> None:
    """An answer came, so the object failed and not S3."""
    canned.answers = [replace(WHOLE, cut_bytes=4)]
    with pytest.raises(ObjectRefused, match="s3://b/k"):
        READS[read](canned.store)


@pytest.mark.parametrize(
    ("status", "came"), [(206, "bytes 0-1/10"), (206, "bytes 22-23/30"), (206, "none"), (200, "")]
)
def test_a_different_range_is_refused(canned: CannedS3, status: int, came: str) -> None:
    """A range of the right length from another place, or the whole object, does not match the
    request.
    """
    canned.answers = [Answer(status, b"01", {**HEADERS, "Content-Range": came})]
    with pytest.raises(ObjectRefused, match="expected the range"):
        canned.store.get_object("b", "k", if_match="e", byte_range=(2, 4))


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "InvalidRequest"),
        (400, "KMS.KMSInvalidStateException"),
        (409, "NoCodeOfToday"),
        (418, ""),
        (416, "InvalidRange"),
    ],
)
def test_a_4xx_is_blamed_on_the_object(canned: CannedS3, status: int, code: str, read: str) -> None:
    """Any 4xx without its own rule is about the object."""
    canned.answers = [Answer(status, error(code) if code else b"<html>")]
    with pytest.raises(ObjectRefused) as caught:
        READS[read](canned.store)
    assert caught.value.code == (code or str(status))


@pytest.mark.parametrize("read", READS)
def test_a_refusal_that_is_not_text_is_understood(canned: CannedS3, read: str) -> None:
    """Its status alone is enough."""
    canned.answers = [Answer(400, b"<Error><Code>\xff</Code></Error>")]
    with pytest.raises(ObjectRefused, match="s3://b/k"):
        READS[read](canned.store)


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "ThrottlingException"),
        (400, "KMS.ThrottlingException"),
        (400, "RequestTimeout"),
        (400, "AuthorizationHeaderMalformed"),
        (407, "ProxyAuthenticationRequired"),
        (429, "TooManyRequests"),
        (500, "InternalError"),
        (503, "SlowDown"),
    ],
)
def test_general_errors_are_not_blamed_on_the_object(
    canned: CannedS3, status: int, code: str, read: str
) -> None:
    """Too many requests, a wrong Region, a proxy and a failing server are not about the object."""
    canned.answers = [Answer(status, error(code))]
    with pytest.raises(StoreError) as caught:
        READS[read](canned.store)
    assert type(caught.value) is StoreError


@pytest.mark.parametrize("operation", ["PutObject", "UploadPart", "ListObjectsV2", "DeleteObjects"])
def test_refused_writes_and_listings_are_not_blamed_on_an_object(operation: str) -> None:
    """Only reads of one object are about one object."""
    assert type(make_error(operation, "b", "k", "InvalidRequest", 400, "")) is StoreError


def test_a_missing_answer_is_not_a_refusal() -> None:
    """S3 counts as silent only where there is no answer."""
    for code in ("EndpointConnectionError", "ReadTimeoutError", "NoAnswer"):
        assert type(make_error("GetObject", "b", "k", code, 0, "")) is Unreachable

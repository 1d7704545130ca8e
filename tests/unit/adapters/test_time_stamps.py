"""A time stamp is requested from an authority over HTTP, answers this request about this data, and
is believed only if its authority was named.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from rfc3161_client import HashAlgorithm, TimestampRequestBuilder
from tests.support.signing import Authority, serving_time
from tests.unit.adapters.conftest import Answer, CannedS3

from log_aggregator.adapters.s3 import ClientSettings
from log_aggregator.adapters.s3.posting import Poster
from log_aggregator.adapters.time_stamps import (
    ANSWER_BYTES_MAX,
    ATTEMPTS_MAX,
    OPERATION,
    TimeAuthorities,
    TimeAuthority,
)
from log_aggregator.errors import NotInstalled, RequestFailed, SettingsError, Unreachable

DATA = b"a signature"
SETTINGS = ClientSettings(region="eu-west-1", access_key="k", secret_key="s", request_seconds=20)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def stamp(authority: Authority) -> bytes:
    return authority.stamp(DATA)


@pytest.fixture
def server() -> Iterator[CannedS3]:
    canned = CannedS3()
    try:
        yield canned
    finally:
        canned.stop()


def poster() -> Poster:
    return Poster(SETTINGS, OPERATION, ANSWER_BYTES_MAX)


def test_a_stamp_is_fetched_over_http(authority: Authority) -> None:
    """The stamp's time is now, and it names the authority that signed it."""
    with serving_time(authority) as url:
        token = TimeAuthority(url, poster().post).stamp(DATA)
    found = TimeAuthorities.read_file(authority.roots).read(token, DATA)
    assert abs(found.moment - datetime.now(UTC)) < timedelta(minutes=10)
    assert found.authority == "CN=Test"


def test_openssl_accepts_the_stamp(authority: Authority, stamp: bytes, tmp_path: Path) -> None:
    """The commands are those of the page on custody."""
    (tmp_path / "stamp").write_bytes(stamp)
    (tmp_path / "data").write_bytes(DATA)
    command = ["openssl", "ts", "-verify", "-in", "stamp", "-data", "data"]
    done = subprocess.run(
        [*command, "-CAfile", str(authority.roots)],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    )
    assert "Verification: OK" in done.stdout


def test_a_stamp_of_other_data_is_refused(authority: Authority, stamp: bytes) -> None:
    with pytest.raises(ValueError, match="it is a time stamp of other data"):
        TimeAuthorities.read_file(authority.roots).read(stamp, DATA + b"x")


def test_a_stamp_by_another_authority_is_refused(stamp: bytes, tmp_path: Path) -> None:
    """The other authority's certificates have the same names; only the root differs."""
    other = Authority(tmp_path / "other", keys=(92, 93))
    with pytest.raises(ValueError, match="certificate"):
        TimeAuthorities.read_file(other.roots).read(stamp, DATA)


@pytest.mark.parametrize("data", [b"", b"x", b"\x30\x03\x02\x01\x00"], ids=["empty", "x", "der"])
def test_invalid_stamps_are_refused(authority: Authority, data: bytes) -> None:
    with pytest.raises(ValueError, match="it is not a time stamp"):
        TimeAuthorities.read_file(authority.roots).read(data, DATA)


def test_every_change_of_time_or_data_is_noticed(authority: Authority, stamp: bytes) -> None:
    """A stamp with any byte changed is refused or says the same. Only the unsigned notation of
    algorithms can change unnoticed.
    """
    believed = TimeAuthorities.read_file(authority.roots)
    expected = believed.read(stamp, DATA)
    taken = 0
    for position in range(0, len(stamp), 3):
        changed = bytearray(stamp)
        changed[position] ^= 1 << position % 8
        try:
            found = believed.read(bytes(changed), DATA)
        except ValueError:
            continue
        taken += 1
        assert found == expected, position
    assert taken < len(stamp) / 3 / 10


def test_an_answer_to_another_request_is_refused(authority: Authority, stamp: bytes) -> None:
    """Last year's stamp is not accepted again."""

    def replay(url: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, bytes]:
        return 200, stamp

    with pytest.raises(RequestFailed, match="the answer is to another request"):
        TimeAuthority("http://a", replay).stamp(DATA)


def test_an_answer_about_other_data_is_refused(authority: Authority) -> None:
    """The right nonce does not help a stamp of other data."""

    def answer(url: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, bytes]:
        builder = TimestampRequestBuilder().data(b"other").hash_algorithm(HashAlgorithm.SHA256)
        other = builder.build().as_bytes()
        nonce = body[-12:]  # at the end of a request, before the wish for certificates
        return 200, authority.answer(other[:-12] + nonce if len(other) == len(body) else other)

    with pytest.raises(RequestFailed, match="the answer is"):
        TimeAuthority("http://a", answer).stamp(DATA)


@pytest.mark.parametrize(
    ("answers", "error", "expected", "asked"),
    [
        ([Answer(404)], RequestFailed, "HTTP status 404", 1),
        ([Answer(503)], RequestFailed, "HTTP status 503", ATTEMPTS_MAX),
        ([Answer(200, b"<html>")], RequestFailed, "it is not a time stamp", 1),
        ([Answer(200, b"x", cut_bytes=9)], RequestFailed, "GetTimeStamp http", ATTEMPTS_MAX),
        ([Answer(200, b"x" * (ANSWER_BYTES_MAX + 1))], RequestFailed, "it is not a time stamp", 1),
    ],
    ids=["not-found", "busy", "a-page", "cut", "huge"],
)
def test_bad_answers_are_errors(
    server: CannedS3,
    answers: list[Answer],
    error: type[RequestFailed],
    expected: str,
    asked: int,
) -> None:
    server.answers = answers
    url = str(server.settings.endpoint_url)
    with pytest.raises(error, match=expected):
        TimeAuthority(url, poster().post).stamp(DATA)
    assert len(server.requests) == asked
    assert server.requests[0].headers["content-type"] == "application/timestamp-query"


def test_a_missing_authority_is_unreachable() -> None:
    with pytest.raises(Unreachable, match=r"GetTimeStamp http://127\.0\.0\.1:9"):
        TimeAuthority("http://127.0.0.1:9", poster().post).stamp(DATA)


def test_an_answer_is_read_up_to_a_limit(server: CannedS3) -> None:
    server.answers = [Answer(200, b"x" * 1000)]
    short = Poster(SETTINGS, OPERATION, 10)
    assert short.post(str(server.settings.endpoint_url), b"", {}) == (200, b"x" * 10)


@pytest.mark.parametrize(
    ("write", "expected"),
    [
        (lambda path: path.write_bytes(b"text"), "expected certificates as PEM"),
        (lambda path: None, "cannot be read"),
    ],
    ids=["text", "missing"],
)
def test_a_file_without_certificates_is_refused(
    tmp_path: Path, write: Callable[[Path], object], expected: str
) -> None:
    path = tmp_path / "ca.pem"
    write(path)
    with pytest.raises(SettingsError, match=expected):
        TimeAuthorities.read_file(path)


def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rfc3161_client", None)
    for call in (
        partial(TimeAuthority, "http://a", poster().post),
        partial(TimeAuthorities.read_file, Path("any")),
    ):
        with pytest.raises(NotInstalled, match=r"\[sign\]"):
            call()

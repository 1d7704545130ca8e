"""Laws of the reader's signatures: for any request they equal botocore's, and use the credentials
and the date of the moment.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
from botocore.auth import SIGV4_TIMESTAMP, S3SigV4Auth
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.credentials import Credentials, ReadOnlyCredentials
from botocore.session import Session
from hypothesis import example, given, settings
from hypothesis import strategies as st

from log_aggregator.adapters.s3.signing import (
    CREDENTIALS_SECONDS,
    Signer,
    encode_path,
    encode_query,
)

HOST = "b.s3.eu-central-1.amazonaws.com"
REGION = "eu-central-1"
NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
ODD = ("/", ".", "..", "//", "~", "%", "%2F", "%25", " ", "\x00", "\t", "\n", "\x7f")
SIGNS = "+&=?#;:@$,'\"!*()[]{}|\\^`<>"

TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
KEYS = st.lists(st.one_of(st.sampled_from([*ODD, *SIGNS]), TEXT)).map("".join)
TOKENS = st.text(st.sampled_from("ABCxyz019+/="), min_size=1, max_size=60)
VALUES = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=20)
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "if-match": VALUES.map(lambda value: f'"{value}"'),
        "range": st.tuples(st.integers(0), st.integers(0)).map("bytes={0[0]}-{0[1]}".format),
        "x-amz-checksum-mode": st.just("ENABLED"),
        "x-amz-expected-bucket-owner": st.from_regex(r"\d{12}", fullmatch=True),
    },
)
CREDENTIALS = st.builds(
    Credentials, st.from_regex(r"\AA[A-Z0-9]{15,19}\Z"), TOKENS, st.none() | TOKENS
)
MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1))  # noqa: DTZ001 - hypothesis wants them so


def sign_as_botocore(
    credentials: Credentials,
    url: str,
    headers: Mapping[str, str],
    now: datetime,
    method: str = "GET",
) -> Mapping[str, str]:
    """The headers of a read, signed by the steps of its `add_auth` at a given time."""
    auth = S3SigV4Auth(credentials, "s3", REGION)
    request = AWSRequest(method, url, headers=dict(headers))
    request.context["timestamp"] = now.strftime(SIGV4_TIMESTAMP)
    auth._modify_request_before_signing(request)
    text = auth.string_to_sign(request, auth.canonical_request(request))
    auth._inject_signature_to_request(request, auth.signature(text, request))
    return {name.lower(): value for name, value in request.headers.items()}


@settings(max_examples=300)
@given(KEYS, st.none() | TEXT, HEADERS, CREDENTIALS, MOMENTS, st.sampled_from(["GET", "HEAD"]))
@example("//a/../b/./", "null", {}, Credentials("A", "s"), NOON, "GET")
@example("a", "+/=&%?", {"if-match": '" two  spaces "'}, Credentials("A", "s", "t"), NOON, "HEAD")
def test_a_signature_equals_that_of_botocore(
    key: str,
    version_id: str | None,
    headers: dict[str, str],
    credentials: Credentials,
    now: datetime,
    method: str,
) -> None:
    """Every header that both send is the same, including the signature."""
    path = f"/{encode_path(key)}"
    query = encode_query({} if version_id is None else {"versionId": version_id})
    url = f"https://{HOST}{path}{'?' if query else ''}{query}"
    expected = sign_as_botocore(credentials, url, headers, now, method)
    moment = now.replace(tzinfo=UTC).timestamp()
    signer = Signer(credentials, REGION, "s3")
    assert signer.sign(HOST, path, query, headers, moment, method=method) == expected


@pytest.fixture(scope="module")
def ask() -> Callable[[dict[str, str]], str]:
    """The URL to which botocore would send a GET. Nothing is sent."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        patch.setenv("AWS_CONFIG_FILE", os.devnull)
        client = Session().create_client(
            "s3",
            region_name=REGION,
            endpoint_url="http://127.0.0.1:1",
            aws_access_key_id="k",
            aws_secret_access_key="s",
        )
    asked: list[str] = []

    def catch(request: Any, **_: object) -> AWSResponse:
        asked.append(request.url)
        return AWSResponse(request.url, 200, {}, io.BytesIO())

    client.meta.events.register_first("before-send.s3.GetObject", catch)

    def ask(parameters: dict[str, str]) -> str:
        client.get_object(Bucket="b", **parameters)
        return asked.pop()

    return ask


@settings(max_examples=100)
@given(KEYS.filter(bool), st.none() | TEXT.filter(bool))
@example("/a//b/../.", "a+b~c%20 =&")
@example("~%+ \x00\r\n", None)
def test_a_url_equals_botocores(
    ask: Callable[[dict[str, str]], str], key: str, version_id: str | None
) -> None:
    """The URL is botocore's, byte for byte."""
    version = {} if version_id is None else {"VersionId": version_id}
    query = "" if version_id is None else "?" + encode_query({"versionId": version_id})
    assert ask({"Key": key, **version}) == f"http://127.0.0.1:1/b/{encode_path(key)}{query}"


@given(KEYS)
def test_each_key_has_its_own_valid_path(key: str) -> None:
    """Different keys have different paths, and a path has only characters that a URL allows."""
    path = encode_path(key)
    assert unquote_to_bytes(path) == key.encode()
    assert path.isascii()
    assert not set(path) & set(" ?#\"'<>\\^`{|}+&=")
    assert path.isprintable()


def test_a_key_that_is_not_unicode_is_refused() -> None:
    """It is refused, and not sent as another one."""
    with pytest.raises(UnicodeEncodeError):
        encode_path("a\udcff")


@dataclass
class Changing:
    """Credentials that differ at each request for them."""

    asked: int = 0
    given: list[ReadOnlyCredentials] = field(default_factory=list)

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        self.asked += 1
        self.given.append(
            ReadOnlyCredentials(f"A{self.asked}", f"s{self.asked}", f"t{self.asked}", None)
        )
        return self.given[-1]


def sign_at(signer: Signer, now: datetime) -> dict[str, str]:
    return signer.sign(HOST, "/k", "", {}, now.timestamp())


def expect_at(frozen: ReadOnlyCredentials, now: datetime) -> Mapping[str, str]:
    credentials = Credentials(frozen.access_key, frozen.secret_key, frozen.token)
    return sign_as_botocore(credentials, f"https://{HOST}/k", {}, now)


STEPS = st.lists(
    st.one_of(
        st.integers(0, 2 * CREDENTIALS_SECONDS),
        st.sampled_from([0, 86_400, -1, -CREDENTIALS_SECONDS, -3_600, -86_400]),
    ),
    max_size=12,
)
NEARLY_MIDNIGHT = datetime(2026, 12, 31, 23, 59, 50, tzinfo=UTC)


@given(STEPS)
@example([10, 5, 30])
@example([15, -10, 1])
@example([3_600, -3_600])
def test_each_signature_matches_its_moment(steps: list[int]) -> None:
    """The clock may go backwards, over midnight or into another year: each signature is of its own
    day, with credentials that botocore gave within CREDENTIALS_SECONDS.
    """
    credentials, now, asked_at = Changing(), NEARLY_MIDNIGHT, dict[int, datetime]()
    signer = Signer(credentials, REGION, "s3")
    for step in [0, *steps]:
        now += timedelta(seconds=step)
        before = credentials.asked
        sent = sign_at(signer, now)
        if credentials.asked > before:
            asked_at[credentials.asked] = now
        assert sent == expect_at(credentials.given[-1], now)
        age = now - asked_at[credentials.asked]
        assert abs(age) <= timedelta(seconds=CREDENTIALS_SECONDS)


def test_credentials_are_refreshed_in_time() -> None:
    """They are fetched not for each request, but at least every CREDENTIALS_SECONDS."""
    credentials = Changing()
    signer = Signer(credentials, REGION, "s3")
    asked = []
    for seconds in (0, 1, CREDENTIALS_SECONDS - 1, CREDENTIALS_SECONDS, CREDENTIALS_SECONDS + 1):
        sign_at(signer, NOON + timedelta(seconds=seconds))
        asked.append(credentials.asked)
    assert asked == [1, 1, 1, 2, 2]


def test_an_expired_session_token_is_not_sent() -> None:
    """Credentials without a session token may follow some with one."""
    given = [ReadOnlyCredentials("A", "s", "t", None), ReadOnlyCredentials("A", "s", None, None)]

    class Losing:
        def get_frozen_credentials(self) -> ReadOnlyCredentials:
            return given.pop(0)

    signer = Signer(Losing(), REGION, "s3")
    later = NOON + timedelta(seconds=CREDENTIALS_SECONDS)
    tokens = [sign_at(signer, now).get("x-amz-security-token") for now in (NOON, later)]
    assert tokens == ["t", None]

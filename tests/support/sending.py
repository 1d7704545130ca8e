"""Nothing is sent: requests of botocore and libcurl are caught, together with the route that they
would have taken. Everything that botocore sends goes through one method, whichever client sends it,
and so do its requests for credentials.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import botocore.session
import pycurl
import pytest
from botocore.awsrequest import AWSResponse
from botocore.httpsession import URLLib3Session
from botocore.loaders import Loader

ACCOUNT = "111122223333"
ASSUMED = "ASIAASSUMED"
LATER = "2099-01-01T00:00:00Z"
CREDENTIALS = {
    "AccessKeyId": ASSUMED,
    "SecretAccessKey": "s",
    "SessionToken": "t",
    "Token": "t",
    "Expiration": LATER,
}
XML_CREDENTIALS = "".join(f"<{name}>{value}</{name}>" for name, value in CREDENTIALS.items())
SSO_CREDENTIALS = {
    "accessKeyId": ASSUMED,
    "secretAccessKey": "s",
    "sessionToken": "t",
    "expiration": 4_070_908_800_000,
}
LOADER = Loader(include_default_search_paths=True)
"""For all sessions of the tests: reading S3's model takes longer than everything else."""


@dataclass(frozen=True)
class Sent:
    """A request, and the route that it would have taken."""

    client: str
    """`botocore` or `libcurl`."""
    method: str
    url: str
    proxy: str
    trusts: str
    """The file of certificates; empty if it is the client's own."""
    headers: Mapping[str, str]
    body: str = ""

    @property
    def place(self) -> str:
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def scope(self) -> tuple[str, ...]:
        """The access key, Region and service that it is signed with."""
        found = re.search(
            r"Credential=([^/]+)/\d+/([^/,]+)/([^/,]+)/aws4_request",
            self.headers.get("authorization", ""),
        )
        return found.groups() if found else ()


Answer = Callable[[str, str], tuple[int, Mapping[str, str], bytes] | None]
"""For a method and a URL. None: the usual answer."""


@dataclass
class Caught:
    """Everything that was sent."""

    sent: list[Sent] = field(default_factory=list)
    answer: Answer = lambda _method, _url: None

    def take(self, sent: Sent) -> tuple[int, Mapping[str, str], bytes]:
        self.sent.append(sent)
        return self.answer(sent.method, sent.url) or usual_answer(sent)


class _Raw:
    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, *_: object, **__: object) -> Iterator[bytes]:
        yield self.read()

    def read(self, *_: object, **__: object) -> bytes:
        body, self._body = self._body, b""
        return body

    def close(self) -> None:
        """Nothing is open."""


def usual_answer(sent: Sent) -> tuple[int, Mapping[str, str], bytes]:
    """One that every service's client accepts."""
    head = {"ETag": '"0"', "Last-Modified": "Wed, 01 Jan 2025 00:00:00 GMT"}
    host = urlsplit(sent.url).hostname or ""
    if "Action=" in sent.body:
        identity = f"<Account>{ACCOUNT}</Account><Arn>arn:aws:iam::{ACCOUNT}:user/u</Arn>"
        inner = f"<Credentials>{XML_CREDENTIALS}</Credentials>{identity}"
        names = "GetCallerIdentity", "AssumeRole", "AssumeRoleWithWebIdentity"
        return (
            200,
            {},
            "".join(f"<{n}Result>{inner}</{n}Result>" for n in names)
            .join(("<Response>", "</Response>"))
            .encode(),
        )
    if "portal.sso" in host:
        return 200, {}, json.dumps({"roleCredentials": SSO_CREDENTIALS}).encode()
    if "/container-credentials" in sent.url:
        return 200, {}, json.dumps(CREDENTIALS).encode()
    if "cloudtrail" in host:
        return 200, {}, b'{"PublicKeyList": []}'
    return 200, head, b"<Any/>"


def find_way(session: Any, url: str) -> tuple[str, str]:
    """The proxy and the certificates that botocore uses."""
    proxy = session._proxy_config.proxy_url_for(url) or ""
    return proxy, session._verify if isinstance(session._verify, str) else ""


class CurlMulti:
    """Whatever is added is done as soon as it is performed."""

    def __init__(self) -> None:
        self.options: dict[int, Any] = {}
        self._added: list[Any] = []

    def setopt(self, option: int, value: Any) -> None:
        self.options[option] = value

    def add_handle(self, handle: Any) -> None:
        self._added.append(handle)
        self.options[pycurl.M_TIMERFUNCTION](0)  # no one has to wait

    def remove_handle(self, handle: Any) -> None:
        """It was done."""

    def socket_action(self, *_: int) -> None:
        """There are no sockets."""

    def info_read(self) -> tuple[int, list[Any], list[tuple[Any, int, str]]]:
        done, self._added = self._added, []
        for handle in done:
            handle.perform()
        return 0, done, []


def catch(monkeypatch: pytest.MonkeyPatch) -> Caught:
    """From now on nothing is sent."""
    caught = Caught()

    def send(self: Any, request: Any) -> AWSResponse:
        headers = {
            name.lower(): value.decode("latin-1") if isinstance(value, bytes) else str(value)
            for name, value in request.headers.items()
        }
        body = request.body or b""
        if isinstance(body, bytes | bytearray):
            body = body.decode("latin-1")
        text = body if isinstance(body, str) else ""
        way = find_way(self, request.url)
        sent = Sent("botocore", request.method, request.url, *way, headers, text)
        status, head, said = caught.take(sent)
        answer = AWSResponse(request.url, status, dict(head), _Raw(said))
        if not request.stream_output:
            answer.content  # noqa: B018 - reads it, as botocore does here
        return answer

    class Curl:
        """The part that our reader uses."""

        def __init__(self) -> None:
            self.options: dict[int, Any] = {}
            self._status = 0

        def setopt(self, option: int, value: Any) -> None:
            self.options[option] = value

        def perform(self) -> None:
            lines = [line.decode("latin-1") for line in self.options[pycurl.HTTPHEADER]]
            headers = {
                name.lower(): value.strip()
                for name, _, value in (line.partition(":") for line in lines)
            }
            assert self.options[pycurl.NOPROXY] == ""
            trusts = self.options[pycurl.CAINFO]
            sent = Sent(
                "libcurl",
                "HEAD" if self.options[pycurl.NOBODY] else "GET",
                self.options[pycurl.URL],
                self.options[pycurl.PROXY],
                "" if trusts.endswith("cacert.pem") else trusts,
                headers,
            )
            self._status, head, body = caught.take(sent)
            for name, value in head.items():
                self.options[pycurl.HEADERFUNCTION](f"{name}: {value}\r\n".encode("latin-1"))
            self.options[pycurl.WRITEFUNCTION](body)

        def getinfo(self, _: int) -> int:
            return self._status

    monkeypatch.setattr(URLLib3Session, "send", send)
    monkeypatch.setattr(pycurl, "Curl", Curl)
    monkeypatch.setattr(pycurl, "CurlMulti", CurlMulti)
    return caught


def share_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """All sessions share botocore's models."""

    def register(self: Any) -> None:
        self._components.lazy_register_component("data_loader", lambda: LOADER)

    monkeypatch.setattr(botocore.session.Session, "_register_data_loader", register)


def forget_surroundings(monkeypatch: pytest.MonkeyPatch, home: str) -> None:
    """No AWS variables, no proxy, no certificates of the caller; an empty home folder."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "SSL_", "CURL_", "BOTO")) or name.lower().endswith(
            ("_proxy", "_bundle")
        ):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", home)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

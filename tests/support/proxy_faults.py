"""What a `Proxy` does to an exchange, and when. An action is a function of the exchange; a schedule
says which requests get which action.
"""

from __future__ import annotations

import base64
import os
import random
import re
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

import botocore.auth
import botocore.awsrequest
import botocore.credentials
from tests.support.proxy import Action, Decide, Exchange, Message, Request
from tests.support.waiting import SECONDS_MAX

STALL_SECONDS_MAX = 10.0


def reset_before(exchange: Exchange) -> None:
    """The connection breaks; the server never got the request."""
    exchange.reset()


def reset_after(exchange: Exchange) -> None:
    """The server did it; the answer is lost."""
    exchange.forward()
    exchange.reset()


def close_after(exchange: Exchange) -> None:
    """The same, but the connection ends politely, as when a load balancer goes away."""
    exchange.forward()
    exchange.reset(abruptly=False)


def vanish(exchange: Exchange) -> None:
    """The server is gone: every connection breaks, and no new one can be made."""
    exchange.proxy.stop()
    exchange.reset()


def fail(status: int, code: str) -> Action:
    """An S3 error instead of the request."""

    def act(exchange: Exchange) -> None:
        exchange.reply_error(status, code)

    return act


def fail_after(status: int, code: str) -> Action:
    """An S3 error, although S3 did what was asked."""

    def act(exchange: Exchange) -> None:
        exchange.forward()
        exchange.reply_error(status, code)

    return act


def stall(exchange: Exchange) -> None:
    """No answer, until the client gives up."""
    exchange.wait_until_gone(STALL_SECONDS_MAX)
    exchange.reset()


def stall_after(exchange: Exchange) -> None:
    """The server did it; no answer comes until the client gives up."""
    exchange.forward()
    stall(exchange)


def truncate(exchange: Exchange) -> None:
    """Content-Length promises more than is sent. An answer without a body breaks off in its
    head.
    """
    answer = exchange.forward()
    if answer.body:
        exchange.reply_part(answer, len(answer.body) // 2)
    else:
        exchange.reply_part(Message(answer.head[: len(answer.head) // 2]), 0)


def flip(position: float) -> Action:
    """Flips one bit of the body: at 0.0 in the first byte, at 1.0 in the last."""

    def act(exchange: Exchange) -> None:
        answer = exchange.forward()
        body = bytearray(answer.body)
        if body:
            body[round(position * (len(body) - 1))] ^= 0x10
        exchange.reply(Message(answer.head, bytes(body)))

    return act


def flip_byte(index: int) -> Action:
    """Flips one bit of this byte of the body."""

    def act(exchange: Exchange) -> None:
        answer = exchange.forward()
        body = bytearray(answer.body)
        if len(body) > index:
            body[index] ^= 0x10
        exchange.reply(Message(answer.head, bytes(body)))

    return act


def dawdle(exchange: Exchange) -> None:
    """The body is sent in pieces, over half a second."""
    exchange.reply_slowly(exchange.forward(), pieces=8, seconds=0.5)


def drop_checksums(exchange: Exchange) -> None:
    """Removes checksums from the answer."""
    exchange.reply(exchange.forward().without(lambda name: name.startswith("x-amz-checksum-")))


def falsify_checksums(exchange: Exchange) -> None:
    """The answer has a checksum that is not the object's."""
    answer = exchange.forward()
    found = answer.headers.get("x-amz-checksum-crc64nvme")
    if found is not None:
        raw = bytearray(base64.b64decode(found))
        raw[0] ^= 1
        answer = answer.having("x-amz-checksum-crc64nvme", base64.b64encode(raw).decode())
    exchange.reply(answer)


def list_twice(exchange: Exchange) -> None:
    """The listing shows its last object twice."""
    answer = exchange.forward()
    body = b"".join(unchunk(answer)) if "transfer-encoding" in answer.headers else answer.body
    entries = re.findall(rb"<(?:Contents|Version)>.*?</(?:Contents|Version)>", body, re.DOTALL)
    if entries:
        body = body.replace(entries[-1], entries[-1] * 2)
    plain = answer.without(lambda name: name == "transfer-encoding").having(
        "Content-Length", str(len(body))
    )
    exchange.reply(Message(plain.head, body))


def meanwhile(event: Callable[[], object]) -> Action:
    """Something happens outside, right before the request reaches the server."""

    def act(exchange: Exchange) -> None:
        event()
        exchange.reply(exchange.forward())

    return act


@dataclass(frozen=True, slots=True)
class Refusal:
    """DeleteObjects refuses some of the keys and says so; it deletes the others."""

    code: str
    access_key: str
    secret_key: str
    is_refused: Callable[[int, str], bool] = lambda number, key: number % 2 == 0
    """By the place in the request, from 0, and the key."""

    def __call__(self, exchange: Exchange) -> None:
        entries = parse_deletions(exchange.message.body)
        refused = [
            entry for number, entry in enumerate(entries) if self.is_refused(number, entry["Key"])
        ]
        granted = [entry for entry in entries if entry not in refused]
        answer = (
            self._delete(exchange, granted)
            if granted
            else Message(b"", b"<DeleteResult></DeleteResult>")
        )
        errors = "".join(
            f"<Error>{encode_entry(entry)}<Code>{self.code}</Code><Message>on "
            "purpose</Message></Error>"
            for entry in refused
        )
        xml = answer.body.replace(b"<DeleteResult/>", b"<DeleteResult></DeleteResult>")
        xml = xml.replace(b"</DeleteResult>", errors.encode() + b"</DeleteResult>")
        head = (
            "HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nContent-Length: "
            f"{len(xml)}\r\n\r\n"
        ).encode()
        exchange.reply(Message(head, xml))

    def _delete(self, exchange: Exchange, entries: Sequence[dict[str, str]]) -> Message:
        """A different request than the client's, so it is signed again."""
        inner = "".join(f"<Object>{encode_entry(entry)}</Object>" for entry in entries)
        body = f"<Delete>{inner}<Quiet>true</Quiet></Delete>".encode()
        signed = botocore.awsrequest.AWSRequest(
            "POST", f"{exchange.proxy.upstream_url}/{exchange.request.bucket}?delete", data=body
        )
        signed.headers["x-amz-content-sha256"] = "UNSIGNED-PAYLOAD"
        credentials = botocore.credentials.Credentials(self.access_key, self.secret_key)
        botocore.auth.S3SigV4Auth(credentials, "s3", "us-east-1").add_auth(signed)
        host = exchange.proxy.upstream_url.partition("//")[2]
        headers = {"Host": host, "Content-Length": str(len(body)), **dict(signed.headers.items())}
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        exchange.message = Message(
            f"POST /{exchange.request.bucket}?delete HTTP/1.1\r\n{lines}\r\n".encode(), body
        )
        return exchange.forward()


@dataclass(slots=True)
class Killer:
    """SIGKILL for the whole process group of the client, before the request reaches the server or
    after it took effect.
    """

    after: bool
    was_used: bool = False
    _pid: int = 0
    _is_known: threading.Event = field(default_factory=threading.Event)

    def aim(self, process_group: int) -> None:
        """A client may connect before the test could say which process it is; it is waited for."""
        self._pid = process_group
        self._is_known.set()

    def __call__(self, exchange: Exchange) -> None:
        if self.after:
            exchange.forward()
        if not self._is_known.wait(SECONDS_MAX):
            raise TimeoutError("nobody said which process is to be killed")
        self.was_used = True
        with suppress(ProcessLookupError):  # someone else was first
            os.killpg(self._pid, signal.SIGKILL)
        exchange.reset()


def at(number: int, action: Action) -> Decide:
    """At one request, by its number."""
    return lambda request: action if request.number == number else None


def on(
    wanted: Callable[[Request], bool], action: Action, times: int = 1_000_000, skip: int = 0
) -> Decide:
    """At matching requests: skips the first `skip` of them, then applies to this many."""
    seen = [0]

    def decide(request: Request) -> Action | None:
        if not wanted(request):
            return None
        seen[0] += 1
        return action if skip < seen[0] <= skip + times else None

    return decide


def by_chance(seed: int, rate: float, choices: Callable[[Request], Sequence[Action]]) -> Decide:
    """At each request with a probability, one of the actions that make sense for it."""
    chance = random.Random(seed)

    def decide(request: Request) -> Action | None:
        is_hit, actions = chance.random() < rate, choices(request)
        return chance.choice(actions) if is_hit and actions else None

    return decide


def unchunk(answer: Message) -> Iterator[bytes]:
    """The pieces of a chunked body, without their sizes."""
    position = 0
    while True:
        line = answer.body[position : answer.body.index(b"\r\n", position)]
        size = int(line.split(b";")[0], 16)
        if size == 0:
            return
        first = position + len(line) + 2
        yield answer.body[first : first + size]
        position = first + size + 2


def parse_deletions(body: bytes) -> list[dict[str, str]]:
    """The entries of a DeleteObjects request."""
    entries = (
        element for element in ET.fromstring(body) if element.tag.rpartition("}")[2] == "Object"
    )
    return [
        {child.tag.rpartition("}")[2]: child.text or "" for child in entry} for entry in entries
    ]


def encode_entry(entry: dict[str, str]) -> str:
    return "".join(f"<{name}>{escape(value)}</{name}>" for name, value in entry.items())

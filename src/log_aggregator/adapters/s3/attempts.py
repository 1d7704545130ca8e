"""What libcurl brought of a read, and whether it is sent once more."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.client import responses

import pycurl

from log_aggregator.adapters.s3.deadlines import DeadlineExceeded
from log_aggregator.adapters.s3.errors import BAD_ANSWER, BAD_HEADER, NO_ANSWER, find_element

Failure = tuple[str, int, str]
"""(S3's code or one of ours, HTTP status or 0, message)"""

SILENT_ATTEMPTS_MAX = 3
"""So often a request is tried to which nobody gives a whole answer."""
RETRIED_STATUSES = frozenset({408, 429, 500, 502, 503, 504})
SLOW_DOWN_CODES = frozenset({"SlowDown", "ThrottlingException", "Throttling"})
RETRIED_CODES = frozenset({"RequestTimeout", *SLOW_DOWN_CODES})
PAUSE_SECONDS_MAX = 20.0

_BAD_ANSWERS = frozenset(
    {
        pycurl.E_FTP_WEIRD_SERVER_REPLY,
        pycurl.E_PARTIAL_FILE,
        pycurl.E_UNSUPPORTED_PROTOCOL,
    }
)
"""An answer came, and cannot be used. All other errors of libcurl say that none came, or not all
of it in time.
"""

ROOT = re.compile(rb"\s*(?:<\?xml[^>]{0,100}\?>\s*)?<([\w.:-]+)")
CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Answer:
    """What S3 said. Names of headers are in lower case, a character of a value is a byte."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @classmethod
    def of(cls, handle: pycurl.Curl, head: Sequence[bytes], body: Sequence[bytes]) -> Answer:
        """What a handle that is done has received: lines, and pieces."""
        status = handle.getinfo(pycurl.RESPONSE_CODE)
        return cls(status, parse_head(head), body[0] if len(body) == 1 else b"".join(body))


class Attempts:
    """What came of the attempts of one read so far."""

    __slots__ = ("_attempts_max", "_silent", "attempts", "failure", "is_final")

    def __init__(self, attempts_max: int) -> None:
        self._attempts_max = attempts_max
        self.attempts = 0
        self._silent = 0
        self.failure: Failure = (NO_ANSWER, 0, "")
        """Of the last one."""
        self.is_final = False
        """Another one would fail as well."""

    @property
    def are_over(self) -> bool:
        """Whether `failure` is what came of all."""
        return self.is_final or self.attempts >= self._attempts_max

    @property
    def is_slow_down(self) -> bool:
        """Whether S3 wants fewer requests."""
        code, status, _ = self.failure
        return code in SLOW_DOWN_CODES or status == 503

    def take(self, answer: Answer, *, is_document: bool = False) -> bool:
        """Whether it can be used. `is_document`: its body is S3's own word, not an object's."""
        self.attempts += 1
        flaw = find_flaw(answer) or (find_document_flaw(answer.body) if is_document else None)
        if flaw is None:
            return True
        self.failure = flaw
        code, status, _ = flaw
        self.is_final = not (status in RETRIED_STATUSES or code in RETRIED_CODES)
        return False

    def take_silence(self, failure: Failure) -> None:
        """Of an attempt without a whole answer."""
        self.attempts += 1
        self._silent += 1
        self.failure = failure
        self.is_final = self._silent >= SILENT_ATTEMPTS_MAX

    def draw_pause_seconds(self) -> float:
        """Longer and longer, and never as long as the others'."""
        return random.random() * min(PAUSE_SECONDS_MAX, 0.1 * 2.0**self.attempts)


def parse_head(lines: Sequence[bytes]) -> dict[str, str]:
    """Of the last of several heads: an answer may be announced by a `100 Continue`."""
    headers: dict[str, str] = {}
    for line in lines:
        if line.startswith(b"HTTP/"):
            headers = {}
            continue
        name, colon, value = line.decode("latin-1").partition(":")
        if colon:
            headers[name.lower()] = value.strip(" \t\r\n")
    return headers


def find_flaw(answer: Answer) -> Failure | None:
    """None where the answer can be used."""
    odd = next((name for name, value in answer.headers.items() if CONTROL.search(value)), None)
    if odd is not None:
        return BAD_HEADER, 0, f"the header {odd!a} cannot be read"
    if answer.status in (200, 206):
        return None
    text = answer.body.decode(errors="replace")
    code, message = find_element(text, "Code"), find_element(text, "Message")
    if not (code or message):  # as of every HEAD: its status is all that it says
        message = responses.get(answer.status, "")
    return code, answer.status, message


def find_document_flaw(document: bytes) -> Failure | None:
    """S3 may begin with a 200 and find out later that it cannot answer: then the document is an
    error, or breaks off, and that counts as a 500
    (https://repost.aws/knowledge-center/s3-resolve-200-internalerror). What is no document at all
    is left to whoever parses it.
    """
    root = ROOT.match(document)
    if root is None:
        return None if document.strip() else (BAD_ANSWER, 500, "the answer is empty")
    if root[1] == b"Error":
        text = document.decode(errors="replace")
        return find_element(text, "Code"), 500, find_element(text, "Message")
    if document.rstrip().endswith((b"</" + root[1] + b">", b"/>")):
        return None
    return BAD_ANSWER, 500, "the answer breaks off"


def describe_failure(number: int, message: str) -> Failure:
    """Of libcurl's."""
    return BAD_ANSWER if number in _BAD_ANSWERS else NO_ANSWER, 0, message


def describe_deadline(seconds: float) -> Failure:
    """Of an attempt that was cut, as botocore's are."""
    return DeadlineExceeded.__name__, 0, DeadlineExceeded.fmt.format(seconds=seconds)

"""One read by libcurl: its attempts, what each brought, and whether to send it again."""

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
"""A request that gets no whole answer is sent this often. Less often than one that S3 refuses for
now, because every silent attempt costs its whole deadline.
"""
RETRIED_STATUSES = frozenset({408, 429, 500, 502, 503, 504})
# S3 answers 503 SlowDown while it scales a prefix up; the others are what most AWS services call it
# (https://docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance.html).
SLOW_DOWN_CODES = frozenset({"SlowDown", "ThrottlingException", "Throttling"})
# RequestTimeout is a 400, so the status alone would not repeat it
# (https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html).
RETRIED_CODES = frozenset({"RequestTimeout", *SLOW_DOWN_CODES})
PAUSE_SECONDS_MAX = 20.0
"""As in botocore's retries."""

_BAD_ANSWERS = frozenset(
    {
        pycurl.E_FTP_WEIRD_SERVER_REPLY,
        pycurl.E_PARTIAL_FILE,
        pycurl.E_UNSUPPORTED_PROTOCOL,
    }
)
"""An answer came and cannot be used. Every other error of libcurl means that no answer came, or not
all of it in time.
"""

ROOT = re.compile(rb"\s*(?:<\?xml[^>]{0,100}\?>\s*)?<([\w.:-]+)")
CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Answer:
    """S3's answer. Header names are in lower case; each character of a header value is one byte
    (Latin-1).
    """

    status: int
    headers: Mapping[str, str]
    body: bytes

    @classmethod
    def of(cls, handle: pycurl.Curl, head: Sequence[bytes], body: Sequence[bytes]) -> Answer:
        """From what a finished handle has received: lines of the head, pieces of the body."""
        status = handle.getinfo(pycurl.RESPONSE_CODE)
        return cls(status, parse_head(head), body[0] if len(body) == 1 else b"".join(body))


class Attempts:
    """The attempts of one read so far."""

    __slots__ = ("_attempts_max", "_silent", "attempts", "failure", "is_final")

    def __init__(self, attempts_max: int) -> None:
        self._attempts_max = attempts_max
        self.attempts = 0
        self._silent = 0
        self.failure: Failure = (NO_ANSWER, 0, "")
        """Of the last attempt."""
        self.is_final = False
        """Another attempt would fail as well."""

    @property
    def are_over(self) -> bool:
        """Whether `failure` is the result of the read."""
        return self.is_final or self.attempts >= self._attempts_max

    @property
    def is_slow_down(self) -> bool:
        """Whether S3 wants fewer requests."""
        code, status, _ = self.failure
        return code in SLOW_DOWN_CODES or status == 503

    def take(self, answer: Answer, *, is_document: bool = False) -> bool:
        """Whether the answer can be used. `is_document`: its body is written by S3, not an
        object's bytes.
        """
        self.attempts += 1
        flaw = find_flaw(answer) or (find_document_flaw(answer.body) if is_document else None)
        if flaw is None:
            return True
        self.failure = flaw
        code, status, _ = flaw
        self.is_final = not (status in RETRIED_STATUSES or code in RETRIED_CODES)
        return False

    def take_silence(self, failure: Failure) -> None:
        """Notes an attempt that got no whole answer."""
        self.attempts += 1
        self._silent += 1
        self.failure = failure
        self.is_final = self._silent >= SILENT_ATTEMPTS_MAX

    def draw_pause_seconds(self) -> float:
        """Doubles with every attempt, times a random share, so that many readers that were
        throttled at the same moment do not all come back at the same moment.
        """
        return random.random() * min(PAUSE_SECONDS_MAX, 0.1 * 2.0**self.attempts)


def parse_head(lines: Sequence[bytes]) -> dict[str, str]:
    """The headers of the last head. There may be several: libcurl also hands over the head of a
    `100 Continue`, or of a proxy's answer to CONNECT.
    """
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
    """None if the answer can be used."""
    odd = next((name for name, value in answer.headers.items() if CONTROL.search(value)), None)
    if odd is not None:
        return BAD_HEADER, 0, f"the header {odd!a} cannot be read"
    if answer.status in (200, 206):
        return None
    text = answer.body.decode(errors="replace")
    code, message = find_element(text, "Code"), find_element(text, "Message")
    # An error to a HEAD has no body, only its status
    # (https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html).
    if not (code or message):
        message = responses.get(answer.status, "")
    return code, answer.status, message


def find_document_flaw(document: bytes) -> Failure | None:
    """S3 may begin with a 200 and notice later that it cannot answer: then the document is an
    error, or is cut off, and that counts as a 500
    (https://repost.aws/knowledge-center/s3-resolve-200-internalerror). A body that is not XML at
    all is left to the parser.
    """
    root = ROOT.match(document)
    if root is None:
        return None if document.strip() else (BAD_ANSWER, 500, "the answer is empty")
    if root[1] == b"Error":
        text = document.decode(errors="replace")
        return find_element(text, "Code"), 500, find_element(text, "Message")
    if document.rstrip().endswith((b"</" + root[1] + b">", b"/>")):
        return None
    return BAD_ANSWER, 500, "the answer is cut off"


def describe_failure(number: int, message: str) -> Failure:
    """A failure that libcurl reports."""
    return BAD_ANSWER if number in _BAD_ANSWERS else NO_ANSWER, 0, message


def describe_deadline(seconds: float) -> Failure:
    """A failure of an attempt that ran out of time, worded like botocore's."""
    return DeadlineExceeded.__name__, 0, DeadlineExceeded.fmt.format(seconds=seconds)

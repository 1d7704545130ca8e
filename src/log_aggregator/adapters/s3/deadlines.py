"""How long a request may take, and who ends it.

A socket's own timeout begins anew with every byte, so a server that sends one byte a second never
meets it. Here every attempt of a request has an end that grows with the request's size. One thread
looks after all of them, and shuts down the sockets of an attempt that is over its end: that wakes
whoever waits for them, in plain HTTP and in TLS, while connecting to a proxy or sending a body.
`wire` plugs this into botocore.

A ctrl-C uses the same way out (`Watchdog.stop_all`): reads end at once, writes after a moment, in
which their answer may still come, so that what was done is known.
"""

from __future__ import annotations

import os
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from botocore.exceptions import HTTPClientError

from log_aggregator.errors import Interrupted
from log_aggregator.limits import KIB, MIB

REQUEST_SECONDS = 30.0
"""An attempt of a request without a body. S3 answers all of them within a few seconds, throttled
ones included: it refuses those at once.
"""
SILENCE_SECONDS = 20.0
"""So long no byte may come, or be taken."""

READING = re.compile("(Get|List|Head|Describe|Simulate)[A-Z]")
STOP_SECONDS = 2.0
"""After a ctrl-C: what a write under way, or a request that begins then, is given."""

UNANSWERED_MAX_AT_FIRST = 3
"""Attempts without an answer, where this server never gave one: the endpoint is probably wrong."""
RETRY_SPAN = 1.5
SECOND_TRY_SPAN = 4.0
"""In REQUEST_SECONDS. An attempt without an answer is repeated until RETRY_SPAN is over: that is
often where connections are refused, as while a server restarts, and twice where it is silent. A
second attempt is made even later, but not after SECOND_TRY_SPAN, as of a large upload that hangs.
"""

UPLOADS = frozenset({"PutObject", "UploadPart"})
"""What they have to send takes its time, the answer does not."""
DOWNLOAD_BYTES_MAX = 64 * MIB
"""A body gives itself no more time than one of this size: its length is the server's word."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What an operation is given: a multiple of REQUEST_SECONDS, and more for its bytes."""

    bases: float = 1.0
    rate_bytes_min: int = 64 * KIB
    """A second. A part of 16 MiB may take four minutes."""
    is_silent_at_work: bool = False
    """The server may say nothing until it is done. S3 itself sends spaces meanwhile."""


ALLOWANCES = {
    # https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html: "could take
    # several minutes"
    "CompleteMultipartUpload": Allowance(5.0, 1024 * MIB, is_silent_at_work=True),
    "UploadPartCopy": Allowance(2.0, 16 * MIB, is_silent_at_work=True),
    "DeleteObjects": Allowance(2.0),
    "GetObject": Allowance(1.0, 256 * KIB),
}


class DeadlineExceeded(HTTPClientError):  # type: ignore[misc]  # botocore has no types
    """One of botocore's own kind, so that it repeats the request."""

    fmt = "no whole answer within {seconds:.3g} s"


class Stopped(HTTPClientError):  # type: ignore[misc]
    """The run was told to stop, and the answer to this request was not waited for."""

    fmt = "stopped before the answer came"


@dataclass(slots=True)
class Call:
    """One call of an operation, with all its attempts; of several pages one after the other."""

    operation: str = ""
    size_bytes: int = 0
    """Of the body that is sent, or of what S3 has to copy or put together."""
    unanswered: int = 0
    """Attempts since the last answer, the present one included."""
    began: float = 0.0
    """The first of them."""

    @property
    def is_reading(self) -> bool:
        """It changes nothing, so nobody has to know whether it was done."""
        return not self.operation or READING.match(self.operation) is not None


@dataclass(eq=False)
class Attempt:
    """One request on its way, and the sockets that it uses. Thread safe."""

    call: Call
    seconds: float
    silence_seconds: float
    began: float = field(default_factory=time.monotonic)
    answer_seconds: float | None = None
    """From the moment when all of it was sent."""
    is_cut: bool = False
    is_stopped: bool = False
    is_over: bool = False
    _sockets: list[socket.socket] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def ends(self) -> float:
        return self.began + self.seconds

    def make_error(self) -> Exception:
        """Of an attempt that was cut."""
        if not self.is_stopped:
            return DeadlineExceeded(seconds=self.seconds)
        return Interrupted("the run was stopped") if self.call.is_reading else Stopped()

    def hold(self, sock: socket.socket) -> None:
        """The socket by a descriptor of our own. TLS takes the original's away while it shakes
        hands, and a closed one's number may be another file's by the time that it is needed.
        """
        with self._lock:
            if self.is_over:
                return
            self._sockets.append(socket.socket(fileno=os.dup(sock.fileno())))
            if self.is_cut:
                self._shut_down()

    def cut(self, *, is_stopped: bool = False) -> None:
        """Whoever waits for the sockets is woken, and gets an error."""
        with self._lock:
            if self.is_over or self.is_cut:
                return
            self.is_cut, self.is_stopped = True, is_stopped
            self._shut_down()

    def end(self) -> None:
        """It is over, and what its connection does from now on is another's."""
        with self._lock:
            self.is_over = True
            self._close()

    def _shut_down(self) -> None:
        for held in self._sockets:
            with suppress(OSError):  # not connected yet, or not any more
                held.shutdown(socket.SHUT_RDWR)
        self._close()

    def _close(self) -> None:
        for held in self._sockets:
            held.close()
        self._sockets.clear()


class Watchdog:
    """Cuts attempts that are over their end. Thread safe; its own thread begins with the first
    attempt.
    """

    def __init__(self) -> None:
        self._attempts: set[Attempt] = set()
        self._changed = threading.Condition()
        self._looks_at = float("inf")
        self._thread: threading.Thread | None = None
        self.is_stopping = False

    def watch(self, attempt: Attempt) -> None:
        with self._changed:
            if self.is_stopping:
                attempt.seconds = min(attempt.seconds, STOP_SECONDS)
            self._attempts.add(attempt)
            if self._thread is None or not self._thread.is_alive():  # not begun, or we are a fork
                self._thread = threading.Thread(target=self._look, name="deadlines", daemon=True)
                self._thread.start()
            elif attempt.ends < self._looks_at:
                self._changed.notify_all()

    def hurry(self, attempt: Attempt) -> None:
        """All of it was sent: the time for its bytes is over, too."""
        if attempt.answer_seconds is None:
            return
        with self._changed:
            taken = time.monotonic() - attempt.began
            attempt.seconds = min(attempt.seconds, taken + attempt.answer_seconds)
            if attempt.ends < self._looks_at:
                self._changed.notify_all()

    def end(self, attempt: Attempt) -> None:
        with self._changed:
            self._attempts.discard(attempt)
        attempt.end()

    def stop_all(self) -> None:
        """From now on: reads that are under way end at once, writes in STOP_SECONDS, and so does
        whatever begins; nothing without an answer is repeated.
        """
        now = time.monotonic()
        with self._changed:
            self.is_stopping = True
            for attempt in self._attempts:
                if attempt.call.is_reading:
                    attempt.cut(is_stopped=True)
                else:
                    attempt.seconds = min(attempt.seconds, now - attempt.began + STOP_SECONDS)
            self._changed.notify_all()

    def go_on(self) -> None:
        """As before `stop_all`."""
        with self._changed:
            self.is_stopping = False

    def _look(self) -> None:
        with self._changed:
            while True:
                now = time.monotonic()
                for attempt in [late for late in self._attempts if late.ends <= now]:
                    self._attempts.discard(attempt)
                    attempt.cut(is_stopped=self.is_stopping)
                self._looks_at = min((each.ends for each in self._attempts), default=float("inf"))
                self._changed.wait(None if not self._attempts else max(0, self._looks_at - now))


WATCHDOG = Watchdog()
"""Of the whole process, as a ctrl-C is."""


class _Local(threading.local):
    call: Call | None = None
    attempt: Attempt | None = None


LOCAL = _Local()
"""What this thread is about."""


@contextmanager
def calling(operation: str, size_bytes: int = 0) -> Iterator[Call]:
    """Around a call of botocore. Raises what `Attempt.make_error` makes of a cut attempt."""
    call, before = Call(operation, size_bytes), LOCAL.call
    LOCAL.call = call
    try:
        yield call
    finally:
        LOCAL.call = before


def estimate_seconds(operation: str, size_bytes: int, base_seconds: float) -> float:
    """What an attempt is given."""
    allowance = ALLOWANCES.get(operation, Allowance())
    return allowance.bases * base_seconds + size_bytes / allowance.rate_bytes_min


def is_silent_at_work(operation: str) -> bool:
    return ALLOWANCES.get(operation, Allowance()).is_silent_at_work

"""How long a request may take, and what ends it.

A socket's own timeout starts anew with every byte, so a server that sends one byte a second never
hits it. Here every attempt of a request has a deadline that grows with the request's size. One
thread watches all attempts and shuts down the sockets of one that is over its deadline. That wakes
the thread that waits for them, in plain HTTP and in TLS, while it connects to a proxy or sends a
body. `wire` plugs this into botocore.

A ctrl-C uses the same mechanism (`Watchdog.stop_all`): reads end immediately, writes after a
moment, in which their answer may still come, so that we know whether they were done.
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
"""The deadline of an attempt of a request without a body. S3 answers all of them within a few
seconds; it refuses throttled ones immediately.
"""
SILENCE_SECONDS = 20.0
"""An attempt fails when no byte is received or accepted for this long."""

READING = re.compile("(Get|List|Head|Describe|Simulate)[A-Z]")
STOP_SECONDS = 2.0
"""After a ctrl-C: the time left to a write under way, and to a request that begins then."""

UNANSWERED_MAX_AT_FIRST = 3
"""Attempts without an answer, while this server has never answered: the endpoint is probably wrong.
"""
RETRY_SPAN = 1.5
SECOND_TRY_SPAN = 4.0
"""Multiples of REQUEST_SECONDS. An attempt without an answer is repeated until RETRY_SPAN is over:
many times if connections are refused (a server that restarts), twice if the server is silent. The
second attempt may begin later, for example of a large upload that hung, but not after
SECOND_TRY_SPAN.
"""

UPLOADS = frozenset({"PutObject", "UploadPart"})
"""Their time goes into sending; once all is sent, the answer comes quickly."""
DOWNLOAD_BYTES_MAX = 64 * MIB
"""A body that the server announces as longer gets no more time than one of this size: the server
might lie.
"""


@dataclass(frozen=True, slots=True)
class Allowance:
    """The time for an operation: a multiple of REQUEST_SECONDS, plus time for its bytes."""

    bases: float = 1.0
    rate_bytes_min: int = 64 * KIB
    """Bytes a second that count as alive. A part of 16 MiB may take four minutes."""
    is_silent_at_work: bool = False
    """Other servers may send nothing until they are done. S3 itself sends spaces meanwhile, to keep
    the connection open.
    """


ALLOWANCES = {
    # https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html: "could take
    # several minutes"
    "CompleteMultipartUpload": Allowance(5.0, 1024 * MIB, is_silent_at_work=True),
    "UploadPartCopy": Allowance(2.0, 16 * MIB, is_silent_at_work=True),
    "DeleteObjects": Allowance(2.0),
    "GetObject": Allowance(1.0, 256 * KIB),
}


class DeadlineExceeded(HTTPClientError):  # type: ignore[misc]  # botocore has no types
    """A deadline was missed. A subclass of one of botocore's errors, so that botocore retries."""

    fmt = "no whole answer within {seconds:.3g} s"


class Stopped(HTTPClientError):  # type: ignore[misc]
    """The run was told to stop before the answer to this request came."""

    fmt = "stopped before the answer came"


@dataclass(slots=True)
class Call:
    """One call of an operation, with all its attempts. Pages of a listing share one."""

    operation: str = ""
    size_bytes: int = 0
    """Of the body that is sent, or of what S3 has to copy or assemble."""
    unanswered: int = 0
    """Attempts since the last answer, including the present one."""
    began: float = 0.0
    """When the first of them began."""

    @property
    def is_reading(self) -> bool:
        """Whether it changes nothing, so that its outcome does not matter after a stop."""
        return not self.operation or READING.match(self.operation) is not None


@dataclass(eq=False)
class Attempt:
    """One request under way, and the sockets that it uses. Thread safe."""

    call: Call
    seconds: float
    silence_seconds: float
    began: float = field(default_factory=time.monotonic)
    answer_seconds: float | None = None
    """The time for the answer, from the moment when everything was sent."""
    is_cut: bool = False
    is_stopped: bool = False
    is_over: bool = False
    _sockets: list[socket.socket] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def ends(self) -> float:
        return self.began + self.seconds

    def make_error(self) -> Exception:
        """The error of an attempt that was cut."""
        if not self.is_stopped:
            return DeadlineExceeded(seconds=self.seconds)
        return Interrupted("the run was stopped") if self.call.is_reading else Stopped()

    def hold(self, sock: socket.socket) -> None:
        """Keeps the socket, with a descriptor of our own. `ssl` detaches the original's during the
        handshake, and the number of a closed one may belong to another file by the time that we
        need it.
        """
        with self._lock:
            if self.is_over:
                return
            self._sockets.append(socket.socket(fileno=os.dup(sock.fileno())))
            if self.is_cut:
                self._shut_down()

    def cut(self, *, is_stopped: bool = False) -> None:
        """Wakes the thread that waits for the sockets; it gets an error."""
        with self._lock:
            if self.is_over or self.is_cut:
                return
            self.is_cut, self.is_stopped = True, is_stopped
            self._shut_down()

    def end(self) -> None:
        """The attempt is over. From now on its connection may serve another one."""
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
    """Cuts attempts that are over their deadline. Thread safe; its own thread starts with the first
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
            # Threads do not survive a fork, so a forked process starts its own.
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._look, name="deadlines", daemon=True)
                self._thread.start()
            elif attempt.ends < self._looks_at:
                self._changed.notify_all()

    def hurry(self, attempt: Attempt) -> None:
        """Everything was sent: only the time for the answer is left."""
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
        """Ends reads under way immediately and writes after STOP_SECONDS, which is also the limit
        for requests that begin later. Requests without an answer are not repeated.
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
        """Undoes `stop_all`."""
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
"""One for the whole process, which is what a ctrl-C stops."""


class _Local(threading.local):
    call: Call | None = None
    attempt: Attempt | None = None


LOCAL = _Local()
"""The call and attempt of this thread."""


@contextmanager
def calling(operation: str, size_bytes: int = 0) -> Iterator[Call]:
    """Wraps a call of botocore. A cut attempt raises the error of `Attempt.make_error`."""
    call, before = Call(operation, size_bytes), LOCAL.call
    LOCAL.call = call
    try:
        yield call
    finally:
        LOCAL.call = before


def estimate_seconds(operation: str, size_bytes: int, base_seconds: float) -> float:
    """The deadline of an attempt."""
    allowance = ALLOWANCES.get(operation, Allowance())
    return allowance.bases * base_seconds + size_bytes / allowance.rate_bytes_min


def is_silent_at_work(operation: str) -> bool:
    return ALLOWANCES.get(operation, Allowance()).is_silent_at_work

"""Reads, one or many at the same time, in one thread: libcurl's multi interface says which sockets
it waits for, and this loop waits for them (https://curl.se/libcurl/c/libcurl-multi.html). That way
a deadline or a stop is noticed in every phase; libcurl's own wait calls nobody during a TLS
handshake.

A thread for each GET would cost two thread switches for each piece of an answer, and all threads
share one interpreter. A loop belongs to its caller: while the caller works, nothing is sent or
received, and the deadlines of requests under way stand still.
"""

from __future__ import annotations

import heapq
import selectors
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Protocol

import pycurl

from log_aggregator.adapters.s3.attempts import (
    Answer,
    Attempts,
    Failure,
    describe_deadline,
    describe_failure,
    parse_head,
)
from log_aggregator.adapters.s3.deadlines import WATCHDOG
from log_aggregator.adapters.s3.errors import NO_ANSWER
from log_aggregator.errors import Interrupted, RequestFailed
from log_aggregator.limits import MIB

AHEAD_BYTES_MAX = 16 * MIB
"""Bytes requested and not yet handed over. A single larger object is read all the same."""
AHEAD_COUNT_MAX = 4
"""The same limit in GETs, as a multiple of those that may be under way."""
HANDED_OVER_MAX = 4
"""Answers handed over in a row. The caller works on them, and meanwhile nothing is sent or
received.
"""
IDLE_SECONDS_MAX = 0.25
"""A stop is noticed this soon."""
LOOK_SECONDS = 1.0
"""A missed deadline is noticed this soon."""


class Request(Protocol):
    """A read that can be repeated."""

    size_bytes: int

    @property
    def is_of_bucket(self) -> bool:
        """Whether the body is written by S3 itself and is not an object's bytes."""

    def prepare(self, handle: pycurl.Curl) -> None:
        """Signs it anew. Raises RequestFailed if it cannot be sent."""

    def fail(self, failure: Failure) -> RequestFailed:
        """Turns a failure into the error to raise."""

    def allow_seconds(self, announced_bytes: int) -> float:
        """The deadline of an attempt, given the size that the server has announced."""


@dataclass(frozen=True, slots=True)
class LoopLimits:
    """`silence_seconds`: an attempt fails when no byte comes for this long."""

    attempts_max: int
    silence_seconds: float


class Share:
    """How many GETs may be under way, shared equally by the loops. Thread safe.

    The number is halved when S3 says SlowDown, and grows again with every good answer, as TCP's
    window does.
    """

    def __init__(self, count_max: int) -> None:
        self._count_max = count_max
        self._count = float(count_max)
        self._loops = 0
        self._halved_at = float("-inf")
        self._lock = threading.Lock()

    @property
    def of_each(self) -> int:
        """The number for one loop, at least 1."""
        return max(1, int(self._count) // max(1, self._loops))

    def join(self) -> None:
        with self._lock:
            self._loops += 1

    def leave(self) -> None:
        with self._lock:
            self._loops -= 1

    def note_answer(self) -> None:
        if self._count < self._count_max:
            with self._lock:
                self._count = min(self._count_max, self._count + 1 / self._count)

    def note_slow_down(self) -> None:
        """The requests under way at the first SlowDown get one each; all of them count once."""
        with self._lock:
            now = time.monotonic()
            if now - self._halved_at >= 1:
                self._halved_at, self._count = now, max(1.0, self._count / 2)


@dataclass(slots=True)
class _Slot:
    """A request on its way to its answer."""

    request: Request
    attempts: Attempts
    outcome: Answer | RequestFailed | None = None


@dataclass(eq=False, slots=True)
class _Transfer:
    """One of libcurl's handles, which is reused, and what it has received."""

    handle: pycurl.Curl
    head: list[bytes] = field(default_factory=list)
    body: list[bytes] = field(default_factory=list)
    began: float = 0.0
    pieces: int = 0
    """Lines of the head plus pieces of the body, when last counted."""
    silent_since: float = 0.0

    @property
    def announced_bytes(self) -> int:
        length = parse_head(self.head).get("content-length", "")
        return int(length) if length.isascii() and length.isdecimal() else 0

    def is_silent(self, now: float, silence_seconds: float) -> bool:
        """Whether nothing has come for too long."""
        pieces = len(self.head) + len(self.body)
        if pieces != self.pieces:
            self.pieces, self.silent_since = pieces, now
        return now >= self.silent_since + silence_seconds


class ReadLoop:
    """Not thread safe, but different calls of `read` may come from different threads."""

    def __init__(
        self, make_handle: Callable[[], pycurl.Curl], share: Share, limits: LoopLimits
    ) -> None:
        self._make_handle, self._share, self._limits = make_handle, share, limits
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._set_timer)
        self._selector = selectors.DefaultSelector()
        self._timer: float | None = None
        self._free: list[_Transfer] = []
        self._active: dict[pycurl.Curl, _Transfer] = {}
        self._slots: dict[pycurl.Curl, _Slot] = {}
        """The slot of each active handle."""
        self._later: list[tuple[float, int, _Slot]] = []
        """A heap of the slots to send again, by time. The number keeps entries with the same time
        comparable.
        """
        self._numbers = count()
        self._looks_at = 0.0
        self._away_seconds = 0.0

    def read(
        self, requests: Iterable[Request], *, counts: bool = True
    ) -> Iterator[Answer | RequestFailed]:
        """The outcome of each request, in their order. Raises Interrupted if the run was told to
        stop.

        `counts`: this loop takes its share of the GETs that may be under way; a single one does
        not.
        """
        if counts:
            self._share.join()
        try:
            yield from self._read(iter(requests))
        finally:
            if counts:
                self._share.leave()
            self._drop_all()

    def _read(self, requests: Iterator[Request]) -> Iterator[Answer | RequestFailed]:
        begun: deque[_Slot] = deque()
        ahead_bytes, upcoming = 0, next(requests, None)
        while upcoming is not None or begun:
            while upcoming is not None and self._has_room(begun, ahead_bytes + upcoming.size_bytes):
                slot = _Slot(upcoming, Attempts(self._limits.attempts_max))
                begun.append(slot)
                ahead_bytes += upcoming.size_bytes
                self._send(slot)
                upcoming = next(requests, None)
            self._repeat()
            self._drive(is_waiting=begun[0].outcome is None)
            for _ in range(HANDED_OVER_MAX):
                if not begun or (outcome := begun[0].outcome) is None:
                    break
                ahead_bytes -= begun.popleft().request.size_bytes
                left_at = time.monotonic()
                yield outcome
                self._away_seconds += time.monotonic() - left_at

    def _has_room(self, begun: deque[_Slot], ahead_bytes: int) -> bool:
        if not begun:
            return True
        each = self._share.of_each
        under_way = len(self._active) + len(self._later)
        return (
            under_way < each
            and len(begun) < AHEAD_COUNT_MAX * each
            and ahead_bytes <= AHEAD_BYTES_MAX
        )

    def _now(self) -> float:
        """The time, without the time during which the caller worked."""
        return time.monotonic() - self._away_seconds

    def _send(self, slot: _Slot) -> None:
        transfer = self._free.pop() if self._free else _Transfer(self._make_handle())
        try:
            slot.request.prepare(transfer.handle)
        except RequestFailed as error:
            slot.outcome = error
            self._free.append(transfer)
            return
        transfer.head, transfer.body = [], []
        transfer.pieces, transfer.began = 0, self._now()
        transfer.silent_since = transfer.began
        transfer.handle.setopt(pycurl.HEADERFUNCTION, transfer.head.append)
        transfer.handle.setopt(pycurl.WRITEFUNCTION, transfer.body.append)
        self._active[transfer.handle], self._slots[transfer.handle] = transfer, slot
        self._multi.add_handle(transfer.handle)

    def _repeat(self) -> None:
        """Sends the slots again whose pause is over."""
        while self._later and self._later[0][0] <= time.monotonic():
            self._send(heapq.heappop(self._later)[2])

    def _drive(self, *, is_waiting: bool) -> None:
        """Sends and receives what the sockets allow. `is_waiting`: the caller has nothing else to
        do, so wait for a socket.
        """
        if WATCHDOG.is_stopping:
            raise Interrupted("the run was stopped")
        for key, events in self._selector.select(self._wait_seconds() if is_waiting else 0):
            ready = (pycurl.CSELECT_IN if events & selectors.EVENT_READ else 0) | (
                pycurl.CSELECT_OUT if events & selectors.EVENT_WRITE else 0
            )
            self._multi.socket_action(key.fd, ready)
        if self._timer is not None and time.monotonic() >= self._timer:
            self._timer = None
            self._multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)
        self._take_finished()
        self._cut_late()

    def _wait_seconds(self) -> float:
        until = [time.monotonic() + IDLE_SECONDS_MAX]
        until += [] if self._timer is None else [self._timer]
        until += [self._later[0][0]] if self._later else []
        return max(0.0, min(until) - time.monotonic())

    def _take_finished(self) -> None:
        while True:
            more, good, bad = self._multi.info_read()
            for handle in good:
                self._take_answer(handle)
            for handle, number, message in bad:
                slot = self._end(handle)
                self._fail(slot, describe_failure(number, message))
            if not more:
                return

    def _take_answer(self, handle: pycurl.Curl) -> None:
        transfer = self._active[handle]
        answer = Answer.of(handle, transfer.head, transfer.body)
        slot = self._end(handle)
        if slot.attempts.take(answer, is_document=slot.request.is_of_bucket):
            slot.outcome = answer
            self._share.note_answer()
            return
        if slot.attempts.is_slow_down:
            self._share.note_slow_down()
        self._go_on(slot)

    def _fail(self, slot: _Slot, failure: Failure) -> None:
        slot.attempts.take_silence(failure)
        self._go_on(slot)

    def _go_on(self, slot: _Slot) -> None:
        attempts = slot.attempts
        if attempts.are_over:
            slot.outcome = slot.request.fail(attempts.failure)
            return
        at = time.monotonic() + attempts.draw_pause_seconds()
        heapq.heappush(self._later, (at, next(self._numbers), slot))

    def _cut_late(self) -> None:
        """Fails the attempts that are over their deadline. Only now and then: there may be many."""
        now, silence_seconds = self._now(), self._limits.silence_seconds
        if now < self._looks_at:
            return
        self._looks_at = now + min(LOOK_SECONDS, silence_seconds)
        for transfer in list(self._active.values()):
            request, taken = self._slots[transfer.handle].request, now - transfer.began
            seconds = request.allow_seconds(0)
            # The head is parsed only for the few that are over the deadline of an empty body.
            if taken >= seconds:
                seconds = request.allow_seconds(transfer.announced_bytes)
            if taken >= seconds:
                self._fail(self._end(transfer.handle), describe_deadline(seconds))
            elif transfer.is_silent(now, silence_seconds):
                text = f"nothing came for {silence_seconds:.3g} s"
                self._fail(self._end(transfer.handle), (NO_ANSWER, 0, text))

    def _end(self, handle: pycurl.Curl) -> _Slot:
        transfer = self._active.pop(handle)
        self._multi.remove_handle(handle)
        transfer.head, transfer.body = [], []
        self._free.append(transfer)
        return self._slots.pop(handle)

    def _drop_all(self) -> None:
        """Drops the requests that no caller waits for any more."""
        for handle in list(self._active):
            self._end(handle)
        self._later.clear()

    def _watch(self, event: int, fd: int, _multi: object, _data: object) -> None:
        """Called by libcurl when it waits for something else at a socket."""
        if event == pycurl.POLL_REMOVE:
            # libcurl may have closed the socket before it says so.
            with suppress(KeyError, ValueError, OSError):
                self._selector.unregister(fd)
            return
        events = (selectors.EVENT_READ if event & pycurl.POLL_IN else 0) | (
            selectors.EVENT_WRITE if event & pycurl.POLL_OUT else 0
        )
        try:
            self._selector.modify(fd, events)
        except KeyError:
            self._selector.register(fd, events)

    def _set_timer(self, milliseconds: int) -> None:
        """Called by libcurl with the time until it wants to be called again; -1 deletes the timer
        (https://curl.se/libcurl/c/CURLMOPT_TIMERFUNCTION.html).
        """
        self._timer = None if milliseconds < 0 else time.monotonic() + milliseconds / 1000

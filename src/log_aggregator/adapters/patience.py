"""Stops calling S3 for a while if it does not answer (a circuit breaker).

A call without an answer costs about a minute, and a failure leads to more calls: uploads are
aborted, records are written, other buckets are read. So that these minutes do not add up, calls
fail immediately after others just failed: calls of one operation after two failures in a row, all
calls after three. A minute later one call is tried again.

If the credentials are refused, no more calls are made: the answer would be the same.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from log_aggregator.adapters.forwarding import Call, ForwardingStore
from log_aggregator.errors import NotAuthenticated, RequestFailed, Unreachable
from log_aggregator.model import LogObject
from log_aggregator.ports.store import Bodies, ObjectStore

T = TypeVar("T")

OPERATION_CALLS_MAX = 2
STORE_CALLS_MAX = 3
"""In a row, with no answer to any other call in between."""
PAUSE_SECONDS = 60.0

NOT_TRIED = "NotTried"
STOPPED = "Stopped"
"""Error codes: of a call that was not made, and of one whose answer a ctrl-C did not wait for."""


@dataclass(slots=True)
class _Silence:
    """Consecutive calls without an answer."""

    calls_max: int
    calls: int = 0
    since: datetime | None = None
    """When the first of them failed."""
    until: float = 0.0
    """When one call is tried again."""

    def is_closed(self, now: float) -> bool:
        """Whether calls fail without being tried."""
        return self.calls >= self.calls_max and now < self.until

    def begin(self, now: float) -> None:
        """After the pause the first call is tried, and the pause starts again for all others, so
        that they do not wait for the same silence.
        """
        if self.calls >= self.calls_max:
            self.until = now + PAUSE_SECONDS

    def note(self, at: datetime, now: float) -> None:
        """Notes one more."""
        self.since = self.since or at
        self.calls += 1
        self.until = now + PAUSE_SECONDS


class PatientStore(ForwardingStore):
    """A decorator of any object store. Thread safe. Raises Unreachable or NotAuthenticated, with
    the code NOT_TRIED, for a call that is not made.
    """

    def __init__(
        self,
        inner: ObjectStore,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(inner)
        self._clock = clock
        self._seconds = seconds
        self._lock = threading.Lock()
        self._all = _Silence(STORE_CALLS_MAX)
        self._operations: dict[str, _Silence] = {}
        """Only operations whose last call had no answer. While it is empty, no lock is taken."""
        self._refusal: NotAuthenticated | None = None

    def _call(self, call: Call, run: Callable[[], T]) -> T:
        self._admit_any(call)
        try:
            result = run()
        except RequestFailed as error:
            self._note(call, error)
            raise
        self._note_answer(call)
        return result

    def get_objects(self, sources: Iterable[LogObject]) -> Bodies:
        """An object that is not tried yields its error in its place among the others."""
        waiting, refused = iter(sources), deque[RequestFailed]()

        def admit() -> Iterator[LogObject]:
            for source in waiting:
                try:
                    self._admit_any(Call("GetObject", source.bucket, source.key))
                except RequestFailed as error:
                    refused.append(error)
                    return
                yield source

        while True:
            for body in self.inner.get_objects(admit()):
                self._note(Call("GetObject"), body)
                yield body
            if not refused:
                return
            yield refused.popleft()

    def _admit_any(self, call: Call) -> None:
        if self._refusal is not None:
            raise _not_asked(call, self._refusal)
        if self._operations:
            self._admit(call)

    def _note(self, call: Call, result: object) -> None:
        if isinstance(result, NotAuthenticated):
            self._refusal = result
        elif not isinstance(result, Unreachable):
            self._note_answer(call)
        elif result.code != STOPPED:
            self._note_silence(call)

    def _admit(self, call: Call) -> None:
        with self._lock:
            now = self._seconds()
            own = self._operations.get(call.operation)
            silences = [self._all] if own is None else [own, self._all]
            for silence in silences:
                if silence.is_closed(now):
                    raise _not_tried(call, silence)
            for silence in silences:
                silence.begin(now)

    def _note_silence(self, call: Call) -> None:
        with self._lock:
            own = self._operations.setdefault(call.operation, _Silence(OPERATION_CALLS_MAX))
            for silence in (own, self._all):
                silence.note(self._clock(), self._seconds())

    def _note_answer(self, call: Call) -> None:
        if not self._operations:
            return
        with self._lock:
            self._operations.pop(call.operation, None)
            self._all = _Silence(STORE_CALLS_MAX)


def _not_asked(call: Call, refusal: NotAuthenticated) -> NotAuthenticated:
    return NotAuthenticated(
        f"{_where(call)}: not tried: {refusal}", code=NOT_TRIED, operation=call.operation
    )


def _where(call: Call) -> str:
    return f"{call.operation} " + (f"s3://{call.bucket}/{call.key}" if call.bucket else "S3")


def _not_tried(call: Call, silence: _Silence) -> Unreachable:
    return Unreachable(
        f"{_where(call)}: not tried: S3 has not answered since {silence.since:%H:%M:%S} UTC",
        code=NOT_TRIED,
        operation=call.operation,
    )

"""Workers wait for requests: threads in real life, and the caller itself in simulations, which
makes these deterministic.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Protocol, Self, TypeVar

from log_aggregator.errors import Interrupted
from log_aggregator.limits import MIB, READERS

BATCH_COUNT_MAX = 8
BATCH_BYTES_MAX = 256 * 1024
LEAVE_SECONDS_MAX = 5.0
"""Seconds to end after a ctrl-C. A request has two seconds then, and an upload is aborted after
it."""

In = TypeVar("In")
Out = TypeVar("Out")


class Workers(Protocol):
    """Runs functions, concurrently or one after the other."""

    def read_ahead(
        self, read: Callable[[In], Out], items: Iterable[In], size_bytes_of: Callable[[In], int]
    ) -> Iterator[Out]:
        """`read(item)` for each item. Results keep the items' order, and never run more than the
        allowed bytes ahead of the caller.
        """

    def start_read(self, read: Callable[[], Out]) -> Future[Out]:
        """Starts a request that reads."""

    def start_write(self, write: Callable[[], Out]) -> Future[Out]:
        """Starts an upload. Waits first while the allowed number of uploads is under way, which
        limits memory.
        """

    def each(self, work: Callable[[In], Out], items: Iterable[In]) -> Iterator[Out]:
        """`work(item)` for each item, several concurrently, results as they come. An error of
        `work` is raised here.
        """

    def check_stop(self) -> None:
        """Raises Interrupted if the run was told to stop."""

    def pause(self, seconds: float) -> None:
        """Waits before a retry, at most until the run is told to stop."""

    def end(self) -> bool:
        """Stops, and waits briefly for what is under way. True if all of it has ended.
        Nothing can be started afterwards.
        """


class SerialWorkers:
    """Runs one thing after the other, in the caller's thread."""

    def read_ahead(
        self, read: Callable[[In], Out], items: Iterable[In], size_bytes_of: Callable[[In], int]
    ) -> Iterator[Out]:
        return map(read, items)

    def start_read(self, read: Callable[[], Out]) -> Future[Out]:
        return _call(read)

    def start_write(self, write: Callable[[], Out]) -> Future[Out]:
        return _call(write)

    def each(self, work: Callable[[In], Out], items: Iterable[In]) -> Iterator[Out]:
        return map(work, items)

    def check_stop(self) -> None:
        """Never stops."""

    def pause(self, seconds: float) -> None:
        """No time passes."""

    def end(self) -> bool:
        """Nothing is ever under way."""
        return True


class ThreadWorkers:
    """Three thread pools, so that none waits for itself: groups and listings wait for reads and
    writes, never the other way round.
    """

    def __init__(
        self,
        *,
        readers: int = READERS,
        writers: int = 4,
        groups: int = 4,
        ahead_bytes: int = 16 * MIB,
        leave_seconds_max: float = LEAVE_SECONDS_MAX,
    ) -> None:
        self._readers = ThreadPoolExecutor(readers, "read")
        self._writers = ThreadPoolExecutor(writers, "write")
        self._groups = ThreadPoolExecutor(groups, "group")
        self._write_slots = threading.BoundedSemaphore(writers)
        self._reader_count = readers
        self._ahead_count = 2 * readers
        self._ahead_bytes = ahead_bytes
        self._group_count = groups
        self._stop = threading.Event()
        self._is_left = False
        self._leave_seconds_max = leave_seconds_max

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            self._stop.set()
        if self._is_left or (kind is not None and issubclass(kind, KeyboardInterrupt)):
            self.end()
        else:
            self._shut_down()

    def read_ahead(
        self, read: Callable[[In], Out], items: Iterable[In], size_bytes_of: Callable[[In], int]
    ) -> Iterator[Out]:
        waiting: deque[tuple[Future[list[Out]], int]] = deque()
        ahead_bytes = 0
        try:
            for batch in _batches(list(items), size_bytes_of, self._reader_count):
                size = sum(map(size_bytes_of, batch))
                while waiting and (
                    ahead_bytes + size > self._ahead_bytes or len(waiting) >= self._ahead_count
                ):
                    future, done = waiting.popleft()
                    ahead_bytes -= done
                    yield from future.result()
                self.check_stop()
                waiting.append((self._readers.submit(_read_batch, read, batch), size))
                ahead_bytes += size
            while waiting:
                yield from waiting.popleft()[0].result()
        finally:
            for future, _ in waiting:
                future.cancel()

    def start_read(self, read: Callable[[], Out]) -> Future[Out]:
        try:
            return self._readers.submit(read)
        except RuntimeError:
            raise Interrupted("the run was stopped") from None

    def start_write(self, write: Callable[[], Out]) -> Future[Out]:
        self._write_slots.acquire()
        try:
            future = self._writers.submit(write)
        except RuntimeError:
            self._write_slots.release()
            raise Interrupted("the run was stopped") from None
        future.add_done_callback(lambda _: self._write_slots.release())
        return future

    def each(self, work: Callable[[In], Out], items: Iterable[In]) -> Iterator[Out]:
        waiting: deque[Future[Out]] = deque()
        try:
            for item in items:
                self.check_stop()
                waiting.append(self._groups.submit(work, item))
                while len(waiting) > 2 * self._group_count:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BaseException:
            self._stop.set()
            raise
        finally:
            for future in waiting:
                future.cancel()

    def stop(self) -> None:
        """Tells everything under way to end soon. May be called from any thread."""
        self._stop.set()

    def leave(self) -> None:
        """Like `stop`, and does not wait long for requests that hang. May be called from any
        thread.
        """
        self._is_left = True
        self._stop.set()

    def end(self) -> bool:
        """Stops, and waits briefly for what is under way. True if all of it has ended.
        Nothing can be started afterwards.
        """
        self.leave()
        ending = threading.Thread(target=self._shut_down, name="ending", daemon=True)
        ending.start()
        ending.join(self._leave_seconds_max)
        return not ending.is_alive()

    def _shut_down(self) -> None:
        for pool in (self._groups, self._readers, self._writers):
            pool.shutdown(wait=True, cancel_futures=True)

    def check_stop(self) -> None:
        if self._stop.is_set():
            raise Interrupted("the run was stopped")

    def pause(self, seconds: float) -> None:
        self._stop.wait(seconds)


def _call(work: Callable[[], Out]) -> Future[Out]:
    future: Future[Out] = Future()
    future.set_result(work())
    return future


def _batches(
    items: list[In], size_bytes_of: Callable[[In], int], reader_count: int
) -> Iterator[list[In]]:
    """Batches of a few items for each thread: handing items over one by one would cost a fifth of
    the total time. Few or large items go one by one.
    """
    count_max = max(1, min(BATCH_COUNT_MAX, len(items) // (2 * reader_count)))
    batch: list[In] = []
    size = 0
    for item in items:
        if batch and (len(batch) >= count_max or size + size_bytes_of(item) > BATCH_BYTES_MAX):
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += size_bytes_of(item)
    if batch:
        yield batch


def _read_batch(read: Callable[[In], Out], batch: list[In]) -> list[Out]:
    return [read(item) for item in batch]

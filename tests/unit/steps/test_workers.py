"""The workers that wait for requests."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from functools import partial

import pytest
from tests.support.waiting import SECONDS_MAX

from log_aggregator.errors import Interrupted
from log_aggregator.steps.workers import SerialWorkers, ThreadWorkers, Workers


@pytest.fixture(params=["serial", "threads"])
def workers(request: pytest.FixtureRequest) -> Iterator[Workers]:
    if request.param == "serial":
        yield SerialWorkers()
        return
    with ThreadWorkers(readers=3, writers=2, groups=2) as made:
        yield made


def test_results_come_in_the_order_of_items(workers: Workers) -> None:
    """Results come in the order of their items, whichever worker finishes first."""
    items = list(range(50))

    def slow(item: int) -> int:
        time.sleep(0.001 * (item % 3))
        return item * 2

    assert list(workers.read_ahead(slow, items, lambda item: item)) == [item * 2 for item in items]
    assert list(workers.each(slow, items)) == [item * 2 for item in items]
    assert [
        future.result() for future in [workers.start_write(partial(int, item)) for item in items]
    ] == items


def test_errors_are_raised_to_the_caller(workers: Workers) -> None:
    """The error of an item is raised in place of its result."""

    def fail(item: int) -> int:
        if item == 3:
            raise KeyError(item)
        return item

    with pytest.raises(KeyError):
        list(workers.read_ahead(fail, range(10), lambda _: 1))
    with pytest.raises(KeyError):
        list(workers.each(fail, range(10)))


def test_reading_ahead_is_limited() -> None:
    """No more bytes than allowed are read ahead of the caller, except that one item always is,
    however large.
    """
    started: list[int] = []

    def start(item: int) -> int:
        started.append(item)
        return item

    with ThreadWorkers(readers=4, ahead_bytes=10) as workers:
        results = workers.read_ahead(start, [4, 4, 4, 4, 50, 4], lambda item: item)
        assert next(results) == 4
        time.sleep(0.05)
        assert len(started) <= 3
        assert list(results) == [4, 4, 4, 50, 4]


def test_parallel_writes_are_limited() -> None:
    """A write waits to begin while the allowed number is under way."""
    under_way, most = [0], [0]
    lock = threading.Lock()

    def write() -> None:
        with lock:
            under_way[0] += 1
            most[0] = max(most[0], under_way[0])
        time.sleep(0.005)
        with lock:
            under_way[0] -= 1

    with ThreadWorkers(writers=2) as workers:
        for future in [workers.start_write(write) for _ in range(20)]:
            future.result()
    assert most[0] <= 2


def test_an_error_stops_the_other_items() -> None:
    """After one item's error the others stop at their next check, and the rest never begins."""
    seen: list[int] = []

    def work(item: int) -> None:
        if item == 0:
            raise KeyError
        time.sleep(0.01)
        pool.check_stop()
        seen.append(item)

    with ThreadWorkers(groups=2) as pool, pytest.raises(KeyError):
        list(pool.each(work, range(100)))
    assert len(seen) < 10
    with pytest.raises(Interrupted):
        pool.check_stop()
    with pytest.raises(Interrupted):
        pool.start_write(lambda: None)


def test_a_stop_ends_a_pause() -> None:
    """A stopped run does not wait for a pause."""
    with ThreadWorkers(readers=1, writers=1, groups=1) as workers:
        timer = threading.Timer(0.05, workers.stop)
        timer.start()
        workers.pause(60)
        timer.join()
        with pytest.raises(Interrupted):
            workers.check_stop()


class TestLeaving:
    """After a ctrl-C, no one waits long for a hanging call."""

    @pytest.mark.parametrize("error", [KeyboardInterrupt, Interrupted])
    def test_hanging_work_is_abandoned(self, error: type[BaseException]) -> None:
        """Both kinds of stop leave a hanging call."""
        hanging = threading.Event()

        def work() -> None:
            with ThreadWorkers(leave_seconds_max=0.05) as workers:
                workers.start_write(hanging.wait)
                if error is Interrupted:
                    workers.leave()
                raise error

        with pytest.raises(error):
            work()
        hanging.set()

    def test_work_that_ends_soon_is_waited_for(self) -> None:
        """If it ends soon, nothing is left; what was not begun never is."""
        begun = threading.Event()
        done: list[int] = []

        def work(item: int) -> None:
            begun.set()
            pool.pause(SECONDS_MAX)
            done.append(item)

        with ThreadWorkers(writers=1, leave_seconds_max=SECONDS_MAX) as pool:
            pool.start_write(partial(work, 1))
            begun.wait(SECONDS_MAX)
            assert pool.end()
            assert done == [1]
            with pytest.raises(Interrupted):
                pool.check_stop()
            with pytest.raises(Interrupted):
                pool.start_write(partial(work, 2))

    def test_abandoned_work_is_reported(self) -> None:
        """A thread may still be at work, so its outcome is not taken as known."""
        hanging = threading.Event()
        with ThreadWorkers(leave_seconds_max=0.05) as workers:
            workers.start_write(hanging.wait)
            assert not workers.end()
            hanging.set()

    def test_other_errors_wait_for_running_work(self) -> None:
        """Work under way is finished, however long it takes."""
        done: list[int] = []

        def write() -> None:
            time.sleep(0.1)
            done.append(1)

        def work() -> None:
            with ThreadWorkers(leave_seconds_max=0) as workers:
                workers.start_write(write)
                raise KeyError

        with pytest.raises(KeyError):
            work()
        assert done == [1]

"""Several simultaneous runs, call by call, in an order drawn from a seed: threads of which only one
runs at a time.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence

from tests.support.waiting import SECONDS_MAX


class Turns:
    """Passes the turn from one job to another whenever one of them reaches its gate."""

    def __init__(self, rng: random.Random, switch: float) -> None:
        self._random = rng
        self._switch = switch
        self._turn: int | None = None
        self._waiting: list[int] = []
        self._changed = threading.Condition()

    def run(self, jobs: Sequence[Callable[[Callable[[], None]], None]]) -> list[BaseException]:
        """Runs all jobs, each with its gate. Returns what they raised. Bounded: a job that hangs
        raises TimeoutError here.
        """
        errors: list[BaseException] = []
        self._waiting = list(range(len(jobs)))
        threads = [
            threading.Thread(target=self._work, args=(number, job, errors), daemon=True)
            for number, job in enumerate(jobs)
        ]
        self._turn = self._random.choice(self._waiting)
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(SECONDS_MAX)
            if thread.is_alive():
                raise TimeoutError("a simulated run hangs")
        return errors

    def _work(
        self, number: int, job: Callable[[Callable[[], None]], None], errors: list[BaseException]
    ) -> None:
        self._wait(number)
        try:
            job(lambda: self._pass(number))
        except BaseException as error:  # noqa: BLE001 - it is handed to the one who asked for the job
            errors.append(error)
        finally:
            with self._changed:
                self._waiting.remove(number)
                self._turn = self._random.choice(self._waiting) if self._waiting else None
                self._changed.notify_all()

    def _pass(self, number: int) -> None:
        with self._changed:
            if self._random.random() >= self._switch:
                return
            self._turn = self._random.choice(self._waiting)
            self._changed.notify_all()
        self._wait(number)

    def _wait(self, number: int) -> None:
        with self._changed:
            if not self._changed.wait_for(lambda: self._turn == number, timeout=SECONDS_MAX):
                raise TimeoutError("the turn never came")

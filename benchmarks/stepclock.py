"""CPU and wall time of steps that follow one another."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class StepClock:
    """`cpu_seconds` and `seconds` by step; the CPU is that of all threads of this process. A step
    may come several times.
    """

    def __init__(self) -> None:
        self.cpu_seconds: dict[str, float] = {}
        self.seconds: dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        cpu, wall = time.process_time(), time.perf_counter()
        yield
        self.cpu_seconds[name] = self.cpu_seconds.get(name, 0.0) + time.process_time() - cpu
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - wall

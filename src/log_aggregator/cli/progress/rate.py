"""How fast something goes, over the last half minute."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

SPAN_SECONDS = 30.0
SAMPLE_SECONDS_MIN = 1.0


class Rates:
    """The rates of several counts that are taken together. Not thread safe."""

    def __init__(self, seconds: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._samples: deque[tuple[float, tuple[int, ...]]] = deque()
        self._newest: tuple[float, tuple[int, ...]] | None = None

    def take(self, *counts: int) -> None:
        """The counts now. Older samples than SPAN_SECONDS are dropped."""
        now = self._seconds()
        self._newest = now, counts
        if self._samples and now - self._samples[-1][0] < SAMPLE_SECONDS_MIN:
            return
        self._samples.append((now, counts))
        while len(self._samples) > 2 and now - self._samples[1][0] >= SPAN_SECONDS:
            self._samples.popleft()

    def read(self) -> tuple[float, ...] | None:
        """How much each count grows per second; None while that is not known."""
        if self._newest is None or self._newest[0] - self._samples[0][0] < SAMPLE_SECONDS_MIN:
            return None
        (began, first), (ended, last) = self._samples[0], self._newest
        grown = (max(0, b - a) for a, b in zip(first, last, strict=True))
        return tuple(each / (ended - began) for each in grown)

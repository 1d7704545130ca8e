"""How a run is going."""

from __future__ import annotations

import sys
import threading
import time
from types import TracebackType
from typing import Self

from log_aggregator.cli.progress.counting import LINE_SECONDS_MIN, say
from log_aggregator.reports.numbers import format_count
from log_aggregator.steps.packing.listing import Progress
from log_aggregator.steps.packing.results import GroupResult


def make_progress(*, is_quiet: bool) -> ProgressView:
    """What fits where standard error goes."""
    if is_quiet:
        return ProgressView()
    return BarProgress() if sys.stderr.isatty() else LineProgress()


class ProgressView(Progress):
    """Shows nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None


class BarProgress(ProgressView):
    """Two bars: keys seen, log objects settled."""

    def __init__(self) -> None:
        from log_aggregator.cli.progress.bars import make_counting_bars

        self._bars = make_counting_bars()
        self._listing = self._bars.add_task("listing", total=None)
        self._settling = self._bars.add_task("packing", total=None, visible=False)

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def listed(self, keys: int) -> None:
        self._bars.advance(self._listing, keys)

    def planned(self, groups: int, objects: int) -> None:
        self._bars.update(self._settling, total=objects, visible=True)

    def settled(self, result: GroupResult, objects: int) -> None:
        self._bars.advance(self._settling, objects)


class LineProgress(ProgressView):
    """A line for each phase, and one every ten seconds in between."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._keys = self._done = self._total = 0
        self._said = time.monotonic()

    def listing(self, bucket: str) -> None:
        say(f"listing {bucket}")

    def listed(self, keys: int) -> None:
        with self._lock:
            self._keys += keys
            self._say_seldom(f"{format_count(self._keys, 'key')} seen")

    def planned(self, groups: int, objects: int) -> None:
        with self._lock:
            self._total, self._done = objects, 0
        say(f"packing {format_count(objects, 'log object')} in {format_count(groups, 'group')}")

    def settled(self, result: GroupResult, objects: int) -> None:
        with self._lock:
            self._done += objects
            self._say_seldom(f"{self._done:,} of {self._total:,} log objects settled")
        for failure in result.failures:
            say(f"failed: {failure.where}: {failure.message}")

    def _say_seldom(self, text: str) -> None:
        if time.monotonic() - self._said >= LINE_SECONDS_MIN:
            self._said = time.monotonic()
            say(text)

"""Progress of a run."""

from __future__ import annotations

import sys
import threading
import time
from types import TracebackType
from typing import Self

from log_aggregator.cli.progress.counting import LINE_SECONDS_MIN, say
from log_aggregator.cli.progress.rate import Rates
from log_aggregator.core.windows import DateWindow
from log_aggregator.model import Group
from log_aggregator.reports.numbers import format_bytes, format_count
from log_aggregator.signals import when_stopped
from log_aggregator.steps.packing.meter import Reading, RunMeter
from log_aggregator.steps.packing.results import GroupResult

PACKING, PLANNING, DELETING = "packing", "planning", "deleting"
STEP_WORDS = {"combine": "packing", "verify": "verifying", "delete": "deleting"}


def make_progress(*, is_quiet: bool, doing: str = PACKING) -> ProgressView:
    """The view that suits where standard error goes; `doing` is what happens to the log objects."""
    if is_quiet:
        return ProgressView(doing)
    return BarProgress(doing) if sys.stderr.isatty() else LineProgress(doing)


class ProgressView(RunMeter):
    """Shows nothing."""

    def __init__(self, doing: str = PACKING) -> None:
        super().__init__()
        self.doing = doing

    def describe_work(self, reading: Reading, rates: tuple[float, ...] | None) -> str:
        """A plan must not sound as if anything were done."""
        if self.doing == PLANNING:
            return describe_planning(reading, rates)
        return describe_work(reading, rates)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None

    def refresh(self) -> None:
        """Called after each update: shows it, if it is time to."""

    def listed(self, keys: int) -> None:
        super().listed(keys)
        self.refresh()

    def planned(self, groups: int, objects: int) -> None:
        super().planned(groups, objects)
        self.refresh()

    def working(self, group: Group, step: str) -> None:
        super().working(group, step)
        self.refresh()

    def packing(self, group: Group, objects: int, size_bytes: int) -> None:
        super().packing(group, objects, size_bytes)
        self.refresh()

    def deleted(self, group: Group, originals: int) -> None:
        super().deleted(group, originals)
        self.refresh()

    def settled(self, result: GroupResult, objects: int) -> None:
        super().settled(result, objects)
        self.refresh()


class BarProgress(ProgressView):
    """A bar for the window of days that is worked on, with details below it. It reads the progress
    by itself whenever it is drawn.
    """

    def __init__(self, doing: str = PACKING) -> None:
        super().__init__(doing)
        from log_aggregator.cli.progress.bars import BarWithText

        self._bar = BarWithText(self._show)
        self._rates = Rates()
        self._number_shown = 0

    def __enter__(self) -> Self:
        self._bar.start()
        self._take_back = when_stopped(self._show_stop)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._take_back()
        self._bar.stop()

    def _show_stop(self) -> None:
        """Runs in another thread, immediately: requests under way may take some seconds to end."""
        self._bar.say("stopping ...")

    def _show(self) -> None:
        reading = self.read()
        self._rates.take(reading.total_objects, reading.total_bytes)
        if not reading.is_planned:
            self._bar.show_waiting("listing", f"{format_count(reading.keys, 'key')} seen")
            return
        if reading.number != self._number_shown:
            self._number_shown = reading.number
            self._bar.begin(reading.objects)
        self._bar.show(self.name(reading), reading.done, self.describe(reading))

    def name(self, reading: Reading) -> str:
        """The text before the bar."""
        return describe_days(reading) or self.doing

    def describe(self, reading: Reading) -> str:
        """The text below the bar."""
        return self.describe_work(reading, self._rates.read())


def describe_days(reading: Reading) -> str:
    """Which of the run's days these are; empty if they are all of them."""
    window, whole = reading.window, reading.whole
    if window is None or whole is None or window == whole:
        return ""
    first, last = (window.first - whole.first).days + 1, (window.last - whole.first).days + 1
    return f"days {first:,}-{last:,} of {(whole.last - whole.first).days + 1:,}"


def describe_work(reading: Reading, rates: tuple[float, ...] | None) -> str:
    """Bytes, rates, steps and failures of all that was done so far, in one line."""
    parts = [format_bytes(reading.total_bytes)]
    if rates is not None:
        objects, size_bytes = rates
        parts.append(f"{objects:,.0f}/s, {format_bytes(round(size_bytes))}/s")
    parts += [
        f"{word} {reading.steps[step]}"
        for step, word in STEP_WORDS.items()
        if step in reading.steps
    ]
    if reading.is_planned and reading.done >= reading.objects and not reading.steps:
        parts.append("recording what was done")
    if reading.total_deleted:
        parts.append(f"{format_count(reading.total_deleted, 'original')} deleted")
    if reading.total_failures:
        parts.append(format_count(reading.total_failures, "failure"))
    return " · ".join(parts)


def describe_planning(reading: Reading, rates: tuple[float, ...] | None) -> str:
    """How fast it plans, and what cannot be planned."""
    parts = [] if rates is None else [f"{rates[0]:,.0f}/s"]
    if reading.total_failures:
        parts.append(format_count(reading.total_failures, "failure"))
    return " · ".join(parts)


class LineProgress(ProgressView):
    """A line for each phase, and one every ten seconds in between."""

    def __init__(self, doing: str = PACKING) -> None:
        super().__init__(doing)
        self._said = time.monotonic()
        self._rates = Rates()
        self._saying = threading.Lock()

    def listing(self, bucket: str) -> None:
        say(f"listing {bucket}")

    def days(self, window: DateWindow, whole: DateWindow) -> None:
        super().days(window, whole)
        if window != whole:
            say(f"{window.first} to {window.last}: {describe_days(self.read())}")

    def planned(self, groups: int, objects: int) -> None:
        super().planned(groups, objects)
        say(
            f"{self.doing} {format_count(objects, 'log object')} in {format_count(groups, 'group')}"
        )

    def settled(self, result: GroupResult, objects: int) -> None:
        super().settled(result, objects)
        for failure in result.failures:
            say(f"failed: {failure.where}: {failure.message}")

    def refresh(self) -> None:
        if time.monotonic() - self._said < LINE_SECONDS_MIN:
            return
        if not self._saying.acquire(blocking=False):
            return
        try:
            self._said = time.monotonic()
            say(self.describe(self.read()))
        finally:
            self._saying.release()

    def describe(self, reading: Reading) -> str:
        """The line that is printed every ten seconds."""
        self._rates.take(reading.total_objects, reading.total_bytes)
        if not reading.is_planned:
            return f"{format_count(reading.keys, 'key')} seen"
        work = self.describe_work(reading, self._rates.read())
        said = f"{reading.done:,} of {format_count(reading.objects, 'log object')}"
        return f"{said}: {work}" if work else said

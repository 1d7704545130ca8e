"""Progress of a backfill: the window that this worker is in, and the whole range below it."""

from __future__ import annotations

import sys

from log_aggregator.cli.progress.counting import say
from log_aggregator.cli.progress.run import BarProgress, LineProgress, ProgressView, describe_work
from log_aggregator.core.backfill.entries import Totals
from log_aggregator.core.backfill.states import BackfillState, State
from log_aggregator.core.windows import DateWindow
from log_aggregator.reports.backfill import summarize
from log_aggregator.reports.numbers import format_count
from log_aggregator.steps.backfill.work import Outcome, Watcher
from log_aggregator.steps.packing.meter import Reading


def make_backfill_view(*, is_quiet: bool) -> BackfillView:
    """The view that suits where standard error goes."""
    if is_quiet:
        return BackfillView(ProgressView())
    if not sys.stderr.isatty():
        return _Lines(LineProgress())
    return _Bar(_RangeBar())


class BackfillView(Watcher):
    """Shows nothing. The runs of the windows use `progress`, one after the other."""

    def __init__(self, progress: ProgressView) -> None:
        self.progress = progress
        self._before = progress.read()

    def began(self, window: DateWindow) -> None:
        self._before = self.progress.read()

    def read_totals(self) -> Totals:
        """What has been done in this window so far."""
        now, before = self.progress.read(), self._before
        return Totals(
            objects=now.total_objects - before.total_objects,
            bytes_in=now.total_bytes - before.total_bytes,
            deleted=now.total_deleted - before.total_deleted,
            failures=now.total_failures - before.total_failures,
        )


class _Lines(BackfillView):
    """A line for each window, in addition to those of its run."""

    def __init__(self, progress: ProgressView) -> None:
        super().__init__(progress)
        self._state: BackfillState | None = None
        self._was_waiting = False

    def looked(self, state: BackfillState) -> None:
        self._state = state
        say(summarize(state))

    def began(self, window: DateWindow) -> None:
        super().began(window)
        self._was_waiting = False
        if self._state is not None:
            say(f"{name_window(self._state)}: {window.first} to {window.last}")

    def ended(self, window: DateWindow, outcome: Outcome) -> None:
        failed = f", {format_count(len(outcome.failures), 'failure')}" if outcome.failures else ""
        say(
            f"{window.first} to {window.last}: "
            f"{format_count(outcome.totals.objects, 'log object')} packed{failed}"
        )

    def waiting(self, state: BackfillState) -> None:
        if not self._was_waiting:
            say(describe_wait(state))
        self._was_waiting = True


class _RangeBar(BarProgress):
    """The bar of a run's window, and a second line below it."""

    def __init__(self) -> None:
        super().__init__()
        self.state: BackfillState | None = None
        self.window = ""
        self.is_waiting = False

    def name(self, reading: Reading) -> str:
        return self.window

    def describe(self, reading: Reading) -> str:
        work = describe_work(reading, self._rates.read())
        return work if self.state is None else f"{work}\n  {summarize(self.state)}"

    def _show(self) -> None:
        if self.state is None or not self.is_waiting:
            super()._show()
        else:
            text = f"{describe_wait(self.state)}\n  {summarize(self.state)}"
            self._bar.show_waiting("waiting", text)


class _Bar(BackfillView):
    def __init__(self, bar: _RangeBar) -> None:
        super().__init__(bar)
        self._bar = bar

    def looked(self, state: BackfillState) -> None:
        self._bar.state = state

    def began(self, window: DateWindow) -> None:
        super().began(window)
        self._bar.is_waiting = False
        if self._bar.state is not None:
            self._bar.window = name_window(self._bar.state)

    def waiting(self, state: BackfillState) -> None:
        self._bar.is_waiting = True


def name_window(state: BackfillState) -> str:
    """The number of the window that this worker has begun, and how many there are."""
    begun = len(state.windows) - state.count(State.TO_DO) + 1
    return f"window {min(begun, len(state.windows)):,} of {len(state.windows):,}"


def describe_wait(state: BackfillState) -> str:
    """Which workers it waits for."""
    others = state.of(State.UNDER_WAY)
    workers = ", ".join(sorted({each.worker or "unknown worker" for each in others}))
    return (
        f"waiting for {format_count(len(others), 'window')} claimed by {workers}; "
        "--take-over does not wait"
    )

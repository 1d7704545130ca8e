"""How a run is going: bars on a terminal, plain lines otherwise. Always on standard error, so that
results stay clean.
"""

from __future__ import annotations

import os
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from log_aggregator.reports.numbers import format_count
from log_aggregator.steps.packing.listing import Progress as RunProgress
from log_aggregator.steps.packing.results import GroupResult

_LINE_SECONDS_MIN = 10.0
_COLUMNS = (
    SpinnerColumn(),
    TextColumn("{task.description:<10}"),
    BarColumn(),
    MofNCompleteColumn(),
    TimeElapsedColumn(),
    TimeRemainingColumn(),
)


def make_progress(*, is_quiet: bool) -> ProgressView:
    """What fits where standard error goes."""
    if is_quiet:
        return ProgressView()
    return BarProgress() if sys.stderr.isatty() else LineProgress()


def shares_terminal() -> bool:
    """Whether what goes to standard output may come out on the terminal, where a bar would be in
    its midst: of a pipe nobody knows.
    """
    try:
        return sys.stderr.isatty() and not stat.S_ISREG(os.fstat(sys.stdout.fileno()).st_mode)
    except OSError:
        return False


@contextmanager
def show_bar(what: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """A bar for something long that is no run; the function that it gives takes the count done so
    far.

    Off a terminal it is a line every ten seconds, where the total is known.
    """
    if not sys.stderr.isatty():
        yield _make_lines(what, total)
        return
    with Progress(*_COLUMNS, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(what, total=total)
        yield lambda done: bars.update(task, completed=done)


def _make_lines(what: str, total: int | None) -> Callable[[int], None]:
    said = time.monotonic()

    def show(done: int) -> None:
        nonlocal said
        if total is not None and time.monotonic() - said >= _LINE_SECONDS_MIN:
            said = time.monotonic()
            _say(f"{what}: {done:,} of {total:,}")

    return show


class ProgressView(RunProgress):
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
        self._bars = Progress(*_COLUMNS, console=Console(stderr=True), transient=True)
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
        _say(f"listing {bucket}")

    def listed(self, keys: int) -> None:
        with self._lock:
            self._keys += keys
            self._say_seldom(f"{format_count(self._keys, 'key')} seen")

    def planned(self, groups: int, objects: int) -> None:
        with self._lock:
            self._total, self._done = objects, 0
        _say(f"packing {format_count(objects, 'log object')} in {format_count(groups, 'group')}")

    def settled(self, result: GroupResult, objects: int) -> None:
        with self._lock:
            self._done += objects
            self._say_seldom(f"{self._done:,} of {self._total:,} log objects settled")
        for failure in result.failures:
            _say(f"failed: {failure.where}: {failure.message}")

    def _say_seldom(self, text: str) -> None:
        if time.monotonic() - self._said >= _LINE_SECONDS_MIN:
            self._said = time.monotonic()
            _say(text)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - the command line's own voice

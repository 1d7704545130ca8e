"""Progress of packs that S3 thaws."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from log_aggregator.cli.progress.counting import say
from log_aggregator.reports.numbers import format_count
from log_aggregator.steps.retrieval.thaw import ThawProgress

if TYPE_CHECKING:
    from rich.progress import Progress


@contextmanager
def show_waiting(*, is_quiet: bool) -> Iterator[ThawProgress]:
    """A bar on a terminal, a line for every change elsewhere."""
    if is_quiet:
        yield ThawProgress()
    elif not sys.stderr.isatty():
        yield _Lines()
    else:
        from log_aggregator.cli.progress.bars import make_waiting_bars

        with make_waiting_bars() as bars:
            yield _Bar(bars)


class _Lines(ThawProgress):
    def __init__(self) -> None:
        self._said: tuple[int, int] | None = None

    def waiting(self, thawed: int, total: int) -> None:
        if self._said != (thawed, total):
            self._said = (thawed, total)
            say(f"thawing: {thawed:,} of {format_count(total, 'pack')}")


class _Bar(ThawProgress):
    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._task = bars.add_task("thawing", total=None)

    def waiting(self, thawed: int, total: int) -> None:
        self._bars.update(self._task, completed=thawed, total=total)

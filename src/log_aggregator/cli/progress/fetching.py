"""Progress of originals that come out of packs."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from log_aggregator.cli.progress.counting import LINE_SECONDS_MIN, Show, say, show_bar
from log_aggregator.reports.numbers import format_bytes, format_count
from log_aggregator.steps.retrieval.fetch import FetchProgress

if TYPE_CHECKING:
    from rich.progress import Progress

_BAR_SECONDS_MIN = 0.1


@contextmanager
def show_fetching(
    what: str, *, is_quiet: bool, total: int | None = None
) -> Iterator[FetchProgress]:
    """On a terminal a changing line, or a bar where the total is known; elsewhere a line every ten
    seconds.
    """
    if is_quiet:
        yield FetchProgress()
    elif not sys.stderr.isatty():
        yield _Lines(what)
    elif total is not None:
        with show_bar(what, total) as show:
            yield _Counted(show)
    else:
        from log_aggregator.cli.progress.bars import make_changing_line

        with make_changing_line() as bars:
            yield _Bar(what, bars)


class _Lines(FetchProgress):
    def __init__(self, what: str) -> None:
        self._what = what
        self._said = time.monotonic()

    def fetched(self, originals: int, size_bytes: int) -> None:
        if time.monotonic() - self._said >= LINE_SECONDS_MIN:
            self._said = time.monotonic()
            say(f"{self._what}: {format_count(originals, 'original')}, {format_bytes(size_bytes)}")


class _Counted(FetchProgress):
    def __init__(self, show: Show) -> None:
        self._show = show

    def fetched(self, originals: int, size_bytes: int) -> None:
        self._show(originals, size_bytes)


class _Bar(FetchProgress):
    def __init__(self, what: str, bars: Progress) -> None:
        self._what, self._bars = what, bars
        self._task = bars.add_task(f"{what} ...", total=None)
        self._shown = 0.0

    def fetched(self, originals: int, size_bytes: int) -> None:
        if time.monotonic() - self._shown >= _BAR_SECONDS_MIN:
            self._shown = time.monotonic()
            text = (
                f"{self._what}: {format_count(originals, 'original')}, {format_bytes(size_bytes)}"
            )
            self._bars.update(self._task, description=text)

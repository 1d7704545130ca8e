"""Progress of work that counts what it does."""

from __future__ import annotations

import os
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from log_aggregator.cli.printing import print_line
from log_aggregator.cli.progress.rate import Rates
from log_aggregator.reports.numbers import format_bytes

if TYPE_CHECKING:
    from log_aggregator.cli.progress.bars import BarWithText

LINE_SECONDS_MIN = 10.0
SHOW_SECONDS_MIN = 0.1
"""Faster updates could not be read."""


class Show(Protocol):
    """Takes the count done so far, and its bytes where they are known."""

    def __call__(self, done: int, size_bytes: int | None = None, /) -> None: ...


def shares_terminal() -> bool:
    """Whether standard output may end up on the terminal, where a bar would break it up. A pipe may
    lead there.
    """
    try:
        return sys.stderr.isatty() and not stat.S_ISREG(os.fstat(sys.stdout.fileno()).st_mode)
    except OSError:
        return False


@contextmanager
def show_bar(what: str, total: int | None) -> Iterator[Show]:
    """A bar for long work that is not a run. The function that it gives takes the count done so
    far, and its bytes where they are known.

    Without a terminal it prints a line every ten seconds, if the total is known.
    """
    if not sys.stderr.isatty():
        yield _make_lines(what, total)
        return
    from log_aggregator.cli.progress.bars import showing_bar

    with showing_bar(what, total) as bar:
        yield _make_bar(what, bar)


def say(text: str) -> None:
    """Prints a line on standard error."""
    print_line(text, err=True)


def describe_rates(rates: Rates, size_bytes: int | None) -> str:
    """How many bytes so far, and how fast."""
    found = rates.read()
    parts = [] if size_bytes is None else [format_bytes(size_bytes)]
    if found is not None:
        objects, grown = found
        more = "" if size_bytes is None else f", {format_bytes(round(grown))}/s"
        parts.append(f"{objects:,.0f}/s{more}")
    return " · ".join(parts)


def _make_bar(what: str, bar: BarWithText) -> Show:
    rates, shown = Rates(), 0.0

    def show(done: int, size_bytes: int | None = None, /) -> None:
        nonlocal shown
        rates.take(done, size_bytes or 0)
        if time.monotonic() - shown >= SHOW_SECONDS_MIN:
            shown = time.monotonic()
            bar.show(what, done, describe_rates(rates, size_bytes))

    return show


def _make_lines(what: str, total: int | None) -> Show:
    said = time.monotonic()

    def show(done: int, _size_bytes: int | None = None, /) -> None:
        nonlocal said
        if total is not None and time.monotonic() - said >= LINE_SECONDS_MIN:
            said = time.monotonic()
            say(f"{what}: {done:,} of {total:,}")

    return show

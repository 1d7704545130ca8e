"""How something is going that counts what it does."""

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
"""Nobody can read faster."""


class Show(Protocol):
    """Takes the count done so far, and the bytes of these where they are known."""

    def __call__(self, done: int, size_bytes: int | None = None, /) -> None: ...


def shares_terminal() -> bool:
    """Whether what goes to standard output may come out on the terminal, where a bar would be in
    its midst: of a pipe nobody knows.
    """
    try:
        return sys.stderr.isatty() and not stat.S_ISREG(os.fstat(sys.stdout.fileno()).st_mode)
    except OSError:
        return False


@contextmanager
def show_bar(what: str, total: int | None) -> Iterator[Show]:
    """A bar for something long that is no run; the function that it gives takes the count done so
    far, and the bytes of these where they are known.

    Off a terminal it is a line every ten seconds, where the total is known.
    """
    if not sys.stderr.isatty():
        yield _make_lines(what, total)
        return
    from log_aggregator.cli.progress.bars import showing_bar

    with showing_bar(what, total) as bar:
        yield _make_bar(what, bar)


def say(text: str) -> None:
    """A line on standard error."""
    print_line(text, err=True)


def describe_rates(rates: Rates, size_bytes: int | None) -> str:
    """How fast it goes, and how much that was."""
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

"""How something is going that counts what it does."""

from __future__ import annotations

import os
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from log_aggregator.cli.printing import print_line

LINE_SECONDS_MIN = 10.0


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
    from log_aggregator.cli.progress.bars import make_counting_bars

    with make_counting_bars() as bars:
        task = bars.add_task(what, total=total)
        yield lambda done: bars.update(task, completed=done)


def say(text: str) -> None:
    """A line on standard error."""
    print_line(text, err=True)


def _make_lines(what: str, total: int | None) -> Callable[[int], None]:
    said = time.monotonic()

    def show(done: int) -> None:
        nonlocal said
        if total is not None and time.monotonic() - said >= LINE_SECONDS_MIN:
            said = time.monotonic()
            say(f"{what}: {done:,} of {total:,}")

    return show

"""A page that is longer than the terminal goes through a pager, as with git. Nothing else does:
not output to a file or a pipe, not JSON, and not what a script may wait for.

The pager is LOG_AGGREGATOR_PAGER, PAGER, or less; `cat`, or an empty variable, means no pager.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

from log_aggregator.cli.printing import print_lines, print_report
from log_aggregator.escapes import escape
from log_aggregator.signals import interrupt, on_stop

LESS = ("less", "-F", "-R", "-X")
VARIABLES = ("LOG_AGGREGATOR_PAGER", "PAGER")


def page_report(described: Any, lines: Iterable[str], *, as_json: bool) -> None:
    """As `print_report`, for a page that people read from top to bottom."""
    if as_json or not sys.stdout.isatty():
        print_report(described, lines, as_json=as_json)
        return
    page = list(lines)
    pager = find_pager()
    if not pager or _fits(page):
        print_lines(page)
    else:
        _show(pager, page)


def find_pager() -> Sequence[str]:
    """The words of its command; empty where there is no pager."""
    named = next((os.environ[name] for name in VARIABLES if name in os.environ), None)
    try:
        words = LESS if named is None else tuple(shlex.split(named))
    except ValueError:  # a quote that is not closed
        return ()
    return words if words and words[0] != "cat" and shutil.which(words[0]) else ()


def _fits(page: Sequence[str]) -> bool:
    size = os.get_terminal_size(sys.stdout.fileno())
    rows = sum(1 + max(0, len(line) - 1) // max(1, size.columns) for line in page)
    return rows < size.lines


def _show(pager: Sequence[str], page: Sequence[str]) -> None:
    """While the pager runs ctrl-C belongs to it: our own work is done."""
    text = "".join(f"{escape(line)}\n" for line in page)
    on_stop(signal.SIG_IGN)
    try:
        data = text.encode(sys.stdout.encoding, "backslashreplace")
        with suppress(OSError):  # the user may leave the pager before the end
            subprocess.run(pager, input=data, check=False)  # noqa: S603 - the user's own program
    finally:
        on_stop(interrupt)

"""Bars on the terminal that standard error goes to."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from log_aggregator.cli.printing import own_stream


def make_counting_bars() -> Progress:
    """What is done of how much, and how long the rest will take."""
    return _make(
        _make_spinner(),
        TextColumn("{task.description:<10}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )


def make_waiting_bars() -> Progress:
    """The same of what others do, who do not say how long they take."""
    return _make(
        _make_spinner(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )


def make_changing_line() -> Progress:
    """A text that changes, where nobody knows how much there will be."""
    return _make(_make_spinner(), TextColumn("{task.description}"), TimeElapsedColumn())


def _make_spinner() -> SpinnerColumn:
    """Of what every terminal has, where this one's encoding lacks the usual dots."""
    is_unicode = own_stream(sys.stderr).encoding.lower().startswith("utf")
    return SpinnerColumn("dots" if is_unicode else "line")


def _make(*columns: ProgressColumn) -> Progress:
    """Below the guard, for colours and moves are our own; and what others write meanwhile goes
    where it would go without a bar, not through it.
    """
    return Progress(
        *columns,
        console=Console(file=own_stream(sys.stderr)),
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )

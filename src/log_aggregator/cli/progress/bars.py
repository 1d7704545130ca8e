"""Bars on the terminal that standard error goes to."""

from __future__ import annotations

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


def make_counting_bars() -> Progress:
    """What is done of how much, and how long the rest will take."""
    return _make(
        SpinnerColumn(),
        TextColumn("{task.description:<10}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )


def make_waiting_bars() -> Progress:
    """The same of what others do, who do not say how long they take."""
    return _make(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )


def make_changing_line() -> Progress:
    """A text that changes, where nobody knows how much there will be."""
    return _make(SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())


def _make(*columns: ProgressColumn) -> Progress:
    return Progress(*columns, console=Console(stderr=True), transient=True)

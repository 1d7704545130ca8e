"""What came back out of the packs: a summary, and how it goes meanwhile."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from log_aggregator.core.costs import estimate_dollars
from log_aggregator.reports.failures import name_failed, render_failed
from log_aggregator.reports.numbers import format_bytes, format_count, format_dollars
from log_aggregator.steps.retrieval.fetch import FetchProgress, FetchResult

_LINE_SECONDS_MIN = 10.0
_BAR_SECONDS_MIN = 0.1


def describe_fetch(result: FetchResult, output: str, requests: Mapping[str, int]) -> dict[str, Any]:
    """What `extract --json` writes."""
    return {
        "originals": result.originals,
        "bytes": result.size_bytes,
        "packs": result.packs,
        "output": output,
        "requests": dict(requests),
        "dollars": estimate_dollars(requests),
        "rescued": result.rescued,
        "lost": result.lost,
        "failures": [asdict(failure) for failure in result.failures],
    }


def render_fetch(described: Mapping[str, Any]) -> Iterator[str]:
    requests = sum(described["requests"].values())
    yield (
        f"{format_count(described['originals'], 'original')}, "
        f"{format_bytes(described['bytes'])}, out of"
        f" {format_count(described['packs'], 'pack')}, into {described['output']};"
        f" {format_count(requests, 'request')}, {format_dollars(described['dollars'])}"
    )
    if described["rescued"]:
        yield (
            f"{format_count(described['rescued'], 'original')} out of another pack that "
            "holds them too, because one could not be read;"
            " `log-aggregator verify` tells which"
        )
    lost = (
        f"{format_count(described['lost'], 'original')} could not be had"
        if described["lost"]
        else None
    )
    yield from render_failed(described["failures"], name_failed(described["failures"], lost))


@contextmanager
def show_fetching(what: str, *, is_quiet: bool) -> Iterator[FetchProgress]:
    """A line that changes on a terminal, a line every ten seconds elsewhere; always on standard
    error.
    """
    if is_quiet:
        yield FetchProgress()
    elif not sys.stderr.isatty():
        yield _Lines(what)
    else:
        columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
            yield _Bar(what, bars)


class _Lines(FetchProgress):
    def __init__(self, what: str) -> None:
        self._what = what
        self._said = time.monotonic()

    def fetched(self, originals: int, size_bytes: int) -> None:
        if time.monotonic() - self._said >= _LINE_SECONDS_MIN:
            self._said = time.monotonic()
            text = (
                f"{self._what}: {format_count(originals, 'original')}, {format_bytes(size_bytes)}"
            )
            print(text, file=sys.stderr, flush=True)  # noqa: T201 - the command line's own voice


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

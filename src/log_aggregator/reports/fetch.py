"""A summary of the originals that came out of packs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from log_aggregator.core.costs import estimate_dollars
from log_aggregator.reports.failures import name_failed, render_failed
from log_aggregator.reports.numbers import format_bytes, format_count, format_dollars
from log_aggregator.steps.retrieval.fetch import FetchResult


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
        f"{format_bytes(described['bytes'])}, from"
        f" {format_count(described['packs'], 'pack')}, into {described['output']};"
        f" {format_count(requests, 'request')}, {format_dollars(described['dollars'])}"
    )
    if described["rescued"]:
        yield (
            f"{format_count(described['rescued'], 'original')} came from another pack that "
            "also holds them, because one pack could not be read;"
            " `log-aggregator verify` shows which"
        )
    lost = (
        f"{format_count(described['lost'], 'original')} could not be read"
        if described["lost"]
        else None
    )
    yield from render_failed(described["failures"], name_failed(described["failures"], lost))

"""Originals that are put back: which, where to, and with what result."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from log_aggregator.core.costs import estimate_dollars
from log_aggregator.errors import Failure
from log_aggregator.reports.failures import name_failed, render_failed
from log_aggregator.reports.numbers import format_bytes, format_count, format_dollars
from log_aggregator.steps.retrieval.fetch import Wanted
from log_aggregator.steps.retrieval.put_back import PutBackResult, ReturnAddress

WARNING = (
    "the next run over these dates packs and deletes what is put back into a bucket that logs are "
    "taken from;"
    " name its account, prefix or dates under [holds] for as long as you need it, or use "
    "--to-bucket"
)
_SHOWN_MAX = 20


def describe_put_back_plan(
    wanted: Sequence[Wanted],
    address: ReturnAddress,
    failures: Sequence[Failure],
    warnings: Sequence[str],
) -> dict[str, Any]:
    """What `put-back --dry-run --json` writes."""
    originals = []
    for each in wanted:
        for member in each.pack.members:
            bucket, key = address.of(each, member)
            originals.append(
                {
                    "bucket": bucket,
                    "key": key,
                    "bytes": member.size_bytes,
                    "version_id": member.version_id,
                }
            )
    return {
        "originals": originals,
        "bytes": sum(original["bytes"] for original in originals),
        "packs": len(wanted),
        "warnings": list(warnings),
        "failures": [asdict(failure) for failure in failures],
    }


def render_put_back_plan(described: Mapping[str, Any]) -> Iterator[str]:
    originals = described["originals"]
    yield from render_warnings(described["warnings"])
    yield (
        f"{format_count(len(originals), 'original')}, {format_bytes(described['bytes'])}, from"
        f" {format_count(described['packs'], 'pack')}, would be written:"
    )
    for original in originals[:_SHOWN_MAX]:
        yield f"  s3://{original['bucket']}/{original['key']}"
    if len(originals) > _SHOWN_MAX:
        yield f"  ... and {len(originals) - _SHOWN_MAX:,} more; --json names all"
    yield from render_failed(described["failures"], "not everything could be searched")


def describe_put_back(
    result: PutBackResult, requests: Mapping[str, int], warnings: Sequence[str]
) -> dict[str, Any]:
    """What `put-back --json` writes."""
    return {
        "written": result.written,
        "written_bytes": result.written_bytes,
        "there": result.there,
        "requests": dict(requests),
        "dollars": estimate_dollars(requests),
        "warnings": list(warnings),
        "lost": result.lost,
        "failures": [asdict(failure) for failure in result.failures],
    }


def render_put_back(described: Mapping[str, Any]) -> Iterator[str]:
    """Without the warnings, which were printed before."""
    there = (
        f", {format_count(described['there'], 'was', 'were')} there already"
        if described["there"]
        else ""
    )
    requests = sum(described["requests"].values())
    yield (
        f"{format_count(described['written'], 'original')} put back, "
        f"{format_bytes(described['written_bytes'])}{there};"
        f" {format_count(requests, 'request')}, {format_dollars(described['dollars'])}"
    )
    lost = (
        f"{format_count(described['lost'], 'original')} could not be put back"
        if described["lost"]
        else None
    )
    yield from render_failed(described["failures"], name_failed(described["failures"], lost))


def render_warnings(warnings: Sequence[str]) -> Iterator[str]:
    for warning in warnings:
        yield f"Warning: {warning}."

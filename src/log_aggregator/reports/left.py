"""What was left alone: by bucket and reason, with samples, and with what would change it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from log_aggregator.core.layouts.no_log import IN_USE_REASONS
from log_aggregator.core.layouts.parse import NO_LAYOUT_REASONS
from log_aggregator.core.layouts.suggest import suggest_pattern
from log_aggregator.reports.numbers import format_bytes, format_count
from log_aggregator.steps.packing.selection import Left, Selection

_MEANINGS = {
    Left.UNKNOWN: "unknown",
    Left.NO_LOG: "not logs",
    Left.HELD: "held",
    Left.DELETED: "deleted",
    Left.FROZEN: "frozen",
    Left.OTHER_REGION: "other region",
}


def describe_left_why(selection: Selection) -> list[dict[str, Any]]:
    """A row for each bucket and reason, those with the most objects first."""
    ordered = sorted(
        selection.left_why.items(), key=lambda each: (-each[1].objects, each[0].bucket, each[0].why)
    )
    return [
        {
            "bucket": why.bucket,
            "left": why.left.value,
            "reason": why.why,
            "objects": keys.objects,
            "bytes": keys.size_bytes,
            "samples": keys.samples,
            "patterns": _patterns(why.why, keys.samples),
            "is_in_use": why.why in IN_USE_REASONS,
        }
        for why, keys in ordered
    ]


def render_left_why(rows: Sequence[Mapping[str, Any]], samples: int = 2) -> Iterator[str]:
    """The same, for people. At most `samples` keys are shown for each row."""
    if not rows:
        return
    yield ""
    yield "Left alone"
    for row in rows:
        if row["left"] == Left.NOTHING.value:
            yield f"  nothing found in {row['bucket']}: {row['reason']}"
            continue
        size = f", {format_bytes(row['bytes'])}" if row["bytes"] else ""
        yield (
            f"  {format_count(row['objects'], 'object')}{size} in {row['bucket']}: "
            f"{_MEANINGS[Left(row['left'])]}{': ' if row['reason'] else ''}{row['reason']}"
        )
        yield from (f"      {sample}" for sample in row["samples"][:samples])
        yield from (f'      to declare: pattern = "{each}"' for each in row["patterns"])
    buckets = dict.fromkeys(row["bucket"] for row in rows if row["is_in_use"])
    for bucket in buckets:
        yield (
            f"  note: other programs seem to use {bucket}, and read its objects by key: it has "
            "inventories, tables or results of queries"
        )
    if any(row["patterns"] for row in rows):
        yield "  `log-aggregator layouts suggest BUCKET` proposes whole declarations"


def _patterns(reason: str, samples: Sequence[str]) -> list[str]:
    """Patterns of layouts that would make the samples logs."""
    if reason not in NO_LAYOUT_REASONS:
        return []
    found = (suggest_pattern(sample) for sample in samples)
    return list(dict.fromkeys(pattern for pattern in found if pattern is not None))

"""What `delete` would delete: as a dictionary for programs, as a table for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from log_aggregator.reports.failures import render_failed
from log_aggregator.reports.numbers import format_count
from log_aggregator.steps.packing.plan import PlannedGroup, RunPlan


def describe_deletion(plan: RunPlan, older_than_days: int) -> dict[str, Any]:
    """Originals by bucket and log type, the largest numbers first."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for planned in plan.groups:
        going = _going(planned)
        if not going:
            continue
        group, day = planned.group, planned.group.date.isoformat()
        row = rows.setdefault(
            (group.bucket, group.log_type),
            {
                "bucket": group.bucket,
                "log_type": group.log_type,
                "originals": 0,
                "packs": 0,
                "first_date": day,
                "last_date": day,
            },
        )
        row["originals"] += sum(going.values())
        row["packs"] += len(going)
        row["first_date"], row["last_date"] = (
            min(row["first_date"], day),
            max(row["last_date"], day),
        )
    return {
        "older_than_days": older_than_days,
        "first_date": plan.first.isoformat(),
        "last_date": plan.last.isoformat(),
        "originals": sum(row["originals"] for row in rows.values()),
        "packs": sum(row["packs"] for row in rows.values()),
        "younger": sum(planned.settled[key] for planned in plan.groups for key in planned.kept),
        "rows": sorted(rows.values(), key=lambda row: (-row["originals"], row["bucket"])),
        "failures": [asdict(failure) for failure in plan.failures],
    }


def render_deletion(planned: Mapping[str, Any]) -> Iterator[str]:
    """The same, for people, line by line."""
    if planned["failures"]:
        yield from render_failed(
            planned["failures"], "Nothing is deleted, because some packs could not be checked"
        )
        return
    younger = planned["younger"]
    if not planned["originals"]:
        yield (
            f"Nothing to delete: no original of {planned['first_date']} to {planned['last_date']} "
            f"has a pack{_age(planned['older_than_days'])}"
            + (f"; {format_count(younger, 'original')} in younger packs" if younger else "")
            + "."
        )
        return
    yield f"{'originals':>12}  {'packs':>7}  {'log dates':<24}  bucket, log type"
    for row in planned["rows"]:
        days = f"{row['first_date']} to {row['last_date']}"
        yield (
            f"{row['originals']:>12,}  {row['packs']:>7,}  {days:<24}  "
            f"{row['bucket']}, {row['log_type']}"
        )
    yield f"{planned['originals']:>12,}  {planned['packs']:>7,}  total"
    yield ""
    yield "Each pack is verified again, and then these originals are deleted for good."
    if younger:
        yield f"{format_count(younger, 'original')} in younger packs stay."


def _age(days: int) -> str:
    return f" that is {format_count(days, 'day')} old" if days else ""


def _going(planned: PlannedGroup) -> dict[str, int]:
    """Pack -> how many of its originals would be deleted."""
    return {key: count for key, count in planned.settled.items() if key not in planned.kept}

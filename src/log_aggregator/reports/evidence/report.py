"""A report in plain types for programs, and as lines for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from log_aggregator.core.evidence.at_rest import Verdict as PackVerdict
from log_aggregator.core.evidence.calendar import Calendar
from log_aggregator.core.times import encode_time
from log_aggregator.reports.custody import describe_walk
from log_aggregator.reports.evidence.page import SYMBOLS, TITLES
from log_aggregator.reports.evidence.verdicts import State, judge_report
from log_aggregator.reports.stats import describe_stats
from log_aggregator.steps.evidence.report import Answer, Place, RecordRow, Report


def describe_report(report: Report) -> dict[str, Any]:
    """What `report --json` writes. The names are documented in docs/reference/json.md."""
    stats = describe_stats(report.totals)
    return {
        "made": encode_time(report.made),
        "tool": report.tool,
        "accounts": list(report.accounts),
        "first_date": report.window.first.isoformat(),
        "last_date": report.window.last.isoformat(),
        "verdicts": [
            {
                "section": verdict.section.value,
                "state": verdict.state.value,
                "sentences": [
                    {"state": each.state.value, "text": each.text} for each in verdict.sentences
                ],
            }
            for verdict in judge_report(report)
        ],
        "coverage": None if report.calendar is None else _describe_coverage(report.calendar),
        "custody": describe_walk(place.walked for place in report.places),
        "buckets": [_describe_place(place) for place in report.places],
        "saved": {"total": stats["total"], "dollars": stats["dollars"]},
        "unread": stats["unread"],
    }


def render_report(described: Mapping[str, Any]) -> Iterator[str]:
    """A line or more for each part."""
    for verdict in described["verdicts"]:
        state = State(verdict["state"])
        yield f"{SYMBOLS[state]} {state.value:<9} {TITLES[verdict['section']]}"
        yield from (f"              {each['text']}" for each in verdict["sentences"])


def has_wrong(described: Mapping[str, Any]) -> bool:
    return any(verdict["state"] == State.WRONG for verdict in described["verdicts"])


def _describe_coverage(calendar: Calendar) -> dict[str, Any]:
    return {
        "rows": len(calendar.rows),
        "days": {state.name.lower(): count for state, count in sorted(calendar.count().items())},
        "gaps": len(calendar.gaps) + calendar.unlisted,
        "every_digest": calendar.has_every_digest,
        "failures": len(calendar.failures),
    }


def _describe_place(place: Place) -> dict[str, Any]:
    found = place.protection
    return {
        "bucket": place.target.bucket,
        "root": place.target.root,
        "object_lock": _describe_answer(found.lock),
        "lifecycle": _describe_answer(found.lifecycle),
        "versioning": _describe_answer(found.versioning),
        "encryption": _describe_answer(found.encryption),
        "public_access": _describe_answer(found.public_access),
        "drills": [_describe_drill(row) for row in place.drills],
        "at_rest": [_describe_check(row) for row in place.checks],
    }


def _describe_answer(answer: Answer[Any]) -> dict[str, Any]:
    """What S3 said, or why it is not known."""
    value = answer.value
    if isinstance(value, Sequence):
        return {"value": [_plain(asdict(each)) for each in value], "problem": answer.problem}
    return {
        "value": None if value is None else _plain(asdict(value)),
        "problem": answer.problem,
    }


def _plain(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Dates as text."""
    return {
        name: value.isoformat() if hasattr(value, "isoformat") else value
        for name, value in fields.items()
    }


def _describe_drill(row: RecordRow) -> dict[str, Any]:
    drill = row.drill
    return {
        "record": row.sequence,
        "ended": encode_time(row.ended) if row.ended else None,
        "is_sound": drill is not None and drill.is_sound,
        "members": drill.members if drill else 0,
        "bad": drill.bad if drill else 0,
        "proof": drill.proof if drill else "",
    }


def _describe_check(row: RecordRow) -> dict[str, Any]:
    found = row.at_rest
    return {
        "record": row.sequence,
        "ended": encode_time(row.ended) if row.ended else None,
        **{verdict.value: found.count(verdict) if found else 0 for verdict in PackVerdict},
    }

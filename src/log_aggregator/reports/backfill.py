"""How far a backfill is: as a dictionary for programs (`--json`), as lines for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from log_aggregator.core.backfill.entries import Totals, backfill_folder
from log_aggregator.core.backfill.states import BackfillState, State, WindowState
from log_aggregator.core.times import encode_time
from log_aggregator.model import Target
from log_aggregator.reports.numbers import format_bytes, format_count, format_dollars

SHOWN_MAX = 20
"""Most windows of a kind that are listed."""


def describe_backfill(state: BackfillState, target: Target) -> dict[str, Any]:
    """The names are documented in docs/reference/json.md."""
    plan, left = state.plan, state.seconds_left
    return {
        "name": plan.name,
        "ledger": f"s3://{target.bucket}/{backfill_folder(target, plan.name)}",
        "first_date": plan.window.first.isoformat(),
        "last_date": plan.window.last.isoformat(),
        "sources": list(plan.sources),
        "window_days": plan.window_days,
        "began": encode_time(plan.began, "seconds"),
        "now": encode_time(state.now, "seconds"),
        "windows": {
            "total": len(state.windows),
            "done": state.count(State.DONE),
            "failed": state.count(State.FAILED),
            "under_way": state.count(State.UNDER_WAY),
            "to_do": state.count(State.TO_DO),
        },
        **_describe_totals(state.totals),
        "objects_per_second": round(state.objects_per_second, 1),
        "seconds_left": None if left is None else round(left),
        "under_way": [_describe_worked_on(each) for each in state.of(State.UNDER_WAY)],
        "failed": [
            {**_days(each), "attempts": each.attempts, "failures": list(each.failures)}
            for each in state.of(State.FAILED)
        ],
        "to_do": [_days(each) for each in state.of(State.TO_DO)],
    }


def render_backfill(described: Mapping[str, Any]) -> Iterator[str]:
    """The same, for people, line by line."""
    yield (
        f"Backfill {described['name']}: {described['first_date']} to {described['last_date']}, "
        f"{render_windows(described['windows'])}"
    )
    yield _line("packed", _render_packed(described))
    yield _line("deleted", _render_deleted(described))
    if described["kept"]:
        days = f"--from {described['first_date']} --to {described['last_date']}"
        yield _line("", f"`log-aggregator delete --verified --older-than 30d {days}`")
        yield _line("", "deletes those that are still there, after showing how many and asking")
    yield _line(
        "cost",
        f"{format_dollars(described['dollars'])} of requests, in {_hours(described['seconds'])} "
        "of work",
    )
    if described["under_way"] or described["to_do"]:
        yield _line("left", _render_left(described))
    for each in described["under_way"][:SHOWN_MAX]:
        yield _line(
            "under way",
            f"{each['first_date']} to {each['last_date']}: {each['worker']}, since "
            f"{each['began']}, last sign of life {each['heard']}; "
            f"{format_count(each['objects'], 'log object')}",
        )
    yield from _render_failed(described["failed"])
    yield _line("ledger", described["ledger"])


def render_windows(windows: Mapping[str, int]) -> str:
    """How many windows, and their states."""
    words = {"done": "done", "failed": "failed", "under_way": "under way", "to_do": "to do"}
    states = [f"{windows[name]:,} {word}" for name, word in words.items() if windows[name]]
    return f"{format_count(windows['total'], 'window')}: {', '.join(states)}"


def summarize(state: BackfillState) -> str:
    """The whole range in one line, for below a bar."""
    totals, left = state.totals, state.seconds_left
    parts = [
        f"{state.count(State.DONE):,} of {format_count(len(state.windows), 'window')} done",
        *([f"{state.count(State.FAILED):,} failed"] if state.count(State.FAILED) else []),
        f"{format_count(totals.objects, 'log object')}, {format_bytes(totals.bytes_in)}",
        format_dollars(totals.dollars),
        *([] if left is None else [f"about {_hours(left)} left"]),
    ]
    return " · ".join(parts)


def _describe_totals(totals: Totals) -> dict[str, Any]:
    rounded = {"dollars": round(totals.dollars, 8), "seconds": round(totals.seconds, 3)}
    return asdict(totals) | rounded


def _describe_worked_on(each: WindowState) -> dict[str, Any]:
    return {
        **_days(each),
        "worker": each.worker,
        "attempts": each.attempts,
        "began": _time(each.began),
        "heard": _time(each.heard),
        "objects": each.current.objects,
        "bytes_in": each.current.bytes_in,
        "failures": each.current.failures,
    }


def _days(each: WindowState) -> dict[str, str]:
    return {
        "first_date": each.window.first.isoformat(),
        "last_date": each.window.last.isoformat(),
    }


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else encode_time(moment, "seconds")


def _render_packed(described: Mapping[str, Any]) -> str:
    return (
        f"{format_count(described['objects'], 'log object')}, "
        f"{format_bytes(described['bytes_in'])}, into {format_count(described['packs'], 'pack')}, "
        f"{format_bytes(described['bytes_out'])}"
    )


def _render_deleted(described: Mapping[str, Any]) -> str:
    text = f"{format_count(described['deleted'], 'original')}, each after its pack was verified"
    return f"{text}; {described['kept']:,} kept" if described["kept"] else text


def _render_left(described: Mapping[str, Any]) -> str:
    windows, left = described["windows"], described["seconds_left"]
    parts = [format_count(windows["to_do"] + windows["under_way"], "window")]
    if left is not None:
        parts.append(f"about {_hours(left)}")
    if described["objects_per_second"]:
        parts.append(f"at {described['objects_per_second']:,.0f} log objects per second")
    return ", ".join(parts)


def _render_failed(failed: list[Mapping[str, Any]]) -> Iterator[str]:
    for each in failed[:SHOWN_MAX]:
        attempts = format_count(each["attempts"], "attempt")
        yield _line("failed", f"{each['first_date']} to {each['last_date']}, {attempts}:")
        yield from (_line("", f"  {failure}") for failure in each["failures"][:3])
    if failed[SHOWN_MAX:]:
        yield _line("failed", f"and {format_count(len(failed) - SHOWN_MAX, 'more window')}")
    if failed:
        yield _line("", "Start the same backfill again to retry what failed.")


def _hours(seconds: float) -> str:
    """2.5 hours, 12 minutes."""
    if seconds >= 2 * 86_400:
        return f"{seconds / 86_400:,.1f} days"
    if seconds >= 2 * 3_600:
        return f"{seconds / 3_600:.1f} hours"
    if seconds >= 120:
        return f"{seconds / 60:.0f} minutes"
    return f"{seconds:.0f} seconds"


def _line(label: str, text: str) -> str:
    return f"  {label:<11}{text}"

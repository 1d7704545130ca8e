"""What is under way: backfills, and a stack's executions and runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from log_aggregator.core.backfill.states import BackfillState
from log_aggregator.core.times import encode_time
from log_aggregator.model import Target
from log_aggregator.ports.executions import Execution
from log_aggregator.reports.backfill import describe_backfill, render_backfill
from log_aggregator.reports.numbers import format_bytes, format_count, format_dollars
from log_aggregator.steps.backfill.runs import StackRun


@dataclass(frozen=True, slots=True)
class Status:
    """What was found of what was asked for."""

    target: Target
    """Where the backfills' ledgers are."""
    backfills: Sequence[BackfillState] = ()
    executions: Sequence[Execution] = ()
    runs: Sequence[StackRun] = ()

    @property
    def is_empty(self) -> bool:
        return not (self.backfills or self.executions or self.runs)

    @property
    def is_over(self) -> bool:
        """Nothing is under way, and nothing waits for a worker."""
        return all(state.is_over for state in self.backfills) and not any(
            each.ended is None for each in self.executions
        )


def describe_status(status: Status) -> dict[str, Any]:
    """The names are documented in docs/reference/json.md."""
    return {
        "backfills": [describe_backfill(state, status.target) for state in status.backfills],
        "executions": [_describe_execution(each) for each in status.executions],
        "runs": [asdict(each) for each in status.runs],
    }


def render_status(described: Mapping[str, Any]) -> Iterator[str]:
    """The same, for people, line by line."""
    for backfill in described["backfills"]:
        yield from render_backfill(backfill)
    for execution in described["executions"]:
        yield from _render_execution(execution)
    for run in described["runs"]:
        yield _render_run(run)


def _describe_execution(each: Execution) -> dict[str, Any]:
    return {
        "state_machine": each.state_machine,
        "name": each.name,
        "status": each.status,
        "began": encode_time(each.began, "seconds"),
        "ended": None if each.ended is None else encode_time(each.ended, "seconds"),
        "first_date": each.first_date,
        "last_date": each.last_date,
        "maps": [{"state": found.state, **asdict(found.counts)} for found in each.maps],
    }


def _render_execution(each: Mapping[str, Any]) -> Iterator[str]:
    days = f", {each['first_date']} to {each['last_date']}" if each["first_date"] else ""
    until = f" to {each['ended']}" if each["ended"] else ""
    yield f"Execution {each['name']} of {each['state_machine']}: {each['status']}{days}"
    yield f"  since {each['began']}{until}"
    for found in each["maps"]:
        done = f"{found['succeeded']:,} of {found['total']:,} done"
        yield (
            f"  {found['state']}: {done}, {found['running']:,} running, "
            f"{found['pending']:,} waiting, {found['failed']:,} failed"
        )


def _render_run(run: Mapping[str, Any]) -> str:
    if not run["has_ended"]:
        return f"Run {run['name']}: no result yet; it is under way, or was stopped"
    return (
        f"Run {run['name']}: {run['first_date']} to {run['last_date']}, "
        f"{format_count(run['objects'], 'log object')} packed, {format_bytes(run['bytes_in'])}, "
        f"{format_count(run['deleted'], 'original')} deleted, "
        f"{format_count(run['failures'], 'failure')}, {format_dollars(run['dollars'])}"
    )

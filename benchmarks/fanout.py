"""How a very large organisation's night is cut into listing tasks and work items. No server:
buckets that exist only as functions.

Three of them: a Control Tower bucket and one of VPC flow logs, with 5,000 accounts in 17 regions,
and one flat bucket with a million access logs of one day, which are one group. Each in a process of
its own, which imports what the real function imports.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.apart import run_apart
from benchmarks.lambda_memory import GB_SECOND_DOLLARS
from benchmarks.report import BenchmarkBroken, Options, Outcome, Table, Target

from log_aggregator.core.costs import REQUEST_DOLLARS
from log_aggregator.limits import KIB, MIB

ACCOUNTS = 5_000
ACCOUNTS_QUICK = 200
ONE_GROUP = 1_000_000
ONE_GROUP_QUICK = 50_000
JOB_SECONDS_MAX = 900

STATE_BYTES_MAX = 256 * KIB
"""Of a state's input and output
(https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html).
"""
FUNCTION_SECONDS_MAX = 900
LIST_FUNCTION_MB = 1769
"""As in template.yaml."""
MEMORY_SHARE_MAX = 0.6
PAGE_SECONDS = 0.1
"""Taken for granted of S3, which is not here to be measured."""
PARSE_SECONDS_MAX = 0.013
"""CPU for a full page of versions in the real adapter (make bench, listing): the made-up store has
nothing to parse.
"""
THREADS = 8
"""LOG_AGGREGATOR_GROUPS_AT_ONCE in template.yaml."""


@dataclass(frozen=True, slots=True)
class Case:
    """A bucket, and how its listing is shared out."""

    name: str
    shape: str
    accounts: int
    objects_a_day: int
    is_main: bool = False
    is_split: bool = True
    is_full: bool = False


def measure(options: Options) -> Outcome:
    accounts, group = (
        (ACCOUNTS_QUICK, ONE_GROUP_QUICK) if options.is_quick else (ACCOUNTS, ONE_GROUP)
    )
    cases = [
        Case("Control Tower bucket", "main", accounts, 3, is_main=True, is_full=options.is_full),
        Case("flow logs, cut at AWSLogs/", "flow", accounts, 1, is_full=options.is_full),
        Case("flow logs, in one task", "flow", accounts, 1, is_split=False),
        Case("access logs, one group", "access", 0, group),
    ]
    nights, tasks = (
        Table(f"Listing for one night; {accounts:,} accounts in 17 regions", _NIGHT),
        Table("One listing task", _TASK),
    )
    outcome = Outcome([nights, tasks], is_quick=options.is_quick)
    for case in cases:
        _take(case, _run_apart(case), outcome)
    outcome.notes += [
        (
            f"Lambda seconds: {PAGE_SECONDS * 1000:.0f} ms a page, {THREADS} at once if a task has "
            "several prefixes, plus the measured CPU."
        ),
        (
            f"{LIST_FUNCTION_MB:,} MB. All tasks are alike: one is listed and multiplied by "
            "their number (--full: all of them)."
        ),
    ]
    return outcome


_NIGHT = {
    "bucket": "",
    "tasks": ",d",
    "requests to plan": ",d",
    "requests": ",d",
    "$ requests": ".3f",
    "Lambda seconds": ",.0f",
    "$ Lambda": ".3f",
    "work items": ",d",
    "MB of items": ",.1f",
    "KB of items.json": ",.1f",
}
_TASK = {
    "bucket": "",
    "prefixes": "",
    "requests": ",d",
    "log objects": ",d",
    "CPU s": ".1f",
    "Lambda seconds": ",.0f",
    "peak MB": ",.0f",
    "items": ",d",
    "largest item": ",d",
    "event bytes": ",d",
    "result bytes": ",d",
}


def _take(case: Case, found: Mapping[str, Any], outcome: Outcome) -> None:
    factor = found["tasks"] / found["tasks_listed"]
    requests = found["requests"] / found["tasks_listed"]
    pages_parsed = found["listed"] / 1000 / found["tasks_listed"]
    cpu = found["cpu_seconds"] / found["tasks_listed"] + pages_parsed * PARSE_SECONDS_MAX
    is_parallel = case.shape != "access" and case.is_split
    seconds = max(requests * PAGE_SECONDS / (THREADS if is_parallel else 1), 0) + cpu
    total = found["plan_requests"] + round(requests * found["tasks"])
    lambda_seconds = seconds * found["tasks"]
    nights, tasks = outcome.tables
    nights.rows.append(
        (
            case.name,
            found["tasks"],
            found["plan_requests"],
            total,
            total * REQUEST_DOLLARS["PutObject"],
            lambda_seconds,
            lambda_seconds * LIST_FUNCTION_MB / 1024 * GB_SECOND_DOLLARS["arm64"],
            round(found["items"] * factor),
            found["item_bytes"] * factor / 1e6,
            found["items"] * factor * found["items_entry_bytes"] / 1e3,
        )
    )
    tasks.rows.append(
        (
            case.name,
            "several" if is_parallel else "1",
            round(requests),
            round(found["listed"] / found["tasks_listed"]),
            cpu,
            seconds,
            found["peak_bytes"] / 1e6,
            round(found["items"] / found["tasks_listed"]),
            found["item_objects_max"],
            found["event_bytes_max"],
            found["answer_bytes_max"],
        )
    )
    if case.is_split:
        outcome.targets += [
            Target(
                f"{case.name}: memory",
                found["peak_bytes"] / 1e6,
                LIST_FUNCTION_MB * MIB * MEMORY_SHARE_MAX / 1e6,
                "MB",
            ),
            Target(f"{case.name}: seconds of a task", seconds, FUNCTION_SECONDS_MAX / 2, "s"),
            Target(
                f"{case.name}: largest event",
                found["event_bytes_max"],
                STATE_BYTES_MAX / 4,
                "bytes",
            ),
        ]


def _run_apart(case: Case) -> Mapping[str, Any]:
    found = run_apart("benchmarks.fanout_job", asdict(case), JOB_SECONDS_MAX)
    if found["packed"] != found["listed"] or not found["packed"]:
        raise BenchmarkBroken(
            f"{found['packed']} of {found['listed']} log objects are in work items"
        )
    return found

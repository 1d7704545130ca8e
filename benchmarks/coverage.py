"""How long a coverage calendar takes, and how much memory: a year of 1,000 accounts by account,
and of fewer by Region, which reads indexes. No server.

The organisation exists only as a function; each calendar is made in a process of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.apart import run_apart
from benchmarks.coverage_job import DAYS, expected_days, packs_of
from benchmarks.report import BenchmarkBroken, Options, Outcome, Table, Target

ACCOUNTS, ACCOUNTS_QUICK = 1_000, 50
ACCOUNTS_BY_REGION, ACCOUNTS_BY_REGION_QUICK = 10, 2
JOB_SECONDS_MAX = 1_800
SECONDS_MAX, PEAK_MB_MAX = 60.0, 512.0


def measure(options: Options) -> Outcome:
    columns = {
        "rows": "",
        "accounts": ",d",
        "packs": ",d",
        "listings": ",d",
        "indexes read": ",d",
        "seconds": ".1f",
        "CPU seconds": ".1f",
        "peak MB": ".0f",
    }
    table = Table(f"A coverage calendar of {DAYS} days", columns)
    outcome = Outcome([table], is_quick=options.is_quick)
    accounts = ACCOUNTS_QUICK if options.is_quick else ACCOUNTS
    took = _look(accounts, "account")
    if took["days"] != expected_days(accounts):
        raise BenchmarkBroken(f"the calendar is {took['days']}")
    table.rows.append(_row("account", accounts, took))
    few = ACCOUNTS_BY_REGION_QUICK if options.is_quick else ACCOUNTS_BY_REGION
    by_region = _look(few, "region")
    table.rows.append(_row("account and Region", few, by_region))
    what = f"of {ACCOUNTS:,} accounts by account"
    outcome.targets += [
        Target(f"seconds, {what}", took["seconds"], SECONDS_MAX, "s"),
        Target(f"peak memory, {what}", took["peak_bytes"] / 1e6, PEAK_MB_MAX, "MB"),
    ]
    outcome.notes += [
        "The store is in memory and answers immediately; every page is also parsed from XML.",
        (
            f"By Region an index of 300 members takes "
            f"{by_region['cpu_seconds'] / by_region['indexes'] * 1e3:.1f} ms of CPU."
        ),
    ]
    return outcome


def _look(accounts: int, by: str) -> Mapping[str, Any]:
    told = {"accounts": accounts, "by": by}
    took = run_apart("benchmarks.coverage_job", told, JOB_SECONDS_MAX)
    if took["failures"]:
        raise BenchmarkBroken(f"by {by}: {took['failures'][0]}")
    return took


def _row(name: str, accounts: int, took: Mapping[str, Any]) -> tuple[Any, ...]:
    return (
        name,
        accounts,
        packs_of(accounts),
        took["listings"],
        took["indexes"],
        took["seconds"],
        took["cpu_seconds"],
        took["peak_bytes"] / 1e6,
    )

"""How many requests a search takes, and how long, to answer out of 255,500 packs of seven years;
and what merging the terms of a night of 5,000 accounts takes.

The packs are keys that are made up as they are listed, the tables are real ones, in memory.
"""

from __future__ import annotations

import time
from typing import cast

from benchmarks.apart import run_apart
from benchmarks.report import BenchmarkBroken, Options, Outcome, Table, Target
from benchmarks.searching import LEAKED, NETWORK, TARGET, Estate, TablesStore

from log_aggregator.core.tables.wanted import parse_wanted
from log_aggregator.ports.store import ObjectStore
from log_aggregator.settings import Settings
from log_aggregator.steps.search.look_up import Asked, look_up
from log_aggregator.wiring import make_workers

DAYS, DAYS_QUICK = 2555, 90
ACCOUNTS_OF_A_NIGHT, ACCOUNTS_QUICK = 5_000, 100
TERMS_OF_A_PACK = 970
"""Of 100 accounts' month with 2.9 million rows."""
LATENCY_SECONDS = 0.03
GETS_MAX = 200
MIB = 1024 * 1024


def measure(options: Options) -> Outcome:
    estate = Estate(DAYS_QUICK if options.is_quick else DAYS)
    tables = {table.key: data for table, data in estate.tables()}
    columns = {
        "asked for": "",
        "found": ",d",
        "GETs": ",d",
        "listings": ",d",
        "MB read": ",.1f",
        "seconds": ".2f",
        "seconds, 30 ms an answer": ".2f",
    }
    found = Table(f"Searching {estate.packs:,} packs in {len(tables)} tables", columns)
    outcome = Outcome([found], is_quick=options.is_quick)
    for name, (value, is_quick, seconds_max, late_max) in QUESTIONS.items():
        at_once = _search(estate, tables, value, 0, is_quick=is_quick)
        late = _search(estate, tables, value, LATENCY_SECONDS, is_quick=is_quick)
        found.rows.append((name, *at_once, late[-1]))
        outcome.targets.append(Target(f"GETs, {name}", at_once[1], GETS_MAX))
        if seconds_max:
            outcome.targets += [
                Target(f"seconds, {name}", at_once[-1], seconds_max, "s"),
                Target(f"seconds, {name}, 30 ms an answer", late[-1], late_max, "s"),
            ]
    outcome.tables.append(_merge(outcome, is_quick=options.is_quick))
    outcome.notes += [
        (
            "With --quick only the tables are read; otherwise the packs are listed at the same "
            "time, a thousand in a request, to find any that no table covers."
        ),
        (
            f"The tables take {sum(map(len, tables.values())) / 1e6:,.0f} MB, with a sixteenth of "
            "the terms in packs of CloudTrail."
        ),
    ]
    return outcome


QUESTIONS: dict[str, tuple[str, bool, float, float]] = {
    "an access key, --quick": (LEAKED, True, 1, 3),
    "an access key": (LEAKED, False, 0, 0),
    "a network /24, --quick": (NETWORK, True, 5, 5),
    "a key that is nowhere, --quick": ("AKIAI44QH8DHBEXAMPLE", True, 1, 3),
}
"""Name -> (value, whether packs are not listed, seconds at most, the same with late answers)."""


def _search(
    estate: Estate, tables: dict[str, bytes], value: str, latency: float, *, is_quick: bool
) -> tuple[int, int, int, float, float]:
    """(rows found, GETs, listings, MB, seconds)."""
    store = TablesStore(estate, tables, latency)
    asked = Asked([parse_wanted(value)], is_quick=is_quick)
    with make_workers(Settings()) as workers:
        began = time.perf_counter()
        answer = look_up(cast("ObjectStore", store), workers, [TARGET], asked)
        seconds = time.perf_counter() - began
    coverage = answer.coverage
    if (coverage.packs, coverage.failures) != (estate.packs, []):
        raise BenchmarkBroken(f"{coverage.packs} packs were searched where {estate.packs} are")
    if coverage.is_whole == is_quick:
        raise BenchmarkBroken("an answer says the wrong thing of what it did not look at")
    requests = store.requests
    return (
        len(answer.sighted),
        requests["GetObject"],
        requests["ListObjectsV2"],
        store.bytes_read / 1e6,
        seconds,
    )


def _merge(outcome: Outcome, *, is_quick: bool) -> Table:
    accounts = ACCOUNTS_QUICK if is_quick else ACCOUNTS_OF_A_NIGHT
    columns = {
        "packs": ",d",
        "rows": ",d",
        "seconds": ",.1f",
        "peak memory, MB": ",.0f",
        "table, MB": ",.1f",
        "bytes a row": ".1f",
    }
    table = Table(f"Merging the terms of a night of {accounts:,} accounts", columns)
    told = {"accounts": accounts, "terms": TERMS_OF_A_PACK}
    merged = run_apart("benchmarks.search_job", told, 1_800)
    rows, size = merged["rows"], merged["table_bytes"]
    peak = merged["peak_bytes"] / MIB
    table.rows.append((accounts, rows, merged["seconds"], peak, size / 1e6, size / rows))
    outcome.targets += [
        Target("seconds, merging a night", merged["seconds"], 60, "s"),
        Target("memory, merging a night", peak, 512, "MB"),
    ]
    return table

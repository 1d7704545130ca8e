"""What search costs while packing: CPU of collecting and of combining, memory, and the bytes that
stay warm next to the packs, for the lab's logs and for some whose values repeat as real ones do.
"""

from __future__ import annotations

import statistics
from dataclasses import asdict

from benchmarks.apart import run_apart
from benchmarks.report import Options, Outcome, Table, Target
from benchmarks.testbed import DESTINATION, make_connection, prepare_bucket, put_logs

from log_aggregator_lab.servers.s3 import EmbeddedS3

JOB = "benchmarks.terms_job"
SECONDS_MAX = 1_800
RATIO_MAX = 1.35
COLLECTING_MS_MAX = 0.14
COLLECTING_KB = 58
MEMORY_MB_MAX = 50
WARM_SHARE_MAX = 0.02
LOGS_OF_A_PACK = (50, 300)
DAYS, ACCOUNTS = 3, 2


def measure(options: Options) -> Outcome:
    outcome = Outcome([], is_quick=options.is_quick)
    _add_collecting(outcome)
    _add_combining(outcome)
    _add_memory(outcome)
    _add_warm(outcome)
    outcome.notes += [
        (
            "lab: the synthetic organisation, in which nearly every event has unique ids; "
            "everyday: values repeat as in a real account (assumptions: benchmarks/everyday.py)."
        ),
        "The bytes of the table are those of one merge over all these packs, of one month.",
    ]
    return outcome


def _add_collecting(outcome: Outcome) -> None:
    columns = {"logs": "", "KB": ".0f", "ms CPU to collect": ".3f", "ms CPU to finish": ".3f"}
    table = Table("CPU of terms for each CloudTrail log, alone in a process", columns)
    quick = outcome.is_quick
    told = {"part": "collecting", "logs": 40 if quick else 300, "rounds": 2 if quick else 5}
    for name, (size, ms, finishing) in run_apart(JOB, told, SECONDS_MAX).items():
        table.rows.append((name, size / 1000, ms, finishing))
        scaled = ms * COLLECTING_KB * 1000 / size
        what = f"ms CPU to collect the terms of {COLLECTING_KB} KB, {name}"
        outcome.targets.append(Target(what, scaled, COLLECTING_MS_MAX, "ms"))
    outcome.tables.append(table)


def _add_combining(outcome: Outcome) -> None:
    count, rounds = (400, 2) if outcome.is_quick else (3_000, 5)
    with EmbeddedS3() as server:
        prepare_bucket(server, DESTINATION, is_versioned=True)
        put_logs(server, "terms", count)
        told = {"part": "combining", "server": asdict(make_connection(server)), "prefix": "terms-"}
        pairs = run_apart(JOB, told | {"count": count, "rounds": rounds}, SECONDS_MAX)["rounds"]
    columns = {"": "", "ms CPU a log": ".3f"}
    table = Table(f"CPU of combining {count:,} logs of 8 KB; medians of {rounds} rounds", columns)
    for number, name in enumerate(("without search", "with search")):
        cpu = statistics.median(pair[number] for pair in pairs)
        table.rows.append((name, cpu / count * 1000))
    ratio = statistics.median(pair[1] / pair[0] for pair in pairs)
    outcome.tables.append(table)
    what = "CPU of combining with search against without"
    outcome.targets.append(Target(what, ratio, RATIO_MAX))


def _add_memory(outcome: Outcome) -> None:
    told = {"part": "remembering", "logs": 200 if outcome.is_quick else 2_000}
    measured = run_apart(JOB, told, SECONDS_MAX)
    more = measured["more_bytes"] / 1e6
    columns = {"packs at once": ",d", "logs of each": ",d", "MB of terms": ",.1f", "more MB": ".1f"}
    table = Table("Memory of terms, if no two logs share any", columns)
    sizes = measured["terms_bytes"]
    table.rows.append((len(sizes), told["logs"], sum(sizes) / 1e6, more))
    outcome.tables.append(table)
    outcome.targets.append(
        Target(f"memory of terms, {len(sizes)} packs at once", more, MEMORY_MB_MAX, "MB")
    )


def _add_warm(outcome: Outcome) -> None:
    columns = {
        "logs": "",
        "logs of a pack": ",d",
        "terms of a pack": ",.0f",
        "KB of a pack": ",.0f",
        "bytes a term": ".1f",
        "bytes a row of the table": ".1f",
        "terms": ".2%",
        "table": ".2%",
        "together": ".2%",
    }
    table = Table("Warm bytes, in percent of the packs'", columns)
    days, accounts = (1, 2) if outcome.is_quick else (DAYS, ACCOUNTS)
    for kind in ("lab", "everyday"):
        for logs in LOGS_OF_A_PACK:
            told = {"part": "keeping", "kind": kind, "logs": logs}
            told |= {"days": days, "accounts": accounts}
            kept = run_apart(JOB, told, SECONDS_MAX)
            packs, count = days * accounts, kept["count"]
            shares = [kept["terms"] / kept["packs"], kept["table"] / kept["packs"]]
            sizes = [kept["packs"] / packs / 1000, kept["terms"] / count, kept["table"] / count]
            row = (kind, logs, count / packs, *sizes, *shares, sum(shares))
            table.rows.append(row)
            what = f"warm bytes of packs of {logs} logs, {kind}"
            outcome.targets.append(Target(what, sum(shares) * 100, WARM_SHARE_MAX * 100, "%"))
    outcome.tables.append(table)

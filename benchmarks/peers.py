"""Three ways to pack the same day of logs, side by side on the same server, each in a process of
its own.

One multipart upload for each log object (over a few: its cost grows with the square), boto3 with
threads, and this program.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from benchmarks.apart import run_apart
from benchmarks.chain import SCRATCH
from benchmarks.report import BenchmarkBroken, Options, Outcome, Table, Target
from benchmarks.testbed import DESTINATION, Logs, make_connection, prepare_bucket, put_organisation

from log_aggregator.core.costs import estimate_dollars
from log_aggregator_lab.servers.s3 import EmbeddedS3

OBJECT_COUNT = 6_000
OBJECT_COUNT_QUICK = 600
CHAIN_COUNT = 100
CHAIN_COUNT_QUICK = 20
ACCOUNTS = 4
ROUNDS = 3
ROUNDS_QUICK = 1
THREAD_COUNTS = (4, 8, 16, 32, 64)
TRIAL_COUNT = 1_000
BARE_THREADS = 64
SOCKET_THREADS = 16
CPU_RATIO_MIN = 8.0
JOB_SECONDS_MAX = 600

NAMES = {"chain": "one upload for each", "boto3": "boto3 and threads", "this": "this program"}
READERS = {
    "read-boto3": "boto3",
    "read-this": "libcurl, many by one thread, as this program",
    "bare": "obstore, a thread for each",
    "read-sockets": "sockets: no TLS, no retries, no timeouts",
}
STEPS = {
    "list": "list",
    "plan": "read and pack",
    "combine": "read and pack",
    "read and pack": "read and pack",
}
"""The steps of all ways in common words; those not named here keep their own."""
STEP_ORDER = ("list", "read and pack", "verify", "delete", "run")

Took = Mapping[str, Any]


def measure(options: Options) -> Outcome:
    count = OBJECT_COUNT_QUICK if options.is_quick else OBJECT_COUNT
    chain_count = CHAIN_COUNT_QUICK if options.is_quick else CHAIN_COUNT
    rounds: list[dict[str, Took]] = []
    with EmbeddedS3() as server:
        prepare_bucket(server, DESTINATION, is_versioned=True)
        prepare_bucket(server, SCRATCH)
        threads, trials = _find_threads(server, min(count, TRIAL_COUNT))
        for number in range(ROUNDS_QUICK if options.is_quick else ROUNDS):
            counts = {"chain": chain_count, "boto3": count, "this": count}
            rounds.append({way: _run(server, way, counts[way], number, threads) for way in counts})
            metered = put_organisation(server, f"metered{number}", count, ACCOUNTS)
            rounds[-1]["metered"] = ask(server, "this", metered, metered=True)
            bare = put_organisation(server, f"bare{number}", min(count, TRIAL_COUNT * 2), ACCOUNTS)
            for way, how_many in {
                "read-boto3": threads,
                "read-this": BARE_THREADS,
                "bare": BARE_THREADS,
                "read-sockets": SOCKET_THREADS,
            }.items():
                rounds[-1][way] = ask(
                    server, way, bare, threads=how_many, count_max=bare.object_count
                )
    outcome = Outcome(
        [
            _compare(rounds),
            _compare_steps(rounds),
            _compare_reads(rounds),
            _compare_requests(rounds[0]),
        ],
        is_quick=options.is_quick,
    )
    _add_facts(outcome, rounds, threads)
    outcome.notes += [
        (
            f"The boto3 packer has {threads} threads, the best of "
            f"{', '.join(f'{tried}: {rate:,.0f}/s' for tried, rate in trials.items())}."
        ),
        (
            f"One upload for each is run over {chain_count} log objects only: the bytes it copies "
            "grow with their square. Its CPU is that of the client."
        ),
        (
            "This program's steps come from another run, whose CPU was measured by function and "
            "scaled to the sum in the table above."
        ),
        f"Medians of {len(rounds)} rounds. Dollars: requests only, list prices of us-east-1.",
    ]
    return outcome


def ask(server: EmbeddedS3, way: str, logs: Logs, *, metered: bool = False, **more: int) -> Took:
    """One way over a bucket, in a process of its own. Raises BenchmarkBroken where it left
    something out.
    """
    told: dict[str, Any] = {
        "way": way,
        "server": asdict(make_connection(server)),
        "bucket": logs.bucket,
        "destination": DESTINATION,
    }
    told |= {
        "day": logs.spec.first_day.isoformat(),
        "count": logs.object_count,
        "size_bytes": logs.size_bytes,
        "metered": metered,
        **more,
    }
    server_cpu = read_cpu_seconds(server.pid)
    took = run_apart("benchmarks.peer_job", told, JOB_SECONDS_MAX)
    wanted = min(logs.object_count, more.get("count_max", logs.object_count))
    if took["done"] != wanted:
        raise BenchmarkBroken(f"{way}: {took['done']} of {wanted} log objects done")
    return {**took, "server_seconds": read_cpu_seconds(server.pid) - server_cpu}


def read_cpu_seconds(pid: int) -> float:
    """CPU that another process has used, by Linux's clock for it, as clock_getcpuclockid(3) makes
    it.
    """
    return time.clock_gettime((~pid << 3) | 2)


def steps_of(took: Took) -> dict[str, float]:
    """CPU seconds by step, in common words."""
    steps: dict[str, float] = dict.fromkeys(STEP_ORDER, 0.0)
    for step, seconds in [
        *took["steps"].items(),
        *((step, seconds) for step, _, seconds in took["areas"]),
    ]:
        steps[STEPS.get(step, step)] += seconds
    return steps


def dollars_of(took: Took) -> float:
    """Per million log objects."""
    return estimate_dollars(took["requests"]) / int(took["done"]) * 1e6


def _find_threads(server: EmbeddedS3, count: int) -> tuple[int, dict[int, float]]:
    """How many threads read fastest with boto3, and the rate with each."""
    logs = put_organisation(server, "trial", count, ACCOUNTS)
    taken = {
        threads: ask(server, "read-boto3", logs, threads=threads, count_max=count)
        for threads in THREAD_COUNTS
    }
    rates = {threads: took["done"] / took["seconds"] for threads, took in taken.items()}
    return max(rates, key=rates.__getitem__), rates


def _run(server: EmbeddedS3, way: str, count: int, number: int, threads: int) -> Took:
    """The same objects for every way, in a bucket of its own."""
    return ask(
        server, way, put_organisation(server, f"{way}{number}", count, ACCOUNTS), threads=threads
    )


def _median(rounds: list[dict[str, Took]], way: str, name: str) -> float:
    return statistics.median(float(took[way][name]) / int(took[way]["done"]) for took in rounds)


def _compare(rounds: list[dict[str, Took]]) -> Table:
    columns = {
        "way": "",
        "log objects": ",d",
        "objects/s": ",.0f",
        "ms CPU an object": ".2f",
        "of it in the kernel": ".0%",
        "server's ms CPU": ".2f",
    }
    columns |= {
        "objects per CPU second": ",.0f",
        "times": ".1f",
        "peak MB": ",.0f",
        "requests an object": ".3f",
        "$ per million": ".2f",
    }
    table = Table(
        "The same logs packed, checked and deleted in three ways; 1 to 30 KB, a pack for "
        "each of 4 accounts",
        columns,
    )
    of_boto3 = _median(rounds, "boto3", "cpu_seconds")
    for way, name in NAMES.items():
        took = rounds[0][way]
        cpu, seconds = _median(rounds, way, "cpu_seconds"), _median(rounds, way, "seconds")
        kernel = _median(rounds, way, "system_seconds") / cpu
        server = _median(rounds, way, "server_seconds") * 1000
        requests = sum(took["requests"].values()) / took["done"]
        peak = statistics.median(each[way]["peak_bytes"] for each in rounds) / 1e6
        row = (
            name,
            took["done"],
            1 / seconds,
            cpu * 1000,
            kernel,
            server,
            1 / cpu,
            of_boto3 / cpu,
            peak,
            requests,
            dollars_of(took),
        )
        table.rows.append(row)
    return table


def _compare_steps(rounds: list[dict[str, Took]]) -> Table:
    columns = {"step": ""} | dict.fromkeys(NAMES.values(), ".3f") | {"boto3 / this": ".1f"}
    table = Table("CPU of the client by step, ms for each log object", columns)
    medians = {
        way: {
            step: statistics.median(
                steps_of(took[source])[step] / took[source]["done"] * 1000 for took in rounds
            )
            for step in STEP_ORDER
        }
        for way, source in (("chain", "chain"), ("boto3", "boto3"), ("this", "metered"))
    }
    metering = sum(medians["this"].values()) / (_median(rounds, "this", "cpu_seconds") * 1000)
    medians["this"] = {step: value / metering for step, value in medians["this"].items()}
    for step in STEP_ORDER:
        own = medians["this"][step]
        ratio = medians["boto3"][step] / own if own and medians["boto3"][step] else None
        table.rows.append(
            (
                "threads, start and end" if step == "run" else step,
                *(medians[way][step] for way in NAMES),
                ratio,
            )
        )
    return table


def _compare_reads(rounds: list[dict[str, Took]]) -> Table:
    columns = {
        "client": "",
        "objects/s": ",.0f",
        "ms CPU an object": ".3f",
        "of it in the kernel": ".0%",
        "times": ".1f",
    }
    table = Table("Only reading, without using the bytes: the cost of the client alone", columns)
    of_boto3 = _median(rounds, "read-boto3", "cpu_seconds")
    for way, name in READERS.items():
        cpu = _median(rounds, way, "cpu_seconds")
        kernel = _median(rounds, way, "system_seconds") / cpu
        table.rows.append(
            (name, 1 / _median(rounds, way, "seconds"), cpu * 1000, kernel, of_boto3 / cpu)
        )
    return table


def _compare_requests(took: Mapping[str, Took]) -> Table:
    table = Table(
        "Requests for 1,000 log objects, by operation",
        {"operation": ""} | dict.fromkeys(NAMES.values(), ",.1f"),
    )
    operations = sorted({operation for way in NAMES for operation in took[way]["requests"]})
    for operation in operations:
        counts = [
            took[way]["requests"].get(operation, 0) / took[way]["done"] * 1000 for way in NAMES
        ]
        table.rows.append((operation, *(count or None for count in counts)))
    return table


def _add_facts(outcome: Outcome, rounds: list[dict[str, Took]], threads: int) -> None:
    """Numbers that the page and its picture use outside the tables."""
    cpu = {way: _median(rounds, way, "cpu_seconds") * 1000 for way in (*NAMES, *READERS)}
    ratio = cpu["boto3"] / cpu["this"]
    outcome.targets.append(
        Target(
            "objects per CPU second against boto3", ratio, CPU_RATIO_MIN, "times", is_minimum=True
        )
    )
    outcome.facts |= {
        "cpu_ratio": ratio,
        "rate_ratio": _median(rounds, "boto3", "seconds") / _median(rounds, "this", "seconds"),
        "chain_cpu_ratio": cpu["chain"] / cpu["this"],
        "chain_rate_ratio": _median(rounds, "chain", "seconds")
        / _median(rounds, "this", "seconds"),
        "bare_ratio": cpu["boto3"] / cpu["bare"],
        "sockets_ratio": cpu["bare"] / cpu["read-sockets"],
        "threads": threads,
        "budget_ms": cpu["boto3"] / CPU_RATIO_MIN,
        **{f"{way.replace('-', '_')}_ms": value for way, value in cpu.items()},
    }

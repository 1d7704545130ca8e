"""How the cost of a log object grows with their number: 2,000, 20,000 and 200,000 of 1 to 30 KB, in
60 groups.

Each number on a server of its own: uploaded, read once by a bare loop of GETs that throws the bytes
away, then listed, packed, verified and deleted by the real run in a process of its own, whose CPU
is taken apart (`benchmarks.meter`).
"""

from __future__ import annotations

import gzip
import statistics
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

from benchmarks.peers import BARE_THREADS, ask, dollars_of
from benchmarks.report import Options, Outcome, Table, Target
from benchmarks.testbed import DESTINATION, make_bodies, prepare_bucket, put_organisation

from log_aggregator_lab.servers.s3 import EmbeddedS3

COUNTS = (2_000, 20_000, 200_000)
COUNTS_QUICK = (2_000, 10_000)
GROUPS = 60
BARE_COUNT = 20_000
GROWTH_MAX = 1.15
PEAK_MB_MAX = 600.0
STEPS = ("list", "plan", "combine", "verify", "delete", "run")
SHARE_MIN = 0.005

Took = Mapping[str, Any]


def measure(options: Options) -> Outcome:
    growth, steps = (
        Table(f"Growth: the whole job over log objects of 1 to 30 KB in {GROUPS} groups", _GROWTH),
        Table(_STEPS_TITLE, _STEPS),
    )
    outcome = Outcome([growth, steps], is_quick=options.is_quick)
    found: list[Took] = []
    for count in COUNTS_QUICK if options.is_quick else COUNTS:
        with EmbeddedS3() as server:
            prepare_bucket(server, DESTINATION, is_versioned=True)
            began = time.perf_counter()
            logs = put_organisation(server, "scale", count, GROUPS)
            upload_seconds = time.perf_counter() - began
            bare = ask(server, "bare", logs, threads=BARE_THREADS, count_max=BARE_COUNT)
            found.append(ask(server, "this", logs, metered=True))
        _add_rows(outcome, found[-1], bare, logs.size_bytes, upload_seconds)
    _add_profile(outcome, found[-1])
    _add_targets(outcome, found)
    bodies = make_bodies(1)
    outcome.facts["body_kb"] = statistics.mean(map(len, bodies)) / 1000
    outcome.facts["inflated_kb"] = (
        statistics.mean(len(gzip.decompress(body)) for body in bodies) / 1000
    )
    return outcome


_GROWTH = {
    "log objects": ",d",
    "MB": ",.0f",
    "seconds to upload": ",.0f",
    "seconds": ",.1f",
    "objects/s": ",.0f",
    "of the bare loop's rate": ".2f",
    "ms CPU an object": ".3f",
    "ms CPU, bare loop": ".3f",
    "server's ms CPU": ".3f",
    "server's ms CPU, bare loop": ".3f",
    "peak MB": ",.0f",
    "requests an object": ".4f",
    "$ per million": ".3f",
}
_STEPS_TITLE = "CPU by step, ms for each log object"
_STEPS = {"log objects": ",d", **dict.fromkeys(STEPS, ".4f"), "all": ".3f"}


def _add_rows(
    outcome: Outcome, took: Took, bare: Took, size_bytes: int, upload_seconds: float
) -> None:
    done = took["done"]
    rate, bare_rate = done / took["seconds"], bare["done"] / bare["seconds"]
    cpu, bare_cpu = took["cpu_seconds"] / done * 1000, bare["cpu_seconds"] / bare["done"] * 1000
    servers = [each["server_seconds"] / each["done"] * 1000 for each in (took, bare)]
    requests = sum(took["requests"].values()) / done
    growth, steps = outcome.tables
    row = (
        done,
        size_bytes / 1e6,
        upload_seconds,
        took["seconds"],
        rate,
        rate / bare_rate,
        cpu,
        bare_cpu,
        *servers,
    )
    growth.rows.append((*row, took["peak_bytes"] / 1e6, requests, dollars_of(took)))
    spent: Counter[str] = Counter()
    for step, _, seconds in took["areas"]:
        spent[step] += seconds
    steps.rows.append(
        (done, *(spent[step] / done * 1000 for step in STEPS), sum(spent.values()) / done * 1000)
    )
    outcome.facts |= {
        "rate": rate,
        "rate_share": rate / bare_rate,
        "cpu_ms": cpu,
        "bare_ms": bare_cpu,
    }
    outcome.facts |= {"server_ms": servers[0], "server_bare_ms": servers[1]}


def _add_profile(outcome: Outcome, took: Took) -> None:
    """Where the CPU goes, over all steps; what is less than a two hundredth is one row."""
    total = sum(seconds for _, _, seconds in took["areas"])
    table = Table(
        f"Where the CPU goes, over {took['done']:,} log objects, all steps",
        {"what": "", "step": "", "us CPU an object": ".1f", "share": ".1%"},
    )
    small = 0.0
    for step, what, seconds in took["areas"]:
        if seconds < SHARE_MIN * total:
            small += seconds
        else:
            table.rows.append((what, step, seconds / took["done"] * 1e6, seconds / total))
    table.rows.append(
        ("areas under half a percent each", "", small / took["done"] * 1e6, small / total)
    )
    table.rows.append(("all", "", total / took["done"] * 1e6, 1.0))
    outcome.tables.append(table)
    metering = took["metering_seconds"] / took["done"] * 1e6
    outcome.facts["metering_us"] = metering
    outcome.notes.append(
        f"Measuring itself takes some {metering:.0f} us of CPU for each log object, which is "
        "included."
    )


def _add_targets(outcome: Outcome, found: list[Took]) -> None:
    """The largest against the one before it: of the smallest the start is a large part."""
    before, last = found[-2:]
    cpu = [took["cpu_seconds"] / took["done"] for took in (before, last)]
    requests = [sum(took["requests"].values()) / took["done"] for took in (before, last)]
    more = (last["peak_bytes"] - before["peak_bytes"]) / (last["done"] - before["done"])
    growth = f"{before['done']:,} to {last['done']:,}"
    outcome.targets += [
        Target(f"CPU of an object, {growth}", cpu[1] / cpu[0], GROWTH_MAX, "times"),
        Target(f"requests of an object, {growth}", requests[1] / requests[0], 1.0, "times"),
        Target("peak memory", last["peak_bytes"] / 1e6, PEAK_MB_MAX, "MB"),
    ]
    outcome.facts |= {
        "cpu_growth": cpu[1] / cpu[0],
        "bytes_more_an_object": more,
        "peak_mb": last["peak_bytes"] / 1e6,
        "count": last["done"],
    }
    outcome.notes.append(
        f"From {growth} log objects, each takes {more:,.0f} more bytes of memory: the listing is "
        "held until it is done."
    )

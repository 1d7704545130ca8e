"""CPU time of this process for each log object, step by step, over a whole job of one group,
without that of the server.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.jobsteps import delete_all, list_group, plan_one_pack, warm_up
from benchmarks.report import Options, Outcome, Table, Target
from benchmarks.testbed import (
    DESTINATION,
    Logs,
    make_connection,
    make_settings,
    prepare_bucket,
    put_logs,
)

from log_aggregator.ports.store import ObjectStore
from log_aggregator.steps.packing.combine import combine
from log_aggregator.steps.packs.verify import verify_pack
from log_aggregator.steps.workers import Workers
from log_aggregator.wiring import connect, make_workers
from log_aggregator_lab.servers.s3 import EmbeddedS3

OBJECT_COUNT = 3_000
OBJECT_COUNT_QUICK = 400
ROUNDS = 5
ROUNDS_QUICK = 2
CPU_MS_MAX = 1.0

Steps = dict[str, tuple[float, float]]
"""Step -> (CPU seconds, wall seconds)."""


def measure(options: Options) -> Outcome:
    count = OBJECT_COUNT_QUICK if options.is_quick else OBJECT_COUNT
    with EmbeddedS3() as server:
        prepare_bucket(server, DESTINATION, is_versioned=True)
        rounds = [
            _measure_job(server, number, count)
            for number in range(ROUNDS_QUICK if options.is_quick else ROUNDS)
        ]
    return _report(rounds, count, is_quick=options.is_quick)


def _measure_job(server: EmbeddedS3, number: int, count: int) -> Steps:
    logs = put_logs(server, f"cpu{number}", count)
    settings = make_settings(logs.bucket)
    store = connect(make_connection(server), settings.readers)
    with make_workers(settings) as workers:
        warm_up(store, workers, list_group(store, workers, settings, logs))
        return _run_steps(store, workers, logs)


def _run_steps(store: ObjectStore, workers: Workers, logs: Logs) -> Steps:
    steps: Steps = {}
    with _timed(steps, "list"):
        listed = list_group(store, workers, make_settings(logs.bucket), logs)
    with _timed(steps, "plan"):
        plan = plan_one_pack(store, workers, listed)
    with _timed(steps, "combine"):
        combine(store, workers, plan, listed.rules.group.combine)
    with _timed(steps, "verify"):
        pack = verify_pack(store, plan.target, plan.key)
    with _timed(steps, "delete"):
        delete_all(store, workers, listed, pack)
    return steps


@contextmanager
def _timed(steps: Steps, name: str) -> Iterator[None]:
    cpu, wall = time.process_time(), time.perf_counter()
    yield
    steps[name] = time.process_time() - cpu, time.perf_counter() - wall


def _report(rounds: list[Steps], count: int, *, is_quick: bool) -> Outcome:
    columns = {"step": "", "ms CPU an object": ".3f", "share": ".0%", "wall seconds": ".2f"}
    table = Table(
        f"CPU of the job over {count:,} log objects of 8 KB in one group; medians of "
        f"{len(rounds)} runs",
        columns,
    )
    total = statistics.median(sum(cpu for cpu, _ in steps.values()) for steps in rounds)
    for name in rounds[0]:
        cpu = statistics.median(steps[name][0] for steps in rounds)
        table.rows.append(
            (
                name,
                cpu / count * 1000,
                cpu / total,
                statistics.median(steps[name][1] for steps in rounds),
            )
        )
    wall = statistics.median(sum(seconds for _, seconds in steps.values()) for steps in rounds)
    table.rows.append(("all", total / count * 1000, 1.0, wall))
    target = Target(
        "CPU of the whole job for each log object", total / count * 1000, CPU_MS_MAX, "ms"
    )
    return Outcome([table], [], [target], is_quick)

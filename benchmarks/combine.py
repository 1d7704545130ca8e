"""The combine step against a bare GET loop over the same objects: what hashing, looking at every
byte, the index and the upload cost.

The loop is a yardstick that stays the same: obstore, a client that this program does not use, as
many threads, the same versions, the bytes thrown away.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from benchmarks.bare import make_obstore_reader, read_all
from benchmarks.jobsteps import WARM_UP_COUNT, list_group, plan_one_pack, warm_up
from benchmarks.report import Options, Outcome, Table, Target
from benchmarks.testbed import (
    DESTINATION,
    LOG_SIZE_BYTES,
    Logs,
    make_connection,
    make_settings,
    prepare_bucket,
    put_logs,
)

from log_aggregator.steps.packing.combine import combine
from log_aggregator.wiring import connect, make_workers
from log_aggregator_lab.servers.s3 import EmbeddedS3

OBJECT_COUNT = 8_000
OBJECT_COUNT_QUICK = 400
ROUNDS = 5
ROUNDS_QUICK = 2
RATE_RATIO_MIN = 0.7


@dataclass(frozen=True, slots=True)
class Taken:
    seconds: float
    cpu_seconds: float


def measure(options: Options) -> Outcome:
    count = OBJECT_COUNT_QUICK if options.is_quick else OBJECT_COUNT
    rounds = ROUNDS_QUICK if options.is_quick else ROUNDS
    with EmbeddedS3() as server:
        prepare_bucket(server, DESTINATION, is_versioned=True)
        pairs = _measure_pairs(server, put_logs(server, "combine", count), rounds)
    return _report(pairs, count, is_quick=options.is_quick)


def _measure_pairs(server: EmbeddedS3, logs: Logs, rounds: int) -> list[tuple[Taken, Taken]]:
    """(bare loop, combine), one after the other, again and again."""
    settings = make_settings(logs.bucket)
    store = connect(make_connection(server), settings.readers)
    bare = make_obstore_reader(make_connection(server), logs.bucket)
    pairs = []
    with make_workers(settings) as workers, ThreadPoolExecutor(settings.readers) as pool:
        listed = list_group(store, workers, settings, logs)
        objects = [source.log_object for source in listed.found.sources]
        warm_up(store, workers, listed)
        read_all(pool, bare, objects[:WARM_UP_COUNT])
        for number in range(rounds):
            plan = plan_one_pack(store, workers, listed, f"round-{number}/")
            looped = _timed(partial(read_all, pool, bare, objects))
            combined = _timed(partial(combine, store, workers, plan, listed.rules.group.combine))
            pairs.append((looped, combined))
    return pairs


def _timed(work: Callable[[], object]) -> Taken:
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    return Taken(time.perf_counter() - wall, time.process_time() - cpu)


def _report(pairs: list[tuple[Taken, Taken]], count: int, *, is_quick: bool) -> Outcome:
    columns = {
        "": "",
        "seconds": ".2f",
        "objects/s": ",.0f",
        "MB/s": ",.1f",
        "ms CPU an object": ".2f",
        "rate": ".2f",
    }
    table = Table(
        f"Combining {count:,} log objects of 8 KB against only reading them, 64 at once; "
        f"medians of {len(pairs)} rounds",
        columns,
    )
    for name, column in (("bare GET loop", 0), ("combine", 1)):
        seconds = statistics.median(pair[column].seconds for pair in pairs)
        cpu = statistics.median(pair[column].cpu_seconds for pair in pairs) / count * 1000
        ratio = statistics.median(pair[0].seconds / pair[column].seconds for pair in pairs)
        table.rows.append(
            (name, seconds, count / seconds, count / seconds * LOG_SIZE_BYTES / 1e6, cpu, ratio)
        )
    ratios = [pair[0].seconds / pair[1].seconds for pair in pairs]
    target = Target(
        "combine: rate against a bare GET loop",
        statistics.median(ratios),
        RATE_RATIO_MIN,
        is_minimum=True,
    )
    note = f"The rate's ratio, round by round: {', '.join(f'{ratio:.2f}' for ratio in ratios)}."
    return Outcome([table], [note], [target], is_quick)

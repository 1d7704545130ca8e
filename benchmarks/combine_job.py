"""Reads the log objects of one group, alone in a process: by a bare loop, or as the combine step
does. Prints what each round took.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

from benchmarks.bare import make_obstore_reader, read_all
from benchmarks.jobsteps import WARM_UP_COUNT, list_group, plan_one_pack, warm_up
from benchmarks.testbed import Logs, make_settings

from log_aggregator.steps.packing.combine import combine
from log_aggregator.wiring import Connection, connect, make_workers
from log_aggregator_lab.organisation.specification import flat


def main() -> int:
    told = json.load(sys.stdin)
    if told["core"] is not None:
        os.sched_setaffinity(0, {told["core"]})
    connection = Connection(**told["server"])
    spec = flat(told["count"], told["size_bytes"], seed=1).with_bucket_prefix(told["prefix"])
    logs = Logs(spec.control_tower_bucket, spec, told["count"], 0)
    settings = replace(make_settings(logs.bucket), readers=told["readers"])
    store = connect(connection, settings.readers)
    rounds = []
    with make_workers(settings) as workers, ThreadPoolExecutor(settings.readers) as pool:
        listed = list_group(store, workers, settings, logs)
        objects = [source.log_object for source in listed.found.sources]
        bare = make_obstore_reader(connection, logs.bucket)
        warm_up(store, workers, listed, f"{told['name']}-warm-up/")
        read_all(pool, bare, objects[:WARM_UP_COUNT])
        for number in range(told["rounds"]):
            plan = plan_one_pack(store, workers, listed, f"{told['name']}-{number}/")
            looped = timed(partial(read_all, pool, bare, objects))
            combined = timed(partial(combine, store, workers, plan, listed.rules.group.combine))
            rounds.append([looped, combined])
    json.dump(rounds, sys.stdout)
    return 0


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """(seconds, CPU seconds)"""
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


if __name__ == "__main__":
    sys.exit(main())

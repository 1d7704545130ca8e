"""One way to pack a day's logs, alone in a process: reads from its input which, and prints what it
took.

`this` is the run of this program, `boto3` the packer of `benchmarks.boto3_packer`, `chain` one
multipart upload for each log object. The others only read and throw the bytes away: `read-this`
with this program's client, `bare` with obstore, `read-boto3` with boto3, `read-sockets` with next
to nothing.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from log_aggregator.telemetry.memory import peak_memory_bytes

Told = Mapping[str, Any]


@dataclass(slots=True)
class Took:
    """What one way took. `steps` and `areas` are CPU seconds, `metering_seconds` is about what
    taking them cost, and is in them.
    """

    done: int = 0
    requests: Mapping[str, int] = field(default_factory=dict)
    steps: Mapping[str, float] = field(default_factory=dict)
    areas: list[tuple[str, str, float]] = field(default_factory=list)
    metering_seconds: float = 0.0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    system_seconds: float = 0.0
    """Of the CPU seconds, those inside of the kernel."""

    @contextmanager
    def timed(self) -> Iterator[None]:
        wall, cpu, system = time.perf_counter(), time.process_time(), os.times().system
        yield
        self.seconds, self.cpu_seconds = time.perf_counter() - wall, time.process_time() - cpu
        self.system_seconds = os.times().system - system


def main() -> int:
    told = json.load(sys.stdin)
    took = WAYS[told["way"]](told)
    measured = {name: getattr(took, name) for name in Took.__slots__} | {
        "peak_bytes": peak_memory_bytes()
    }
    json.dump(measured, sys.stdout)
    return 0


def _run_this(told: Told) -> Took:
    # Every way imports what it needs and nothing else, so that its memory is its own.
    from benchmarks.meter import CpuMeter, measure_call_seconds  # noqa: PLC0415

    from log_aggregator.core.windows import DateWindow  # noqa: PLC0415
    from log_aggregator.settings import read_settings  # noqa: PLC0415
    from log_aggregator.steps.job import Job  # noqa: PLC0415
    from log_aggregator.steps.packing.listing import Progress  # noqa: PLC0415
    from log_aggregator.steps.packing.run import run  # noqa: PLC0415
    from log_aggregator.wiring import (  # noqa: PLC0415
        Connection,
        SystemClock,
        connect,
        make_run_rules,
        make_workers,
    )

    settings = read_settings(
        None,
        {
            "control_tower_bucket": [told["bucket"]],
            "destination_bucket": told["destination"],
            "delete_originals": True,
        },
    )
    day = date.fromisoformat(told["day"])
    store, took = connect(Connection(**told["server"]), settings.readers), Took()
    meter = CpuMeter()
    with make_workers(settings) as workers, meter.install() if told["metered"] else nullcontext():
        with took.timed():
            rules = make_run_rules(settings, DateWindow(day, day))
            result = run(Job(store, workers, rules, SystemClock()), Progress())
        if told["metered"]:
            took.areas, took.metering_seconds = meter.read(), meter.calls * measure_call_seconds()
    if result.failures:
        raise SystemExit(f"the run failed: {result.failures[0].message}")
    took.done, took.requests = sum(group.deleted for group in result.groups), store.requests
    return took


def _run_boto3(told: Told) -> Took:
    from benchmarks.boto3_packer import Boto3Packer  # noqa: PLC0415

    packer, took = Boto3Packer(told["server"], told["threads"]), Took()
    with took.timed():
        took.done = packer.pack(
            told["bucket"], told["destination"], date.fromisoformat(told["day"])
        )
    took.requests, took.steps = packer.requests, packer.clock.cpu_seconds
    return took


def _read_boto3(told: Told) -> Took:
    """Only reads, to find the number of threads that suits boto3 best."""
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415

    from benchmarks.boto3_packer import Boto3Packer  # noqa: PLC0415

    packer, took = Boto3Packer(told["server"], told["threads"]), Took()
    groups = packer.list_groups(told["bucket"], date.fromisoformat(told["day"]))
    versions = [version for found in groups.values() for version in found][: told["count_max"]]
    with ThreadPoolExecutor(told["threads"]) as pool, took.timed():
        took.done = sum(1 for _ in packer.read_all(pool, told["bucket"], versions))
    return took


def _run_chain(told: Told) -> Took:
    from benchmarks.boto3_packer import make_client  # noqa: PLC0415
    from benchmarks.chain import Chain  # noqa: PLC0415

    took = Took()
    chain = Chain(make_client(told["server"], 4), told["bucket"], told["count"], told["size_bytes"])
    with took.timed():
        result = chain.run()
    took.done, took.requests, took.steps = told["count"], result.requests, result.steps
    return took


def _read_this(told: Told) -> Took:
    from benchmarks.bare import list_all, read_as_this_program  # noqa: PLC0415

    from log_aggregator.wiring import Connection, connect  # noqa: PLC0415

    connection, took = Connection(**told["server"]), Took()
    objects = list_all(connection, told["bucket"])[: told["count_max"]]
    store = connect(connection, told["threads"])
    read_as_this_program(store, objects[: told["threads"]])
    with took.timed():
        read_as_this_program(store, objects)
    took.done = len(objects)
    return took


def _read_bare(told: Told) -> Took:
    from benchmarks.bare import make_obstore_reader  # noqa: PLC0415

    return _read_with(told, make_obstore_reader)


def _read_sockets(told: Told) -> Took:
    from benchmarks.bare import SocketReader  # noqa: PLC0415

    return _read_with(told, lambda connection, bucket: SocketReader(connection, bucket).read)


def _read_with(told: Told, make_reader: Callable[[Any, str], Callable[[Any], bytes]]) -> Took:
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415

    from benchmarks.bare import list_all, read_all  # noqa: PLC0415

    from log_aggregator.wiring import Connection  # noqa: PLC0415

    connection, took = Connection(**told["server"]), Took()
    objects, read = (
        list_all(connection, told["bucket"])[: told["count_max"]],
        make_reader(connection, told["bucket"]),
    )
    with ThreadPoolExecutor(told["threads"]) as pool:
        read_all(pool, read, objects[: told["threads"]])
        with took.timed():
            read_all(pool, read, objects)
    took.done = len(objects)
    return took


WAYS: dict[str, Callable[[Told], Took]] = {
    "this": _run_this,
    "boto3": _run_boto3,
    "read-boto3": _read_boto3,
    "chain": _run_chain,
    "read-this": _read_this,
    "bare": _read_bare,
    "read-sockets": _read_sockets,
}

if __name__ == "__main__":
    sys.exit(main())

"""The steps of a work item with the memory, and the part of a processor, that a Lambda function of
some size has.

First the combine step against the embedded server, in a process of its own that gets no more CPU
than Lambda gives for its memory. Lambda gives one vCPU at 1,769 MB, and in proportion
(https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html). The server is not held
back. Then the memory of the largest work item, against a store that makes its objects up, so that
the network takes no time.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from random import Random
from typing import Any, cast

from benchmarks.generated import GeneratedStore
from benchmarks.jobsteps import list_whole
from benchmarks.relay import relay
from benchmarks.report import BenchmarkBroken, Options, Outcome, Table, Target
from benchmarks.shapes import trail_bucket
from benchmarks.testbed import make_connection, prepare_bucket
from benchmarks.throttle import wait_throttled

from log_aggregator.core.planning import PackLimits
from log_aggregator.core.windows import DateWindow
from log_aggregator.limits import GIB, KIB, MIB
from log_aggregator.ports.store import ObjectStore
from log_aggregator.steps.fanout.workitems import ItemLimits, WorkItem, cut_items, encode_item
from log_aggregator.steps.packing.buckets import Area, SourceBucket
from log_aggregator.steps.rules import Rules
from log_aggregator.wiring import Connection, connect
from log_aggregator_lab.organisation.cloudtrail import list_cloudtrail
from log_aggregator_lab.organisation.compression import gzip_member
from log_aggregator_lab.organisation.specification import flat
from log_aggregator_lab.organisation.synthetic import SyntheticObject
from log_aggregator_lab.servers.s3 import EmbeddedS3
from log_aggregator_lab.upload import upload

GB_SECOND_DOLLARS = {"arm64": 0.0000133334, "x86_64": 0.0000166667}
"""List prices of us-east-1, November 2026 (https://aws.amazon.com/lambda/pricing/): 1 GB is 1,024
MB.
"""
PROCESSOR_MB = 1769
SIZES_MB = (512, 1024, 1769, 3008)

SMALL_BYTES = 8_000
LARGE_BYTES = 512 * KIB
GENERATED = "generated-logs"
JOB_SECONDS_MAX = 300.0

DAY = date(2026, 3, 14)
ITEM_COUNT_QUICK = 5_000
MEMORY_SHARE_MAX = 0.6
"""Of a function's memory: the largest work item must leave room for what was not measured here."""
FUNCTIONS_MB = {"combine": 1769, "verify": 1024, "delete": 1024}
"""What is proposed for the functions (docs/internals/lambda-sizes.md)."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What a work item is made of."""

    bucket: str
    title: str
    groups: int
    objects_each: int
    is_large: bool = False

    @property
    def count(self) -> int:
        return self.groups * self.objects_each


FEW_GROUPS = Shape("lambda-few-groups", "of 8 KB in few groups", 4, 650)
MANY_GROUPS = Shape("lambda-many-groups", "of 8 KB in many small groups", 32, 20)
LARGE_LOGS = Shape("lambda-large-logs", f"of {LARGE_BYTES // KIB} KiB", 16, 40, is_large=True)


@dataclass(frozen=True, slots=True)
class Cell:
    """One way to run a function."""

    bucket: str
    size_mb: int = PROCESSOR_MB
    readers: int = 64
    groups_at_once: int = 4
    part_mib: int = 16
    late_ms: int = 0
    """How much later than the server here S3 answers."""

    @property
    def processors(self) -> float:
        return self.size_mb / PROCESSOR_MB

    def settings(self, prefix: str) -> dict[str, Any]:
        own = {
            "readers": self.readers,
            "groups_at_once": self.groups_at_once,
            "part_size": self.part_mib * MIB,
        }
        target = (
            {"destination_bucket": "generated-packs"}
            if self.bucket == GENERATED
            else {"final_aggregation_prefix": prefix}
        )
        return {"control_tower_bucket": [self.bucket], "delete_originals": True, **target, **own}


CELLS = {
    FEW_GROUPS: (
        *(Cell(FEW_GROUPS.bucket, size) for size in SIZES_MB),
        Cell(FEW_GROUPS.bucket, readers=16),
        *(Cell(FEW_GROUPS.bucket, readers=readers, late_ms=30) for readers in (64, 128)),
        *(Cell(FEW_GROUPS.bucket, readers=readers, late_ms=100) for readers in (64, 128, 256)),
    ),
    MANY_GROUPS: tuple(
        Cell(MANY_GROUPS.bucket, readers=128, groups_at_once=groups, late_ms=100)
        for groups in (4, 8, 16)
    ),
    LARGE_LOGS: tuple(
        Cell(LARGE_LOGS.bucket, readers=128, groups_at_once=groups, part_mib=part)
        for groups, part in ((1, 16), (4, 16), (4, 32), (8, 16), (16, 8))
    ),
}


def full_cells(shape: Shape) -> tuple[Cell, ...]:
    return tuple(
        Cell(shape.bucket, size, readers, groups, part, late_ms)
        for size in SIZES_MB
        for late_ms in (0, 30, 100)
        for readers in (16, 32, 64, 128)
        for groups in (1, 4, 16)
        for part in ((8, 16, 32) if shape.is_large else (16,))
    )


def measure(options: Options) -> Outcome:
    outcome = Outcome([], is_quick=options.is_quick)
    with tempfile.TemporaryDirectory() as name:
        _measure_sizes(Path(name), options, outcome)
        _measure_largest_item(Path(name), options, outcome)
    return outcome


def _measure_sizes(folder: Path, options: Options, outcome: Outcome) -> None:
    with EmbeddedS3() as server:
        for shape, chosen in CELLS.items():
            _put_item(server, folder, shape)
            table = Table(
                f"Combining a work item: {shape.count:,} log objects {shape.title} "
                f"({shape.groups})",
                _COLUMNS,
            )
            cells = (
                chosen[:1] if options.is_quick else full_cells(shape) if options.is_full else chosen
            )
            for number, cell in enumerate(cells):
                with relay(server.endpoint_url, late_ms=cell.late_ms) as endpoint_url:
                    there = replace(make_connection(server), endpoint_url=endpoint_url)
                    told = _tell(folder, cell, f"{shape.bucket}.item", there, f"cell-{number}")
                    measured = _run_apart(told, shape.count, cell.processors)
                table.rows.append(_row(cell, shape, measured))
            outcome.tables.append(table)
    outcome.notes += [
        (
            "vCPU: Lambda's share for the memory. late: delay added to every answer, because S3 is "
            "farther away."
        ),
        (
            f"Client and server share {os.cpu_count()} processors: if nothing is late and vCPU "
            "is left, the server was the limit."
        ),
        "$ per million: compute on arm64; the GET requests are $0.40.",
    ]


_COLUMNS = {
    "MB": ",d",
    "vCPU": ".2f",
    "readers": "d",
    "groups": "d",
    "part MiB": "d",
    "late ms": "d",
    "seconds": ".1f",
    "objects/s": ",.0f",
    "MB/s": ",.1f",
    "vCPU used": ".2f",
    "ms CPU an object": ".2f",
    "peak MB": ",.0f",
    "$ per million": ".3f",
}


def _row(cell: Cell, shape: Shape, measured: Mapping[str, Any]) -> tuple[Any, ...]:
    seconds, count = measured["seconds"], shape.count
    dollars = seconds * cell.size_mb / 1024 * GB_SECOND_DOLLARS["arm64"] / count * 1_000_000
    return (
        cell.size_mb,
        cell.processors,
        cell.readers,
        cell.groups_at_once,
        cell.part_mib,
        cell.late_ms,
        seconds,
        count / seconds,
        count / seconds * (LARGE_BYTES if shape.is_large else SMALL_BYTES) / 1e6,
        measured["cpu_seconds"] / seconds,
        measured["cpu_seconds"] / count * 1000,
        measured["peak_bytes"] / 1e6,
        dollars,
    )


def _put_item(server: EmbeddedS3, folder: Path, shape: Shape) -> None:
    """Uploads the log objects, and writes down the work item that they make."""
    prepare_bucket(server, shape.bucket, is_versioned=True)
    upload(_logs(shape), server)
    item = _list_item(connect(make_connection(server)).inner, shape.bucket, ItemLimits())
    if (item.objects, len(item.groups)) != (shape.count, shape.groups):
        raise BenchmarkBroken(
            f"a work item of {item.objects} log objects in {len(item.groups)} groups"
        )
    (folder / f"{shape.bucket}.item").write_bytes(encode_item(item))


def _logs(shape: Shape) -> Iterator[SyntheticObject]:
    """Groups of the same size. Large ones are stored blocks of gzip, so that they cost no time to
    make.
    """
    body = gzip_member(Random(1).randbytes(LARGE_BYTES), level=0)
    for seed in range(shape.groups):
        spec = replace(
            flat(shape.objects_each, SMALL_BYTES, seed=seed), first_day=DAY
        ).with_one_bucket(shape.bucket)
        for log in list_cloudtrail(spec):
            yield replace(log, make=lambda: body) if shape.is_large else log


def _list_item(store: ObjectStore, bucket: str, limits: ItemLimits) -> WorkItem:
    rules, source = Rules(DateWindow(DAY, DAY)), SourceBucket(bucket, "Enabled")
    found = list_whole(store, Area(source, ""), rules)
    return next(cut_items(source, found.groups, limits, PackLimits()))


def _measure_largest_item(folder: Path, options: Options, outcome: Outcome) -> None:
    """Memory of the three steps of a work item with as many log objects as it may have."""
    columns = {
        "step": "",
        "log objects": ",d",
        "at the start MB": ",.0f",
        "peak MB": ",.0f",
        "bytes an object": ",.0f",
        "CPU s": ".1f",
    }
    table = Table(
        "The largest work item: one group of small log objects, a store that makes them up", columns
    )
    count = ITEM_COUNT_QUICK if options.is_quick else ItemLimits().objects_max
    (folder / "body").write_bytes(gzip_member(Random(1).randbytes(SMALL_BYTES), level=0))
    store = cast(
        "ObjectStore",
        GeneratedStore({GENERATED: trail_bucket(DAY, count)}, (folder / "body").read_bytes()),
    )
    (folder / "item").write_bytes(
        encode_item(_list_item(store, GENERATED, ItemLimits(bytes_max=GIB * 1024)))
    )
    for step, counter in (("combine", "packed"), ("verify", "packed"), ("delete", "deleted")):
        told = _tell(folder, Cell(GENERATED), "item", None) | {"step": step, "count": counter}
        measured = _run_apart(told, count, None)
        start, peak = measured["start_bytes"], measured["peak_bytes"]
        table.rows.append(
            (step, count, start / 1e6, peak / 1e6, (peak - start) / count, measured["cpu_seconds"])
        )
        bound = FUNCTIONS_MB[step] * MIB * MEMORY_SHARE_MAX / 1e6
        outcome.targets.append(
            Target(f"{step}: memory of the largest item", peak / 1e6, bound, "MB")
        )
    outcome.tables.append(table)


def _tell(
    folder: Path, cell: Cell, item: str, server: Connection | None, prefix: str = "aggregated"
) -> dict[str, Any]:
    """What the job reads from its input."""
    return {
        "step": "combine",
        "count": "packed",
        "folder": str(folder),
        "bucket": cell.bucket,
        "item": item,
        "day": DAY.isoformat(),
        "settings": cell.settings(prefix),
        "server": None if server is None else asdict(server),
    }


def _run_apart(told: Mapping[str, Any], count: int, processors: float | None) -> Mapping[str, Any]:
    """The job in a process of its own, held back from the moment at which it is ready. Raises
    BenchmarkBroken.
    """
    command = [sys.executable, "-m", "benchmarks.lambda_job"]
    root = Path(__file__).resolve().parent.parent
    with subprocess.Popen(
        command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        if process.stdin is None or process.stdout is None:
            raise BenchmarkBroken("no pipe to the job's process")
        process.stdin.write(json.dumps(told) + "\n")
        process.stdin.flush()
        if process.stdout.readline() != "ready\n":
            raise BenchmarkBroken("the job's process did not get ready")
        process.stdin.write("go\n")
        process.stdin.flush()
        if processors is None:
            process.wait(JOB_SECONDS_MAX)
        else:
            wait_throttled(process, processors, JOB_SECONDS_MAX)
        answer = process.stdout.read()
    if process.returncode != 0:
        raise BenchmarkBroken(f"the job's process ended with {process.returncode}")
    measured: Mapping[str, Any] = json.loads(answer)
    if measured["failures"] or measured["done"] != count:
        raise BenchmarkBroken(
            f"{measured['done']} of {count} log objects done; {measured['failures'][:3]}"
        )
    return measured

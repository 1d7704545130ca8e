"""How long it takes to plan millions of log objects of one day, and how much memory: by listing,
and by an inventory. No server.

The buckets exist only as functions; the inventories lie in files, their rows in no order. Each plan
is made in a process of its own.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.apart import run_apart
from benchmarks.planning_job import BUCKET, INVENTORIES, ListedStore, list_all, make_bucket
from benchmarks.report import BenchmarkBroken, Options, Outcome, Table, Target

from log_aggregator.core.inventory.manifest import Format
from log_aggregator_lab.inventory import InventorySpec, write_inventory

OBJECTS, OBJECTS_QUICK = 5_000_000, 200_000
INVENTORY_OBJECTS, INVENTORY_OBJECTS_QUICK = 1_000_000, 50_000
ROWS_PER_FILE = 100_000
JOB_SECONDS_MAX = 1_800
PEAK_MB_MAX = 1_000.0
MADE = datetime(2026, 3, 15, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Case:
    """What is planned, and from what."""

    name: str
    shape: str
    format: Format | None = None


CASES = (
    Case("Control Tower bucket, listed", "main"),
    Case("access logs, one group, listed", "access"),
    Case("Control Tower bucket, inventory in CSV", "main", Format.CSV),
    Case("Control Tower bucket, inventory in Parquet", "main", Format.PARQUET),
)


def measure(options: Options) -> Outcome:
    table = Table("A plan of one day's log objects", _COLUMNS)
    outcome = Outcome([table], is_quick=options.is_quick)
    for case in CASES:
        listed = OBJECTS_QUICK if options.is_quick else OBJECTS
        took = plan(
            case,
            (INVENTORY_OBJECTS_QUICK if options.is_quick else INVENTORY_OBJECTS)
            if case.format
            else listed,
        )
        done, made = took["objects"], took["making_seconds"]
        cpu = (took["cpu_seconds"] - made) / done * 1e6
        table.rows.append(
            (
                case.name,
                done,
                took["groups"],
                took["packs"],
                took["seconds"],
                cpu,
                took["peak_bytes"] / 1e6,
            )
        )
        outcome.targets.append(
            Target(f"{case.name}: memory", took["peak_bytes"] / 1e6, PEAK_MB_MAX, "MB")
        )
    outcome.notes += [
        (
            "Seconds of a listed bucket include making the listing up; the CPU for a log object "
            "does not. No network."
        ),
        (
            "Every log object of the inventories was found once; their rows are in no order, and "
            "versions and ETags have no pattern."
        ),
    ]
    return outcome


_COLUMNS = {
    "what": "",
    "log objects": ",d",
    "groups": ",d",
    "packs": ",d",
    "seconds": ",.0f",
    "us CPU an object": ",.0f",
    "peak MB": ",.0f",
}


def plan(case: Case, objects: int) -> Mapping[str, Any]:
    """What planning took. Raises BenchmarkBroken where not every log object was planned, once."""
    with tempfile.TemporaryDirectory(prefix="log-aggregator-inventory-") as folder:
        location = _write_inventory(case, objects, Path(folder)) if case.format else ""
        told = {"shape": case.shape, "objects": objects, "folder": folder, "inventory": location}
        took = run_apart("benchmarks.planning_job", told, JOB_SECONDS_MAX)
    expected = make_bucket(case.shape, objects).count
    if took["failures"] or took["objects"] != expected:
        raise BenchmarkBroken(
            f"{case.name}: {took['objects']} of {expected} log objects planned; "
            f"{took['failures'][:1]}"
        )
    return took


def _write_inventory(case: Case, objects: int, folder: Path) -> str:
    bucket = make_bucket(case.shape, objects)
    spec = InventorySpec(
        BUCKET, INVENTORIES, case.format or Format.CSV, rows_per_file=ROWS_PER_FILE, made=MADE
    )
    listed = list_all(ListedStore(bucket), bucket)
    return write_inventory(
        listed, spec, lambda key, data: _write(folder / key.replace("/", "_"), data)
    )


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)

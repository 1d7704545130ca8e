"""The job alone in a process: reads from its input where the server is, and prints how much memory
it took.

It imports nothing of the lab, only what a real run does.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from datetime import date
from typing import Any, cast

from benchmarks.apart import read_peak_bytes
from benchmarks.generated import GeneratedBucket, GeneratedStore

from log_aggregator.core.windows import DateWindow
from log_aggregator.ports.store import ObjectStore
from log_aggregator.settings import read_settings
from log_aggregator.steps.job import Job
from log_aggregator.steps.packing.listing import Progress
from log_aggregator.steps.packing.run import run
from log_aggregator.wiring import Connection, SystemClock, connect, make_run_rules, make_workers


class WatchedProgress(Progress):
    """Looks at the memory when everything is listed and nothing is read yet."""

    listed_bytes = 0

    def planned(self, groups: int, objects: int) -> None:
        self.listed_bytes = read_peak_bytes()


def main() -> int:
    told = json.load(sys.stdin)
    settings = read_settings(
        None,
        {
            "control_tower_bucket": [told["bucket"]],
            "destination_bucket": told["destination"],
            "delete_originals": True,
        },
    )
    day = date.fromisoformat(told["day"])
    start_bytes, began, progress = read_peak_bytes(), time.perf_counter(), WatchedProgress()
    store = make_up(told) if "made_up" in told else connect_to(told, settings.readers)
    with make_workers(settings) as workers:
        rules = make_run_rules(settings, DateWindow(day, day))
        result = run(Job(store, workers, rules, SystemClock()), progress)
    measured = {
        "seconds": time.perf_counter() - began,
        "deleted": sum(group.deleted for group in result.groups),
        "failures": [failure.message for failure in result.failures],
        "start_bytes": start_bytes,
        "listed_bytes": progress.listed_bytes,
        "peak_bytes": read_peak_bytes(),
    }
    json.dump(measured, sys.stdout)
    return 0


def connect_to(told: Mapping[str, Any], readers: int) -> ObjectStore:
    connection = Connection(
        None, told["region"], told["endpoint_url"], told["access_key"], told["secret_key"]
    )
    return connect(connection, readers)


def make_up(told: Mapping[str, Any]) -> ObjectStore:
    """One account, one Region, one day."""
    day, account = date.fromisoformat(told["day"]), "111122223333"
    folder = f"AWSLogs/{account}/CloudTrail/eu-west-1/{day:%Y/%m/%d}"
    name = f"{account}_CloudTrail_eu-west-1_{day:%Y%m%d}T0100Z"

    def key_of(number: int) -> str:
        return f"{folder}/{name}_{number:016x}.json.gz"

    bucket = GeneratedBucket(told["made_up"], key_of, "Enabled")
    store = GeneratedStore({told["bucket"]: bucket}, bytes.fromhex(told["body"]))
    return cast("ObjectStore", store)


if __name__ == "__main__":
    sys.exit(main())

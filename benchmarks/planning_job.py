"""A plan, alone in a process, over a bucket that exists only as a function: reads what to plan from its input, prints what it took."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from datetime import UTC, date, datetime, timedelta
from typing import cast

from benchmarks import shapes
from benchmarks.generated import GeneratedBucket, GeneratedStore
from benchmarks.memory_job import read_peak_bytes

from log_aggregator.core.skipscan import DateWindow
from log_aggregator.model import LogObject
from log_aggregator.ports import ListStart, ObjectStore
from log_aggregator.settings import read_settings
from log_aggregator.steps.plan import plan_run
from log_aggregator.steps.run import Progress
from log_aggregator.wiring import SystemClock, make_run_rules, make_workers

DAY = date(2026, 3, 14)
BUCKET = "generated-logs"
ACCOUNTS = 400


class ListedStore(GeneratedStore):
    """Version ids and ETags are without any pattern, as S3's are: they are most of what a listing takes when it is compressed."""

    def _log_object(self, bucket: str, number: int) -> LogObject:
        keys = self._buckets[bucket]
        etag, version = (hashlib.md5(f"{number} {what}".encode(), usedforsecurity=False).hexdigest() for what in ("etag", "version"))
        modified = datetime(2026, 3, 14, 1, tzinfo=UTC) + timedelta(seconds=number % 86_400)
        return LogObject(bucket, keys.key_of(number), version if keys.versioning else None, etag, 1_000 + number % 29_000, modified)


def main() -> int:
    told = json.load(sys.stdin)
    bucket = _make_bucket(told["shape"], told["objects"])
    store = ListedStore({BUCKET: bucket}, b"")
    own = {"control_tower_bucket" if told["shape"] == "main" else "other_buckets": BUCKET, "destination_bucket": "generated-packs"}
    settings = read_settings(None, own)
    rules = make_run_rules(settings, DateWindow(DAY, DAY))
    began, cpu = time.process_time(), 0.0
    _list_all(store, bucket)
    generating = time.process_time() - began
    start_bytes, began, cpu = read_peak_bytes(), time.perf_counter(), time.process_time()
    with make_workers(settings) as workers:
        plan = plan_run(cast("ObjectStore", store), workers, SystemClock(), rules, Progress())
    measured = {
        "objects": plan.source_sizes.count,
        "groups": len(plan.groups),
        "packs": plan.pack_sizes.count,
        "failures": [failure.message for failure in plan.failures],
        "seconds": time.perf_counter() - began,
        "cpu_seconds": time.process_time() - cpu,
        "generating_seconds": generating,
        "start_bytes": start_bytes,
        "peak_bytes": read_peak_bytes(),
    }
    json.dump(measured, sys.stdout)
    return 0


def _make_bucket(shape: str, count: int) -> GeneratedBucket:
    if shape == "main":
        prefixes = ACCOUNTS * len(shapes.MAIN_SERVICES) * len(shapes.REGIONS)
        return shapes.main_bucket(ACCOUNTS, (DAY,), -(-count // prefixes))
    return shapes.access_bucket((DAY,), count)


def _list_all(store: ListedStore, bucket: GeneratedBucket) -> None:
    """What making up the listing takes by itself, so that it can be told apart."""
    start: ListStart | None = ListStart()
    while start is not None:
        page = store.list_object_versions(BUCKET, start=start) if bucket.versioning else store.list_objects(BUCKET, start=start)
        start = page.next_start


if __name__ == "__main__":
    sys.exit(main())

"""A plan, alone in a process, of a bucket that exists only as a function, or of an inventory of it
that lies in files.

Reads from its input what to plan, and prints what it took.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import cast

from benchmarks import shapes
from benchmarks.apart import read_peak_bytes
from benchmarks.generated import GeneratedBucket, GeneratedStore

from log_aggregator.core.windows import DateWindow
from log_aggregator.errors import NotFound
from log_aggregator.model import LogObject, StoredObject
from log_aggregator.ports.store import Body, ListStart, ObjectStore
from log_aggregator.settings import read_settings
from log_aggregator.steps.inventory import InventoryListing, find_inventory
from log_aggregator.steps.job import Job
from log_aggregator.steps.packing.listing import Progress
from log_aggregator.steps.packing.plan import plan_run
from log_aggregator.wiring import SystemClock, make_run_rules, make_workers

DAY = date(2026, 3, 14)
BUCKET = "generated-logs"
INVENTORIES = "generated-inventories"
ACCOUNTS = 400


class ListedStore(GeneratedStore):
    """Version ids and ETags are without any pattern, as S3's are: they are most of what a listing
    takes when it is compressed.

    What lies in `folder` is the bucket of inventories.
    """

    def __init__(self, bucket: GeneratedBucket, folder: Path | None = None) -> None:
        super().__init__({BUCKET: bucket}, b"")
        self._folder = folder

    def get_object(
        self,
        bucket: str,
        key: str,
        *,
        version_id: str | None = None,
        if_match: str | None = None,
        byte_range: tuple[int, int] | None = None,
    ) -> Body:
        if bucket != INVENTORIES:
            return super().get_object(
                bucket, key, version_id=version_id, if_match=if_match, byte_range=byte_range
            )
        with self._path(key).open("rb") as file:
            if byte_range is None:
                return Body(file.read())
            file.seek(byte_range[0])
            return Body(file.read(byte_range[1] - byte_range[0]))

    def head_object(
        self, bucket: str, key: str, *, version_id: str | None = None, if_match: str | None = None
    ) -> StoredObject:
        if bucket != INVENTORIES:
            return super().head_object(bucket, key, version_id=version_id, if_match=if_match)
        return StoredObject(
            bucket, key, self._path(key).stat().st_size, "etag", None, "STANDARD", None
        )

    def _path(self, key: str) -> Path:
        if self._folder is None:
            raise NotFound(key)
        return self._folder / key.replace("/", "_")

    def _log_object(self, bucket: str, number: int) -> LogObject:
        keys = self._buckets[bucket]
        etag, version = (
            hashlib.md5(f"{number} {what}".encode(), usedforsecurity=False).hexdigest()
            for what in ("etag", "version")
        )
        modified = datetime(2026, 3, 14, 1, tzinfo=UTC) + timedelta(seconds=number % 86_400)
        return LogObject(
            bucket,
            keys.key_of(number),
            version if keys.versioning else None,
            etag,
            1_000 + number % 29_000,
            modified,
        )


def main() -> int:
    told = json.load(sys.stdin)
    bucket = make_bucket(told["shape"], told["objects"])
    store = ListedStore(bucket, Path(told["folder"]) if told["folder"] else None)
    own = {
        "control_tower_bucket" if told["shape"] == "main" else "other_buckets": BUCKET,
        "destination_bucket": "generated-packs",
    }
    settings = read_settings(None, own)
    rules = make_run_rules(settings, DateWindow(DAY, DAY))
    began = time.process_time()
    if not told["inventory"]:
        for _ in list_all(store, bucket):
            pass
    making_seconds = time.process_time() - began
    start_bytes, wall, cpu, over = (
        read_peak_bytes(),
        time.perf_counter(),
        time.process_time(),
        cast("ObjectStore", store),
    )
    with make_workers(settings) as workers:
        inventories = [find_inventory(over, told["inventory"])] if told["inventory"] else []
        job = Job(over, workers, rules, SystemClock())
        listing = InventoryListing(job, inventories, Progress()) if inventories else None
        plan = plan_run(job, Progress(), listing)
    measured = {
        "objects": plan.totals.source_sizes.count,
        "groups": len(plan.groups),
        "packs": plan.totals.pack_sizes.count,
        "failures": [failure.message for failure in plan.failures],
        "seconds": time.perf_counter() - wall,
        "cpu_seconds": time.process_time() - cpu,
        "making_seconds": making_seconds,
        "start_bytes": start_bytes,
        "peak_bytes": read_peak_bytes(),
    }
    json.dump(measured, sys.stdout)
    return 0


def make_bucket(shape: str, count: int) -> GeneratedBucket:
    """At least so many log objects of one day: in a Control Tower bucket, or in a flat one of
    access logs, where they are one group.
    """
    if shape == "main":
        prefixes = ACCOUNTS * len(shapes.MAIN_SERVICES) * len(shapes.REGIONS)
        return shapes.main_bucket(ACCOUNTS, (DAY,), -(-count // prefixes))
    return shapes.access_bucket((DAY,), count)


def list_all(store: ListedStore, bucket: GeneratedBucket) -> Iterator[LogObject]:
    """Everything in the bucket, page by page."""
    start: ListStart | None = ListStart()
    while start is not None:
        page = (
            store.list_object_versions(BUCKET, start=start)
            if bucket.versioning
            else store.list_objects(BUCKET, start=start)
        )
        yield from page.objects
        start = page.next_start


if __name__ == "__main__":
    sys.exit(main())

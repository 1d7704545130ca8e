"""Inventories of buckets in a store, and runs that use them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from tests.support.world import World

from log_aggregator.core.inventory.rows import Entry
from log_aggregator.ports.store import ObjectStore
from log_aggregator.steps.inventory import InventoryListing, find_inventory, narrow_job
from log_aggregator.steps.job import Job
from log_aggregator.steps.packing.listing import Progress
from log_aggregator.steps.packing.results import RunResult
from log_aggregator.steps.packing.run import run
from log_aggregator.steps.packs.pages import list_pages
from log_aggregator.steps.rules import RunRules
from log_aggregator_lab.inventory import InventorySpec, write_inventory
from log_aggregator_lab.stores.memory import MemoryStore

DESTINATION = "inventories"
MADE = datetime(2025, 4, 5, 0, 30, tzinfo=UTC)


def entries_of(store: ObjectStore, bucket: str) -> Iterator[Entry]:
    """Everything in a bucket as it is now."""
    is_versioned = store.get_bucket_versioning(bucket) is not None
    list_page = store.list_object_versions if is_versioned else store.list_objects
    for page in list_pages(list_page, bucket, ""):
        yield from page.objects
        yield from page.markers


def take_inventory(store: MemoryStore, bucket: str = "logs", **options: Any) -> str:
    """Writes what S3 would write about a bucket now; returns its place."""
    if DESTINATION not in store.list_buckets():
        store.create_bucket(DESTINATION)
    has_versions = options.pop("has_versions", store.get_bucket_versioning(bucket) is not None)
    spec = InventorySpec(
        bucket,
        DESTINATION,
        **({"has_versions": has_versions, "made": MADE, "rows_per_file": 7} | options),
    )
    return write_inventory(
        list(entries_of(store, bucket)), spec, lambda key, data: put(store, key, data)
    )


def put(store: MemoryStore, key: str, data: bytes) -> None:
    store.put(DESTINATION, key, data)


def make_listing(job: Job, locations: Sequence[str]) -> tuple[Job, InventoryListing]:
    found = [find_inventory(job.store, location) for location in locations]
    narrowed = narrow_job(job, found)
    return narrowed, InventoryListing(narrowed, found, Progress())


def run_by_inventory(
    world: World, *locations: str, store: ObjectStore | None = None, rules: RunRules | None = None
) -> RunResult:
    """A run that lists nothing except the contents of inventories."""
    narrowed, listing = make_listing(world.job(store, rules=rules), locations)
    return run(narrowed, Progress(), listing)


def with_window(rules: RunRules, window: Any) -> RunRules:
    return replace(rules, selection=replace(rules.selection, window=window))

"""Listing tasks: which parts of which buckets are listed by which call, and the listing of one of
them into work items.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from log_aggregator.core.inventory.rows import Entry
from log_aggregator.core.inventory.sorting import gather_keys
from log_aggregator.core.planning import PackLimits
from log_aggregator.core.windows import DateWindow
from log_aggregator.errors import CannotStart, Failure, StoreError
from log_aggregator.ports.store import ObjectStore
from log_aggregator.steps.fanout.folder import Kind
from log_aggregator.steps.fanout.workitems import ItemLimits, WorkItem, cut_items
from log_aggregator.steps.packing.buckets import (
    SourceBucket,
    bucket_names,
    check_destination,
    look_at_bucket,
)
from log_aggregator.steps.packing.prefixes import (
    AWS_LOGS,
    list_accounts,
    list_folders,
    list_services,
)
from log_aggregator.steps.packing.rules import RunRules
from log_aggregator.steps.packing.scan import list_in_chunks
from log_aggregator.steps.packing.selection import Selection, select_in_chunks
from log_aggregator.steps.workers import Workers

FOLDERS_MAX = 50
"""Accounts in one task: with three services of a page or two each some 250 requests, seconds; in a
bucket full of history, minutes.
"""

HELD_OBJECTS_MAX = 200_000
"""Log objects that are held until they are cut into work items: some 150 MB."""


@dataclass(frozen=True, slots=True)
class ListingTask:
    """Some prefixes of one bucket, in one window of days."""

    kind: Kind
    task: str
    bucket: SourceBucket
    prefixes: tuple[str, ...]
    window: DateWindow
    inventory: str = ""
    """The run whose sorted inventory is listed in place of the bucket."""

    def encode(self, run: str) -> dict[str, Any]:
        """As an item of the state machine's map."""
        return {
            "run": run,
            "kind": self.kind,
            "task": self.task,
            "bucket": self.bucket.name,
            "versioning": self.bucket.versioning,
            "skipped": list(self.bucket.own_prefixes),
            "prefixes": list(self.prefixes),
            "first": self.window.first.isoformat(),
            "last": self.window.last.isoformat(),
            "inventory": self.inventory,
        }

    @classmethod
    def decode(cls, item: Mapping[str, Any]) -> ListingTask:
        kind = Kind(item["kind"])
        bucket = SourceBucket(
            item["bucket"], item["versioning"], kind is Kind.MAIN, tuple(item["skipped"])
        )
        window = DateWindow(date.fromisoformat(item["first"]), date.fromisoformat(item["last"]))
        return cls(kind, item["task"], bucket, tuple(item["prefixes"]), window, item["inventory"])


@dataclass(slots=True)
class ListingPlan:
    """What is to be listed, and what was already seen on the way. A bucket that cannot be looked at
    is a failure; the others go on.
    """

    tasks: dict[Kind, list[ListingTask]] = field(
        default_factory=lambda: {kind: [] for kind in Kind}
    )
    buckets: list[str] = field(default_factory=list)
    """Those that can be looked at; in one of them there may be nothing to list."""
    selection: Selection = field(default_factory=Selection)
    failures: list[Failure] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ItemSummary:
    """A work item, by its name. `late` counts its log objects that are older than what a nightly
    run looks at.
    """

    item: str
    objects: int
    groups: int
    late: int


@dataclass(slots=True)
class Listed:
    """What one task found: how much, and the work items that it became."""

    items: list[ItemSummary] = field(default_factory=list)
    selection: Selection = field(default_factory=Selection)
    seconds: float = 0.0


def plan_listing(
    store: ObjectStore, rules: RunRules, only_bucket: str | None = None
) -> ListingPlan:
    """Cuts the listing of all buckets into tasks. Raises CannotStart where there is no destination,
    or no bucket that can be listed.
    """
    check_destination(store, rules)
    plan = ListingPlan()
    for name in [only_bucket] if only_bucket else bucket_names(store, rules):
        try:
            _plan_bucket(store, rules, name, plan)
        except (CannotStart, StoreError) as error:
            plan.failures.append(Failure.of(f"bucket {name}", error))
    if plan.failures and not any(plan.tasks.values()):
        raise CannotStart(f"no bucket can be listed; the first: {plan.failures[0].message}")
    return plan


def plan_inventory_listing(
    store: ObjectStore, rules: RunRules, bucket: str, inventory: str
) -> ListingPlan:
    """One task: what is sorted is listed fast. Raises CannotStart."""
    check_destination(store, rules)
    found = look_at_bucket(store, rules, bucket)
    kind = Kind.MAIN if found.is_main else Kind.AUXILIARY
    plan = ListingPlan(buckets=[bucket])
    plan.tasks[kind].append(
        ListingTask(kind, "00001", found, (), rules.selection.window, inventory)
    )
    return plan


def list_inventory_task(
    workers: Workers,
    task: ListingTask,
    entries: Iterable[Entry],
    rules: RunRules,
    limits: ItemLimits,
    late_before: date,
    write_item: Callable[[WorkItem], str],
) -> Listed:
    """The same as `list_task`, of entries in the order of their keys, which an inventory had."""
    began = time.perf_counter()
    # Nothing is deleted without a pack because of what an inventory says.
    wanted = replace(rules.selection, window=task.window, discard_other_regions=False)
    listed = Listed()
    cutter = _Cutter(
        task.bucket, limits, rules.group.combine.limits, late_before, listed, write_item
    )
    for selection in select_in_chunks(task.bucket.name, gather_keys(entries), wanted):
        workers.check_stop()
        cutter.take(selection)
    cutter.flush()
    listed.seconds = time.perf_counter() - began
    return listed


def list_task(
    store: ObjectStore,
    workers: Workers,
    task: ListingTask,
    rules: RunRules,
    limits: ItemLimits,
    late_before: date,
    write_item: Callable[[WorkItem], str],
) -> Listed:
    """Lists, and hands every work item to `write_item`, which gives its name. Memory is bounded,
    whatever the listing's size.

    Raises StoreError, Interrupted.
    """
    began = time.perf_counter()
    wanted = replace(rules.selection, window=task.window)
    listed = Listed()
    cutter = _Cutter(
        task.bucket, limits, rules.group.combine.limits, late_before, listed, write_item
    )

    def list_one(prefix: str) -> None:
        for selection in list_in_chunks(store, task.bucket, prefix, wanted):
            workers.check_stop()
            cutter.take(selection)

    for _ in workers.each(list_one, _prefixes(store, workers, task, listed.selection)):
        pass
    cutter.flush()
    listed.seconds = time.perf_counter() - began
    return listed


def _plan_bucket(store: ObjectStore, rules: RunRules, name: str, plan: ListingPlan) -> None:
    bucket = look_at_bucket(store, rules, name)
    plan.buckets.append(name)
    kind = Kind.MAIN if bucket.is_main else Kind.AUXILIARY
    window = rules.selection.window

    def add(part: SourceBucket, prefixes: Sequence[str]) -> None:
        tasks = plan.tasks[kind]
        tasks.append(ListingTask(kind, f"{len(tasks) + 1:05d}", part, tuple(prefixes), window))

    if bucket.is_main:
        accounts = list_accounts(store, bucket, rules.organization_id, plan.selection)
        # One account may lie under two roots, before and since landing zone 3.0: together they are
        # one group.
        for batch in _batches(
            sorted(accounts, key=lambda prefix: prefix.rstrip("/").rpartition("/")[2])
        ):
            add(bucket, batch)
        return
    folders = list_folders(store, bucket)
    rest = replace(bucket, own_prefixes=(*bucket.own_prefixes, AWS_LOGS)) if folders else bucket
    add(rest, [""])
    for batch in _batches(folders):
        add(bucket, batch)


def _batches(prefixes: Sequence[str]) -> Iterator[Sequence[str]]:
    return (prefixes[start : start + FOLDERS_MAX] for start in range(0, len(prefixes), FOLDERS_MAX))


def _prefixes(
    store: ObjectStore, workers: Workers, task: ListingTask, selection: Selection
) -> Iterable[str]:
    if not task.bucket.is_main:
        return task.prefixes
    return list(list_services(store, workers, task.bucket, task.prefixes, selection))


class _Cutter:
    """Gathers what listing threads find, and cuts it into work items whenever enough is held."""

    def __init__(
        self,
        bucket: SourceBucket,
        limits: ItemLimits,
        pack_limits: PackLimits,
        late_before: date,
        listed: Listed,
        write_item: Callable[[WorkItem], str],
    ) -> None:
        self._bucket = bucket
        self._limits = limits
        self._pack_limits = pack_limits
        self._late_before = late_before
        self._listed = listed
        self._write_item = write_item
        self._held = Selection()
        self._held_objects = 0
        self._lock = threading.Lock()

    def take(self, selection: Selection) -> None:
        with self._lock:
            self._held.merge(selection)
            self._held_objects += sum(found.count for found in selection.groups.values())
            if self._held_objects >= HELD_OBJECTS_MAX:
                self._cut()

    def flush(self) -> None:
        with self._lock:
            self._cut()

    def _cut(self) -> None:
        self._listed.selection.merge_counts(self._held)
        for item in cut_items(
            self._bucket.name,
            self._bucket.versioning,
            self._held.groups,
            self._limits,
            self._pack_limits,
        ):
            late = sum(
                len(found.sources) for group, found in item.groups if group.date < self._late_before
            )
            self._listed.items.append(
                ItemSummary(self._write_item(item), item.objects, len(item.groups), late)
            )
        self._held, self._held_objects = Selection(), 0

"""Listing tasks: divides the listing of all buckets between calls, and lists one part into work
items.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from log_aggregator.core.inventory.rows import Entry
from log_aggregator.core.inventory.sorting import gather_keys
from log_aggregator.core.listed import encode_group
from log_aggregator.core.planning import PackLimits
from log_aggregator.core.windows import DateWindow
from log_aggregator.errors import CannotStart, Failure, RequestFailed
from log_aggregator.steps.fanout.folder import Kind
from log_aggregator.steps.fanout.workitems import ItemLimits, WorkItem, cut_items
from log_aggregator.steps.job import Job
from log_aggregator.steps.packing.buckets import (
    Area,
    SourceBucket,
    check_destination,
    look_at_bucket,
)
from log_aggregator.steps.packing.prefixes import AWS_LOGS, MainTree, list_folders
from log_aggregator.steps.packing.scan import list_in_chunks
from log_aggregator.steps.packing.selection import Selection, select_in_chunks
from log_aggregator.steps.rules import RunRules

FOLDERS_MAX = 50
"""Accounts in one task. With three services of a page or two each these are about 250 requests,
which take seconds; in a bucket full of history, minutes.
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
    skipped: tuple[str, ...]
    """Prefixes that are our own, or belong to another task."""
    window: DateWindow
    inventory: str = ""
    """The run whose sorted inventory is listed instead of the bucket."""

    def encode(self, run: str) -> dict[str, Any]:
        """As an item of the state machine's map."""
        return {
            "run": run,
            "kind": self.kind,
            "task": self.task,
            "bucket": self.bucket.name,
            "versioning": self.bucket.versioning,
            "skipped": list(self.skipped),
            "prefixes": list(self.prefixes),
            "first": self.window.first.isoformat(),
            "last": self.window.last.isoformat(),
            "inventory": self.inventory,
        }

    @classmethod
    def decode(cls, item: Mapping[str, Any], rules: RunRules) -> ListingTask:
        kind = Kind(item["kind"])
        bucket = SourceBucket.of(rules, item["bucket"], item["versioning"])
        window = DateWindow(date.fromisoformat(item["first"]), date.fromisoformat(item["last"]))
        prefixes, skipped = tuple(item["prefixes"]), tuple(item["skipped"])
        return cls(kind, item["task"], bucket, prefixes, skipped, window, item["inventory"])


@dataclass(slots=True)
class ListingPlan:
    """What to list, and what was already seen on the way. A bucket that cannot be read is a
    failure; the others continue.
    """

    tasks: dict[Kind, list[ListingTask]] = field(
        default_factory=lambda: {kind: [] for kind in Kind}
    )
    buckets: list[str] = field(default_factory=list)
    """The buckets that can be read, even if one has nothing to list."""
    selection: Selection = field(default_factory=Selection)
    failures: list[Failure] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ItemSummary:
    """A work item, by its name. `late` counts its log objects that are too old for a nightly run,
    by day.
    """

    item: str
    objects: int
    groups: list[dict[str, str]]
    """As encoded by `encode_group`."""
    late: dict[str, int]


@dataclass(frozen=True, slots=True)
class Cut:
    """How listed objects become work items: the limits of an item, the day before which a log is
    late, and the function that writes an item and returns its name.
    """

    limits: ItemLimits
    pack_limits: PackLimits
    late_before: date
    write_item: Callable[[WorkItem], str]


@dataclass(slots=True)
class Listed:
    """What one task found, and its work items."""

    items: list[ItemSummary] = field(default_factory=list)
    selection: Selection = field(default_factory=Selection)
    seconds: float = 0.0


def plan_listing(job: Job, only_bucket: str | None = None) -> ListingPlan:
    """Divides the listing of all buckets into tasks. Raises CannotStart if there is no destination,
    or no bucket that can be listed.
    """
    check_destination(job)
    plan = ListingPlan()
    for name in [only_bucket] if only_bucket else job.list_source_buckets():
        try:
            _plan_bucket(job, name, plan)
        except (CannotStart, RequestFailed) as error:
            plan.failures.append(Failure.of(f"bucket {name}", error))
    if plan.failures and not any(plan.tasks.values()):
        raise CannotStart(f"no bucket can be listed; the first: {plan.failures[0].message}")
    return plan


def plan_inventory_listing(job: Job, bucket: str, inventory: str) -> ListingPlan:
    """A single task, since listing a sorted inventory is fast. Raises CannotStart."""
    check_destination(job)
    plan = ListingPlan(buckets=[bucket])
    kind, window = _kind_of(job, bucket), job.rules.selection.window
    own = job.rules.own_prefixes(bucket)
    found = look_at_bucket(job, bucket)
    plan.tasks[kind].append(ListingTask(kind, "00001", found, (), own, window, inventory))
    return plan


def list_inventory_task(job: Job, task: ListingTask, entries: Iterable[Entry], cut: Cut) -> Listed:
    """The same as `list_task`, for entries of an inventory in key order."""
    began = time.perf_counter()
    # An inventory is out of date: never delete anything without a pack because of it.
    wanted = replace(job.rules.selection, window=task.window, discard_other_regions=False)
    listed = Listed()
    cutter = _Cutter(task.bucket, cut, listed)
    for selection in select_in_chunks(task.bucket, gather_keys(entries), wanted):
        job.workers.check_stop()
        cutter.take(selection)
    cutter.flush()
    listed.seconds = time.perf_counter() - began
    return listed


def list_task(job: Job, task: ListingTask, cut: Cut) -> Listed:
    """Lists, and cuts what it finds into work items. Memory is limited, whatever the listing's
    size.

    Raises StoreError, Interrupted.
    """
    began = time.perf_counter()
    wanted = replace(job.rules.selection, window=task.window)
    listed = Listed()
    cutter = _Cutter(task.bucket, cut, listed)

    def list_one(prefix: str) -> None:
        for selection in list_in_chunks(job.store, Area(task.bucket, prefix, task.skipped), wanted):
            job.workers.check_stop()
            cutter.take(selection)

    for _ in job.workers.each(list_one, _prefixes(job, task, listed.selection)):
        pass
    cutter.flush()
    listed.seconds = time.perf_counter() - began
    return listed


def _plan_bucket(job: Job, name: str, plan: ListingPlan) -> None:
    bucket = look_at_bucket(job, name)
    plan.buckets.append(name)
    kind, window = _kind_of(job, name), job.rules.selection.window
    own = job.rules.own_prefixes(name)

    def add(prefixes: Sequence[str], skipped: tuple[str, ...]) -> None:
        tasks = plan.tasks[kind]
        number = f"{len(tasks) + 1:05d}"
        tasks.append(ListingTask(kind, number, bucket, tuple(prefixes), skipped, window))

    if kind is Kind.MAIN:
        accounts = MainTree.of(job, name).list_accounts(plan.selection)
        # An account can lie under two roots, from before and since landing zone 3.0. Sorting by
        # account keeps both in one task, as their logs of a day form one group.
        ordered = sorted(accounts, key=lambda folder: folder.account)
        for batch in _batches([folder.prefix for folder in ordered]):
            add(batch, own)
        return
    folders = list_folders(job.store, name)
    add([""], (*own, AWS_LOGS) if folders else own)
    for batch in _batches(folders):
        add(batch, own)


def _kind_of(job: Job, bucket: str) -> Kind:
    return Kind.MAIN if job.rules.is_main(bucket) else Kind.AUXILIARY


def _batches(prefixes: Sequence[str]) -> Iterator[Sequence[str]]:
    return (prefixes[start : start + FOLDERS_MAX] for start in range(0, len(prefixes), FOLDERS_MAX))


def _prefixes(job: Job, task: ListingTask, seen: Selection) -> Iterable[str]:
    if task.kind is not Kind.MAIN:
        return task.prefixes
    tree = MainTree(job.store, task.bucket.name)
    return list(tree.list_services(job.workers, task.prefixes, seen))


class _Cutter:
    """Gathers what listing threads find, and cuts it into work items whenever there is enough."""

    def __init__(self, bucket: SourceBucket, cut: Cut, listed: Listed) -> None:
        self._bucket = bucket
        self._cut_rules = cut
        self._listed = listed
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
        cut = self._cut_rules
        for item in cut_items(self._bucket, self._held.groups, cut.limits, cut.pack_limits):
            late: Counter[str] = Counter()
            for group, found in item.groups:
                if group.date < cut.late_before:
                    late[group.date.isoformat()] += len(found.sources)
            groups = [encode_group(group) for group, _ in item.groups]
            self._listed.items.append(
                ItemSummary(cut.write_item(item), item.objects, groups, dict(late))
            )
        self._held, self._held_objects = Selection(), 0

"""Listing tasks: together they list every key of every bucket once, and find what a single process
finds.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from tests.support.world import (
    DAY,
    WINDOW,
    World,
    access_key,
    document,
    flow_key,
    list_whole,
    make_world,
    trail_key,
)

from log_aggregator.errors import CannotStart
from log_aggregator.model import Group
from log_aggregator.steps.fanout import tasks as tasks_module
from log_aggregator.steps.fanout.folder import Kind
from log_aggregator.steps.fanout.tasks import Cut, Listed, ListingTask, list_task, plan_listing
from log_aggregator.steps.fanout.workitems import ItemLimits, WorkItem
from log_aggregator.steps.packing import selection as selection_module
from log_aggregator.steps.packing.buckets import Area, find_buckets
from log_aggregator.steps.packing.prefixes import list_prefixes
from log_aggregator.steps.packing.selection import GroupSources, Left, Selection
from log_aggregator.steps.workers import ThreadWorkers, Workers

ACCOUNTS = [f"{number:012}" for number in range(100_000_000_000, 100_000_000_007)]


def main_keys() -> list[str]:
    """Both organisation layouts, one account under both, and keys that are not logs."""
    keys = [
        trail_key(
            number, account=account, region=region, service=service, day=DAY - timedelta(days=age)
        )
        for account in ACCOUNTS
        for region in ("eu-west-1", "us-east-1")
        for service in ("CloudTrail", "Config", "CloudTrail-Digest")
        for age in (-1, 0, 1, 30)
        for number in range(2)
    ]
    keys += [trail_key(9, account=account).removeprefix("o-abcd1234/") for account in ACCOUNTS[:3]]
    return [
        *keys,
        "readme.txt",
        "elsewhere/x",
        f"o-abcd1234/AWSLogs/o-abcd1234/{ACCOUNTS[0]}/Other/eu-west-1/x",
    ]


def auxiliary_keys() -> list[str]:
    """Keys outside AWSLogs/ and under it, in the folders of accounts, of an organisation, and of no
    account.
    """
    keys = [
        flow_key(f"{number}.log.gz", account=account) for account in ACCOUNTS for number in range(3)
    ]
    keys += [
        flow_key(f"old-{number}.log.gz", account=ACCOUNTS[0], day=date(2024, 1, 1))
        for number in range(3)
    ]
    keys += [key.replace("AWSLogs/", "AWSLogs/o-abcd1234/") for key in keys[:6]]
    keys += [f"prefix/{key}" for key in keys[:4]]
    keys += [access_key(number) for number in range(5)] + [
        f"AWSLogs-not/{access_key(number)}" for number in range(2)
    ]
    return [*keys, "AWSLogs/notes/readme", "AWSLog/x", "AWSLogsX/x", "zzz"]


def make(keys: Sequence[str], *, is_main: bool = False, **more: Any) -> World:
    own: dict[str, Any] = {"control_tower_bucket": "logs", "other_buckets": []} if is_main else {}
    world = make_world(**own, **more)
    for number, key in enumerate(keys):
        world.put("logs", key, document(number))
    return world


def cut(
    world: World,
    write_item: Callable[[WorkItem], str],
    limits: ItemLimits | None = None,
    late_before: date = date.min,
) -> Cut:
    pack_limits = world.rules.group.combine.limits
    return Cut(limits or ItemLimits(), pack_limits, late_before, write_item)


def tasks_of(world: World) -> list[ListingTask]:
    """The tasks as functions get them: through the state machine's manifest."""
    plan = plan_listing(world.job())
    assert plan.failures == []
    return [
        ListingTask.decode(task.encode("run"), world.rules)
        for kind in Kind
        for task in plan.tasks[kind]
    ]


def list_all_tasks(
    world: World, limits: ItemLimits | None = None, workers: Workers | None = None
) -> tuple[list[WorkItem], list[Listed]]:
    items: list[WorkItem] = []

    def write(item: WorkItem) -> str:
        items.append(item)
        return f"{len(items)}"

    job = world.job(workers=workers)
    listings = [list_task(job, task, cut(world, write, limits)) for task in tasks_of(world)]
    return items, listings


def list_in_one(world: World) -> Selection:
    """List as a run in one process does."""
    selection, job = Selection(), world.job()
    for bucket in find_buckets(job):
        own = job.rules.own_prefixes(bucket.name)
        for prefix in list_prefixes(job, bucket.name, selection):
            area = Area(bucket, prefix, own)
            selection.merge(list_whole(job.store, area, job.rules.selection))
    return selection


def entries(groups: Sequence[tuple[Group, GroupSources]]) -> Counter[object]:
    counts: Counter[object] = Counter()
    for group, found in groups:
        counts.update((group, each) for each in found.sources)
        counts.update((group, "discard", each) for each in found.discards)
    return counts


def covers(task: ListingTask, key: str) -> int:
    return sum(key.startswith(prefix) for prefix in task.prefixes) * (
        not key.startswith(task.skipped)
    )


SHAPES: dict[str, tuple[list[str], dict[str, Any]]] = {
    "main": (main_keys(), {"is_main": True}),
    "auxiliary": (auxiliary_keys(), {}),
    "in place": (
        auxiliary_keys(),
        {"destination_bucket": "", "final_aggregation_prefix": "aggregated"},
    ),
    "objects beside the folders": ([*auxiliary_keys(), "AWSLogs/x"], {}),
    "objects beside an organisation's folders": (
        [*auxiliary_keys(), f"AWSLogs/o-abcd1234/{access_key(7)}"],
        {},
    ),
    "no folders": ([access_key(number) for number in range(5)], {}),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("folders_max", [1, 3, 50])
def test_every_key_is_listed_by_exactly_one_task(
    shape: str, folders_max: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However a bucket is cut, no key is in two tasks, and only reported keys and our own are in
    none.
    """
    monkeypatch.setattr(tasks_module, "FOLDERS_MAX", folders_max)
    keys, more = SHAPES[shape]
    world = make(keys, **more)
    if shape == "in place":
        world.run(
            rules=replace(world.rules, group=replace(world.rules.group, keep_originals_days=30))
        )
    plan = plan_listing(world.job())
    tasks = tasks_of(world)
    assert len(tasks) == len({(task.kind, task.task) for task in tasks})
    reported = {sample.removeprefix("s3://logs/") for sample in plan.selection.samples}
    for found in world.store.list_objects("logs").objects:
        is_elsewhere = any(
            found.key.startswith(place) for place in reported
        ) or found.key.startswith("aggregated/")
        assert sum(covers(task, found.key) for task in tasks) == (0 if is_elsewhere else 1), (
            found.key
        )


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("folders_max", [2, 50])
@pytest.mark.parametrize("regions", ["", "keep", "delete"])
def test_tasks_find_the_same_as_a_single_process(
    shape: str, folders_max: int, regions: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tasks find the same log objects in the same groups, the same discards, and the same counts of
    what was left alone.
    """
    monkeypatch.setattr(tasks_module, "FOLDERS_MAX", folders_max)
    keys, more = SHAPES[shape]
    own: dict[str, Any] = (
        {"aggregation_regions": "eu-west-1", "other_regions": regions} if regions else {}
    )
    world = make(keys, **more, **own)
    alone = list_in_one(world)
    items, listings = list_all_tasks(world, ItemLimits(objects_max=7, groups_max=4))
    assert entries([part for item in items for part in item.groups]) == entries(
        list(alone.groups.items())
    )
    plan = plan_listing(world.job()).selection
    left = sum((listed.selection.left for listed in listings), plan.left)
    # How many keys of other days are looked at depends on where pages begin.
    assert left - Counter({Left.OTHER_DATE: 10**6}) == alone.left - Counter(
        {Left.OTHER_DATE: 10**6}
    )
    assert sum(listed.selection.listed for listed in listings) == alone.listed
    assert sum(listed.selection.listed_bytes for listed in listings) == alone.listed_bytes


@pytest.mark.parametrize("threads", [0, 4])
def test_memory_is_limited(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Items are written at a fixed number of log objects, and none is lost or written twice."""
    monkeypatch.setattr(tasks_module, "HELD_OBJECTS_MAX", 20)
    monkeypatch.setattr(selection_module, "CHUNK_KEYS_MAX", 6)
    world = make(main_keys(), is_main=True)
    held: list[int] = []
    take = tasks_module._Cutter.take

    def watch(cutter: Any, selection: Selection) -> None:
        take(cutter, selection)
        with cutter._lock:  # another thread may hand over at this moment
            held.append(sum(len(found.sources) for found in cutter._held.groups.values()))

    monkeypatch.setattr(tasks_module._Cutter, "take", watch)
    if threads:
        with ThreadWorkers(groups=threads) as workers:
            items, listings = list_all_tasks(world, workers=workers)
    else:
        items, listings = list_all_tasks(world)
    assert len(items) > 3
    assert max(held) < 20
    assert max(item.objects for item in items) < 20 + 6
    assert entries([part for item in items for part in item.groups]) == entries(
        list(list_in_one(world).groups.items())
    )
    assert [summary.objects for listed in listings for summary in listed.items] == [
        item.objects for item in items
    ]


def test_threads_do_not_mix_their_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each listing thread's batch is taken whole before the next, or log objects would be lost
    between two items.
    """
    inside: list[int] = []
    together: list[int] = []
    merge = Selection.merge

    def slow_merge(mine: Selection, other: Selection) -> None:
        if not other.groups:
            merge(mine, other)
            return
        inside.append(1)
        together.append(len(inside))
        time.sleep(0.002)
        merge(mine, other)
        inside.pop()

    monkeypatch.setattr(selection_module, "CHUNK_KEYS_MAX", 6)
    world = make(main_keys(), is_main=True)
    tasks = tasks_of(world)
    with ThreadWorkers(groups=4) as workers:
        monkeypatch.setattr(Selection, "merge", slow_merge)
        for task in tasks:
            list_task(world.job(workers=workers), task, cut(world, lambda _: ""))
    assert max(together) == 1
    assert len(together) > 8


def test_late_log_objects_are_counted() -> None:
    """Logs of days before the nightly window are counted separately in every item."""
    world = make(
        [trail_key(number, day=DAY - timedelta(days=number % 2)) for number in range(10)],
        is_main=True,
    )
    written: list[WorkItem] = []

    def write(item: WorkItem) -> str:
        written.append(item)
        return f"{len(written)}"

    (task,) = tasks_of(world)
    listed = list_task(world.job(), task, cut(world, write, ItemLimits(groups_max=1), DAY))
    late = [
        {group.date.isoformat(): len(found.sources)}
        for item in written
        for group, found in item.groups
        if group.date < DAY
    ]
    assert [summary.late for summary in listed.items if summary.late] == late
    assert sum(sum(days.values()) for days in late) == 5


def test_a_task_survives_encoding() -> None:
    """Anything missing from the manifest would be listed differently from the plan, such as our own
    packs.
    """
    world = make(auxiliary_keys(), destination_bucket="", final_aggregation_prefix="aggregated")
    planned = plan_listing(world.job()).tasks[Kind.AUXILIARY]
    assert tasks_of(world) == planned
    assert planned[0].skipped == (
        "aggregated/packs/",
        "aggregated/indexes/",
        "aggregated/terms/",
        "aggregated/tables/",
        "aggregated/discards/",
        "aggregated/custody/",
        "aggregated/signatures/",
        "aggregated/keys/",
        "aggregated/adopted/",
        "aggregated/backfills/",
        "aggregated/drills/",
        "aggregated/at-rest/",
        "aggregated/reports/",
        "aggregated_probes/",
        "AWSLogs/",
    )
    assert planned[0].window == WINDOW


def test_an_inaccessible_bucket_does_not_stop_the_others() -> None:
    """It is a failure of the run; if there is nothing else, the run cannot start."""
    world = make(auxiliary_keys(), other_buckets=["logs", "not-there"])
    plan = plan_listing(world.job())
    assert [failure.where for failure in plan.failures] == ["bucket not-there"]
    assert {task.bucket.name for task in plan.tasks[Kind.AUXILIARY]} == {"logs"}
    with pytest.raises(CannotStart, match="not-there"):
        plan_listing(world.job(), "not-there")

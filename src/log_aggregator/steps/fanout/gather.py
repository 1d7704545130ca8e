"""Brings the pieces of a run together: before anything is touched, to check limits; and at the end,
into one result.

A missing result is a failure: a piece that was killed leaves none, and silence never counts as
success.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from typing import Any

from log_aggregator.core.layouts.declarations import describe_declarations, read_declarations
from log_aggregator.core.layouts.declared import Layouts
from log_aggregator.core.listed import decode_group
from log_aggregator.errors import Failure, LimitExceeded, NotFound
from log_aggregator.model import Group, Stage
from log_aggregator.steps.fanout.folder import Kind, RunFolder, Step
from log_aggregator.steps.fanout.outstanding import Left, Place, Seen
from log_aggregator.steps.fanout.results import (
    ItemResult,
    decode_item_result,
    decode_listed,
    decode_selection,
    encode_selection,
)
from log_aggregator.steps.fanout.tasks import Listed, ListingPlan
from log_aggregator.steps.packing.results import GroupResult, RunResult
from log_aggregator.steps.workers import Workers


@dataclass(frozen=True, slots=True)
class RunRecord:
    """The scope of a run. It is written first and all pieces use it, so that passing midnight
    changes nothing.
    """

    run: str
    first: date
    last: date
    today: date
    began: str
    """When it began, as ISO 8601."""
    stale_uploads: int = 0
    dry_run: bool = False
    """It ends after planning."""
    is_nightly: bool = False
    """It covers every bucket, and all the days of a nightly run."""
    inventory: str = ""
    """The run whose sorted inventory it uses, if it does not list the buckets."""
    layouts: Layouts = field(default_factory=Layouts)
    """The layouts declared when it began. Later declarations apply to the next run."""
    stage: Stage = Stage.PACK
    """The stage when it began. Updating the stack meanwhile does not change it."""
    history: str = ""
    """The history that it is a window of, if any. The history merges terms once for all windows."""

    def late_before(self, look_back_days: int) -> date:
        """The first log date that a nightly run covers; earlier ones are late."""
        return self.today - timedelta(days=1 + look_back_days)


@dataclass(slots=True)
class RunSummary:
    """A run's result, and figures for its metrics."""

    result: RunResult
    requests: Counter[str] = field(default_factory=Counter)
    peak_memory_bytes: int = 0
    late: Counter[Place] = field(default_factory=Counter)
    """Log objects too old for a nightly run that still exist."""
    planned_objects: int = 0
    """Log objects in the work items: what a run packs or settles, and a dry run would."""
    planned_items: int = 0

    @property
    def left_behind(self) -> int:
        return (+self.late).total()

    def describe_seen(self, *, is_nightly: bool, is_stopped: bool) -> Seen:
        """What the run saw at the places that it covered, before anything else fails."""
        result = self.result
        retained: Counter[Place] = Counter()
        doubtful: set[Place] = set()
        of_groups = 0
        for group in result.groups:
            place = group.group.bucket, group.group.date
            retained[place] += group.retained
            of_groups += len(group.failures)
            if group.failures:
                doubtful.add(place)
        left = {
            place: Left(max(0, self.late[place]), retained[place])
            for place in {*self.late, *retained}
        }
        return Seen(
            result.first,
            result.last,
            result.buckets,
            left,
            doubtful,
            is_whole=not is_stopped and len(result.failures) == of_groups,
            is_nightly=is_nightly,
        )


def write_listing_plan(
    folder: RunFolder, record: RunRecord, plan: ListingPlan, requests: Mapping[str, int]
) -> dict[Kind, int]:
    """Writes the record, and the tasks of both kinds as arrays for the state machine's maps.
    Returns the numbers of tasks.
    """
    value = {
        **_encode_record(record),
        "buckets": plan.buckets,
        "selection": encode_selection(plan.selection),
        "failures": [asdict(failure) for failure in plan.failures],
        "requests": dict(requests),
    }
    encoded = {
        kind: [task.encode(folder.run) for task in tasks] for kind, tasks in plan.tasks.items()
    }
    counts = {
        kind: folder.write_array(folder.tasks_key(kind), tasks) for kind, tasks in encoded.items()
    }
    folder.write_json(folder.record_key, value)
    return counts


def read_record(folder: RunFolder) -> RunRecord:
    """Raises NotFound."""
    return _decode_record(folder.read_json(folder.record_key))


def read_buckets(folder: RunFolder) -> list[str]:
    """The buckets that a run takes logs from. Raises NotFound."""
    return list(folder.read_json(folder.record_key)["buckets"])


def gather_items(
    folder: RunFolder,
    workers: Workers,
    objects_max: int,
    open_run: Callable[[Collection[Group]], None],
) -> dict[Kind, int]:
    """Writes the work items of both kinds as arrays for the state machine's maps, the largest
    first, and returns their numbers. Calls `open_run` with their groups before that.

    Raises LimitExceeded, and what `open_run` raises; nothing was touched then.
    """
    found = {
        kind: [
            listed
            for _, listed in _read_listed(folder, workers, kind)
            if not isinstance(listed, Failure)
        ]
        for kind in Kind
    }
    objects = sum(
        item.objects
        for listings in found.values()
        for listed, _ in listings
        for item in listed.items
    )
    if objects > objects_max:
        record = read_record(folder)
        raise LimitExceeded(
            f"{objects} log objects from {record.first} to {record.last}, more than objects_max = "
            f"{objects_max}; raise objects_max, or run fewer days"
        )
    open_run(
        {
            decode_group(group)
            for listings in found.values()
            for listed, _ in listings
            for item in listed.items
            for group in item.groups
        }
    )
    counts = {}
    for kind, listings in found.items():
        items = sorted(
            (item for listed, _ in listings for item in listed.items),
            key=lambda item: (-item.objects, item.item),
        )
        named = [{"run": folder.run, "kind": kind, "item": item.item} for item in items]
        counts[kind] = folder.write_array(folder.items_key(kind), named)
    return counts


def summarize_run(folder: RunFolder, workers: Workers, look_back_days: int) -> RunSummary:
    """Everything that the pieces of a run did, and all that failed. Raises NotFound if the run does
    not even have a record.
    """
    value = folder.read_json(folder.record_key)
    record = _decode_record(value)
    result = RunResult(
        record.first,
        record.last,
        selection=decode_selection(value["selection"]),
        stale_uploads=record.stale_uploads,
        layouts=record.layouts,
        stage=record.stage,
    )
    result.buckets = list(value["buckets"])
    result.inventories = [folder.describe_inventory(record.inventory)] if record.inventory else []
    result.failures += [Failure(**failure) for failure in value["failures"]]
    summary = RunSummary(result, Counter(value["requests"]))
    for kind in Kind:
        # Otherwise nothing was touched: it is a dry run, or another failure says why.
        is_begun = not record.dry_run and folder.find_json(folder.items_key(kind)) is not None
        for listed in _take_listings(folder, workers, kind, summary):
            summary.planned_items += len(listed.items)
            summary.planned_objects += sum(item.objects for item in listed.items)
            if is_begun:
                _take_items(
                    folder, workers, kind, listed, summary, record.late_before(look_back_days)
                )
    return summary


def _encode_record(record: RunRecord) -> dict[str, Any]:
    return {
        "run": record.run,
        "first": record.first.isoformat(),
        "last": record.last.isoformat(),
        "today": record.today.isoformat(),
        "began": record.began,
        "stale_uploads": record.stale_uploads,
        "dry_run": record.dry_run,
        "is_nightly": record.is_nightly,
        "inventory": record.inventory,
        "layouts": describe_declarations(record.layouts),
        "stage": record.stage.value,
        "history": record.history,
    }


def _decode_record(value: Mapping[str, Any]) -> RunRecord:
    first, last, today = (date.fromisoformat(value[name]) for name in ("first", "last", "today"))
    return RunRecord(
        value["run"],
        first,
        last,
        today,
        value["began"],
        value["stale_uploads"],
        value["dry_run"],
        # The stack may be updated during a run, and earlier versions did not write these.
        value.get("is_nightly", False),
        value["inventory"],
        read_declarations(value.get("layouts", [])),
        Stage(value.get("stage", Stage.PACK)),
        value.get("history", ""),
    )


def _read_listed(
    folder: RunFolder, workers: Workers, kind: Kind
) -> Iterator[tuple[str, tuple[Listed, Counter[str]] | Failure]]:
    """Each task's name, and what it found or why it failed."""

    def read(task: str) -> tuple[str, tuple[Listed, Counter[str]] | Failure]:
        found = folder.find_json(folder.listed_key(kind, task))
        if found is None:
            return task, folder.read_failure(kind, task, "the listing did not finish")
        return task, decode_listed(found)

    try:
        tasks = [task["task"] for task in folder.read_json(folder.tasks_key(kind))]
    except NotFound:
        tasks = []
    yield from workers.each(read, tasks)


def _take_listings(
    folder: RunFolder, workers: Workers, kind: Kind, summary: RunSummary
) -> Iterator[Listed]:
    for _, found in _read_listed(folder, workers, kind):
        if isinstance(found, Failure):
            summary.result.failures.append(found)
            continue
        listed, requests = found
        summary.requests += requests
        summary.result.selection.merge_counts(listed.selection)
        summary.result.add_seconds({"list": listed.seconds})
        yield listed


def _take_items(
    folder: RunFolder,
    workers: Workers,
    kind: Kind,
    listed: Listed,
    summary: RunSummary,
    late_before: date,
) -> None:
    for summarized in listed.items:
        for day, count in summarized.late.items():
            summary.late[summarized.groups[0]["bucket"], date.fromisoformat(day)] += count

    def read(item: str) -> tuple[str, ItemResult, Step | None]:
        return item, *_read_furthest(folder, kind, item)

    for item, found, step in workers.each(read, [item.item for item in listed.items]):
        summary.requests += found.requests
        summary.peak_memory_bytes = max(summary.peak_memory_bytes, found.peak_memory_bytes)
        for state in found.states:
            _take_group(summary, state.result, late_before)
        if step is not Step.DELETED:
            so_far = (
                f"it ended after the step {step}" if step else "it ended before it was combined"
            )
            summary.result.failures.append(folder.read_failure(kind, item, so_far))
            summary.result.has_gaps = True


def _read_furthest(folder: RunFolder, kind: Kind, item: str) -> tuple[ItemResult, Step | None]:
    for step in reversed(Step):
        found = folder.find_json(folder.step_key(kind, step, item))
        if found is not None:
            return decode_item_result(found), step
    return ItemResult([]), None


def _take_group(summary: RunSummary, group: GroupResult, late_before: date) -> None:
    summary.result.groups.append(group)
    summary.result.failures += group.failures
    summary.result.add_seconds(group.seconds)
    if group.group.date < late_before:
        summary.late[group.group.bucket, group.group.date] -= group.deleted + group.kept

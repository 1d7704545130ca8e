"""Discarding: what the settings delete without a pack is listed first, and deleted as exactly as
everything else.
"""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.support.world import (
    DAY,
    World,
    document,
    fail_on,
    left_in_place,
    make_world,
    nothing,
    trail_key,
)

from log_aggregator.errors import PreconditionFailed, StoreError, VerificationError
from log_aggregator.model import Group, LogObject, Target
from log_aggregator.ports.store import WriteOptions
from log_aggregator.steps.packing.buckets import SourceBucket
from log_aggregator.steps.packing.delete import DeletionReport, OriginalDeleter
from log_aggregator.steps.packing.discard import discard
from log_aggregator.steps.packing.results import RunResult
from log_aggregator.steps.packing.selection import Left
from log_aggregator.steps.workers import SerialWorkers

GROUP = Group("logs", "CloudTrail", "111111111111", DAY)


def discarding_world(**more: Any) -> World:
    return make_world(
        **more,
        control_tower_bucket="logs",
        other_buckets=[],
        aggregation_regions="eu-west-1",
        other_regions="delete",
    )


def any_keys(keys: object) -> None:
    """Let conditions hold for all keys."""


def discard_from(world: World, *sources: LogObject) -> DeletionReport:
    bucket, report = SourceBucket("logs", "Enabled"), DeletionReport()
    deleter = OriginalDeleter(world.store, SerialWorkers(), bucket, DAY, any_keys)
    discard(deleter, Target("dest"), GROUP, sources, WriteOptions(), report)
    return report


def total(result: RunResult, field: str) -> int:
    return sum(getattr(group, field) for group in result.groups)


def test_discards_are_written_down_before_deletion() -> None:
    """The list of what other_regions discards is written first, object by object, and only then is
    it deleted; the rest is packed.
    """
    world = discarding_world()
    world.put("logs", trail_key(1), document(1))
    gone = [
        world.store.put("logs", trail_key(number, region="us-east-1"), document(number))
        for number in (2, 3)
    ]
    result, calls = world.run_faulty(nothing)
    assert (result.failures, total(result, "discarded"), total(result, "deleted")) == ([], 2, 1)
    (list_object,) = world.store.list_objects("dest", prefix="discards/").objects
    lines = [
        json.loads(line)
        for line in gzip.decompress(
            world.store.get_object("dest", list_object.key).data
        ).splitlines()
    ]
    assert [(line["key"], line["version_id"], line["etag"], line["size"]) for line in lines] == [
        found.identity[:4] for found in gone
    ]
    order = [
        call.operation
        for call in calls
        if call.key.startswith("discards/") or us_east(call.arguments.get("deletions"))
    ]
    assert order == ["PutObject", "DeleteObjects"]


def us_east(deletions: Any) -> bool:
    return any("us-east-1" in deletion.key for deletion in deletions or ())


def test_nothing_in_an_auxiliary_bucket_is_discarded() -> None:
    """For an auxiliary bucket, `other_regions = "delete"` leaves the logs of other Regions in
    place.
    """
    world = make_world(aggregation_regions="eu-west-1", other_regions="delete")
    world.put("logs", trail_key(1), document(1))
    kept = world.put("logs", trail_key(2, region="us-east-1"), document(2))
    result = world.run()
    assert (result.failures, total(result, "discarded"), total(result, "deleted")) == ([], 0, 1)
    assert result.selection.left == {Left.OTHER_REGION: 1}
    assert left_in_place(world) == [kept]
    assert world.store.list_objects("dest", prefix="discards/").objects == ()


def test_refused_discards_are_failures() -> None:
    """A refusal to delete a discard ends the run as failed."""
    world = discarding_world()
    world.store.put("logs", trail_key(2, region="us-east-1"), document(2))
    world.store.retain("logs", trail_key(2, region="us-east-1"))
    result = world.run()
    assert ([failure.error for failure in result.failures], total(result, "retained")) == (
        ["RetainedObjects"],
        1,
    )


def test_without_a_list_nothing_is_discarded() -> None:
    """If the list cannot be written, nothing is deleted."""
    world = discarding_world()
    source = world.put("logs", trail_key(2, region="us-east-1"), document(2))
    result, _ = world.run_faulty(
        fail_on(lambda call: call.operation == "PutObject", StoreError("500", code="InternalError"))
    )
    assert [failure.error for failure in result.failures] == ["StoreError"]
    assert left_in_place(world) == [source]


def test_discards_are_kept_as_long_as_originals() -> None:
    """Each waits until it is as old as `keep_originals_days` says, counted from the day it was
    written; a list names only what is deleted.
    """
    world = discarding_world(keep_originals_days=5)
    old, young = (
        world.put(
            "logs",
            trail_key(number, region="us-east-1"),
            document(number),
            last_modified=datetime(2025, 4, day, 23, 59, tzinfo=UTC),
        )
        for number, day in ((2, 3), (3, 5))
    )
    for day, going, staying in (
        (7, 0, [old, young]),
        (8, 1, [young]),
        (9, 0, [young]),
        (10, 1, []),
    ):
        world.clock.advance(days=day - world.clock.now().day)
        result = world.run()
        assert (result.failures, total(result, "discarded")) == ([], going)
        assert left_in_place(world) == staying
    lists = world.store.list_objects("dest", prefix="discards/").objects
    assert len(lists) == 2


def test_a_list_with_a_conflict_is_checked() -> None:
    """A 409 says that someone else is writing the list, not that it exists: nothing is deleted
    because of it.
    """
    world = discarding_world()
    source = world.put("logs", trail_key(2, region="us-east-1"), document(2))
    conflict = PreconditionFailed("409", code="ConditionalRequestConflict")
    result, _ = world.run_faulty(
        fail_on(lambda call: call.operation == "PutObject", conflict, times=1)
    )
    assert [failure.error for failure in result.failures] == ["NotFound"]
    assert left_in_place(world) == [source]
    assert (world.run().failures, left_in_place(world)) == ([], [])


@pytest.mark.parametrize(
    "lies_there",
    [gzip.compress(b'{"key":"another"}\n'), b"no gzip", b"", gzip.compress(b"x")[:-4]],
    ids=["another list", "no gzip", "nothing", "half a list"],
)
def test_a_list_is_checked_by_its_contents(lies_there: bytes) -> None:
    """If something else has its name nothing is deleted; the same list counts, however it was
    compressed.
    """
    world, other = discarding_world(), discarding_world()
    source = world.put("logs", trail_key(2, region="us-east-1"), document(2))
    assert other.put("logs", source.key, document(2)) == source
    key = str(discard_from(other, source).list_key)
    written = gzip.decompress(other.store.get_object("dest", key).data)
    world.store.put("dest", key, lies_there)
    with pytest.raises(VerificationError, match="a different list"):
        discard_from(world, source)
    assert left_in_place(world) == [source]
    world.store.put("dest", key, gzip.compress(written, 1))
    assert discard_from(world, source).deleted == 1


def test_discards_are_deleted_in_the_order_of_versions() -> None:
    """If S3 keeps an older version of a discard, the newest stays too: otherwise the older one
    would become visible.
    """
    world = discarding_world()
    key = trail_key(2, region="us-east-1")
    world.store.put("logs", key, document(1))
    world.store.retain("logs", key)
    newest = world.store.put("logs", key, document(2))
    result = world.run()
    assert (total(result, "discarded"), total(result, "retained")) == (0, 1)
    assert [
        each.identity for each in world.store.list_object_versions("logs").objects if each.is_latest
    ] == [newest.identity]


def test_an_object_listed_twice_is_discarded_once() -> None:
    """The list names it once, and it is counted once."""
    world = discarding_world()
    source = world.store.put("logs", trail_key(2, region="us-east-1"), document(2))
    report = discard_from(world, source, source)
    (entry,) = world.store.list_objects("dest", prefix="discards/").objects
    assert report.deleted == 1
    assert len(gzip.decompress(world.store.get_object("dest", entry.key).data).splitlines()) == 1

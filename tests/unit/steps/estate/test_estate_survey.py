"""A survey of buckets: counted, sampled, or by inventory."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from tests.support.account import FakeAccount, FakeBucket
from tests.support.inventories import take_inventory
from tests.support.world import DAY, World, document, flow_key, job_over, make_world, trail_key

from log_aggregator.core.windows import DateWindow
from log_aggregator.errors import CannotStart, Interrupted
from log_aggregator.ports.account import LifecycleRule
from log_aggregator.steps.estate.survey import (
    Estate,
    Extent,
    Lifecycle,
    Way,
    find_yards,
    survey,
)
from log_aggregator.steps.inventory import find_inventory
from log_aggregator.steps.packing.selection import Left
from log_aggregator.steps.workers import SerialWorkers
from log_aggregator_lab.estate import (
    ACCESS_BUCKET,
    MAIN_BUCKET,
    EstateSpec,
    ListedStore,
    list_estate,
)
from log_aggregator_lab.stores.faults import FaultyStore
from log_aggregator_lab.stores.memory import MemoryStore

ALL_DAYS = DateWindow(DAY.replace(year=2006), DAY.replace(year=2099))


def look(world: World, inventories: tuple[str, ...] = (), **more: Any) -> Estate:
    job = world.job(**more).for_days(ALL_DAYS)
    found = [find_inventory(job.store, location) for location in inventories]
    by_bucket = {each.manifest.source_bucket: each for each in found}
    return survey(job, find_yards(job, None), by_bucket, Extent(requests_max=100))


def fill(world: World) -> None:
    """Logs of two types, an old version, a deleted key, and objects that are not logs."""
    for number in range(20):
        world.put("logs", trail_key(number), document(number))
    world.put("logs", trail_key(3), document(30))
    world.put("logs", flow_key("gone.log.gz"), b"x")
    world.store.delete("logs", flow_key("gone.log.gz"))
    world.put("logs", flow_key("here.log.gz"), b"x")
    world.put("logs", "unknown", b"x")


@pytest.mark.parametrize("versioning", [None, "Enabled"])
def test_a_small_bucket_is_counted(versioning: str | None) -> None:
    """Every version of a living key counts, as in a run, and nothing of deleted keys."""
    world = make_world(versioning=versioning)
    fill(world)
    [bucket] = look(world).buckets
    assert bucket.way is Way.COUNTED
    assert bucket.counted.load.objects == (22 if versioning else 21)
    assert bucket.counted.load.groups == 2
    deleted = {Left.DELETED} if versioning else set()
    assert {why.left for why in bucket.counted.left} == {Left.UNKNOWN} | deleted


@pytest.mark.parametrize("versioning", [None, "Enabled"])
def test_an_inventory_gives_the_same_figures(versioning: str | None) -> None:
    """The inventory's rows come in any order, and nothing is listed."""
    world = make_world(versioning=versioning)
    fill(world)
    [counted] = look(world).buckets
    location = take_inventory(world.store)
    estate = look(world, (location,))
    [bucket] = estate.buckets
    assert (bucket.way, bucket.inventory) == (Way.INVENTORY, location)
    assert bucket.counted.cells == counted.counted.cells
    assert bucket.counted.load == counted.counted.load
    assert bucket.counted.left == counted.counted.left
    assert estate.requests == 0


def test_a_survey_only_lists() -> None:
    """Nothing is written or deleted."""
    world = make_world()
    fill(world)
    store = FaultyStore(world.store, lambda _number, _call: None)
    look(world, store=store)
    assert {call.operation for call in store.calls} == {
        "GetBucketVersioning",
        "ListObjectVersions",
    }


def test_a_bucket_that_needs_too_many_requests_is_reported() -> None:
    """It is not taken for empty. The first draw needs more requests than are left."""
    spec = EstateSpec(accounts=2, last_day=EstateSpec().first_day)
    rows = [found for found in list_estate(spec) if found.bucket == MAIN_BUCKET]
    store = ListedStore(rows, page_size=2)
    job = job_over(store, other_buckets=MAIN_BUCKET).for_days(ALL_DAYS)
    estate = survey(job, find_yards(job, None), {}, Extent(requests_max=13))
    assert [bucket.way for bucket in estate.buckets] == [Way.NOT_SEEN]
    assert estate.requests == 13


def test_a_refused_lifecycle_does_not_end_the_survey() -> None:
    """A refusal does not end the survey; the rest is still true."""
    world = make_world()
    fill(world)
    job = world.job().for_days(ALL_DAYS)
    account = FakeAccount({"logs": FakeBucket(lifecycle=(LifecycleRule("x", expiration_days=9),))})
    [bucket] = survey(job, find_yards(job, account), {}, Extent()).buckets
    assert bucket.lifecycle is Lifecycle.READ
    assert bucket.counted.due
    account.deny("GetBucketLifecycleConfiguration")
    [bucket] = survey(job, find_yards(job, account), {}, Extent()).buckets
    assert (bucket.lifecycle, bucket.counted.due) == (Lifecycle.UNKNOWN, {})


def test_a_missing_bucket_ends_the_survey() -> None:
    """The survey ends before anything is listed."""
    job = job_over(MemoryStore(), other_buckets="nowhere").for_days(ALL_DAYS)
    with pytest.raises(CannotStart, match="nowhere"):
        find_yards(job, None)


class Stopped(SerialWorkers):
    """Stopped half-way."""

    def __init__(self, looks: int) -> None:
        self.looks = looks

    def check_stop(self) -> None:
        self.looks -= 1
        if self.looks < 0:
            raise Interrupted("the run was stopped")


@pytest.mark.parametrize("looks", [0, 2, 12])
def test_a_survey_can_be_stopped(looks: int) -> None:
    """A stop works while counting and between draws."""
    spec = EstateSpec(accounts=2, last_day=date(2025, 2, 1), access_logs_a_day=50)
    rows = [found for found in list_estate(spec) if found.bucket == ACCESS_BUCKET]
    store = ListedStore(rows, page_size=10)
    job = job_over(store, Stopped(looks), other_buckets=ACCESS_BUCKET).for_days(ALL_DAYS)
    with pytest.raises(Interrupted):
        survey(job, find_yards(job, None), {}, Extent(requests_max=2_000))

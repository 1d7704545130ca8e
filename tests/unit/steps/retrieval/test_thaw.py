"""Thawing packs from archive classes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.support.world import (
    SteppingClock,
    World,
    access_key,
    document,
    fail_on,
    flow_key,
    make_world,
    pack_gzip,
    trail_key,
)

from log_aggregator.adapters.counting import CountingStore
from log_aggregator.core.query import Query
from log_aggregator.errors import AccessDenied, ObjectFrozen, StoreError, Unreachable
from log_aggregator.model import Target
from log_aggregator.steps.retrieval.find import find
from log_aggregator.steps.retrieval.thaw import (
    PackState,
    Patience,
    State,
    ThawProgress,
    look_at_packs,
    price_tiers,
    start_thawing,
    state_of,
    wait_until_thawed,
)
from log_aggregator.steps.workers import SerialWorkers
from log_aggregator_lab.stores.faults import Fault, FaultyStore

TARGET = Target("dest")
WORKERS = SerialWorkers()


def frozen(storage_class: str = "DEEP_ARCHIVE", **more: Any) -> World:
    """Three packs in an archive class."""
    world = make_world(storage_class=storage_class, **more)
    world.put("logs", trail_key(1), document(1))
    world.put("logs", access_key(1), b"line\n")
    world.put("logs", flow_key("a.log.gz"), pack_gzip(b"flow\n"))
    assert world.run().failures == []
    return world


def look(world: World, store: Any = None) -> list[PackState]:
    states, failures = look_at_packs(
        store or world.store, WORKERS, find(world.store, WORKERS, [TARGET], Query())
    )
    assert failures == []
    return states


def patience(clock: SteppingClock, hours_max: float = 72) -> tuple[Patience, list[float]]:
    """Wait by the world's clock."""
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        clock.advance(seconds=seconds)

    return Patience(pause, 3600, hours_max), pauses


def test_packs_are_thawed_read_and_frozen_again() -> None:
    """Frozen packs are requested once, take their time, can then be read, and freeze again after
    their days.
    """
    world = frozen()
    store = CountingStore(world.store)
    states = look(world, store)
    assert [each.state for each in states] == [State.FROZEN] * 3
    assert store.requests == {"HeadObject": 3}
    asked, failures = start_thawing(store, WORKERS, states, days=2, tier="Standard")
    assert (asked, failures, store.requests["RestoreObject"]) == (states, [], 3)
    under_way = look(world)
    assert [each.state for each in under_way] == [State.THAWING] * 3
    assert start_thawing(store, WORKERS, under_way, days=2, tier="Standard") == ([], [])
    waiting, pauses = patience(world.clock)
    assert wait_until_thawed(world.store, under_way, world.clock, waiting, ThawProgress()) == []
    assert len(pauses) == 12
    done = look(world)
    assert [each.state for each in done] == [State.THAWED] * 3
    assert start_thawing(store, WORKERS, done, days=2, tier="Standard") == ([], [])
    assert store.requests["RestoreObject"] == 3
    assert all(
        timedelta(days=2) <= each.expires - world.clock.now() <= timedelta(days=3)
        for each in done
        if each.expires
    )
    assert world.store.get_object("dest", done[0].key).data
    world.clock.advance(days=4)
    assert [each.state for each in look(world)] == [State.FROZEN] * 3
    with pytest.raises(ObjectFrozen):
        world.store.get_object("dest", done[0].key)


def test_warm_packs_cost_no_request() -> None:
    """Packs that the listing shows as readable cost no request."""
    world = frozen("STANDARD_IA")
    store = CountingStore(world.store)
    states = look(world, store)
    assert [each.state for each in states] == [State.READABLE] * 3
    assert store.requests == {}
    assert start_thawing(store, WORKERS, states, days=1, tier="Bulk") == ([], [])
    assert [option.dollars for option in price_tiers(states, 1)] == [0, 0, 0]


def test_each_tier_has_its_price() -> None:
    """Each tier costs what its table says, per class; a tier that a class does not have has no
    price.
    """
    packs = [
        PackState("b", str(number), 10**9, "DEEP_ARCHIVE", State.FROZEN, 1) for number in range(10)
    ]
    copies = 10 * 0.023 * 8 / 30
    bulk, standard, expedited = price_tiers([*packs, replace(packs[0], state=State.THAWED)], 7)
    assert bulk.dollars == pytest.approx(10 * 0.0025 + 10 * 0.025 / 1000 + copies)
    assert (bulk.takes, bulk.hours_max) == (("up to 48 hours",), 48)
    assert standard.dollars == pytest.approx(10 * 0.02 + 10 * 0.1 / 1000 + copies)
    assert expedited.dollars is None
    flexible = [replace(each, storage_class="GLACIER") for each in packs]
    bulk, standard, expedited = price_tiers(flexible, 7)
    assert bulk.dollars == pytest.approx(copies)
    assert expedited.dollars == pytest.approx(10 * 0.03 + 10 * 0.01 + copies)
    both = price_tiers([*packs, *flexible], 7)
    assert both[0].takes == ("up to 48 hours", "5 to 12 hours")
    assert both[2].dollars is None


def test_a_refused_restore_is_a_failure() -> None:
    """A restore that S3 refuses is a failure of its pack; the others begin."""
    world = frozen("GLACIER")
    states = look(world)
    busy = StoreError(
        "no capacity", code="GlacierExpeditedRetrievalNotAvailable", operation="RestoreObject"
    )
    store = FaultyStore(world.store, fail_on(lambda call: call.key == states[1].key, busy))
    asked, failures = start_thawing(store, WORKERS, states, days=1, tier="Expedited")
    assert asked == [states[0], states[2]]
    assert [(failure.where, failure.message) for failure in failures] == [
        (f"s3://dest/{states[1].key}", "no capacity")
    ]


def test_a_missing_pack_is_a_failure() -> None:
    """An index without a pack, and a pack without read permission, are failures; the others are
    examined.
    """
    world = frozen()
    first, second, _ = look(world)
    world.store.delete("dest", first.key)
    denied = FaultyStore(
        world.store, fail_on(lambda call: call.key == second.key, AccessDenied("no"))
    )
    states, failures = look_at_packs(denied, WORKERS, find(world.store, WORKERS, [TARGET], Query()))
    assert [each.state for each in states] == [State.FROZEN]
    assert {failure.error for failure in failures} == {"NotFound", "AccessDenied"}
    assert "the index exists, but the pack does not" in failures[0].message + failures[1].message


def test_waiting_for_a_missing_restore_ends() -> None:
    """Waiting for a restore that was not begun, or never ends, ends with a failure."""
    world = frozen()
    states = look(world)
    waiting, pauses = patience(world.clock)
    failures = wait_until_thawed(world.store, states, world.clock, waiting, ThawProgress())
    assert ([failure.error for failure in failures], pauses) == (["ObjectFrozen"] * 3, [])
    start_thawing(world.store, WORKERS, states, days=1, tier="Bulk")
    waiting, pauses = patience(world.clock, hours_max=5)
    failures = wait_until_thawed(world.store, states, world.clock, waiting, ThawProgress())
    assert ["not thawed yet" in failure.message for failure in failures] == [True] * 3
    assert len(pauses) == 5


def test_a_temporary_network_failure_does_not_end_waiting() -> None:
    """During hours of waiting, no answer for some minutes ends nothing; no answer at all does."""
    world = frozen()
    states = look(world)
    start_thawing(world.store, WORKERS, states, days=1, tier="Standard")
    store = FaultyStore(world.store, fail_on(lambda call: True, Unreachable("no answer"), times=5))
    waiting, pauses = patience(world.clock)
    assert wait_until_thawed(store, states, world.clock, waiting, ThawProgress()) == []
    assert len(pauses) == 12
    pack = look(frozen())[0]
    unsteady = frozen()
    start_thawing(unsteady.store, WORKERS, look(unsteady), days=1, tier="Bulk")
    every_second = FaultyStore(
        unsteady.store,
        lambda number, _: Fault(before=Unreachable("no answer")) if number % 2 else None,
    )
    assert (
        wait_until_thawed(
            every_second, [pack], unsteady.clock, patience(unsteady.clock)[0], ThawProgress()
        )
        == []
    )
    store = FaultyStore(world.store, fail_on(lambda call: True, Unreachable("no answer")))
    with pytest.raises(Unreachable):
        wait_until_thawed(store, states, world.clock, patience(world.clock)[0], ThawProgress())


def test_checking_progress_is_limited() -> None:
    """Only the first hundred of many packs are looked up while they are frozen, and progress is
    reported.
    """
    world = frozen()
    pack = look(world)[0]
    many = [pack] * 1_000
    start_thawing(world.store, WORKERS, [pack], days=1, tier="Standard")
    store = CountingStore(world.store)
    told: list[tuple[int, int]] = []

    class Told(ThawProgress):
        def waiting(self, thawed: int, total: int) -> None:
            told.append((thawed, total))

    waiting, pauses = patience(world.clock)
    assert wait_until_thawed(store, many, world.clock, waiting, Told()) == []
    assert store.requests["HeadObject"] == 100 * len(pauses) + 1_000
    assert (told[0], told[-1]) == ((0, 1_000), (1_000, 1_000))


def test_thawing_does_not_change_a_verified_pack() -> None:
    """The object stays the same through a restore."""
    world = frozen()
    key = look(world)[0].key
    before = world.store.head_object("dest", key)
    world.store.restore_object("dest", key, days=1, tier="Bulk")
    after = world.store.head_object("dest", key)
    assert (before == after, state_of(before), state_of(after)) == (
        True,
        State.FROZEN,
        State.THAWING,
    )

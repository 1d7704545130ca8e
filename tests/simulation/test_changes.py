"""Someone writes to the source during the run: before every call."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from tests.simulation.test_kills import assert_settled
from tests.support.world import (
    World,
    access_key,
    count_copies,
    document,
    find_losses,
    left_in_place,
    make_world,
    nothing,
    trail_key,
)

from log_aggregator.adapters.forwarding import Call
from log_aggregator_lab.stores.faults import Decide, Fault

Event = Callable[[World], object]


def build(versioning: str | None) -> World:
    world = make_world(versioning=versioning)
    for number in range(3):
        world.put("logs", trail_key(number), document(number))
    return world


def write_over(world: World) -> None:
    """The same key with other bytes. Without versions, someone else has destroyed the old bytes."""
    new = world.store.put("logs", trail_key(1), document(100))
    if new.version_id in (None, "null"):
        world.originals = [stored for stored in world.originals if stored.source.key != new.key]
    world.originals.append(type(world.originals[0])(new, document(100)))


def write_again(world: World) -> None:
    """The same key with the same bytes and ETag: another version, or a replacement."""
    new = world.store.put("logs", trail_key(1), document(1))
    if new.version_id in (None, "null"):
        world.originals = [stored for stored in world.originals if stored.source.key != new.key]
    world.originals.append(type(world.originals[0])(new, document(1)))


def write_late(world: World) -> None:
    world.put("logs", trail_key(7), document(7))


@pytest.mark.parametrize(
    ("versioning", "event"),
    [
        ("Enabled", write_over),
        ("Enabled", write_again),
        ("Enabled", write_late),
        (None, write_over),
        (None, write_again),
        (None, write_late),
        ("Suspended", write_late),
        ("Suspended", write_over),
        ("Suspended", write_again),
    ],
)
def test_objects_written_during_a_run_are_not_lost(versioning: str | None, event: Event) -> None:
    """Whatever arrives or is overwritten between two calls of a run survives it, and the next run
    packs it.
    """
    _, calls = build(versioning).run_faulty(nothing)
    for at in range(len(calls)):
        world = build(versioning)
        where = f"{versioning}, {event.__name__} before call {at}: {calls[at]}"
        result, _ = world.run_faulty(happens_at(at, partial(event, world)))
        assert find_losses(world) == [], where
        assert result.failures == [], where
        world.clock.advance(days=1.1)
        assert world.run().failures == [], where
        assert_settled(world, where)


def happens_at(at: int, event: Callable[[], object]) -> Decide:
    def decide(number: int, call: Call) -> Fault | None:
        if number == at:
            event()
        return None

    return decide


def test_a_key_deleted_during_a_run_stays_deleted() -> None:
    """A delete marker that someone sets during a run is never removed, at whatever call it is
    set.
    """
    _, calls = build("Enabled").run_faulty(nothing)
    for at in range(len(calls)):
        world = build("Enabled")
        world.run_faulty(happens_at(at, partial(world.store.delete, "logs", trail_key(1))))
        world.clock.advance(days=1.1)
        world.run()
        page = world.store.list_object_versions("logs", prefix=trail_key(1))
        assert [marker.is_latest for marker in page.markers] == [True], calls[at]
        assert find_losses(world) == [], calls[at]


def test_objects_locked_during_a_run_are_packed_and_stay() -> None:
    """Object Lock at any call: the object is packed or already gone; if it stays, this run and the
    next report it.
    """
    _, calls = build("Enabled").run_faulty(nothing)
    for at in range(len(calls)):
        world = build("Enabled")
        result, _ = world.run_faulty(happens_at(at, partial(lock, world)))
        stays = [trail_key(1)] if is_there(world, trail_key(1)) else []
        assert [source.key for source in left_in_place(world)] == stays, calls[at]
        assert [failure.error for failure in result.failures] == ["RetainedObjects"] * len(stays), (
            calls[at]
        )
        world.clock.advance(days=1.1)
        assert [failure.error for failure in world.run().failures] == ["RetainedObjects"] * len(
            stays
        ), calls[at]
        assert set(count_copies(world).values()) == {1}, calls[at]
        assert find_losses(world) == [], calls[at]


def lock(world: World) -> None:
    if is_there(world, trail_key(1)):
        world.store.retain("logs", trail_key(1))


def is_there(world: World, key: str) -> bool:
    return bool(world.store.list_objects("logs", prefix=key).objects)


def test_readers_never_see_an_older_version() -> None:
    """While the versions of a key are deleted one by one, a reader of the key sees the newest or
    nothing, never an older one.
    """
    world = make_world()
    for number in range(3):
        world.put("logs", access_key(1), f"version {number}\n".encode())
    newest = world.originals[-1].data
    views: list[bytes] = []

    def decide(number: int, call: Call) -> Fault | None:
        page = world.store.list_objects("logs", prefix=access_key(1))
        views.extend(world.store.get_object("logs", found.key).data for found in page.objects)
        return None

    world.run_faulty(decide)
    assert set(views) == {newest}
    assert world.store.list_objects("logs").objects == ()

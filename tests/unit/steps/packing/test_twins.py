"""An ETag is an MD5, and MD5 has collisions: an object with only a matching ETag is not believed to
be the one packed before.
"""

from __future__ import annotations

import pytest
from tests.support.world import World, access_key, document, find_losses, make_world, trail_key

from log_aggregator.adapters.forwarding import Call
from log_aggregator.errors import OtherBytes, VerificationError
from log_aggregator.model import LogObject
from log_aggregator_lab.stores.faults import Fault
from log_aggregator_lab.stores.memory import MemoryStore

KEY = access_key(1)
ONE, TWIN = b"one bytes\n", b"its twin.\n"
"""As if they had one MD5. Their lengths are the same."""


def put_twin(store: MemoryStore, source: LogObject, *, at_once: bool) -> None:
    """Put other bytes with the same ETag and size; `at_once`: in the same second as the first."""
    store.put("logs", source.key, TWIN)
    entry = store._find_bucket("PutObject", "logs").find_current(source.key)
    assert entry is not None
    entry.etag = source.etag
    entry.has_opaque_etag = True  # its MD5 is not that ETag: nobody has made real twins here
    if at_once:
        entry.last_modified = source.last_modified


def packed_and_kept(versioning: str | None) -> tuple[World, LogObject]:
    """A run has packed it, and keeps the original for now."""
    world = make_world(versioning=versioning, keep_originals_days="2")
    source = world.put("logs", KEY, ONE)
    assert world.run().failures == []
    world.clock.advance(days=3)
    return world, source


def bytes_in_place(world: World) -> bytes:
    return world.store.get_object("logs", KEY).data


@pytest.mark.parametrize("versioning", [None, "Suspended"])
def test_a_later_twin_is_another_object(versioning: str | None) -> None:
    """The twin is packed as a new object; the first one was overwritten, and is in its pack."""
    world, source = packed_and_kept(versioning)
    put_twin(world.store, source, at_once=False)
    result = world.run()
    assert [group.packed for group in result.groups] == [1]
    assert bytes_in_place(world) == TWIN
    world.clock.advance(days=3)
    assert world.run().failures == []
    packs = world.store.list_objects("dest", prefix="packs/").objects
    stored = [world.store.get_object("dest", pack.key).data for pack in packs]
    assert len(stored) == 2
    assert stored[0] != stored[1]


@pytest.mark.parametrize("versioning", [None, "Suspended"])
def test_a_twin_of_the_same_second_stays(versioning: str | None) -> None:
    """Only its bytes differ from what was packed: it is read, named, and left."""
    world, source = packed_and_kept(versioning)
    other = world.put("logs", access_key(2), b"another\n")
    put_twin(world.store, source, at_once=True)
    result = world.run()
    assert [failure.error for failure in result.failures] == [OtherBytes.__name__]
    assert KEY in result.failures[0].message
    assert bytes_in_place(world) == TWIN
    world.clock.advance(days=3)
    world.run()
    left = [each.key for each in world.store.list_objects("logs").objects]
    assert left == [KEY]
    assert other.key not in left


def test_objects_packed_in_this_run_are_not_read_again() -> None:
    """One GET for each log object; one more later if there is no version id."""
    for versioning, more in ((None, 1), ("Enabled", 0)):
        world = make_world(versioning=versioning, keep_originals_days="2")
        world.put("logs", KEY, ONE)
        world.run()
        world.clock.advance(days=3)
        _, calls = world.run_faulty(lambda _number, _call: None)
        assert (
            sum(call.operation == "GetObject" and call.bucket == "logs" for call in calls) == more
        )
        assert find_losses(world) == []


def test_a_pack_with_other_bytes_is_not_adopted() -> None:
    """Its name and members are the same, but its contents are not."""
    world, twin = make_world(versioning=None), make_world(versioning=None)
    source = world.put("logs", trail_key(1), document(1))
    twin.put("logs", trail_key(1), document(2))
    entry = twin.store._find_bucket("PutObject", "logs").find_current(source.key)
    assert entry is not None
    entry.etag, entry.last_modified = source.etag, source.last_modified
    entry.has_opaque_etag = True
    twin.run()
    (pack,) = twin.store.list_objects("dest", prefix="packs/").objects

    def be_first(_number: int, call: Call) -> Fault | None:
        if call.operation == "PutObject" and call.key == pack.key:
            world.store.put("dest", pack.key, twin.store.get_object("dest", pack.key).data)
        return None

    result, _ = world.run_faulty(be_first)
    assert [failure.error for failure in result.failures] == [VerificationError.__name__]
    assert "has other bytes" in result.failures[0].message
    assert world.store.get_object("logs", source.key).data == document(1)

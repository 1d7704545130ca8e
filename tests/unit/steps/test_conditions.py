"""A server may ignore conditions: nothing is deleted by ETag before that was tested."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import pytest
from tests.support.world import World, access_key, document, left_in_place, make_world, trail_key

from log_aggregator.adapters.forwarding import Call, ForwardingStore
from log_aggregator.errors import AccessDenied, ConditionsIgnored, Unreachable
from log_aggregator.model import Target
from log_aggregator.ports.store import Deletion, DeletionFailure, WriteOptions
from log_aggregator.steps.conditions import Conditions
from log_aggregator_lab.stores.faults import Fault, FaultyStore
from log_aggregator_lab.stores.memory import MemoryStore

DEST = Target("dest")
T = TypeVar("T")


class Forwarding(ForwardingStore):
    """Passes every call on."""

    def _call(self, call: Call, run: Callable[[], T]) -> T:
        return run()


class IgnoresEtags(Forwarding):
    """Deletes the key's newest version whatever its ETag, as moto and s3rver do."""

    def delete_objects(self, bucket: str, deletions: Sequence[Deletion]) -> list[DeletionFailure]:
        store: Any = self.inner
        for deletion in deletions:
            store.delete(bucket, deletion.key)
        return []


class WritesOver(Forwarding):
    """Ignores If-None-Match."""

    def put_object(self, bucket: str, key: str, data: Any, **_: Any) -> None:
        store: Any = self.inner
        store.put(bucket, key, bytes(data))


class Refuses(Forwarding):
    """Refuses every deletion."""

    def delete_objects(self, bucket: str, deletions: Sequence[Deletion]) -> list[DeletionFailure]:
        return [DeletionFailure(deletion, "AccessDenied") for deletion in deletions]


def two_groups(versioning: str | None) -> World:
    world = make_world(versioning=versioning)
    world.put("logs", trail_key(1), document(1))
    world.put("logs", access_key(1), b"line\n")
    return world


@pytest.mark.parametrize("kind", [IgnoresEtags, WritesOver, Refuses])
@pytest.mark.parametrize("versioning", [None, "Suspended"])
def test_where_conditions_are_ignored_nothing_is_deleted(
    versioning: str | None, kind: type[ForwardingStore]
) -> None:
    """Everything is packed, every original stays, and this is reported once for all groups."""
    world = two_groups(versioning)
    result = world.run(kind(world.store))
    assert [(each.where, each.error) for each in result.failures] == [
        ("s3://logs", ConditionsIgnored.__name__)
    ]
    assert "versioning" in result.failures[0].advice
    assert sum(group.packed for group in result.groups) == 2
    assert sum(group.kept for group in result.groups) == 2
    assert len(left_in_place(world)) == 2


def test_with_versions_no_condition_is_needed() -> None:
    """A version id already says which version goes."""
    world = two_groups("Enabled")
    assert world.run(IgnoresEtags(world.store)).failures == []
    assert world.store.list_objects("dest", prefix="probes/").objects == ()


def test_conditions_are_tested_once_per_run() -> None:
    """Four requests, and the canary stays for the next run."""
    world = two_groups(None)
    _, calls = world.run_faulty(lambda _number, _call: None)
    asked = [call.operation for call in calls if _is_canary(call)]
    assert asked == ["PutObject", "PutObject", "DeleteObjects", "HeadObject"]
    assert [each.key for each in world.store.list_objects("dest", prefix="probes/").objects] == [
        "probes/conditions"
    ]
    assert world.run().failures == []


def _is_canary(call: Call) -> bool:
    named = [each.key for each in call.arguments.get("deletions", [])]
    return any(key.startswith("probes/") for key in (call.key, *named))


def test_keys_deleted_one_by_one_are_tested_separately() -> None:
    """XML cannot hold these keys, so another operation deletes them and is tested separately."""
    store = MemoryStore()
    store.create_bucket("dest", versioning="Enabled")
    Conditions().check(store, DEST, WriteOptions(), ["plain", "odd\x07"])
    assert [each.key for each in store.list_objects("dest").objects] == [
        "probes/conditions",
        "probes/conditions\x01",
    ]


def test_a_missing_answer_is_not_remembered() -> None:
    """Without an answer, the next group asks again."""
    store = MemoryStore()
    store.create_bucket("dest", versioning="Enabled")
    silent = FaultyStore(
        store, lambda number, _call: Fault(before=Unreachable("nobody")) if number == 0 else None
    )
    conditions = Conditions()
    with pytest.raises(Unreachable):
        conditions.check(silent, DEST, WriteOptions(), ["k"])
    conditions.check(silent, DEST, WriteOptions(), ["k"])


def test_a_refused_write_is_reported() -> None:
    """The permission is missing, so nothing was shown."""
    store = MemoryStore()
    store.create_bucket("dest", versioning="Enabled")
    refusing = FaultyStore(
        store,
        lambda _number, call: (
            Fault(before=AccessDenied("no")) if call.operation == "PutObject" else None
        ),
    )
    with pytest.raises(ConditionsIgnored, match="could not test"):
        Conditions().check(refusing, DEST, WriteOptions(), ["k"])

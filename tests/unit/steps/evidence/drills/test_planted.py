"""The drill's self-test."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from tests.support.world import World, fail_on, make_world
from tests.unit.steps.evidence.drills.test_drill import DEST, pack_keys, packed

from log_aggregator.errors import CannotStart, NothingFound, StoreError
from log_aggregator.ports.store import ObjectStore, Page
from log_aggregator.steps.evidence.drills import planted
from log_aggregator.steps.evidence.drills.draw import DrawRules
from log_aggregator.steps.evidence.drills.planted import DAMAGES, SelfTest, run_planted
from log_aggregator.steps.evidence.drills.recover import PackOutcome, Recovery
from log_aggregator.wiring import open_room
from log_aggregator_lab.stores.faults import FaultyStore


def plant(
    world: World, store: ObjectStore | None = None, scratch: str | None = None, seed: int = 3
) -> SelfTest:
    used = store or world.store
    rooms = partial(open_room, used, DEST.bucket)
    found = run_planted(world.job(store), DEST, DrawRules(seed), scratch, rooms)
    assert found is not None
    return found


@pytest.mark.parametrize("versioning", ["Enabled", None], ids=["versions", "no versions"])
def test_every_planted_damage_is_found_and_removed(versioning: str | None) -> None:
    """Damage is found even without versions; packs, records and drills are unchanged."""
    world = packed()
    world.store.create_bucket("scratch", versioning=versioning)
    before = world.store.snapshot()
    for scratch in (None, "scratch"):
        found = plant(world, scratch=scratch)
        assert [trial.is_kept for trial in found.trials] == [True] * len(DAMAGES)
        assert [trial.damage.name for trial in found.trials if not trial.outcome.failures] == [
            "none"
        ]
        assert (found.is_kept, found.left, found.pack_key in pack_keys(world)) == (True, [], True)
        assert world.store.snapshot() == before


@pytest.mark.parametrize("seed", range(4))
def test_damage_to_any_member_is_found(seed: int) -> None:
    assert plant(packed(logs=20), seed=seed).is_kept


def test_a_blind_drill_fails_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Recovery, "recover", lambda self, key, members: PackOutcome(key))
    found = plant(packed())
    assert [trial.is_kept for trial in found.trials] == [True, False, False, False]
    assert not found.is_kept


def test_where_nothing_can_be_removed_nothing_is_copied() -> None:
    """If Object Lock keeps every new object, one small object stays."""
    world = packed()
    before = len(world.store.snapshot())

    class Locked(FaultyStore):
        def put_object(self, bucket: str, key: str, *args: object, **more: object) -> None:
            super().put_object(bucket, key, *args, **more)  # type: ignore[arg-type]
            world.store.retain(bucket, key)

    with pytest.raises(CannotStart, match="--scratch-bucket"):
        plant(world, Locked(world.store, lambda call, number: None))
    assert len(world.store.snapshot()) == before + 1


@pytest.mark.parametrize("versioning", ["Enabled", None], ids=["versions", "no versions"])
def test_a_server_that_ignores_the_prefix_loses_nothing(versioning: str | None) -> None:
    """The copies may lie in the packs' bucket, or in one with other objects."""
    world = packed()
    world.store.create_bucket("scratch", versioning=versioning)
    world.store.put("scratch", "mine", b"mine")

    class NoPrefix(FaultyStore):
        def list_objects(self, bucket: str, **asked: Any) -> Page:
            return super().list_objects(bucket, **{**asked, "prefix": ""})

        def list_object_versions(self, bucket: str, **asked: Any) -> Page:
            return super().list_object_versions(bucket, **{**asked, "prefix": ""})

    before = set(world.store.snapshot())
    with pytest.raises(CannotStart, match="lists keys outside this prefix"):
        _clear_by(NoPrefix(world.store, lambda call, number: None))
    assert before <= set(world.store.snapshot())


def _clear_by(store: ObjectStore) -> None:
    test = SelfTest(DEST, "packs/a", "", 0)
    with planted._clearing(store, "scratch", "log-aggregator-drill-1/", test):
        pass


def test_copies_that_could_not_be_removed_are_named() -> None:
    """A removal that fails at the end is reported, with what is left."""
    world = packed()
    asked = 0

    def second(call: object) -> bool:
        nonlocal asked
        asked += getattr(call, "operation", "") == "DeleteObjects"
        return asked == 2 and getattr(call, "operation", "") == "DeleteObjects"

    found = plant(world, FaultyStore(world.store, fail_on(second, StoreError("no"))))
    assert len(found.left) == 1
    assert found.place in found.left[0]


def test_a_stop_also_removes_the_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    world = packed()
    before = world.store.snapshot()

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(planted, "_try", stop)
    with pytest.raises(KeyboardInterrupt):
        plant(world)
    assert world.store.snapshot() == before


def test_frozen_packs_are_not_copied() -> None:
    world = packed("DEEP_ARCHIVE")
    before = world.store.snapshot()
    with pytest.raises(NothingFound, match="--seed"):
        plant(world)
    assert world.store.snapshot() == before
    assert run_planted(make_world().job(), DEST, DrawRules(1), None, open_room) is None  # type: ignore[arg-type]

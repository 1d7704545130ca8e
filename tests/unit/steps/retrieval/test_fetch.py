"""Many originals from their packs: which ones, and what happens to the rest when something is
wrong.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.support.world import (
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
from log_aggregator.adapters.forwarding import Call
from log_aggregator.core.packformat.extents import MergeLimits, plan_extents
from log_aggregator.core.query import Query
from log_aggregator.errors import (
    AccessDenied,
    BadPack,
    Failure,
    NoLines,
    ObjectFrozen,
    OutputFailed,
    Unreachable,
)
from log_aggregator.model import Target
from log_aggregator.ports.store import ObjectStore
from log_aggregator.steps.retrieval.fetch import (
    Fetched,
    FetchProgress,
    FetchResult,
    VersionChoice,
    Wanted,
    choose,
    fetch,
    fetch_all,
    tolerate_gaps,
)
from log_aggregator.steps.retrieval.find import find
from log_aggregator.steps.retrieval.put_back import ReturnAddress, put_back
from log_aggregator.steps.workers import SerialWorkers, ThreadWorkers
from log_aggregator_lab.stores.faults import FaultyStore

TARGET = Target("dest")
EVERYTHING = VersionChoice()


class Kept:
    """A sink that keeps what it is given, if it is right."""

    def __init__(self) -> None:
        self.originals: dict[tuple[str, str | None], bytes] = {}
        self.newest: list[tuple[str, str | None]] = []

    def take(self, original: Fetched) -> None:
        data = b"".join(original.pieces)
        self.originals[original.member.key, original.member.version_id] = data
        if original.is_newest:
            self.newest.append((original.member.key, original.member.version_id))


def packed() -> World:
    """Three groups: three versions of a trail's file and another one, 20 access logs in a block, a
    flow log.
    """
    world = make_world()
    for version in range(3):
        world.put("logs", trail_key(1), document(version))
    world.put("logs", trail_key(2), document(7))
    for number in range(20):
        world.put("logs", access_key(number), f"line {number}".encode() * number + b"\n")
    world.put("logs", flow_key("a.log.gz"), pack_gzip(b"flow\n"))
    assert world.run().failures == []
    return world


def fetch_kept(
    world: World, *, store: ObjectStore | None = None, choice: VersionChoice = EVERYTHING
) -> tuple[Kept, FetchResult]:
    kept = Kept()
    packs = find(world.store, SerialWorkers(), [TARGET], Query())
    return kept, fetch_all(
        store or world.store, SerialWorkers(), choose(packs, choice), kept, FetchProgress()
    )


def test_all_members_are_fetched() -> None:
    """All members of all packs reach the sink, and the result counts them."""
    world = packed()
    kept, result = fetch_kept(world)
    assert kept.originals == {
        (each.source.key, each.source.version_id): each.data for each in world.originals
    }
    assert (result.originals, result.packs, result.failures) == (25, 3, [])
    assert result.size_bytes == sum(len(each.data) for each in world.originals)


def test_threads_give_the_same_result() -> None:
    """Reading ahead in threads gives the same in the same order."""
    world = packed()
    kept, with_threads = fetch_kept(world)[0], Kept()
    with ThreadWorkers(readers=3, ahead_bytes=100) as workers:
        found = list(find(world.store, workers, [TARGET], Query()))
        fetch_all(world.store, workers, choose(found, EVERYTHING), with_threads, FetchProgress())
    assert list(with_threads.originals.items()) == list(kept.originals.items())


def test_versions_can_be_chosen() -> None:
    """All versions of a key come, one marked as the newest; or only the newest; or only the named
    one.
    """
    world = packed()
    first, second, third = (each.source.version_id for each in world.originals[:3])
    kept, _ = fetch_kept(world)
    assert [version for key, version in kept.originals if key == trail_key(1)] == [
        first,
        second,
        third,
    ]
    assert (trail_key(1), third) in kept.newest
    assert not {(trail_key(1), first), (trail_key(1), second)} & set(kept.newest)
    kept, result = fetch_kept(world, choice=VersionChoice(newest_only=True))
    assert [version for key, version in kept.originals if key == trail_key(1)] == [third]
    assert result.originals == 23
    kept, _ = fetch_kept(world, choice=VersionChoice(newest_only=True, version_id=second))
    assert (list(kept.originals), kept.newest) == (
        [(trail_key(1), second)],
        [(trail_key(1), second)],
    )


def test_a_log_object_in_two_packs_is_fetched_once() -> None:
    """A log object packed twice by simultaneous runs is fetched once, and a newer version in a
    later pack is the newest.
    """
    world = packed()
    packs = [
        pack
        for pack in find(world.store, SerialWorkers(), [TARGET], Query())
        if pack.group.log_type == "CloudTrail"
    ]
    (pack,) = packs
    newer = replace(
        pack.members[0],
        version_id="later",
        last_modified=pack.members[0].last_modified + timedelta(days=1),
    )
    twin = replace(pack, pack_key=pack.pack_key + "2", members=(*pack.members[:2], newer))
    first, second = choose([pack, twin], EVERYTHING)
    assert first.pack.members == pack.members
    assert second.pack.members == (newer,)
    assert newer.identity in second.newest
    assert not [
        member
        for member in first.pack.members
        if member.key == newer.key and member.identity in first.newest
    ]


def test_a_second_pack_replaces_an_unreadable_one() -> None:
    """If one of two packs with the same log objects cannot be read, the other one gives them, and
    the result says so.
    """
    world = packed()
    (pack,) = [
        each
        for each in find(world.store, SerialWorkers(), [TARGET], Query())
        if each.group.log_type == "CloudTrail"
    ]
    data = world.store.get_object("dest", pack.pack_key).data
    twin = replace(
        pack, pack_key=pack.pack_key.replace("CloudTrail_", "Twin_"), members=pack.members[1:]
    )
    world.store.put("dest", twin.pack_key, data)
    world.store.put("dest", pack.pack_key, data, storage_class="GLACIER")
    for workers in (SerialWorkers(), ThreadWorkers(readers=2)):
        kept = Kept()
        result = fetch_all(
            world.store, workers, choose([pack, twin], EVERYTHING), kept, FetchProgress()
        )
        assert (result.originals, result.rescued, result.lost) == (3, 3, 1)
        expected = {
            (each.source.key, each.source.version_id): each.data for each in world.originals[1:4]
        }
        assert kept.originals == expected
        assert set(kept.newest) == {
            (trail_key(2), world.originals[3].source.version_id),
            (trail_key(1), world.originals[2].source.version_id),
        }
    world.store.create_bucket("audit")
    put = put_back(
        world.store,
        SerialWorkers(),
        choose([pack, twin], VersionChoice(newest_only=True)),
        ReturnAddress("audit"),
        FetchProgress(),
    )
    assert (put.written, put.lost) == (2, 0)
    world.store.put("dest", twin.pack_key, data, storage_class="GLACIER")
    store = CountingStore(world.store)
    result = fetch_all(
        store, SerialWorkers(), choose([pack, twin], EVERYTHING), Kept(), FetchProgress()
    )
    assert (result.lost, store.requests) == (4, {"GetObject": 2})


def test_a_frozen_pack_does_not_affect_others() -> None:
    """A refused pack is requested once and reported once, and the others come back."""
    world = packed()
    key = next(
        pack.pack_key
        for pack in find(world.store, SerialWorkers(), [TARGET], Query())
        if len(pack.members) == 20
    )
    data = world.store.get_object("dest", key).data
    world.store.put("dest", key, data, storage_class="DEEP_ARCHIVE")
    store = CountingStore(world.store)
    kept, result = fetch_kept(world, store=store)
    (failure,) = result.failures
    assert (failure.where, failure.error) == (f"s3://dest/{key}", "ObjectFrozen")
    assert "log-aggregator thaw" in failure.advice
    assert (len(kept.originals), result.lost, store.requests["GetObject"]) == (5, 20, 3)


def test_a_refused_pack_is_requested_only_once() -> None:
    """A frozen pack is requested once, however many reads it would take."""
    world = packed()
    pack = next(
        each
        for each in find(world.store, SerialWorkers(), [TARGET], Query())
        if each.group.log_type == "CloudTrail"
    )
    world.store.put(
        "dest",
        pack.pack_key,
        world.store.get_object("dest", pack.pack_key).data,
        storage_class="GLACIER",
    )
    store = CountingStore(world.store)
    for each in fetch(store, SerialWorkers(), choose([pack], EVERYTHING), MergeLimits(0, 10)):
        with pytest.raises(ObjectFrozen):
            list(each.pieces)
    assert store.requests == {"GetObject": 1}


@pytest.mark.parametrize("damage", ["cut", "gone", "denied"])
def test_a_changed_pack_loses_only_its_damaged_part(damage: str) -> None:
    """For a pack cut short, gone or denied, members before the damage and in other packs come back;
    the rest is reported.
    """
    world = packed()
    pack = next(
        each
        for each in find(world.store, SerialWorkers(), [TARGET], Query())
        if each.group.log_type == "CloudTrail"
    )
    data = world.store.get_object("dest", pack.pack_key).data
    if damage == "cut":
        world.store.put("dest", pack.pack_key, data[: pack.members[2].offset])
    elif damage == "gone":
        world.store.delete("dest", pack.pack_key)
    else:
        world.store.deny_reading("dest", pack.pack_key)
    kept, result = fetch_kept(world)
    assert (len(kept.originals), result.lost) == (21, 4)
    assert {failure.error for failure in result.failures} == {
        {"cut": "VerificationError", "gone": "NotFound", "denied": "AccessDenied"}[damage]
    }
    assert all(pack.pack_key in failure.where + failure.message for failure in result.failures)
    assert len(result.failures) == 1


def test_a_damaged_block_loses_only_its_rest() -> None:
    """Members of a damaged text block fail from the damage on, one by one; others come back."""
    world = packed()
    pack = next(
        each
        for each in find(world.store, SerialWorkers(), [TARGET], Query())
        if len(each.members) == 20
    )
    (extent,) = plan_extents(pack.members)
    data = bytearray(world.store.get_object("dest", pack.pack_key).data)
    data[extent.last - 12] ^= 0xFF
    world.store.put("dest", pack.pack_key, bytes(data))
    kept, result = fetch_kept(world)
    assert len(kept.originals) + result.lost == 25
    assert {failure.error for failure in result.failures} <= {"BadPack", "VerificationError"}
    assert result.lost >= 1
    expected = {
        each.source.key: each.data for each in world.originals if each.source.key != trail_key(1)
    }
    assert all(
        expected[key] == data for (key, _), data in kept.originals.items() if key != trail_key(1)
    )


def test_overlapping_members_are_failures() -> None:
    """An inconsistent index is a failure of its members, not of the command."""
    world = packed()
    pack = next(
        each
        for each in find(world.store, SerialWorkers(), [TARGET], Query())
        if each.group.log_type == "CloudTrail"
    )
    bad = tuple(replace(member, offset=member.offset // 2 + 1) for member in pack.members)
    kept = Kept()
    result = fetch_all(
        world.store,
        SerialWorkers(),
        [Wanted(replace(pack, members=bad), frozenset())],
        kept,
        FetchProgress(),
    )
    assert kept.originals == {}
    assert {failure.error for failure in result.failures} == {"BadPack"}
    twice = replace(pack, members=(pack.members[0], replace(pack.members[0], key="the same place")))
    result = fetch_all(
        world.store, SerialWorkers(), [Wanted(twice, frozenset())], kept, FetchProgress()
    )
    assert (len(kept.originals), ["overlap" in failure.message for failure in result.failures]) == (
        1,
        [True],
    )


def test_a_silent_s3_ends_fetching() -> None:
    """If S3 gives no answer at all, asking for every other pack gains nothing."""
    world = packed()
    store = FaultyStore(
        world.store, fail_on(lambda call: call.operation == "GetObject", Unreachable("no answer"))
    )
    with pytest.raises(Unreachable):
        fetch_kept(world, store=store)


def test_a_temporary_error_is_a_failure_of_its_pack() -> None:
    """A refused read fails the pack that it was for."""
    world = packed()
    error = AccessDenied("no", code="AccessDenied", operation="GetObject")
    store = FaultyStore(world.store, fail_on(is_flow, error, times=1))
    kept, result = fetch_kept(world, store=store)
    assert (len(kept.originals), [failure.error for failure in result.failures]) == (
        24,
        ["AccessDenied"],
    )


def is_flow(call: Call) -> bool:
    return call.operation == "GetObject" and "/vpcflowlogs/" in call.key


class TestSinks:
    def test_a_failed_original_does_not_affect_others(self) -> None:
        """An original that the sink cannot take is a failure, and its unread bytes disturb no
        other.
        """

        class Picky(Kept):
            def take(self, original: Fetched) -> None:
                if original.member.key == access_key(3):
                    next(original.pieces)
                    raise NoLines("binary")
                if original.member.key != access_key(5):
                    super().take(original)

        world, kept = packed(), Picky()
        packs = find(world.store, SerialWorkers(), [TARGET], Query())
        result = fetch_all(
            world.store, SerialWorkers(), choose(packs, EVERYTHING), kept, FetchProgress()
        )
        assert [failure.where for failure in result.failures] == [f"s3://logs/{access_key(3)}"]
        expected = {
            (each.source.key, each.source.version_id): each.data for each in world.originals
        }
        assert kept.originals == {
            name: data
            for name, data in expected.items()
            if name[0] not in (access_key(3), access_key(5))
        }

    def test_unread_originals_do_not_affect_the_next(self) -> None:
        """Skipped originals disturb neither later ones nor the next pack."""
        world = packed()
        packs = list(find(world.store, SerialWorkers(), [TARGET], Query()))
        expected = {
            (each.source.key, each.source.version_id): each.data for each in world.originals
        }
        for keep in range(3):
            left = fetch(
                world.store, SerialWorkers(), choose(packs, EVERYTHING), MergeLimits(0, 30)
            )
            for number, each in enumerate(left):
                if number % 3 == keep and each.pack != packs[0]:
                    assert (
                        b"".join(each.pieces) == expected[each.member.key, each.member.version_id]
                    )

    def test_a_broken_sink_ends_fetching(self) -> None:
        """A full disk is not the failure of one original."""

        class Full:
            def take(self, original: Fetched) -> None:
                raise OutputFailed("no space")

        world = packed()
        packs = find(world.store, SerialWorkers(), [TARGET], Query())
        with pytest.raises(OutputFailed):
            fetch_all(
                world.store, SerialWorkers(), choose(packs, EVERYTHING), Full(), FetchProgress()
            )


def test_a_damaged_index_hides_only_its_own_pack() -> None:
    """If an index cannot be read, everything else comes back, and the gap is a failure."""
    world = packed()
    pack = next(
        each
        for each in find(world.store, SerialWorkers(), [TARGET], Query())
        if each.group.log_type == "CloudTrail"
    )
    world.store.put("dest", TARGET.index_key(pack.pack_key), b"garbage")
    failures: list[Failure] = []
    packs = list(tolerate_gaps(find(world.store, SerialWorkers(), [TARGET], Query()), failures))
    assert [failure.error for failure in failures] == ["IncompleteSearch"]
    assert sum(len(each.members) for each in packs) == 21
    with pytest.raises(BadPack):
        plan_extents([replace(pack.members[0], offset=-1)])

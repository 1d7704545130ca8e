"""A group from its listing to the deletion of its originals, and what can go wrong on the way."""

from __future__ import annotations

import random
import zlib
from dataclasses import replace
from typing import Any
from unittest import mock

import pytest
from tests.support.world import (
    SteppingClock,
    World,
    access_key,
    count_copies,
    document,
    fail_on,
    find_losses,
    flow_key,
    left_in_place,
    make_world,
    nothing,
    pack_gzip,
    trail_key,
    writes_of,
)

from log_aggregator.adapters.forwarding import Call
from log_aggregator.core import planning
from log_aggregator.core.packformat.index import TOOL, encode_index
from log_aggregator.core.planning import PackLimits
from log_aggregator.errors import AccessDenied, StoreError
from log_aggregator.limits import MIB
from log_aggregator.model import Encoding
from log_aggregator.steps.packing import combine as combine_module
from log_aggregator.steps.packing.results import RunResult
from log_aggregator.steps.packs.index import read_index
from log_aggregator_lab.stores.faults import Decide, Fault, FaultyStore
from log_aggregator_lab.stores.memory import MemoryStore

ERROR = StoreError("500", code="InternalError")


def trail_world(count: int = 3, **more: Any) -> World:
    world = make_world(**more)
    for number in range(count):
        world.put("logs", trail_key(number), document(number))
    return world


def errors_of(result: RunResult) -> list[str]:
    return [failure.error for failure in result.failures]


def deletes(calls: list[Call]) -> list[Call]:
    return [call for call in calls if call.operation == "DeleteObjects"]


def packs_of(world: World) -> list[str]:
    return [found.key for found in world.store.list_objects("dest", prefix="packs/").objects]


def test_pack_index_and_terms_are_written_before_deletion() -> None:
    """Requests are made in this order: pack, index, terms, verification, one more HEAD,
    deletion.
    """
    world = trail_world()
    _, calls = world.run_faulty(nothing)
    wanted = [
        (call.operation, call.key.partition("/")[0])
        for call in calls
        if call.operation in {"PutObject", "HeadObject", "DeleteObjects"}
    ]
    assert wanted == [
        ("PutObject", "packs"),
        ("PutObject", "indexes"),
        ("PutObject", "terms"),
        ("HeadObject", "packs"),
        ("HeadObject", "packs"),
        ("DeleteObjects", ""),
    ]
    index_reads = [
        number
        for number, call in enumerate(calls)
        if call.operation == "GetObject" and call.key.startswith("indexes/")
    ]
    written = next(
        number
        for number, call in enumerate(calls)
        if call.operation == "PutObject" and call.key.startswith("indexes/")
    )
    assert written < index_reads[0] < calls.index(deletes(calls)[0])


@pytest.mark.parametrize("operation", ["PutObject", "GetObject", "HeadObject", "ListObjectsV2"])
def test_store_errors_keep_originals_and_do_not_stop_other_groups(operation: str) -> None:
    """A store that fails for one group, in any request, loses nothing; the other group is finished,
    and the next run repairs it.
    """
    world = trail_world()
    world.put("logs", trail_key(1, account="222222222222"), document(1))
    world.put("logs", access_key(1), b"line\n")

    def wanted(call: Call) -> bool:
        return call.operation == operation and "/CloudTrail/111111111111/" in call.key.replace(
            "111111111111/CloudTrail", "CloudTrail/111111111111"
        )

    result, _ = world.run_faulty(fail_on(wanted, ERROR))
    assert errors_of(result) == ["StoreError"]
    assert {source.key for source in left_in_place(world)} == {
        trail_key(number) for number in range(3)
    }
    assert find_losses(world) == []
    assert world.run().failures == []
    assert left_in_place(world) == []


@pytest.mark.parametrize("operation", ["GetObject", "PutObject", "HeadObject", "DeleteObjects"])
def test_a_dying_store_loses_nothing(operation: str) -> None:
    """If every call fails from some point on, nothing is lost, and every unfinished group is
    reported.
    """
    probe = trail_world()
    probe.put("logs", access_key(1), b"line\n")
    _, calls = probe.run_faulty(nothing)
    for at in [number for number, call in enumerate(calls) if call.operation == operation]:
        world = trail_world()
        world.put("logs", access_key(1), b"line\n")
        result, _ = world.run_faulty(dead_from(at))
        assert set(errors_of(result)) <= {"StoreError", "OutcomeUnknown"}, at
        assert errors_of(result), at
        assert find_losses(world) == [], at
        assert world.run().failures == [], at
        assert left_in_place(world) == [], at


def dead_from(at: int) -> Decide:
    return lambda number, call: Fault(before=ERROR) if number >= at else None


def test_one_denied_object_is_reported_and_the_rest_is_packed() -> None:
    """Unreadable objects stay and are named; the others of their group are packed and deleted."""
    world = trail_world(4)
    world.store.deny_reading("logs", trail_key(2))
    result = world.run()
    assert errors_of(result) == ["UnreadableSources"]
    assert trail_key(2) in result.failures[0].message
    assert [source.key for source in left_in_place(world)] == [trail_key(2)]
    assert find_losses(world) == []


def test_an_unreadable_older_version_keeps_its_key() -> None:
    """If an older version cannot be read, the newest version of its key stays too, so that the
    older one does not become visible.
    """
    world = make_world()
    older = world.put("logs", trail_key(1), document(1))
    world.store.deny_reading("logs", older.key)
    newest = world.put("logs", trail_key(1), document(2))
    world.put("logs", trail_key(2), document(3))
    result = world.run()
    assert [failure.error for failure in result.failures] == ["UnreadableSources"]
    assert {source.identity for source in left_in_place(world)} == {older.identity, newest.identity}
    assert find_losses(world) == []


def test_a_fully_denied_group_is_a_failure() -> None:
    """If nothing can be read, nothing is written or deleted, and that is a failure."""
    world = trail_world(3)
    for number in range(3):
        world.store.deny_reading("logs", trail_key(number))
    result, calls = world.run_faulty(nothing)
    assert errors_of(result) == ["UnreadableSources"]
    assert writes_of(calls) == []


def test_many_denied_stop_the_group_early() -> None:
    """When more than a hundred objects cannot be read the group is given up, with S3's reason."""
    world = trail_world(120)
    for number in range(120):
        world.store.deny_reading("logs", trail_key(number))
    result, calls = world.run_faulty(nothing)
    assert errors_of(result) == ["AccessDenied"]
    assert len([call for call in calls if call.operation == "GetObject"]) <= 102


@pytest.mark.parametrize("count", [1, 3, 5])
def test_denied_large_objects_do_not_block_their_group(count: int) -> None:
    """Large members that cannot be read are all found in one pass, however many, and the rest of
    their pack is packed.
    """
    world = make_world(
        limits=PackLimits(copy_size_bytes_min=1000, part_size_bytes=5 * MIB),
        store=MemoryStore(part_size_bytes_min=10, clock=SteppingClock()),
    )
    for number in range(count):
        world.put(
            "logs",
            flow_key(f"large{number}.log.gz"),
            pack_gzip(random.Random(number).randbytes(2000)),
        )
        world.store.deny_reading("logs", flow_key(f"large{number}.log.gz"))
    world.put("logs", flow_key("small.log.gz"), pack_gzip(b"small\n"))
    result = world.run()
    assert errors_of(result) == ["UnreadableSources"]
    assert len(left_in_place(world)) == count
    assert find_losses(world) == []


@pytest.mark.parametrize("event", ["replaced", "deleted"])
def test_objects_changed_after_listing_are_left_for_the_next_run(event: str) -> None:
    """An object that was replaced or deleted meanwhile is not a failure; the others are packed, and
    the new object by the next run.
    """
    world = make_world(versioning=None)
    for number in range(3):
        world.put("logs", access_key(number), f"{number}\n".encode())
    gone = world.originals.pop(1)
    done: list[int] = []

    def decide(number: int, call: Call) -> Fault | None:
        if call.operation == "GetObject" and call.bucket == "logs" and not done:
            done.append(number)
            if event == "deleted":
                world.store.delete("logs", gone.source.key)
            else:
                world.put("logs", gone.source.key, b"new\n")
        return None

    result, _ = world.run_faulty(decide)
    assert (result.failures, sum(group.changed for group in result.groups)) == ([], 1)
    assert find_losses(world) == []
    assert world.run().failures == []
    assert left_in_place(world) == []


def test_constantly_changing_objects_end_as_a_failure() -> None:
    """A group whose objects are overwritten all the time is given up after some attempts, without a
    loop or a loss.
    """
    world = make_world(versioning=None, limits=PackLimits())
    for number in range(9):
        world.put("logs", access_key(number), b"x\n")
    left = list(range(9))

    def decide(number: int, call: Call) -> Fault | None:
        if call.operation == "GetObject" and call.key == access_key(8) and left:
            world.store.put("logs", access_key(left.pop(0)), b"new\n")
        return None

    world.run_faulty(decide)
    world.originals = [
        stored for stored in world.originals if int(stored.source.key[-2:], 16) in left
    ]
    assert find_losses(world) == []


def test_damaged_bodies_never_reach_a_pack() -> None:
    """Bodies that arrive damaged once are read again; nothing wrong reaches a pack."""
    world = trail_world()
    seen: set[str] = set()

    def decide(number: int, call: Call) -> Fault | None:
        if call.operation == "GetObject" and call.bucket == "logs" and call.key not in seen:
            seen.add(call.key)
            return Fault(alter=lambda data: data[:-1])
        return None

    result, _ = world.run_faulty(decide)
    assert result.failures == []
    assert (find_losses(world), left_in_place(world)) == ([], [])


class CorruptingStore(FaultyStore):
    """Stores other bytes than it was given, and reports success; with `everywhere`, its checksum
    matches the wrong bytes too.
    """

    def put_object(self, bucket: str, key: str, data: Any, *, crc64nvme: int, options: Any) -> None:
        super().put_object(bucket, key, data, crc64nvme=crc64nvme, options=options)
        if key.startswith("packs/"):
            entry = self.inner._buckets[bucket].entries[key][0]  # type: ignore[attr-defined]  # a store that lies can only be made from inside
            damaged = bytearray(entry.data)
            damaged[len(damaged) // 3] ^= 1
            self.inner.put(bucket, key, bytes(damaged), with_checksum=True)  # type: ignore[attr-defined]


@pytest.mark.parametrize("versioning", ["Enabled", None])
def test_a_pack_stored_damaged_is_never_trusted(versioning: str | None) -> None:
    """If S3 stores bytes other than those sent, neither this run nor the next deletes anything."""
    world = trail_world(versioning=versioning)
    assert errors_of(world.run(CorruptingStore(world.store, nothing))) == ["VerificationError"]
    assert len(left_in_place(world)) == 3
    assert errors_of(world.run()) == ["VerificationError"]
    assert len(left_in_place(world)) == 3


def test_a_missing_index_is_written_by_the_next_run() -> None:
    """A pack whose index fails keeps its originals; the next run restores the index from the pack
    and continues, without a second pack.
    """
    world = trail_world()
    no_index = fail_on(
        lambda call: call.operation == "PutObject" and call.key.startswith("indexes/"), ERROR
    )
    result, calls = world.run_faulty(no_index)
    assert (errors_of(result), deletes(calls)) == (["StoreError"], [])
    assert len(left_in_place(world)) == 3
    again = world.run()
    assert (again.failures, len(packs_of(world)), left_in_place(world)) == ([], 1, [])
    assert sum(group.packed for group in again.groups) == 0


def test_a_vanished_index_stops_deletion() -> None:
    """Without a durable index nothing is deleted, even if the pack is right."""
    world = trail_world()

    class LosingStore(FaultyStore):
        def put_object(
            self, bucket: str, key: str, data: Any, *, crc64nvme: int, options: Any
        ) -> None:
            if not key.startswith("indexes/"):
                super().put_object(bucket, key, data, crc64nvme=crc64nvme, options=options)

    store = LosingStore(world.store, nothing)
    assert errors_of(world.run(store)) == ["NotFound"]
    assert deletes(store.calls) == []
    assert len(left_in_place(world)) == 3


def test_refused_deletes_are_reported_and_retried() -> None:
    """A retained object is reported by this run and the next; the others are gone; nothing is
    packed twice.
    """
    world = trail_world()
    world.store.retain("logs", trail_key(1))
    for expected in (2, 0):
        result = world.run()
        assert errors_of(result) == ["RetainedObjects"]
        assert (
            sum(group.deleted for group in result.groups),
            sum(group.retained for group in result.groups),
        ) == (expected, 1)
    assert set(count_copies(world).values()) == {1}
    assert [source.key for source in left_in_place(world)] == [trail_key(1)]


def test_a_denied_delete_request_is_a_failure() -> None:
    """A DeleteObjects that is refused as a whole is reported, and repeated by the next run."""
    world = trail_world()
    result, _ = world.run_faulty(
        fail_on(
            lambda call: call.operation == "DeleteObjects", AccessDenied("no", code="AccessDenied")
        )
    )
    assert errors_of(result) == ["AccessDenied"]
    assert len(left_in_place(world)) == 3
    assert world.run().failures == []
    assert left_in_place(world) == []


def test_late_logs_get_another_pack() -> None:
    """Logs that arrive after the day was packed get another pack; the first stays byte for byte the
    same.
    """
    world = trail_world()
    world.run()
    (first,) = packs_of(world)
    before = world.store.get_object("dest", first)
    world.put("logs", trail_key(7), document(7))
    assert world.run().failures == []
    assert len(packs_of(world)) == 2
    assert world.store.get_object("dest", first) == before
    assert set(count_copies(world).values()) == {1}


def test_an_existing_pack_with_the_same_bytes_is_adopted() -> None:
    """A pack that another run wrote meanwhile is not overwritten, and its originals are deleted
    once it is verified.
    """
    world = trail_world()
    other = trail_world()
    other.run()
    (key,) = packs_of(other)
    data = other.store.get_object("dest", key).data
    pack_put = fail_on(lambda call: False, ERROR)

    def decide(number: int, call: Call) -> Fault | None:
        if call.operation == "PutObject" and call.key == key:
            world.store.put("dest", key, data, with_checksum=True)
        return pack_put(number, call)

    result, _ = world.run_faulty(decide)
    assert result.failures == []
    assert left_in_place(world) == []
    assert [
        found.version_id
        for found in world.store.list_object_versions("dest", prefix="packs/").objects
    ][1:] == []


@pytest.mark.parametrize("with_index", [True, False])
def test_an_existing_pack_by_another_zlib_is_adopted(*, with_index: bool) -> None:
    """If another zlib, or another version of this program, deflated the same members, the existing
    pack counts.
    """
    other = make_world()
    other.put("logs", access_key(1), b"line\n" * 100)
    with mock.patch.object(combine_module, "TOOL", "another tool"):
        other.run()
    (key,) = packs_of(other)
    index_key = other.targets[0].index_key(key)
    world = make_world()
    world.put("logs", access_key(1), b"line\n" * 100)

    def decide(number: int, call: Call) -> Fault | None:
        if call.operation == "PutObject" and call.key == key:
            for each in (key, index_key) if with_index else (key,):
                world.store.put(
                    "dest", each, other.store.get_object("dest", each).data, with_checksum=True
                )
        return None

    result, _ = world.run_faulty(decide)
    assert (result.failures, left_in_place(world)) == ([], [])
    assert read_index(world.store, world.targets[0], key).decode().tool == "another tool"
    assert find_losses(world) == []


def test_an_existing_pack_with_other_members_is_refused() -> None:
    """If a pack has the right name and the wrong members, nothing is deleted."""
    world = trail_world()
    probe = trail_world()
    probe.run()
    (key,) = packs_of(probe)
    index = read_index(probe.store, probe.targets[0], key).decode()

    def decide(number: int, call: Call) -> Fault | None:
        if call.operation == "PutObject" and call.key == key:
            world.store.put("dest", key, b"something else", with_checksum=True)
            lying = replace(index, members=index.members[:1])
            world.store.put("dest", probe.targets[0].index_key(key), encode_index(lying))
        return None

    result, calls = world.run_faulty(decide)
    assert errors_of(result) == ["VerificationError"]
    assert deletes(calls) == []
    assert len(left_in_place(world)) == 3


def test_a_valid_pack_with_other_members_is_refused() -> None:
    """If two sets of members have one name, the second is a failure: its objects are neither
    counted as packed nor deleted.
    """
    with mock.patch.object(planning, "pack_id", return_value="0" * 12):
        world = trail_world(1)
        assert world.run().failures == []
        for number in (5, 6):
            world.put("logs", trail_key(number), document(number))
        result = world.run()
    assert (errors_of(result), sum(group.packed for group in result.groups)) == (
        ["VerificationError"],
        0,
    )
    assert "other members" in result.failures[0].message
    assert len(left_in_place(world)) == 2


def test_an_existing_pack_of_the_same_size_keeps_its_own_index() -> None:
    """Size alone does not make a pack ours: with our index, none of its members could ever be
    extracted.
    """
    ours = make_world()
    ours.put("logs", access_key(1), b"line\n")
    ours.run()
    (key,) = packs_of(ours)
    size = len(ours.store.get_object("dest", key).data)
    theirs = next(
        data for letter in "abcdefghij" if len(data := pack_of_tool(TOOL[:-1] + letter)) == size
    )
    world = make_world()
    world.put("logs", access_key(1), b"line\n")

    def decide(number: int, call: Call) -> Fault | None:
        if call.operation == "PutObject" and call.key == key:
            world.store.put("dest", key, theirs, with_checksum=True)
        return None

    result, _ = world.run_faulty(decide)
    assert (result.failures, left_in_place(world), find_losses(world)) == ([], [], [])


def pack_of_tool(tool: str) -> bytes:
    """Pack the same log object with another version of this program."""
    world = make_world()
    world.put("logs", access_key(1), b"line\n")
    with mock.patch.object(combine_module, "TOOL", tool):
        world.run()
    (key,) = packs_of(world)
    return world.store.get_object("dest", key).data


@pytest.mark.parametrize("copy_alone", [True, False])
def test_without_checksums_packs_are_read_back(*, copy_alone: bool) -> None:
    """If the store has no checksum of what was written in parts, every byte is read again before
    anything is deleted.
    """
    clock = SteppingClock()
    store = MemoryStore(part_size_bytes_min=10, reports_object_checksums=False, clock=clock)
    limits = PackLimits(
        copy_size_bytes_min=1000,
        part_size_bytes=100,
        copy_alone_bytes_min=1000 if copy_alone else 10**9,
    )
    world = make_world(store=store, clock=clock, limits=limits)
    world.put("logs", flow_key("a.log.gz"), pack_gzip(random.Random(1).randbytes(2000)))
    result, calls = world.run_faulty(nothing)
    assert result.failures == []
    assert [
        call for call in calls if call.operation == "GetObject" and call.key.startswith("packs/")
    ]
    assert (find_losses(world), left_in_place(world)) == ([], [])


def test_an_unfinished_copy_is_adopted() -> None:
    """An object copied alone by a run that died gets its index from the next run, even if the store
    has no checksum of it.
    """
    clock = SteppingClock()
    store = MemoryStore(part_size_bytes_min=10, reports_object_checksums=False, clock=clock)
    world = make_world(
        store=store, clock=clock, limits=PackLimits(copy_alone_bytes_min=1000, part_size_bytes=100)
    )
    world.put("logs", flow_key("a.log.gz"), random.Random(1).randbytes(2000))
    no_index = fail_on(lambda call: call.operation == "PutObject", ERROR)
    assert errors_of(world.run_faulty(no_index)[0]) == ["StoreError"]
    assert world.run().failures == []
    assert (find_losses(world), left_in_place(world), world.store.open_uploads()) == ([], [], [])


@pytest.mark.parametrize("at", ["UploadPart", "UploadPartCopy", "CompleteMultipartUpload"])
def test_no_upload_is_left_open(at: str) -> None:
    """Any failure during an upload aborts it."""
    clock = SteppingClock()
    world = make_world(
        store=MemoryStore(part_size_bytes_min=10, clock=clock),
        clock=clock,
        limits=PackLimits(copy_size_bytes_min=6 * MIB, part_size_bytes=1000),
    )
    world.put("logs", flow_key("a.log.gz"), pack_gzip(random.Random(1).randbytes(6 * MIB)))
    world.put("logs", flow_key("b.log.gz"), pack_gzip(random.Random(2).randbytes(2000)))
    result, calls = world.run_faulty(fail_on(lambda call: call.operation == at, ERROR))
    assert errors_of(result) == ["StoreError"]
    assert world.store.open_uploads() == []
    assert len([call for call in calls if call.operation == "CreateMultipartUpload"]) == 1
    assert world.run().failures == []
    assert left_in_place(world) == []


def test_every_encoding_can_be_in_one_group() -> None:
    """A group with every kind of content becomes one gzip pack and one tar, and every object comes
    back.
    """
    clock = SteppingClock()
    world = make_world(
        store=MemoryStore(part_size_bytes_min=10, clock=clock),
        clock=clock,
        limits=PackLimits(copy_size_bytes_min=5 * MIB + 20, part_size_bytes=100_000),
    )
    large = random.Random(1).randbytes(5 * MIB + 10)
    for name, data in {
        "a.log.gz": pack_gzip(b"a"),
        "b.log": b"text",
        "c.log.gz": pack_gzip(b"cut")[:-1],
        "d.parquet": b"PAR1",
        "e.log.gz": pack_gzip(large),
        "f.log.gz": pack_gzip(large[::-1]),
        "g.log": large.hex().encode(),
        "h.log": b"\x00" + large + large,
        "i.parquet": b"PAR1" + large + large,
    }.items():
        world.put("logs", flow_key(name), data)
    assert world.run().failures == []
    assert (find_losses(world), left_in_place(world), len(packs_of(world))) == ([], [], 2)
    indexes = [read_index(world.store, world.targets[0], key).decode() for key in packs_of(world)]
    assert {member.encoding for index in indexes for member in index.members} == set(Encoding)
    assert {
        member.key[-8:] for index in indexes for member in index.members if member.sha256 is None
    } == {
        "e.log.gz",
        "f.log.gz",
        ".parquet",
    }


def test_the_same_objects_always_give_the_same_bytes() -> None:
    """The same log objects give the same bytes in another store, in another order of arrival and
    with another clock.
    """
    first = make_world(versioning=None)
    second = make_world(versioning=None, clock=SteppingClock(), store=MemoryStore())
    pairs = [(access_key(number), f"{number}\n".encode()) for number in range(5)]
    when = first.clock.now()
    for world, ordered in ((first, pairs), (second, pairs[::-1])):
        for key, data in ordered:
            world.put("logs", key, data, last_modified=when)
        world.run()
    assert [entry for entry in first.store.snapshot() if entry[0] == "dest"] == [
        entry for entry in second.store.snapshot() if entry[0] == "dest"
    ]
    assert zlib.ZLIB_RUNTIME_VERSION


LARGE = {
    "streamed text": bytes(range(1, 256)) * 20,
    "behind a bridge": pack_gzip(bytes(6 * MIB)) + random.Random(1).randbytes(6 * MIB),
}


@pytest.mark.parametrize("times", [1, 1000])
@pytest.mark.parametrize("shape", LARGE)
def test_a_damaged_range_never_reaches_a_pack(shape: str, times: int) -> None:
    """Whatever is read in ranges (a large text, the first bytes of a member that S3 copies) is
    right, or its original is kept: one damaged answer is always found, constantly damaged answers
    by the checksum that S3 stores.
    """
    clock = SteppingClock()
    limits = PackLimits(copy_size_bytes_min=1000, part_size_bytes=10_000_000)
    world = make_world(
        store=MemoryStore(part_size_bytes_min=10, clock=clock), clock=clock, limits=limits
    )
    world.put("logs", flow_key("a.log"), b"in front\n")
    world.put("logs", flow_key("b.log"), LARGE[shape], with_checksum=times > 1)
    left = [times]

    def decide(number: int, call: Call) -> Fault | None:
        if (
            call.operation == "GetObject"
            and call.bucket == "logs"
            and call.key.endswith("b.log")
            and left[0]
        ):
            left[0] -= 1
            return Fault(alter=lambda body: body[:900] + b"!" + body[901:])
        return None

    world.run_faulty(decide)
    assert find_losses(world) == []


def test_the_newest_version_is_deleted_last_across_packs() -> None:
    """A reader of a key sees its newest version or nothing, even if its versions are members of
    several packs.
    """
    for count in range(2, 5):
        world = make_world(limits=PackLimits(members_max=2))
        world.put("logs", access_key(0), b"in front\n")
        for version in range(count):
            world.put("logs", access_key(1), f"version {version}\n".encode())
        # Version ids say nothing about the order in S3; here the newest sorts first.
        entries = world.store._buckets["logs"].entries[access_key(1)]
        for entry, name in zip(entries, "abcde", strict=False):
            entry.version_id = name
        seen: set[bytes] = set()

        def decide(
            number: int, call: Call, world: World = world, seen: set[bytes] = seen
        ) -> Fault | None:
            page = world.store.list_objects("logs", prefix=access_key(1))
            seen.update(world.store.get_object("logs", found.key).data for found in page.objects)
            return None

        world.run_faulty(decide)
        assert seen == {f"version {count - 1}\n".encode()}

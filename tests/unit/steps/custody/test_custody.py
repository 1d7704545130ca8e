"""Custody records are appended to one chain, even by simultaneous runs, and a walk over it finds
every change.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from tests.support.custody import (
    START,
    make_record,
    run_recorded,
    run_recorded_faulty,
    walk,
    write_chain,
)
from tests.support.world import (
    World,
    document,
    fail_on,
    flow_key,
    job_over,
    make_rules,
    make_world,
    nothing,
    trail_key,
)

from log_aggregator.adapters.counting import CountingStore
from log_aggregator.adapters.forwarding import Call
from log_aggregator.core.custody import (
    GroupCounts,
    GroupEntry,
    Record,
    RecordKind,
    decode_record,
    encode_record,
    record_key,
)
from log_aggregator.errors import (
    AccessDenied,
    CannotStart,
    IncompleteSearch,
    NoSuchOriginal,
    StoreError,
)
from log_aggregator.model import Group, Target
from log_aggregator.ports.store import Body, WriteOptions
from log_aggregator.steps.custody.chain import find_end
from log_aggregator.steps.custody.trace import trace
from log_aggregator.steps.custody.walk import Walked, WalkRules, walk_chain
from log_aggregator.steps.custody.write import append_record
from log_aggregator_lab.stores.memory import MemoryStore

DEST = Target("dest")


def make_store(versioning: str | None = None) -> MemoryStore:
    store = MemoryStore()
    store.create_bucket("dest", versioning=versioning)
    return store


def check(store: MemoryStore, rules: WalkRules | None = None) -> Walked:
    return walk_chain(job_over(store), DEST, rules or WalkRules())


def read(store: MemoryStore, number: int) -> Record:
    """Read the closing with this number."""
    entries = store.list_objects("dest", prefix="custody/").objects
    records = [decode_record(store.get_object("dest", entry.key).data) for entry in entries]
    return [each for each in records if each.kind is RecordKind.CLOSING][number]


def two_accounts(**settings: object) -> World:
    world = make_world(**settings)  # type: ignore[arg-type]
    world.put("logs", trail_key(1), document(1))
    world.put("logs", trail_key(2), document(2))
    world.put("logs", trail_key(3, account="222222222222"), document(3))
    return world


def test_each_record_names_the_hash_of_the_one_before() -> None:
    """The first record names no hash; numbers have no gaps; the hash is that of the stored
    bytes.
    """
    store = make_store()
    written = write_chain(store, ["a", "b", "c"])
    assert [record.sequence for record in written] == [0, 1, 2]
    stored = [store.get_object("dest", record.key).data for record in written]
    assert [record.sha256 for record in written] == [
        hashlib.sha256(data).hexdigest() for data in stored
    ]
    assert [decode_record(data).previous for data in stored] == [
        None,
        written[0].sha256,
        written[1].sha256,
    ]
    walked = check(store)
    assert (walked.records, walked.newest, walked.findings) == (3, (2, written[2].sha256), [])


def test_appending_always_takes_five_requests() -> None:
    """Appending takes two listings, two GETs and one PUT, even after a full folder."""
    store = make_store()
    first, previous = make_record("first", 0), None
    for sequence in range(1000):
        key = record_key(DEST, sequence)
        data = encode_record(replace(first, sequence=sequence, previous=previous))
        previous = hashlib.sha256(data).hexdigest()
        store.put("dest", key, data)
    assert find_end(store, DEST).following == 1000
    for hour, sequence, listings in ((5, 1000, 2), (6, 1001, 2)):
        counting = CountingStore(store)
        assert (
            append_record(counting, make_record(f"run {hour}", hour), WriteOptions()).sequence
            == sequence
        )
        assert dict(counting.requests) == {
            "ListObjectsV2": listings,
            "GetObject": 2,
            "PutObject": 1,
        }


def test_foreign_objects_among_records_are_ignored() -> None:
    """Folders without records are skipped; foreign objects are ignored, and the walk names them."""
    store = make_store()
    write_chain(store, ["a"])
    store.put("dest", "custody/9999999/notes.txt", b"")
    assert append_record(store, make_record("b", 5), WriteOptions()).sequence == 1
    assert [finding.what for finding in check(store).findings] == ["it is not a custody record"]


def test_one_run_writes_one_record() -> None:
    """A run that ends twice (lost answer, repeated function call) gets its existing record, even
    after those of others.
    """
    store = make_store()
    record = make_record("mine", 0)
    mine = append_record(store, record, WriteOptions())
    assert (
        append_record(store, replace(record, ended=START + timedelta(hours=2)), WriteOptions())
        == mine
    )
    write_chain(store, ["other", "another"])
    assert append_record(store, record, WriteOptions()) == mine
    assert find_end(store, DEST).following == 3


def test_the_slower_of_two_runs_takes_the_next_number() -> None:
    """Another run writes between reading and writing: both records end up in one chain."""
    store = make_store()
    write_chain(store, ["first"])
    others = iter(["between", "and again"])

    class Busy(CountingStore):
        def put_object(
            self,
            bucket: str,
            key: str,
            data: bytes | bytearray,
            *,
            crc64nvme: int,
            options: WriteOptions,
        ) -> None:
            for other in others:
                append_record(store, make_record(other, 3), WriteOptions())
                break
            super().put_object(bucket, key, data, crc64nvme=crc64nvme, options=options)

    assert append_record(Busy(store), make_record("mine", 3), WriteOptions()).sequence == 3
    assert [read(store, number).run for number in range(4)] == [
        "first",
        "between",
        "and again",
        "mine",
    ]
    assert check(store).findings == []


def test_appending_gives_up_after_many_attempts() -> None:
    """Appending gives up with an error after many attempts."""
    store = make_store()

    class Refusing(CountingStore):
        def put_object(
            self,
            bucket: str,
            key: str,
            data: bytes | bytearray,
            *,
            crc64nvme: int,
            options: WriteOptions,
        ) -> None:
            store.put(bucket, key, encode_record(make_record("other", 0)))
            super().put_object(bucket, key, data, crc64nvme=crc64nvme, options=options)

    with pytest.raises(StoreError, match="50 times another run"):
        append_record(Refusing(store), make_record("mine", 3), WriteOptions())


def test_a_damaged_record_does_not_stop_a_run() -> None:
    """The next record follows the one before it; the walk names the damage once."""
    store = make_store()
    written = write_chain(store, ["a", "b"])
    store.put("dest", written[1].key, b"damaged")
    append_record(store, make_record("c", 5), WriteOptions())
    walked = check(store)
    assert [finding.where for finding in walked.findings] == [written[1].key]
    assert "cannot be read" in walked.findings[0].what


def test_without_an_opening_nothing_is_touched() -> None:
    """If the opening record cannot be written, the run does not begin, so nothing is deleted
    without a record.
    """
    world = two_accounts()
    before = world.store.snapshot()

    def is_custody(call: Call) -> bool:
        return call.operation == "PutObject" and call.key.startswith("custody/")

    with pytest.raises(CannotStart, match="the custody record cannot be written"):
        run_recorded_faulty(world, "run", fail_on(is_custody, AccessDenied("not allowed")))
    assert world.store.snapshot() == before


def test_an_unwritable_record_is_a_failure_and_keeps_the_result() -> None:
    """The run's result is unchanged; the failure says where, why and what to do."""
    world = two_accounts()

    def is_custody(call: Call) -> bool:
        return call.operation == "PutObject" and call.key == record_key(DEST, 1)

    result, _ = run_recorded_faulty(world, "run", fail_on(is_custody, AccessDenied("not allowed")))
    assert sum(group.deleted for group in result.groups) == 3
    assert [(failure.where, failure.error) for failure in result.failures] == [
        ("custody record in s3://dest/custody/", "AccessDenied"),
        ("earlier runs in s3://dest/custody/", "AccessDenied"),
    ]
    assert result.custody == []


def test_a_record_describes_the_whole_run() -> None:
    """Counts, bytes and packs of every group, with the hash of each stored index."""
    world = two_accounts()
    result, _ = run_recorded_faulty(world, "run", nothing)
    record = read(world.store, 0)
    assert (record.run, record.first, record.last) == ("run", result.first, result.last)
    size = sum(original.source.size_bytes for original in world.originals)
    assert {name: count for name, count in record.totals.items() if count} == {
        "listed": 3,
        "listed_bytes": size,
        "packed": 3,
        "bytes_in": size,
        "deleted": 3,
    }
    for pack in record.packs:
        index = world.store.get_object("dest", DEST.index_key(pack.key)).data
        assert pack.index_sha256 == hashlib.sha256(index).hexdigest()
        assert (pack.is_new, pack.deleted) == (True, pack.members)
    assert {entry.find_imbalance() for entry in record.groups} == {None}


def test_a_later_deletion_is_recorded_too() -> None:
    """With keep_originals_days, the first record says kept; the next says that the pack was found
    and verified again, and what was deleted.
    """
    world = two_accounts(keep_originals_days="2")
    run_recorded(world, "first")
    world.clock.advance(days=3)
    run_recorded(world, "second")
    first, second = read(world.store, 0), read(world.store, 1)
    assert (first.totals["kept"], first.totals["deleted"]) == (3, 0)
    assert (second.totals["packed"], second.totals["packed_before"], second.totals["deleted"]) == (
        0,
        3,
        3,
    )
    assert [pack.is_new for pack in second.packs] == [False, False]
    assert [walked.findings + walked.notes for walked in walk(world)] == [[]]


def test_originals_that_stay_are_recorded() -> None:
    """Objects retained by Object Lock, and those left because they are held or unknown, are
    recorded.
    """
    world = two_accounts()
    world.store.retain("logs", trail_key(1))
    world.put("logs", "no-date-here", b"x")
    result = run_recorded(world, "run")
    assert [failure.error for failure in result.failures] == ["RetainedObjects"]
    record = read(world.store, 0)
    assert (record.totals["retained"], record.totals["deleted"], record.objects) == (
        1,
        2,
        {"unknown": 1},
    )
    assert [failure[1] for failure in record.failures] == ["RetainedObjects"]
    assert [pack.retained for pack in record.packs] == [1, 0]


def test_discards_are_recorded_with_their_list() -> None:
    """Objects deleted without a pack are counted, and the record names their list."""
    world = make_world(
        control_tower_bucket="logs",
        other_buckets=[],
        aggregation_regions="eu-west-1",
        other_regions="delete",
    )
    world.store.put("logs", trail_key(3, region="us-east-1"), document(3))
    run_recorded(world, "run")
    (entry,) = read(world.store, 0).groups
    assert entry.counts.discarded == 1
    (discarded,) = entry.discard_lists
    assert world.store.get_object("dest", discarded).data


def test_in_place_each_bucket_has_its_own_chain() -> None:
    """Each bucket has a record with its packs, even if nothing was found; it is never taken for a
    log.
    """
    store = MemoryStore()
    for bucket in ("one", "two", "empty"):
        store.create_bucket(bucket)
    clock_world = make_world()
    world = World(
        store,
        clock_world.clock,
        make_rules(other_buckets=["one", "two", "empty"]),
        tuple(Target(name, "aggregated/") for name in ("one", "two", "empty")),
    )
    world.put("one", flow_key("a.log"), b"one\n")
    world.put("two", flow_key("b.log"), b"two\n")
    assert [(record.bucket, record.sequence) for record in run_recorded(world, "run").custody] == [
        ("empty", 0),
        ("one", 1),
        ("two", 1),
    ]
    assert [walked.findings for walked in walk(world)] == [[], [], []]
    assert run_recorded(world, "again").selection.left == {}


def test_missing_replaced_and_deleted_records_are_found() -> None:
    """With versions, even the newest record cannot be removed unnoticed."""
    store = make_store("Enabled")
    written = write_chain(store, ["a", "b", "c"])
    store.delete("dest", written[2].key)
    assert [finding.where for finding in check(store).findings] == [written[2].key] * 2
    assert "deleted" in check(store).findings[0].what
    other = make_store("Enabled")
    written = write_chain(other, ["a", "b"])
    other.put(
        "dest",
        written[1].key,
        encode_record(
            replace(make_record("b", 1), sequence=1, previous=written[0].sha256, run="other")
        ),
    )
    assert [finding.where for finding in check(other).findings] == [written[1].key]


def test_a_record_of_another_chain_is_found() -> None:
    """A foreign record is found even as the newest one, whose hash no other record names."""
    store = make_store()
    write_chain(store, ["a"])
    store.put(
        "dest",
        record_key(DEST, 1),
        encode_record(replace(make_record("b", 1, Target("other")), sequence=1, previous="0" * 64)),
    )
    assert "its contents are those of record 1 of s3://other/" in [
        finding.what for finding in check(store).findings
    ]


def test_an_inconsistent_record_is_found() -> None:
    """Found: more listed than accounted for; a first record that is not the first; a later one that
    claims to be.
    """
    store = make_store()
    lost = GroupEntry(
        Group("logs", "CloudTrail", "all", date(2025, 4, 3)), GroupCounts(listed=1, listed_bytes=10)
    )
    append_record(store, replace(make_record("a", 0), groups=(lost,)), WriteOptions())
    assert "1 log objects, 10 bytes, are not accounted for" in check(store).findings[0].what
    for sequence, previous, what in (
        (0, "0" * 64, "it is the first record, but names one before it"),
        (1, None, "it does not name the record before it"),
    ):
        other = make_store()
        write_chain(other, ["a"])
        other.put(
            "dest",
            record_key(DEST, sequence),
            encode_record(replace(make_record("b", 1), sequence=sequence, previous=previous)),
        )
        assert what in [finding.what for finding in check(other).findings]


def test_a_hash_kept_elsewhere_reveals_a_shortened_chain() -> None:
    """Without versions, only a hash kept elsewhere shows that the newest record was removed or
    replaced.
    """
    store = make_store()
    written = write_chain(store, ["a", "b", "c"])
    expected = WalkRules(expected={2: written[2].sha256})
    assert check(store, expected).findings == []
    store.delete("dest", written[2].key)
    assert check(store).findings == []
    assert [finding.where for finding in check(store, expected).findings] == [written[2].key]
    append_record(store, make_record("not c", 7), WriteOptions())
    assert [finding.where for finding in check(store, expected).findings] == [written[2].key]


def test_a_part_of_a_chain_can_be_checked() -> None:
    """--last limits the records that are read; --oldest accepts that those before are gone, and no
    other gap.
    """
    store = make_store()
    written = write_chain(store, ["a", "b", "c", "d"])
    assert check(store, WalkRules(last=2)).records == 2
    store.delete("dest", written[0].key)
    assert [finding.where for finding in check(store).findings] == [written[0].key]
    assert check(store, WalkRules(oldest=1)).findings == []
    store.delete("dest", written[2].key)
    assert [finding.where for finding in check(store, WalkRules(oldest=1)).findings] == [
        written[2].key
    ]


def test_changed_or_missing_indexes_are_found() -> None:
    """Changed or missing indexes are found only when indexes are read."""
    world = two_accounts()
    run_recorded(world, "run")
    changed, gone = (DEST.index_key(pack.key) for pack in read(world.store, 0).packs)
    world.store.put("dest", changed, b"another")
    world.store.delete("dest", gone)
    (walked,) = walk(world)
    assert sorted(finding.where for finding in walked.findings) == sorted([changed, gone])
    assert walk(world, reads_indexes=False)[0].findings == []


def test_packs_without_a_record_are_found() -> None:
    """Packs of a run that died are a note while it may be under way and once the next run ended; a
    break if none ended for a day.
    """
    world = two_accounts()
    run_recorded(world, "first")
    world.put("logs", trail_key(4), document(4))
    world.run()  # and dies before its record
    assert [note.what for note in walk(world)[0].notes] == [
        "no record names its pack yet: a run is under way, or died"
    ]
    world.clock.advance(days=2)
    (walked,) = walk(world)
    assert "the newest records are missing" in walked.findings[0].what
    run_recorded(world, "next")
    (walked,) = walk(world)
    assert (len(walked.notes), walked.findings) == (1, [])


def test_a_dead_runs_pack_is_recorded_by_the_next_run() -> None:
    """A run died between packing and deleting: the next record says that the pack was found,
    verified and settled.
    """
    world = two_accounts(keep_originals_days="2")
    world.run()  # packs, keeps the originals, and dies before its record
    world.clock.advance(days=3)
    run_recorded(world, "next")
    (walked,) = walk(world)
    assert walked.findings == []
    assert {note.what for note in walked.notes} == {
        ("its pack was written by a run, or a call, that did not finish; record 1 settled it")
    }


def test_the_history_of_a_log_object_is_complete() -> None:
    """Its pack, its place in the pack, its index, and every run that handled it, up to the one that
    deleted it.
    """
    world = two_accounts(keep_originals_days="2")
    run_recorded(world, "packs")
    world.clock.advance(days=3)
    run_recorded(world, "deletes")
    run_recorded(world, "has nothing to do with it")
    (life,) = trace(world.job(), "logs", trail_key(1))
    assert [
        (mention.run, mention.pack.is_new, mention.pack.kept, mention.pack.deleted)
        for mention in life.mentions
    ] == [
        ("packs", True, 2, None),
        ("deletes", False, 0, 2),
    ]
    assert life.index_is_unchanged
    world.store.put(
        "dest", life.index_key, world.store.get_object("dest", life.index_key).data + b"\0"
    )
    with pytest.raises(NoSuchOriginal):
        list(trace(world.job(), "logs", trail_key(17)))


def test_an_unreadable_index_does_not_hide_the_history() -> None:
    """Another pack of the same group may hold the key too, so the known life comes first, and then
    the unreadable index is named.
    """
    world = two_accounts()
    run_recorded(world, "packs and deletes")
    world.put("logs", trail_key(9), document(9))
    run_recorded(world, "packs a late one")
    (life,) = trace(world.job(), "logs", trail_key(9))
    world.store.put("dest", life.index_key, b"")
    told = trace(world.job(), "logs", trail_key(1))
    assert next(told).member.key == trail_key(1)
    with pytest.raises(IncompleteSearch, match=life.index_key):
        next(told)


def test_only_necessary_records_are_read() -> None:
    """Records are read from the pack's own to the one whose run deleted the last original, however
    many come before and after.
    """
    world = two_accounts()
    for number in range(5):
        append_record(world.store, make_record(f"before {number}", number - 100), WriteOptions())
    world.clock.advance(hours=1)
    run_recorded(world, "packs and deletes")
    for number in range(5):
        world.clock.advance(hours=1)
        append_record(world.store, make_record(f"after {number}", number + 100), WriteOptions())
    requests = []

    class Watching(CountingStore):
        def get_object(self, bucket: str, key: str, **more: Any) -> Body:
            requests.append(key)
            return super().get_object(bucket, key, **more)

    list(trace(world.job(Watching(world.store)), "logs", trail_key(1)))
    assert [key for key in requests if key.startswith("custody/")] == [record_key(DEST, 6)]

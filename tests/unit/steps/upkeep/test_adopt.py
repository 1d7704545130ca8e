"""Adopting other tools' aggregates: they are found, recovered and verified, and nothing is ever
deleted because of them.
"""

from __future__ import annotations

import gzip
import inspect
import itertools
import random
import tracemalloc
import typing
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from tests.support.world import World, document, fail_on, flow_key, make_world, pack_gzip, writes_of

from log_aggregator.core.adopted import Adopted, AdoptedIndexEncoder, Aggregate, Said, member_key
from log_aggregator.core.checksums import crc64nvme
from log_aggregator.core.packformat.split import GzipMember, split_gzip
from log_aggregator.core.query import Query
from log_aggregator.errors import (
    BadPack,
    Failure,
    IncompleteSearch,
    NotFound,
    ObjectFrozen,
    PreconditionFailed,
    SettingsError,
    VerificationError,
)
from log_aggregator.model import Index, PackedMember, StoredObject, Target, VerifiedPack
from log_aggregator.ports.store import Body, WriteOptions
from log_aggregator.steps.packs.index import read_index
from log_aggregator.steps.packs.pages import list_all
from log_aggregator.steps.retrieval.adopted import check_adopted, list_adopted
from log_aggregator.steps.retrieval.find import FoundPack, find
from log_aggregator.steps.upkeep.adopt import adopt, describe_aggregate, list_aggregates
from log_aggregator.steps.workers import SerialWorkers
from log_aggregator_lab.check import read_original_back
from log_aggregator_lab.stores.faults import FaultyStore
from log_aggregator_lab.stores.memory import MemoryStore

TARGET = Target("dest")
WORKERS = SerialWorkers()
KEY = "aws-controltower-logs-1-eu-west-1/2023/04/03/111111111111_CloudTrail_eu-west-1_20230403T0.gz"
DAY = date(2023, 4, 3)
PARTS = (
    document(1),
    pack_gzip(b"line\n") + pack_gzip(b"two members of one original\n"),
    document(3),
)


def make_store(data: bytes = b"".join(PARTS), key: str = KEY) -> MemoryStore:
    store = MemoryStore()
    store.create_bucket("dest", versioning="Enabled")
    store.create_bucket("old")
    store.put("old", key, data, with_checksum=True)
    return store


def aggregate_of(store: MemoryStore, key: str = KEY, said: Said | None = None) -> Aggregate:
    (found,) = list_aggregates(store, TARGET, "old", key)
    return describe_aggregate(found, said or Said())


def adopt_it(store: MemoryStore, key: str = KEY, said: Said | None = None) -> Adopted:
    adopted = adopt(store, TARGET, aggregate_of(store, key, said), WriteOptions())
    assert adopted is not None
    return adopted


def find_all(store: MemoryStore, query: Query | None = None) -> list[FoundPack]:
    return list(find(store, WORKERS, [TARGET], query or Query()))


def test_an_adopted_aggregate_is_found_and_its_members_come_back() -> None:
    """Each gzip member comes back byte for byte from the aggregate's own bucket; those of a
    multi-member original one by one.
    """
    store = make_store()
    adopted = adopt_it(store)
    (pack,) = find_all(store)
    assert (pack.target, pack.pack_key, pack.group) == (Target("old"), KEY, adopted.aggregate.group)
    assert (pack.pack_bytes, pack.storage_class) == (len(b"".join(PARTS)), "STANDARD")
    data = [
        b"".join(read_original_back(store, PackedMember(pack.target, pack.pack_key, member)))
        for member in pack.members
    ]
    assert b"".join(data) == b"".join(PARTS)
    assert [gzip.decompress(each) for each in data] == [
        gzip.decompress(PARTS[0]),
        b"line\n",
        b"two members of one original\n",
        gzip.decompress(PARTS[2]),
    ]


@pytest.mark.parametrize(
    ("query", "count"),
    [
        (Query(log_types=frozenset({"CloudTrail"})), 4),
        (Query(log_types=frozenset({"Config"})), 0),
        (
            Query(
                accounts=frozenset({"111111111111"}),
                buckets=frozenset({"aws-controltower-logs-1-eu-west-1"}),
            ),
            4,
        ),
        (Query(buckets=frozenset({"old"})), 0),
        (Query.of_days(DAY, DAY), 4),
        (Query.of_days(date(2023, 4, 4), date(2023, 4, 30)), 0),
        (Query(keys=(member_key(KEY, 2),)), 1),
        (Query(keys=("*CloudTrail*",)), 4),
        (Query(keys=(flow_key("x.gz"),)), 0),
        (Query(regions=frozenset({"eu-west-1"})), 4),
        (Query(regions=frozenset({"us-east-1"})), 0),
    ],
)
def test_an_adopted_aggregate_is_found_by_its_key(query: Query, count: int) -> None:
    """The search goes by log type, account, source bucket, date, Region and key."""
    store = make_store()
    adopt_it(store)
    assert sum(len(pack.members) for pack in find_all(store, query)) == count


def test_an_adopted_aggregate_is_neither_changed_nor_copied() -> None:
    """One index is written and nothing else; the second time nothing is even read."""
    store = make_store()
    watched = FaultyStore(store, lambda *_: None)
    aggregate = aggregate_of(store)
    assert adopt(watched, TARGET, aggregate, WriteOptions()) is not None
    assert [(call.operation, call.bucket) for call in writes_of(watched.calls)] == [
        ("PutObject", "dest")
    ]
    assert sum(call.operation == "GetObject" for call in watched.calls) == 1
    again = FaultyStore(store, lambda *_: None)
    assert adopt(again, TARGET, aggregate, WriteOptions()) is None
    assert {call.operation for call in again.calls} == {"ListObjectsV2"}


@pytest.mark.parametrize("whole", [True, False])
def test_padding_is_counted(whole: bool) -> None:
    """Zero bytes at the end belong to no member."""
    adopted = adopt_it(make_store(b"".join(PARTS) + bytes(0 if whole else 1024)))
    assert (adopted.member_count, adopted.padding_bytes) == (4, 0 if whole else 1024)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (PARTS[0] + b"plain text\n" + PARTS[2], f"the data at byte {len(PARTS[0])} is not gzip"),
        (PARTS[0] + PARTS[2][:-3], f"the gzip member at byte {len(PARTS[0])} is cut short"),
        (b"a,b,c\n", "the data at byte 0 is not gzip"),
        (bytes(100), "it has no gzip members"),
        (b"", "it has no gzip members"),
    ],
)
def test_other_formats_are_refused(data: bytes, message: str) -> None:
    """The error names the object and the byte; nothing is written."""
    store = make_store(data)
    before = store.snapshot()
    with pytest.raises(BadPack, match=message) as caught:
        adopt_it(store)
    assert f"s3://old/{KEY}" in str(caught.value)
    assert store.snapshot() == before


def test_frozen_missing_and_changed_aggregates_are_refused() -> None:
    """Each has its own error, and nothing is written."""
    store = make_store()
    store.put("old", KEY, b"".join(PARTS), storage_class="DEEP_ARCHIVE")
    with pytest.raises(ObjectFrozen):
        adopt_it(store)
    with pytest.raises(NotFound, match="end it with a slash"):
        aggregate_of(store, "aws-controltower")
    with pytest.raises(NotFound, match="nothing lies under it"):
        list(list_aggregates(store, TARGET, "old", "no/such/"))
    store.put("old", "no-date.gz", PARTS[0])
    with pytest.raises(SettingsError, match="--date"):
        aggregate_of(store, "no-date.gz")
    changed = replace(aggregate_of(store, "no-date.gz", Said(date=DAY)), etag="another")
    with pytest.raises(PreconditionFailed):
        adopt(store, TARGET, changed, WriteOptions())
    assert list(list_all(store, "dest", "")) == []


def test_a_prefix_excludes_own_objects() -> None:
    """Packs, indexes and adopted indexes in the same bucket are skipped, and so are folder
    markers.
    """
    world = make_world()
    world.put("logs", flow_key("1.log.gz"), pack_gzip(b"1\n"))
    world.run()
    for own in (
        "custody/0000000/0000000000.jsonl.gz",
        "keys/cloudtrail/eu-west-1/abc.json",
        "packs/notes.gz",
    ):
        world.store.put("dest", own, PARTS[0])
    world.store.put("dest", "older/", b"")
    world.store.put("dest", "older/2023/04/03/b.gz", PARTS[0])
    world.store.put("dest", KEY, PARTS[0])
    (found,) = list_aggregates(world.store, TARGET, "dest", KEY)
    assert adopt(world.store, TARGET, describe_aggregate(found, Said()), WriteOptions()) is not None
    assert sorted(found.key for found in list_aggregates(world.store, TARGET, "dest", "")) == [
        KEY,
        "older/2023/04/03/b.gz",
    ]
    assert [found.key for found in list_aggregates(world.store, TARGET, "dest", "older/")] == [
        "older/2023/04/03/b.gz"
    ]


def test_only_obvious_non_logs_are_skipped() -> None:
    """Only what cannot be meant is skipped: folder markers, AWS's permission test files, and our
    packs in any bucket.
    """
    store = MemoryStore()
    store.create_bucket("old")
    group = "logs/CloudTrail/111111111111/2025/04/03"
    passed_over = (
        "older/",
        "older/ELBAccessLogTestFile",
        f"aggregated/packs/{group}/0123456789abcdef0123456789abcdef.json.gz",
        f"aggregated/indexes/{group}/0123456789abcdef0123456789abcdef.json.gz.index.jsonl.gz",
    )
    taken = (
        "20230301-20230401/report.gz",
        "backup/tmp/2023-04-03.gz",
        "older/2023/04/03/part-00000.gz",
        "unload/manifest.gz",
    )
    for key in (*passed_over, *taken):
        store.put("old", key, PARTS[0])
    assert [found.key for found in list_aggregates(store, TARGET, "old", "")] == list(taken)


@pytest.mark.parametrize("folder", ["", "packs/", "packs/logs/"])
def test_a_pack_is_not_adopted(folder: str) -> None:
    """Our packs are concatenations of gzip files too; an adopted one would be found twice, once
    under made-up keys.
    """
    world = make_world()
    world.put("logs", flow_key("a.log.gz"), pack_gzip(b"x\n"))
    assert world.run().failures == []
    (pack,) = list_all(world.store, "dest", "packs/")
    with pytest.raises(SettingsError, match="packs already have an index"):
        list(list_aggregates(world.store, TARGET, "dest", folder or pack.key))


def test_an_adopted_index_that_became_unreadable_is_named() -> None:
    """Gone since the listing, or moved to an archive class: it is named at the end, and the others
    come.
    """
    store = make_store()
    adopt_it(store)
    (index_key,) = (found.key for found in list_all(store, "dest", "adopted/"))
    for error in (NotFound("it went away"), ObjectFrozen("it was moved")):
        faulty = FaultyStore(
            store,
            fail_on(lambda call: call.operation == "GetObject" and call.key == index_key, error),
        )
        with pytest.raises(IncompleteSearch, match=str(error)):
            list(find(faulty, WORKERS, [TARGET], Query()))


def test_bytes_read_must_match_the_stored_checksum(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the bytes read have a checksum other than S3's, nothing is adopted."""
    store = make_store()
    aggregate = aggregate_of(store)
    stored = replace(store.head_object("old", KEY), crc64nvme=1)
    monkeypatch.setattr(store, "head_object", lambda *_, **__: stored)
    with pytest.raises(VerificationError, match="differs from S3's checksum"):
        adopt(store, TARGET, aggregate, WriteOptions())
    assert list(list_all(store, "dest", "")) == []


def check(store: MemoryStore, *, read_back: bool = True) -> Adopted:
    (entry,) = list_adopted(store, WORKERS, TARGET, Query())
    return check_adopted(store, TARGET, entry.index_key, read_back=read_back)


def test_an_adopted_aggregate_can_be_verified() -> None:
    """Its checksum verifies it without reading, or all of its bytes do; without a checksum and with
    another ETag it is read.
    """
    store = make_store()
    adopt_it(store)
    quick = FaultyStore(store, lambda *_: None)
    assert check(quick, read_back=False) == check(store)  # type: ignore[arg-type] # the same verbs
    assert [call.bucket for call in quick.calls if call.operation == "GetObject"] == ["dest"]
    store.put("old", KEY, b"".join(PARTS), with_checksum=False)
    check(store, read_back=False)


def test_any_damage_of_an_adopted_aggregate_is_found() -> None:
    """A flipped bit anywhere, a cut, a replacement or a loss: with S3's own checksum or without."""
    store = make_store(b"".join(PARTS) + bytes(3))
    adopt_it(store)
    whole = store.get_object("old", KEY).data
    for position, has_checksum in itertools.product(range(len(whole)), (True, False)):
        damaged = (
            whole[:position]
            + bytes([whole[position] ^ (1 << position % 8)])
            + whole[position + 1 :]
        )
        store.put("old", KEY, damaged, with_checksum=has_checksum)
        with pytest.raises((VerificationError, BadPack)):
            check(store)
        with pytest.raises((VerificationError, BadPack)):
            check(store, read_back=False)
    store.put("old", KEY, whole[:-1])
    with pytest.raises(VerificationError, match="bytes are stored"):
        check(store, read_back=False)
    store.delete("old", KEY)
    with pytest.raises(NotFound, match="its index exists, but the aggregate does not"):
        check(store)
    (pack,) = find_all(store)
    assert (pack.pack_bytes, pack.storage_class) == (None, None)


def test_an_index_with_wrong_entries_is_found_by_reading_back() -> None:
    """A well-formed index that is wrong about a member's hash, length or place, or about the
    checksum of the whole.
    """
    store = make_store()
    store.put("old", KEY, b"".join(PARTS), with_checksum=False)
    aggregate = aggregate_of(store)
    members = list(split_gzip([b"".join(PARTS)]))
    true = crc64nvme(b"".join(PARTS))

    def put(found: list[GzipMember], crc: int) -> None:
        encoder = AdoptedIndexEncoder(aggregate)
        for each in found:
            encoder.take(each)
        store.put("dest", aggregate.index_key(TARGET), encoder.finish(crc, "a tool")[1])

    put(members, true)
    check(store)
    changes: list[dict[str, Any]] = [{"sha256": "0" * 64}, {"offset": 1}, {"length_bytes": 1}]
    lies = [[*members[:1], replace(members[1], **change), *members[2:]] for change in changes]
    for found, crc in (
        (members, 1),
        (members[:-1], true),
        ([*members, members[0]], true),
        *((lie, true) for lie in lies),
    ):
        put(found, crc)
        check(store, read_back=False)
        with pytest.raises(VerificationError):
            check(store)


def test_damage_to_an_adopted_index_is_found() -> None:
    """A flipped bit of the index is found, or is one that gzip ignores; another aggregate's index
    is refused.
    """
    store = make_store()
    adopted = adopt_it(store)
    index_key = adopted.aggregate.index_key(TARGET)
    data = store.get_object("dest", index_key).data
    unnoticed = 0
    for position in range(len(data)):
        store.put(
            "dest",
            index_key,
            data[:position] + bytes([data[position] ^ (1 << position % 8)]) + data[position + 1 :],
        )
        try:
            assert check(store) == adopted
        except (BadPack, VerificationError):
            continue
        unnoticed += 1
    assert unnoticed <= 2 * 7
    other = index_key.replace("CloudTrail", "Config")
    store.put("dest", other, data)
    with pytest.raises(BadPack, match="is the index of another aggregate"):
        check_adopted(store, TARGET, other, read_back=False)
    with pytest.raises(IncompleteSearch, match=f"{other} is the index of another aggregate"):
        list(find(store, WORKERS, [TARGET], Query()))


def test_runs_ignore_adopted_aggregates() -> None:
    """With an adopted aggregate of the very same group and keys, a run packs and deletes exactly
    what it does without.
    """

    def make(*, with_adopted: bool) -> World:
        world = make_world()
        for number in range(3):
            world.put("logs", flow_key(f"{number}.log.gz"), pack_gzip(f"{number}\n".encode()))
        if with_adopted:
            world.store.create_bucket("old")
            world.store.put("old", flow_key("0.log.gz"), pack_gzip(b"0\n"))
            (found,) = list_aggregates(world.store, TARGET, "old", flow_key("0.log.gz"))
            assert (
                adopt(
                    world.store,
                    TARGET,
                    describe_aggregate(found, Said(bucket="logs")),
                    WriteOptions(),
                )
                is not None
            )
        return world

    worlds = [make(with_adopted=False), make(with_adopted=True)]
    results = [world.run() for world in worlds]
    assert [sum(group.deleted for group in result.groups) for result in results] == [3, 3]
    assert [pack.key for pack in results[0].groups[0].packs] == [
        pack.key for pack in results[1].groups[0].packs
    ]
    assert all(result.failures == [] for result in results)
    assert worlds[1].run().groups == []


def test_no_adopted_aggregate_can_be_verified_as_a_pack() -> None:
    """Deletion takes only packs made from an `Index`, and no reader of indexes makes one from an
    adopted aggregate, wherever its index is put.
    """
    assert typing.get_type_hints(VerifiedPack)["index"] is Index
    assert not issubclass(Adopted, Index)
    source = inspect.getsource(inspect.getmodule(check_adopted) or Failure)
    assert "delete" not in " ".join(source.split()).replace("Nothing here writes or deletes", "")
    store = make_store()
    adopted = adopt_it(store)
    pack_key = f"{TARGET.packs_prefix(adopted.aggregate.group)}x.json.gz"
    store.put("dest", pack_key, b"".join(PARTS), with_checksum=True)
    store.put(
        "dest",
        TARGET.index_key(pack_key),
        store.get_object("dest", adopted.aggregate.index_key(TARGET)).data,
    )
    with pytest.raises(BadPack, match="another format"):
        read_index(store, TARGET, pack_key).decode()


class Generated(MemoryStore):
    """A store whose bucket `old` holds one object with this number of members, generated while it
    is read.
    """

    PIECE = gzip.compress(random.Random(1).randbytes(3_000), mtime=0)
    count = 0

    @property
    def size_bytes(self) -> int:
        return self.count * len(self.PIECE)

    def head_object(
        self, bucket: str, key: str, *, version_id: str | None = None, if_match: str | None = None
    ) -> StoredObject:
        return replace(
            super().head_object(bucket, key, version_id=version_id, if_match=if_match),
            size_bytes=self.size_bytes,
        )

    def get_object(
        self,
        bucket: str,
        key: str,
        *,
        version_id: str | None = None,
        if_match: str | None = None,
        byte_range: tuple[int, int] | None = None,
    ) -> Body:
        first, last = byte_range or (0, 0)
        begin = first // len(self.PIECE)
        text = self.PIECE * (-(-last // len(self.PIECE)) - begin)
        return Body(text[first - begin * len(self.PIECE) :][: last - first], etag=if_match or "")


def measure_adoption(count: int) -> int:
    store = Generated()
    store.create_bucket("dest")
    store.create_bucket("old")
    listed = store.put("old", KEY, b"")
    store.count = count
    aggregate = describe_aggregate(replace(listed, size_bytes=store.size_bytes), Said())
    tracemalloc.start()
    try:
        adopted = adopt(store, TARGET, aggregate, WriteOptions())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert adopted is not None
    assert adopted.member_count == count
    return peak


def test_memory_does_not_grow_with_the_aggregate() -> None:
    """A few ranges of 8 MiB, whatever its size, and about 100 bytes for each member."""
    few, many = measure_adoption(7_000), measure_adoption(12_000)
    assert few < 50 * 1024 * 1024
    assert many - few < 2 * 1024 * 1024, f"{few:,} bytes, then {many:,}"


def test_aggregates_of_other_days_are_not_read() -> None:
    """A query that no key of an adopted aggregate can match requests nothing; one for a day reads
    that day's indexes.
    """
    store = make_store()
    for day in range(1, 29):
        key = f"vpc-logs/2023/04/{day:02}/111111111111_vpcflowlogs_x.gz"
        store.put("old", key, PARTS[0])
        adopt_it(store, key)
    asked: Mapping[str, Query] = {
        "none": Query(keys=(flow_key("x.gz"),)),
        "day": Query.of_days(DAY, DAY),
    }
    counts = {}
    for name, query in asked.items():
        watched = FaultyStore(store, lambda *_: None)
        list(find(watched, WORKERS, [TARGET], query))
        counts[name] = sum(call.operation == "GetObject" for call in watched.calls)
    assert counts == {"none": 0, "day": 1}

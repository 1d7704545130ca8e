"""Originals under their own keys again."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from tests.support.world import (
    DAY,
    World,
    access_key,
    document,
    fail_on,
    flow_key,
    kill_at,
    make_world,
    pack_gzip,
    trail_key,
)

from log_aggregator.adapters.counting import CountingStore
from log_aggregator.core.packformat.index import decode_index, encode_index
from log_aggregator.core.planning import PackLimits
from log_aggregator.core.query import Query
from log_aggregator.errors import (
    LimitExceeded,
    NotFound,
    PreconditionFailed,
    StoreError,
    Unreachable,
)
from log_aggregator.limits import MIB
from log_aggregator.model import Target
from log_aggregator.ports.store import ObjectStore
from log_aggregator.steps.packs.pages import list_all
from log_aggregator.steps.retrieval import put_back as put_back_module
from log_aggregator.steps.retrieval.fetch import FetchProgress, VersionChoice, choose
from log_aggregator.steps.retrieval.find import find
from log_aggregator.steps.retrieval.put_back import (
    PutBackResult,
    ReturnAddress,
    limit_originals,
    put_back,
)
from log_aggregator.steps.workers import SerialWorkers, ThreadWorkers
from log_aggregator_lab.stores.faults import Fault, FaultyStore, Killed

TARGET = Target("dest")
HOME = ReturnAddress()
NEWEST = VersionChoice(newest_only=True)
SIGNATURE = {"signature": "ab" * 64, "signature-algorithm": "SHA256withRSA"}
AS_IT_WAS: dict[str, Any] = {
    "data": document(1),
    "metadata": SIGNATURE,
    "content_type": "application/json",
    "content_encoding": "gzip",
}
"""All of the first original."""


def packed(**more: Any) -> World:
    world = make_world(**more)
    world.put("logs", trail_key(1), **AS_IT_WAS)
    world.put("logs", trail_key(2), document(2), content_type="application/x-gzip")
    world.put("logs", access_key(1), b"line\n", content_type="text/plain")
    world.put("logs", flow_key("a.log.gz"), pack_gzip(b"flow\n"))
    assert world.run().failures == []
    return world


def put(
    world: World,
    address: ReturnAddress = HOME,
    *,
    store: ObjectStore | None = None,
    choice: VersionChoice = NEWEST,
) -> PutBackResult:
    packs = find(world.store, SerialWorkers(), [TARGET], Query())
    return put_back(
        store or world.store, SerialWorkers(), choose(packs, choice), address, FetchProgress()
    )


def test_originals_are_restored_exactly() -> None:
    """Bytes, user metadata, content type and encoding of every original are back under its key."""
    world = packed()
    assert world.store.list_objects("logs").objects == ()
    result = put(world)
    assert (result.written, result.there, result.failures) == (4, 0, [])
    assert result.written_bytes == sum(len(stored.data) for stored in world.originals)
    for stored in world.originals:
        body = world.store.get_object("logs", stored.source.key)
        assert (body.data, dict(body.metadata)) == (stored.data, dict(stored.metadata))
        assert body.content_type == (stored.content_type or "binary/octet-stream")
        assert body.content_encoding == ("gzip" if stored.source.key == trail_key(1) else None)


def test_a_second_put_back_changes_nothing() -> None:
    """Existing objects count as there, and no version is added."""
    world = packed()
    put(world)
    before = world.store.list_object_versions("logs")
    result = put(world)
    assert (result.written, result.there, result.failures) == (0, 4, [])
    assert world.store.list_object_versions("logs") == before


@pytest.mark.parametrize(
    "other",
    [
        {"data": b"anything"},
        {"data": document(3)},
        {"metadata": SIGNATURE | {"signature": "cd" * 64}},
        {"metadata": SIGNATURE | {"more": "yes"}},
        {"metadata": {"signature": SIGNATURE["signature"]}},
        {"metadata": {}},
        {"content_type": "text/plain"},
        {"content_encoding": None},
        {"content_encoding": "br"},
    ],
    ids=str,
)
def test_nothing_is_overwritten(other: dict[str, Any]) -> None:
    """An object with different bytes, or any other difference (even in one value), stays and is a
    failure; the others are put back.
    """
    world = packed()
    world.store.put("logs", trail_key(1), **(AS_IT_WAS | other))
    before = world.store.list_object_versions("logs", prefix=trail_key(1))
    result = put(world)
    assert (result.written, result.lost, [failure.error for failure in result.failures]) == (
        3,
        1,
        ["KeyTaken"],
    )
    assert trail_key(1) in result.failures[0].where
    assert world.store.list_object_versions("logs", prefix=trail_key(1)) == before


def test_an_object_of_another_size_is_not_read() -> None:
    """An object that cannot be equal is not read, however large."""
    world = packed()
    world.store.put("logs", trail_key(1), b"another size")
    store = FaultyStore(world.store, lambda *_: None)
    assert put(world, store=store).lost == 1
    assert not [
        call for call in store.calls if call.operation == "GetObject" and call.bucket == "logs"
    ]


def test_originals_can_go_to_another_bucket() -> None:
    """They all go to another bucket under a prefix, and the source bucket stays empty."""
    world = packed()
    world.store.create_bucket("audit")
    result = put(world, ReturnAddress("audit", "2026/"))
    assert (result.written, result.failures) == (4, [])
    assert sorted(each.key for each in world.store.list_objects("audit").objects) == sorted(
        f"2026/{stored.source.key}" for stored in world.originals
    )
    assert world.store.list_objects("logs").objects == ()
    assert [failure.error for failure in put(world, ReturnAddress("no-such-bucket")).failures] == [
        "NoSuchBucket"
    ] * 4


def test_versions_can_be_chosen() -> None:
    """The newest of several versions is put back, or the named one."""
    world = make_world()
    first = world.put("logs", trail_key(1), document(1))
    world.put("logs", trail_key(1), document(2))
    world.run()
    put(world)
    assert world.store.get_object("logs", trail_key(1)).data == document(2)
    world.store.create_bucket("audit")
    put(
        world,
        ReturnAddress("audit"),
        choice=VersionChoice(newest_only=True, version_id=first.version_id),
    )
    assert world.store.get_object("audit", trail_key(1)).data == document(1)


def test_large_originals_are_written_in_parts() -> None:
    """An original above 16 MiB is written in parts, never held whole, and is put back completely or
    not at all.
    """
    limits = PackLimits(copy_size_bytes_min=10 * MIB, part_size_bytes=5 * MIB)
    world = make_world(limits=limits)
    large = b"\x1f\x8b\x08" + random.Random(1).randbytes(34 * MIB)
    world.put(
        "logs",
        flow_key("b.log.gz"),
        large,
        metadata={"kept": "yes"},
        content_type="application/gzip",
    )
    assert world.run().failures == []
    store = CountingStore(world.store)
    result = put(world, store=store)
    assert (
        result.written,
        store.requests["UploadPart"],
        store.requests["CompleteMultipartUpload"],
    ) == (1, 3, 1)
    body = world.store.get_object("logs", flow_key("b.log.gz"))
    assert (body.data == large, dict(body.metadata), body.content_type) == (
        True,
        {"kept": "yes"},
        "application/gzip",
    )
    assert put(world).there == 1
    world.store.put(
        "logs",
        flow_key("b.log.gz"),
        large[:-1] + b"x",
        metadata={"kept": "yes"},
        content_type="application/gzip",
    )
    assert [failure.error for failure in put(world).failures] == ["KeyTaken"]


def test_an_equal_object_counts_as_present() -> None:
    """An equal object counts, whoever wrote it."""
    world = packed()
    world.store.put("logs", trail_key(1), **AS_IT_WAS)
    result = put(world)
    assert (result.written, result.there, result.failures) == (3, 1, [])


@pytest.mark.parametrize("size_bytes", [34 * MIB, 34 * MIB + 1])
def test_parts_grow_to_stay_within_s3s_limit(
    size_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The parts stay within S3's limit, even if the last byte would be one too many."""
    monkeypatch.setattr(put_back_module, "PART_COUNT_MAX", 2)
    world = make_world(limits=PackLimits(copy_size_bytes_min=10 * MIB, part_size_bytes=5 * MIB))
    large = b"\x1f\x8b\x08" + random.Random(1).randbytes(size_bytes - 3)
    world.put("logs", flow_key("b.log.gz"), large)
    assert world.run().failures == []
    store = CountingStore(world.store)
    assert put(world, store=store).written == 1
    assert store.requests["UploadPart"] == 2
    assert world.store.get_object("logs", flow_key("b.log.gz")).data == large


@pytest.mark.parametrize("code", ["PreconditionFailed", "NoSuchUpload"])
def test_a_lost_answer_for_a_large_original_is_checked(code: str) -> None:
    """The client repeats the completion, and hears that the key is taken, or that there is no such
    upload: the existing object is compared.
    """
    world = make_world(limits=PackLimits(copy_size_bytes_min=10 * MIB, part_size_bytes=5 * MIB))
    large = b"\x1f\x8b\x08" + random.Random(1).randbytes(17 * MIB)
    world.put("logs", flow_key("b.log.gz"), large)
    assert world.run().failures == []
    error = (NotFound if code == "NoSuchUpload" else PreconditionFailed)("repeated", code=code)
    store = FaultyStore(
        world.store,
        lambda _, call: Fault(after=error) if call.operation == "CompleteMultipartUpload" else None,
    )
    result = put(world, store=store)
    assert (result.failures, result.there) == ([], 1)
    assert world.store.get_object("logs", flow_key("b.log.gz")).data == large


def test_damage_is_never_put_back() -> None:
    """A member whose bytes are not the original's is not written, small or large, and no upload
    stays open.
    """
    limits = PackLimits(copy_size_bytes_min=10 * MIB, part_size_bytes=5 * MIB)
    world = make_world(limits=limits)
    world.put("logs", flow_key("a.log.gz"), pack_gzip(b"small\n"))
    world.put("logs", flow_key("b.log.gz"), b"\x1f\x8b\x08" + random.Random(1).randbytes(20 * MIB))
    assert world.run().failures == []
    (pack,) = find(world.store, SerialWorkers(), [TARGET], Query())
    data = bytearray(world.store.get_object("dest", pack.pack_key).data)
    for member in pack.members:
        data[member.offset + member.length_bytes - 9] ^= 1
    world.store.put("dest", pack.pack_key, bytes(data))
    result = put(world)
    assert (result.written, [failure.error for failure in result.failures]) == (
        0,
        ["VerificationError"] * 2,
    )
    assert world.store.list_objects("logs").objects == ()
    assert world.store.open_uploads() == []


@pytest.mark.parametrize("key", ["index.html", trail_key(1, account="222222222222")])
def test_a_forged_key_of_another_group_is_refused(key: str) -> None:
    """A forged index in the destination cannot make put-back write a key that does not match its
    pack's place. Elsewhere, where it is examined first, it may go.
    """
    world = packed()
    (index_key,) = (
        found.key for found in list_all(world.store, "dest", "indexes/logs/CloudTrail/")
    )
    index = decode_index(world.store.get_object("dest", index_key).data)
    forged = replace(index, members=(replace(index.members[0], key=key), *index.members[1:]))
    world.store.put("dest", index_key, encode_index(forged))
    result = put(world)
    assert [failure.error for failure in result.failures] == ["BadPack"]
    assert key in result.failures[0].message
    assert result.written == len(world.originals) - 1
    assert key not in {found.key for found in world.store.list_objects("logs").objects}
    world.store.create_bucket("court")
    assert put(world, ReturnAddress("court")).failures == []


def test_keys_of_declared_layouts_are_restored() -> None:
    """Keys return to their bucket even if nothing is declared any more."""
    world = make_world(layouts=[{"name": "own", "pattern": "app/{YYYY-MM-DD}.log"}])
    world.put("logs", f"app/{DAY}.log", b"line\n")
    assert world.run().failures == []
    result = put(world)
    assert (result.written, result.failures) == (1, [])


def test_a_killed_put_back_can_be_resumed() -> None:
    """If it is killed before or after any request, no wrong object exists, and the next call puts
    back the rest.
    """
    for after in (False, True):
        number, is_killed = 0, True
        while is_killed:
            world = packed()
            try:
                put(world, store=FaultyStore(world.store, kill_at(number, after=after)))
                is_killed = False
            except Killed:
                number += 1
            expected = {stored.source.key: stored.data for stored in world.originals}
            for each in world.store.list_objects("logs").objects:
                assert world.store.get_object("logs", each.key).data == expected[each.key]
            result = put(world)
            assert (result.written + result.there, result.failures) == (4, [])
        assert number >= 7


def test_a_lost_answer_is_not_a_failure() -> None:
    """A write that took effect and is repeated finds its own object, which counts as there."""
    world = packed()
    original = world.store.put_object
    calls: list[str] = []

    class Repeating(CountingStore):
        def put_object(self, bucket: str, key: str, data: Any, **more: Any) -> None:
            calls.append(key)
            original(bucket, key, data, **more)
            original(bucket, key, data, **more)

    result = put(world, store=Repeating(world.store))
    assert (result.written, result.there, result.failures, len(calls)) == (0, 4, [], 4)


def test_threads_give_the_same_result() -> None:
    """Threads give the same result, and failures of writers are listed."""
    world = make_world()
    for number in range(300):
        world.put("logs", access_key(number), b"line %d\n" % number)
    world.run()
    busy = StoreError("SlowDown", code="SlowDown", operation="PutObject")
    store = FaultyStore(
        world.store, fail_on(lambda call: call.operation == "PutObject", busy, times=7)
    )
    with ThreadWorkers(readers=4, writers=8) as workers:
        packs = list(find(world.store, workers, [TARGET], Query()))
        result = put_back(store, workers, choose(packs, NEWEST), HOME, FetchProgress())
    assert (result.written, result.lost) == (293, 7)
    assert put(world).there == 293
    with pytest.raises(Unreachable):
        put(
            world,
            store=FaultyStore(
                world.store,
                fail_on(lambda call: call.operation == "PutObject", Unreachable("no answer")),
            ),
        )


def test_the_limit_is_checked_first() -> None:
    """With more originals than allowed, nothing is written."""
    world = packed()
    packs = list(find(world.store, SerialWorkers(), [TARGET], Query()))
    assert sum(len(each.pack.members) for each in limit_originals(choose(packs, NEWEST), 4)) == 4
    with pytest.raises(LimitExceeded, match="more than 3 originals"):
        limit_originals(choose(packs, NEWEST), 3)


def test_the_next_run_packs_it_again() -> None:
    """Originals put back into a source bucket are packed again or found in their pack, and deleted;
    nothing is lost.
    """
    for versioning in ("Enabled", None):
        world = packed(versioning=versioning)
        put(world)
        result = world.run()
        assert (result.failures, world.store.list_objects("logs").objects) == ([], ())
        wanted = list(choose(find(world.store, SerialWorkers(), [TARGET], Query()), NEWEST))
        assert len({member.key for each in wanted for member in each.pack.members}) == 4

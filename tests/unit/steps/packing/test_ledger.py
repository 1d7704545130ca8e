"""The packs are the ledger."""

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
    find_losses,
    flow_key,
    left_in_place,
    make_world,
    pack_gzip,
    trail_key,
)

from log_aggregator.adapters.counting import CountingStore
from log_aggregator.core.packformat.index import encode_index
from log_aggregator.core.planning import PackLimits
from log_aggregator.errors import BadPack, StoreError, VerificationError
from log_aggregator.model import Group, PackFormat
from log_aggregator.ports.store import Deletion, WriteOptions
from log_aggregator.steps.packing.ledger import read_ledger
from log_aggregator.steps.packs.index import format_of, read_index, read_tail
from log_aggregator.steps.packs.verify import verify_pack
from log_aggregator.steps.rules import Level

GROUP = Group("logs", "vpcflowlogs", "111111111111", DAY)


def packed(*, keep: bool = True, **more: Any) -> World:
    """A gzip pack, a tar pack and a copy, whose originals still exist."""
    limits = PackLimits(copy_alone_bytes_min=5000)
    world = make_world(limits=limits, keep_originals_days=30 if keep else 0, **more)
    world.put("logs", flow_key("a.log.gz"), pack_gzip(b"a\n"))
    world.put("logs", flow_key("b.parquet"), b"PAR1 b")
    world.put("logs", flow_key("c.log.gz"), random.Random(1).randbytes(5000))
    assert world.run().failures == []
    return world


def pack_keys(world: World) -> dict[PackFormat, str]:
    target = world.targets[0]
    keys = [found.key for found in world.store.list_objects("dest", prefix="packs/").objects]
    return {format_of(GROUP, target, key): key for key in keys}


def drop(world: World, key: str) -> None:
    """Delete it with all its versions."""
    found = world.store.list_object_versions("dest", prefix=key).objects
    world.store.delete_objects(
        "dest", [Deletion(each.key, version_id=each.version_id) for each in found]
    )


@pytest.mark.parametrize("pack_format", list(PackFormat))
def test_a_missing_index_is_restored_from_the_pack(pack_format: PackFormat) -> None:
    """If a run died before writing its pack's index, the next run writes the very same index, and
    its originals are no less safe. Only the SHA-256 of the whole pack is lost, which the pack
    itself cannot hold.
    """
    world = packed()
    before = world.store.snapshot()
    key = world.targets[0].index_key(pack_keys(world)[pack_format])
    data = world.store.get_object("dest", key).data
    drop(world, key)
    result = world.run()
    assert result.failures == []
    assert world.store.get_object("dest", key).data == data
    assert world.store.snapshot() == tuple(
        (*entry[:-1], ()) if entry[1] == key else entry for entry in before
    )
    assert sum(group.packed for group in result.groups) == 0


def test_a_ledger_keeps_only_wanted_members() -> None:
    """Memory does not grow with what the packs hold: for a group only the wanted members are
    remembered, each with its pack.
    """
    world = packed()
    target, key = world.targets[0], pack_keys(world)[PackFormat.GZIP]
    members = [member.identity for member in read_index(world.store, target, key).decode().members]
    ledger = read_ledger(
        world.store, target, GROUP, {members[0], ("other", None, "e", 1, None)}, WriteOptions()
    )
    assert ledger.pack_of == {members[0]: key}
    assert set(ledger.written) == set(pack_keys(world).values())


def test_only_groups_with_packs_need_indexes() -> None:
    """The first run of a group costs one listing; once there is a pack, its index counts."""
    world = make_world()
    world.put("logs", trail_key(1), document(1))
    source = world.originals[0].source
    target, group = world.targets[0], Group("logs", "CloudTrail", "111111111111", DAY)

    def look() -> tuple[int, set[Any]]:
        store = CountingStore(world.store)
        ledger = read_ledger(store, target, group, {source.identity}, WriteOptions())
        assert set(ledger.pack_of.values()) == set(ledger.written)
        return store.requests["ListObjectsV2"], set(ledger.pack_of)

    assert look() == (1, set())
    world.run()
    assert look() == (2, {source.identity})


def test_a_dry_run_restores_no_index() -> None:
    """Planning writes nothing, not even an index."""
    world = packed()
    target, keys = world.targets[0], pack_keys(world)
    wanted = {
        member.identity
        for key in keys.values()
        for member in read_index(world.store, target, key).decode().members
    }
    lost = keys.pop(PackFormat.GZIP)
    drop(world, target.index_key(lost))
    before = world.store.snapshot()
    ledger = read_ledger(world.store, target, GROUP, wanted, WriteOptions(), restore=False)
    assert set(ledger.pack_of.values()) == set(keys.values())
    assert lost in ledger.written
    assert world.store.snapshot() == before


def test_a_frozen_pack_without_index_does_not_stop_its_group() -> None:
    """A pack in an archive class cannot give its index back; a late log is still packed and
    deleted.
    """
    world = make_world(storage_class="DEEP_ARCHIVE")
    world.put("logs", trail_key(1), document(1))
    world.run()
    (index,) = world.store.list_objects("dest", prefix="indexes/").objects
    drop(world, index.key)
    world.originals.clear()
    world.put("logs", trail_key(2), document(2))
    result = world.run()
    assert (result.failures, left_in_place(world)) == ([], [])
    assert len(world.store.list_objects("dest", prefix="indexes/").objects) == 1


def test_a_frozen_pack_with_originals_gets_its_index_back() -> None:
    """The same objects make the same pack: the existing one is found without being read, and its
    index is written anew.
    """
    world = make_world(storage_class="DEEP_ARCHIVE")
    world.put("logs", trail_key(1), document(1))
    no_index = fail_on(
        lambda call: call.operation == "PutObject" and call.key.startswith("indexes/"),
        StoreError("500", code="InternalError"),
    )
    assert [failure.error for failure in world.run_faulty(no_index)[0].failures] == ["StoreError"]
    assert left_in_place(world) == [world.originals[0].source]
    assert world.run().failures == []
    assert left_in_place(world) == []
    assert len(world.store.list_objects("dest", prefix="packs/").objects) == 1


def test_the_index_of_another_pack_is_refused() -> None:
    """An index that names a pack other than its own is a BadPack, and nothing is deleted."""
    world = packed()
    keys, target = pack_keys(world), world.targets[0]
    other = world.store.get_object("dest", target.index_key(keys[PackFormat.TAR])).data
    world.store.put("dest", target.index_key(keys[PackFormat.GZIP]), other)
    with pytest.raises(BadPack, match="another pack"):
        read_index(world.store, target, keys[PackFormat.GZIP]).decode()
    with pytest.raises(BadPack, match="another pack"):
        read_ledger(world.store, target, GROUP, frozenset(), WriteOptions())
    result = world.run(
        rules=replace(world.rules, group=replace(world.rules.group, keep_originals_days=0))
    )
    assert [failure.error for failure in result.failures] == ["BadPack"]
    assert len(left_in_place(world)) == 3


@pytest.mark.parametrize("pack_format", [PackFormat.GZIP, PackFormat.TAR])
def test_an_index_with_wrong_entries_fails_verification(pack_format: PackFormat) -> None:
    """A well-formed index that is not the pack's own (another hash, place or version of a member)
    does not verify.
    """
    world = packed()
    key, target = pack_keys(world)[pack_format], world.targets[0]
    index = read_index(world.store, target, key).decode()
    first = index.members[0]
    for lie in (
        replace(first, sha256="0" * 64),
        replace(first, offset=first.offset + 1),
        replace(first, version_id="v00000099"),
        replace(first, metadata={"signature": "other"}),
    ):
        world.store.put("dest", target.index_key(key), encode_index(replace(index, members=(lie,))))
        with pytest.raises(VerificationError):
            verify_pack(world.store, target, key)
    world.store.put("dest", target.index_key(key), encode_index(replace(index, tool="other")))
    with pytest.raises(VerificationError):
        verify_pack(world.store, target, key)


@pytest.mark.parametrize("pack_format", [PackFormat.GZIP, PackFormat.TAR])
def test_a_changed_or_truncated_pack_fails_verification(pack_format: PackFormat) -> None:
    """Reading back refuses a small pack with any byte changed, and every wrong length."""
    world = packed()
    key, target = pack_keys(world)[pack_format], world.targets[0]
    data = world.store.get_object("dest", key).data
    step = max(1, len(data) // 300)
    for position in range(0, len(data), step):
        damaged = data[:position] + bytes([data[position] ^ 0x20]) + data[position + 1 :]
        for stored in (damaged, data[:position], data + b"\x00"):
            world.store.put("dest", key, stored)
            with pytest.raises((VerificationError, BadPack)):
                verify_pack(world.store, target, key, Level.READ_BACK)
    world.store.put("dest", key, data)
    verify_pack(world.store, target, key, Level.READ_BACK)


@pytest.mark.parametrize("pack_format", [PackFormat.GZIP, PackFormat.TAR])
def test_a_damaged_tail_gives_no_wrong_index(pack_format: PackFormat) -> None:
    """An index restored from a damaged tail is right, or there is none."""
    world = packed()
    key, target = pack_keys(world)[pack_format], world.targets[0]
    whole, data = read_tail(world.store, target, key).data, world.store.get_object("dest", key).data
    begin = read_index(world.store, target, key).decode().content_length_bytes
    for position in range(begin, len(data)):
        world.store.put(
            "dest", key, data[:position] + bytes([data[position] ^ 0x20]) + data[position + 1 :]
        )
        try:
            assert read_tail(world.store, target, key).data == whole, position
        except BadPack:
            continue


@pytest.mark.parametrize("content", [b"", b"x", bytes(5000)])
def test_a_foreign_object_among_packs_fails_only_its_group(content: bytes) -> None:
    """An object among a group's packs that is not a pack fails that group, is named, and stops no
    other group.
    """
    world = make_world()
    world.put("logs", trail_key(1), document(1))
    world.put("logs", access_key(1), b"line\n")
    world.store.put("dest", "packs/logs/CloudTrail/111111111111/2025/04/03/notes.txt", content)
    result = world.run()
    assert [failure.error for failure in result.failures] == ["BadPack"]
    assert "notes.txt" in result.failures[0].message
    assert [source.key for source in left_in_place(world)] == [trail_key(1)]
    assert find_losses(world) == []


def test_a_folder_made_by_the_console_is_ignored() -> None:
    """An empty object whose key ends in a slash, as the console writes for a new folder, is
    ignored.
    """
    world = make_world()
    world.put("logs", trail_key(1), document(1))
    world.store.put("dest", "packs/logs/CloudTrail/111111111111/2025/04/03/", b"")
    assert world.run().failures == []
    assert left_in_place(world) == []

"""Lost indexes: what can be rebuilt, and what is refused."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from tests.support.world import READS, World, fail_on, flow_key, make_world, pack_gzip, trail_key

from log_aggregator.core.planning import PackLimits
from log_aggregator.errors import AccessDenied, BadPack, NotFound, ObjectFrozen, VerificationError
from log_aggregator.model import LogObject, PackFormat, Target
from log_aggregator.ports.store import WriteOptions
from log_aggregator.steps.packs.index import read_index
from log_aggregator.steps.packs.pages import list_all
from log_aggregator.steps.retrieval.catalog import entry_of
from log_aggregator.steps.upkeep.rebuild import Rebuilt, rebuild_index
from log_aggregator_lab.stores.faults import FaultyStore

TARGET = Target("dest")
LARGE = flow_key("large.log.gz")
COPYING = PackLimits(copy_alone_bytes_min=400, copy_size_bytes_min=300)
METADATA = {"signature": "abc"}


def make_packed(*, keep: bool = False, **settings: str | None) -> World:
    """A gzip pack, a tar pack, and a copy."""
    world = make_world(limits=COPYING, keep_originals_days=30 if keep else 0, **settings)  # type: ignore[arg-type] # by name
    for number in range(2):
        world.put(
            "logs",
            flow_key(f"{number}.log.gz"),
            pack_gzip(f"{number}\n".encode()),
            metadata=METADATA,
        )
        world.put("logs", flow_key(f"{number}.parquet"), b"PAR1" + bytes(number))
    world.put(
        "logs", LARGE, bytes(range(256)) * 2, metadata=METADATA, content_type="application/x-gzip"
    )
    assert world.run().failures == []
    return world


def pack_keys(world: World) -> dict[PackFormat, str]:
    keys = [found.key for found in list_all(world.store, "dest", "packs/")]
    return {read_index(world.store, TARGET, key).decode().format: key for key in keys}


def lose(world: World, pack_key: str) -> bytes:
    data = world.store.get_object("dest", TARGET.index_key(pack_key)).data
    world.store.delete("dest", TARGET.index_key(pack_key))
    return data


def rebuild(world: World, pack_key: str) -> Rebuilt:
    return rebuild_index(world.store, TARGET, entry_of(TARGET, pack_key), WriteOptions())


@pytest.mark.parametrize("pack_format", [PackFormat.GZIP, PackFormat.TAR])
def test_an_index_is_rebuilt_from_the_tail(pack_format: PackFormat) -> None:
    """The very bytes come back; only the pack's tail is read, and a second call does nothing."""
    world = make_packed()
    key = pack_keys(world)[pack_format]
    data = lose(world, key)
    assert rebuild(world, key) == Rebuilt(key, 2)
    assert world.store.get_object("dest", TARGET.index_key(key)).data == data
    watched = FaultyStore(world.store, lambda *_: None)
    assert rebuild_index(watched, TARGET, entry_of(TARGET, key), WriteOptions()) == Rebuilt(
        key, 2, was_there=True
    )
    assert {call.operation for call in watched.calls} <= READS


@pytest.mark.parametrize("versioning", ["Enabled", None, "Suspended"])
def test_the_index_of_a_copy_is_rebuilt_from_its_original(versioning: str | None) -> None:
    """Version id, ETag, time, user metadata and content type come back too, so that the next run
    deletes the original.
    """
    world = make_packed(keep=True, versioning=versioning)
    key = pack_keys(world)[PackFormat.COPY]
    before = read_index(world.store, TARGET, key).decode()
    lose(world, key)
    assert rebuild(world, key) == Rebuilt(key, 1)
    assert replace(read_index(world.store, TARGET, key).decode(), tool=before.tool) == before


def test_the_packed_version_is_chosen_among_several() -> None:
    """A newer version of the same size arrived meanwhile; the hash in the pack's key identifies the
    packed one.
    """
    world = make_packed(keep=True)
    key = pack_keys(world)[PackFormat.COPY]
    before = read_index(world.store, TARGET, key).decode()
    lose(world, key)
    world.put("logs", LARGE, bytes(512))
    assert rebuild(world, key) == Rebuilt(key, 1)
    (member,) = read_index(world.store, TARGET, key).decode().members
    assert member.identity == before.members[0].identity
    assert dict(member.metadata) == METADATA


@pytest.mark.parametrize("versioning", ["Enabled", None, "Suspended"])
def test_a_copy_with_lost_identity_is_found_and_never_used_for_deletion(
    versioning: str | None,
) -> None:
    """Its original is gone, and with it version id, ETag and time: the member says so, and a new
    object of the same key is packed anew, never taken for it.
    """
    world = make_packed(versioning=versioning)
    key = pack_keys(world)[PackFormat.COPY]
    lose(world, key)
    assert rebuild(world, key) == Rebuilt(key, 1, is_identity_known=False)
    (member,) = read_index(world.store, TARGET, key).decode().members
    assert (member.key, member.version_id, member.etag, member.flags) == (
        LARGE,
        None,
        "",
        ("identity-unknown",),
    )
    world.put("logs", LARGE, bytes(range(256)) * 2)
    result = world.run()
    assert result.failures == []
    assert sum(group.deleted for group in result.groups) == 1
    assert (
        len([found for found in list_all(world.store, "dest", "packs/") if LARGE in found.key]) == 2
    )


def test_a_copy_without_access_to_its_source_gets_no_index() -> None:
    """Only with access to the source bucket can the original be called gone."""
    world = make_packed(keep=True)
    key = pack_keys(world)[PackFormat.COPY]
    lose(world, key)

    forbidden = FaultyStore(
        world.store,
        fail_on(lambda call: call.operation == "ListObjectVersions", AccessDenied("no")),
    )
    with pytest.raises(AccessDenied):
        rebuild_index(forbidden, TARGET, entry_of(TARGET, key), WriteOptions())
    assert all(
        found.key != TARGET.index_key(key) for found in list_all(world.store, "dest", "indexes/")
    )


def damaged_in_content(data: bytes) -> bytes:
    return data[:20] + bytes([data[20] ^ 1]) + data[21:]


def test_a_damaged_pack_gives_its_index_back_and_is_named() -> None:
    """The index is whole, so it is written; the pack does not match it, which is an error."""
    world = make_packed()
    key = pack_keys(world)[PackFormat.GZIP]
    data = lose(world, key)
    world.store.put(
        "dest",
        key,
        damaged_in_content(world.store.get_object("dest", key).data),
        with_checksum=True,
    )
    with pytest.raises(VerificationError):
        rebuild(world, key)
    assert world.store.get_object("dest", TARGET.index_key(key)).data == data


@pytest.mark.parametrize("pack_format", [PackFormat.GZIP, PackFormat.TAR])
def test_a_damaged_tail_is_refused(pack_format: PackFormat) -> None:
    """With a flipped bit in the tail, or the pack cut short, BadPack names the pack, and no index
    is written.
    """
    world = make_packed()
    key = pack_keys(world)[pack_format]
    content = read_index(world.store, TARGET, key).decode().content_length_bytes
    lose(world, key)
    data = world.store.get_object("dest", key).data
    step = 1 if pack_format is PackFormat.GZIP else 29
    for position in range(content + 1, len(data), step):
        for damaged in (
            data[:position] + bytes([data[position] ^ 0x10]) + data[position + 1 :],
            data[:position],
            data[: position - content],
        ):
            world.store.put("dest", key, damaged, with_checksum=True)
            with pytest.raises((BadPack, VerificationError)) as caught:
                rebuild(world, key)
            assert key in str(caught.value)
            if isinstance(
                caught.value, VerificationError
            ):  # bytes around the index that say nothing: it is whole, the pack is not
                lose(world, key)


def test_an_existing_index_is_never_overwritten() -> None:
    """Damaged, of another pack, or made up, it stays as it is; the message says what to do."""
    world = make_packed()
    keys = pack_keys(world)
    key = keys[PackFormat.GZIP]
    whole = world.store.get_object("dest", TARGET.index_key(key)).data
    other = world.store.get_object("dest", TARGET.index_key(keys[PackFormat.TAR])).data
    for wrong in (whole[:-3], b"", other, whole[:4] + b"\x01" + whole[5:]):
        world.store.put("dest", TARGET.index_key(key), wrong)
        with pytest.raises(BadPack, match="never overwritten: examine it, remove it"):
            rebuild(world, key)
        assert world.store.get_object("dest", TARGET.index_key(key)).data == wrong


def test_frozen_missing_and_foreign_packs_are_named() -> None:
    """A frozen pack must be thawed; a missing pack, and an object that is not a pack, are named."""
    world = make_packed()
    keys = pack_keys(world)
    for pack_format in (PackFormat.GZIP, PackFormat.COPY):
        key = keys[pack_format]
        lose(world, key)
        data = world.store.get_object("dest", key).data
        world.store.put("dest", key, data, storage_class="DEEP_ARCHIVE", with_checksum=True)
        with pytest.raises(ObjectFrozen, match=re.escape(key)):
            rebuild(world, key)
        world.store.delete("dest", key)
        with pytest.raises(NotFound, match=re.escape(key)):
            rebuild(world, key)
    folder = keys[PackFormat.TAR].rpartition("/")[0]
    for name in ("notes.txt", "sub/notes.txt"):
        world.store.put(
            "dest",
            f"{folder}/{name}",
            b"not a pack, but longer than the last member of one is, which has 58 bytes",
            with_checksum=True,
        )
        with pytest.raises(BadPack):
            rebuild(world, f"{folder}/{name}")


@pytest.mark.parametrize(
    "key",
    [
        "",
        "packs/",
        "packs/a/b/c/2025/04/03/",
        "packs/a/b/c/2025/4x/03/x.gz",
        "x/packs/a/b/c/2025/04/03/x.gz",
    ],
)
def test_other_keys_are_refused(key: str) -> None:
    """Keys that are not packs are refused before any request."""
    with pytest.raises(ValueError, match="not the key of a pack"):
        entry_of(TARGET, key)


def test_a_rebuilt_index_can_be_used_by_runs() -> None:
    """After a lost index was rebuilt, the next run verifies the pack and deletes the originals, and
    packs nothing twice.
    """
    world = make_world(keep_originals_days=30)
    originals: list[LogObject] = [
        world.put("logs", trail_key(number), pack_gzip(b"{}")) for number in range(3)
    ]
    (pack,) = world.run().groups[0].packs
    lose(world, pack.key)
    rebuild(world, pack.key)
    world.clock.advance(days=40)
    result = world.run()
    assert sum(group.deleted for group in result.groups) == len(originals)
    assert all(group.packs == [] for group in result.groups)

"""Verification: what it finds, and how little it reads."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.support.world import (
    World,
    access_key,
    document,
    flow_key,
    make_world,
    pack_gzip,
    trail_key,
)

from log_aggregator.adapters.counting import CountingStore
from log_aggregator.core.packformat import expected_pack
from log_aggregator.core.packformat.index import encode_index
from log_aggregator.core.packformat.tail import encode_tail
from log_aggregator.errors import BadPack, NotFound, VerificationError
from log_aggregator.model import Index
from log_aggregator.steps.packs.index import read_index
from log_aggregator.steps.packs.verify import verify_again, verify_pack
from log_aggregator.steps.rules import Level
from log_aggregator_lab.stores.memory import MemoryStore
from log_aggregator_lab.stores.metered import MeteredStore


def packed() -> tuple[World, str]:
    world = make_world(keep_originals_days=30)
    for number in range(3):
        world.put("logs", flow_key(f"{number}.log.gz"), pack_gzip(f"{number}\n".encode()))
        world.put("logs", flow_key(f"{number}.log"), f"text {number}".encode())
    world.put("logs", flow_key("cut.log.gz"), pack_gzip(b"x")[:-1])
    (pack,) = world.run().groups[0].packs
    return world, pack.key


def test_a_pack_is_verified_without_reading_it() -> None:
    """One GET of the index and one HEAD of the pack are enough; reading back adds the pack's own
    bytes, each once.
    """
    world, key = packed()
    store = MeteredStore(world.store)
    found = verify_pack(store, world.targets[0], key)
    assert store.requests == {"GetObject": 1, "HeadObject": 1}
    back = MeteredStore(world.store)
    assert (
        verify_pack(back, world.targets[0], key, Level.READ_BACK).read_back_crc64nvme
        == found.expected_crc64nvme
    )
    assert back.bytes_read - store.bytes_read == found.stored.size_bytes


def test_missing_packs_and_indexes_are_not_found() -> None:
    """A pack without an index, and an index without a pack, are NotFound."""
    world, key = packed()
    target = world.targets[0]
    for missing in (key, target.index_key(key)):
        world.store.delete("dest", missing)
        with pytest.raises(NotFound):
            verify_pack(world.store, target, key)
        world.store.put("dest", missing, b"x")


def test_without_a_stored_checksum_the_pack_is_read_back() -> None:
    """If S3 reports no checksum of the whole object, its bytes are read although no one asked for
    it.
    """
    world, key = packed()
    world.store.put("dest", key, world.store.get_object("dest", key).data, with_checksum=False)
    assert verify_pack(world.store, world.targets[0], key).read_back_crc64nvme is not None
    world.store.put(
        "dest", key, world.store.get_object("dest", key).data[:-1] + b"\x01", with_checksum=False
    )
    with pytest.raises(VerificationError):
        verify_pack(world.store, world.targets[0], key)


def test_the_second_verification_costs_one_head() -> None:
    """Verifying again costs one HEAD, and finds a pack that was replaced by the very same bytes."""
    world, key = packed()
    pack = verify_pack(world.store, world.targets[0], key)
    store = CountingStore(world.store)
    verify_again(store, pack)
    assert store.requests == {"HeadObject": 1}
    world.store.put("dest", key, world.store.get_object("dest", key).data, with_checksum=True)
    with pytest.raises(VerificationError, match="has changed since it was verified"):
        verify_again(world.store, pack)


def store_consistently(index: Index, content: bytes) -> tuple[MemoryStore, Index]:
    """Store a pack whose tail and checksums fit an index that is wrong about a member: only reading
    back can tell.
    """
    store = MemoryStore()
    store.create_bucket("dest")
    data = encode_index(index)
    whole = content + encode_tail(index.format, data, len(content))
    assert len(whole) == expected_pack(index, data)[0]
    store.put("dest", index.pack_key, whole, with_checksum=True)
    store.put("dest", make_world().targets[0].index_key(index.pack_key), data)
    return store, index


LIES = {
    "another hash": {"sha256": "0" * 64},
    "another size": {"size_bytes": 1},
    "another place": {"offset": 1},
    "too long": {"length_bytes": 10_000},
    "longer": {"length_bytes": 30},
}


@pytest.mark.parametrize("which", range(7))
@pytest.mark.parametrize("lie", LIES)
def test_reading_back_compares_every_member(lie: str, which: int) -> None:
    """Reading back finds a pack that is stored as it was written, with an index that is wrong about
    one member.
    """
    world, key = packed()
    index = read_index(world.store, world.targets[0], key).decode()
    content = world.store.get_object("dest", key).data[: index.content_length_bytes]
    store, true = store_consistently(index, content)
    verify_pack(store, world.targets[0], key, Level.READ_BACK)
    members = list(true.members)
    members[which] = replace(members[which], **LIES[lie])  # type: ignore[arg-type] # fields by name
    lying, _ = store_consistently(replace(index, members=tuple(members)), content)
    with pytest.raises((VerificationError, BadPack)) as caught:
        verify_pack(lying, world.targets[0], key, Level.READ_BACK)
    assert "text" not in str(caught.value).replace("a text block", "")


def test_a_pack_of_many_small_members_is_read_in_large_pieces() -> None:
    """Reading back costs requests by size, not by member."""
    world = make_world(keep_originals_days=30)
    for number in range(300):
        world.put("logs", trail_key(number), document(number))
        world.put("logs", access_key(number), b"x\n")
    packs = [pack.key for group in world.run().groups for pack in group.packs]
    store = CountingStore(world.store)
    for key in packs:
        verify_pack(store, world.targets[0], key, Level.READ_BACK)
    assert store.requests["GetObject"] == 2 * len(packs)

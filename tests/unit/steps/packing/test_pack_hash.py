"""The SHA-256 of a whole pack, computed while it is written, and where it is kept."""

from __future__ import annotations

import hashlib
import random
from dataclasses import replace

import pytest
from tests.support.custody import run_recorded
from tests.support.scenarios import build_multipart
from tests.support.world import World, document, flow_key, make_world, pack_gzip, trail_key

from log_aggregator.core.custody import PackEntry
from log_aggregator.core.planning import PackLimits
from log_aggregator.limits import KIB
from log_aggregator.model import Target
from log_aggregator.steps.custody.chain import find_end, read_back
from log_aggregator.steps.packing import pack_writer
from log_aggregator.steps.packs.index import read_index
from log_aggregator.steps.packs.pages import list_all
from log_aggregator.steps.rules import RunRules
from log_aggregator_lab.stores.memory import MemoryStore

TARGET = Target("dest")


def told(world: World) -> dict[str, str | None]:
    """The hashes in the metadata of the indexes."""
    return {
        found.key: read_index(world.store, TARGET, found.key).pack_sha256
        for found in list_all(world.store, "dest", "packs/")
    }


def hash_of(world: World, key: str) -> str:
    return hashlib.sha256(world.store.get_object("dest", key).data).hexdigest()


def entries(world: World) -> list[PackEntry]:
    newest = find_end(world.store, TARGET).newest
    return [pack for found in read_back(world.store, newest) for pack in found.record.packs]


def test_index_and_custody_record_the_hash_of_the_pack() -> None:
    world = make_world()
    for number in range(3):
        world.put("logs", trail_key(number), document(number))
    world.put("logs", flow_key("a.log.gz"), pack_gzip(b"flow\n"))
    assert run_recorded(world, "night").failures == []
    packs = told(world)
    assert len(packs) == 2
    assert packs == {key: hash_of(world, key) for key in packs}
    assert {pack.key: pack.sha256 for pack in entries(world)} == packs


def test_a_run_that_finds_a_pack_records_no_hash() -> None:
    """The hash in the index's metadata is not one that this run computed."""
    world = make_world()
    source = world.put("logs", trail_key(1), document(1))
    assert world.run(rules=keeping(world)).failures == []
    assert run_recorded(world, "later").failures == []
    (pack,) = entries(world)
    assert (pack.is_new, pack.sha256) == (False, None)
    assert list(told(world).values()) == [hash_of(world, pack.key)]
    assert source.key not in [found.key for found in list_all(world.store, "logs", "")]


def keeping(world: World) -> RunRules:
    return replace(world.rules, group=replace(world.rules.group, keep_originals_days=14))


def test_a_pack_with_a_copied_member_has_no_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bytes of a copied member were never downloaded."""
    monkeypatch.setattr(pack_writer, "PART_SIZE_BYTES_MIN", 5 * KIB)
    world = build_multipart()
    assert world.run().failures == []
    packs = told(world)
    copied = {
        key
        for key in packs
        if any(m.sha256 is None for m in read_index(world.store, TARGET, key).decode().members)
    }
    assert copied
    for key, sha256 in packs.items():
        assert sha256 == (None if key in copied else hash_of(world, key)), key


def test_a_pack_of_several_parts_has_a_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pack_writer, "PART_SIZE_BYTES_MIN", 5 * KIB)
    store = MemoryStore(part_size_bytes_min=5 * KIB)
    world = make_world(store=store, limits=PackLimits(part_size_bytes=5 * KIB))
    for number in range(4):
        world.put(
            "logs",
            flow_key(f"{number}.log.gz"),
            pack_gzip(random.Random(number).randbytes(4 * KIB)),
        )
    result, calls = world.run_faulty(lambda _number, _call: None)
    assert result.failures == []
    assert any(call.operation == "UploadPart" for call in calls)
    packs = told(world)
    assert packs == {key: hash_of(world, key) for key in packs}


def test_an_invalid_hash_is_ignored() -> None:
    """Anyone with write permission can put anything into metadata."""
    world = make_world()
    world.put("logs", trail_key(1), document(1))
    assert world.run().failures == []
    (key,) = told(world)
    index = TARGET.index_key(key)
    data = world.store.get_object("dest", index).data
    for text in ("", "AB" * 32, "a" * 63, "g" * 64):
        world.store.put("dest", index, data, metadata={"pack-sha256": text})
        assert told(world) == {key: None}

"""One original back from its pack."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from tests.support.places import find_places
from tests.support.world import World, access_key, document, flow_key, make_world, trail_key

from log_aggregator.adapters.counting import CountingStore
from log_aggregator.core.query import Query
from log_aggregator.errors import BadPack, NotFound, ObjectFrozen, VerificationError
from log_aggregator.model import Target
from log_aggregator.steps.retrieval.catalog import list_packs, list_source_buckets
from log_aggregator.steps.workers import SerialWorkers
from log_aggregator_lab.check import read_original_back

TARGET = Target("dest")


def packed(**more: Any) -> World:
    world = make_world(**more)
    for version in range(3):
        world.put("logs", trail_key(1), document(version), metadata={"version": str(version)})
    for number in range(20):
        world.put("logs", access_key(number), f"line {number}".encode() * number + b"\n")
    world.put("logs", flow_key("a.parquet"), b"PAR1")
    assert world.run().failures == []
    return world


def test_every_version_comes_back_newest_first() -> None:
    """All packed versions of a key are found, newest first, each with its own bytes and
    metadata.
    """
    world = packed()
    places = find_places(world.store, TARGET, "logs", trail_key(1))
    assert [b"".join(read_original_back(world.store, place)) for place in places] == [
        document(2),
        document(1),
        document(0),
    ]
    assert [place.member.metadata["version"] for place in places] == ["2", "1", "0"]


def test_one_original_costs_one_range() -> None:
    """One original costs one range of its pack, not the pack."""
    world = packed()
    (place,) = find_places(world.store, TARGET, "logs", access_key(7))
    store = CountingStore(world.store)
    assert b"".join(read_original_back(store, place)) == b"line 7" * 7 + b"\n"
    assert store.requests == {"GetObject": 1}


@pytest.mark.parametrize(
    ("bucket", "key"),
    [
        ("logs", "readme.txt"),
        ("logs", trail_key(5)),
        ("other", trail_key(1)),
        ("logs", access_key(77)),
    ],
)
def test_an_unpacked_key_is_not_found(bucket: str, key: str) -> None:
    """A key that no pack holds has no place."""
    assert find_places(packed().store, TARGET, bucket, key) == []


def test_damage_is_found_before_the_end() -> None:
    """A changed byte anywhere in a pack is an error for a reader of the whole original, or affects
    others only.
    """
    world = packed()
    for key in (trail_key(1), access_key(7), flow_key("a.parquet")):
        place = find_places(world.store, TARGET, "logs", key)[0]
        whole = b"".join(read_original_back(world.store, place))
        data = world.store.get_object("dest", place.pack_key).data
        for position in range(place.member.offset, place.member.offset + place.member.length_bytes):
            world.store.put(
                "dest",
                place.pack_key,
                data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :],
            )
            try:
                assert b"".join(read_original_back(world.store, place)) == whole, position
            except (BadPack, VerificationError):
                continue
        world.store.put(
            "dest", place.pack_key, data[: place.member.offset + place.member.length_bytes - 1]
        )
        with pytest.raises((BadPack, VerificationError)):
            list(read_original_back(world.store, place))


def test_a_missing_or_frozen_pack_is_reported() -> None:
    """A pack that is gone, or has to be thawed first, is reported."""
    world = packed(storage_class="GLACIER")
    (place,) = find_places(world.store, TARGET, "logs", access_key(7))
    with pytest.raises(ObjectFrozen):
        list(read_original_back(world.store, place))
    world.store.thaw("dest", place.pack_key)
    assert b"".join(read_original_back(world.store, place)) == b"line 7" * 7 + b"\n"
    world.store.delete("dest", place.pack_key)
    with pytest.raises(NotFound, match="the index exists, but the pack does not"):
        list(read_original_back(world.store, place))


@pytest.mark.parametrize(
    ("first", "last", "count"),
    [
        (date(2025, 4, 3), date(2025, 4, 3), 3),
        (date(2025, 4, 4), date(2025, 4, 30), 0),
        (date(2025, 1, 1), date(2025, 12, 31), 3),
        (date(2024, 1, 1), date(2025, 4, 2), 0),
    ],
)
def test_the_catalogue_finds_packs_by_date(first: date, last: date, count: int) -> None:
    """All packs of a range of days are found, for short and long ranges, and no others."""
    world = packed()
    assert (
        len(list_packs(world.store, SerialWorkers(), TARGET, Query.of_days(first, last))) == count
    )
    assert list_source_buckets(world.store, TARGET) == ["logs"]

"""Laws of fetching: everything packed comes back, any part of it, by reads of any size, and by as
few as possible.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.scenarios import SCENARIOS, Scenario
from tests.support.world import World

from log_aggregator.adapters.counting import CountingStore
from log_aggregator.adapters.forwarding import Call
from log_aggregator.core.packformat.extents import Extent, MergeLimits, plan_extents, plan_ranges
from log_aggregator.core.query import Query
from log_aggregator.errors import BadPack, VerificationError
from log_aggregator.model import Encoding, Identity
from log_aggregator.steps.retrieval.fetch import VersionChoice, Wanted, choose, fetch
from log_aggregator.steps.retrieval.find import FoundPack, find
from log_aggregator.steps.workers import SerialWorkers, ThreadWorkers
from log_aggregator_lab.stores.faults import Fault, FaultyStore


@functools.cache
def packed(scenario: Scenario) -> tuple[World, list[FoundPack], dict[tuple[str, Identity], bytes]]:
    """A world after its run, its packs, and the originals expected from them."""
    world = scenario.build()
    assert world.run().failures == []
    packs = list(find(world.store, SerialWorkers(), world.targets, Query()))
    return (
        world,
        packs,
        {(stored.source.bucket, stored.source.identity): stored.data for stored in world.originals},
    )


def all_of(packs: Sequence[FoundPack]) -> list[Wanted]:
    return list(choose(packs, VersionChoice()))


limits = st.builds(
    MergeLimits,
    gap_bytes_max=st.integers(0, 400),
    range_bytes_max=st.one_of(st.integers(1, 700), st.just(1 << 22)),
)


@pytest.mark.parametrize(
    "scenario", [each for each in SCENARIOS if each.name != "multipart"], ids=str
)
@settings(max_examples=40, deadline=None)
@given(data=st.data(), limits=limits)
def test_any_part_comes_back_exactly(
    scenario: Scenario, data: st.DataObject, limits: MergeLimits
) -> None:
    """For any subset of members and any limits, each comes back once and exact, no read exceeds the
    bound, and no byte is read twice.
    """
    world, packs, expected = packed(scenario)
    chosen = data.draw(
        st.sets(
            st.sampled_from(
                [(pack.group.bucket, member.identity) for pack in packs for member in pack.members]
            )
        )
    )
    wanted = []
    for pack in packs:
        members = tuple(
            member for member in pack.members if (pack.group.bucket, member.identity) in chosen
        )
        wanted.append(
            Wanted(
                FoundPack(pack.target, pack.pack_key, pack.group, pack.format, members), frozenset()
            )
        )
    store = FaultyStore(world.store, lambda *_: None)
    came = [
        ((each.pack.group.bucket, each.member.identity), b"".join(each.pieces))
        for each in fetch(store, SerialWorkers(), wanted, limits)
    ]
    assert len(came) == len(chosen)
    assert dict(came) == {identity: expected[identity] for identity in chosen}
    ranges = sorted((call.key, *call.arguments["byte_range"]) for call in store.calls)
    assert all(0 < last - first <= limits.range_bytes_max for _, first, last in ranges)
    for (key, _, last), (next_key, first, _) in pairwise(ranges):
        assert key != next_key or first >= last


def test_large_members_come_in_pieces() -> None:
    """Members of many megabytes, even copied ones, come back whole, and no read exceeds the
    bound.
    """
    world, packs, expected = packed(next(each for each in SCENARIOS if each.name == "multipart"))
    store = FaultyStore(world.store, lambda *_: None)
    with ThreadWorkers(readers=4) as workers:
        came = {
            (each.pack.group.bucket, each.member.identity): b"".join(each.pieces)
            for each in fetch(store, workers, all_of(packs))
        }
    assert came == expected
    assert (
        max(
            call.arguments["byte_range"][1] - call.arguments["byte_range"][0]
            for call in store.calls
        )
        == MergeLimits().range_bytes_max
    )


@pytest.mark.parametrize(
    "scenario", [each for each in SCENARIOS if each.name != "multipart"], ids=str
)
def test_adjacent_members_take_one_request(scenario: Scenario) -> None:
    """All members of a pack, which are neighbours, are read by a single GET."""
    world, packs, expected = packed(scenario)
    store = CountingStore(world.store)
    came = {
        (each.pack.group.bucket, each.member.identity): b"".join(each.pieces)
        for each in fetch(store, SerialWorkers(), all_of(packs))
    }
    assert came.items() <= expected.items()
    assert store.requests == {"GetObject": len(packs)}


@settings(max_examples=300, deadline=None)
@given(
    lengths=st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), max_size=20),
    gap=st.integers(0, 60),
    bound=st.integers(1, 120),
)
def test_ranges_cover_and_merge(lengths: list[tuple[int, int]], gap: int, bound: int) -> None:
    """Ranges cover every extent, in order and within the bound, have no gap above the limit, and no
    two of them could be merged.
    """
    extents, position = [], 0
    for skip, length in lengths:
        extents.append(Extent(position + skip, position + skip + length, Encoding.RAW, ()))
        position += skip + length
    limits = MergeLimits(gap, bound)
    ranges = plan_ranges(extents, limits)
    covered = [byte for first, last in ranges for byte in range(first, last)]
    wanted = {byte for extent in extents for byte in range(extent.first, extent.last)}
    assert covered == sorted(set(covered))
    assert wanted <= set(covered)
    assert all(0 < last - first <= bound for first, last in ranges)
    unwanted = sorted(set(covered) - wanted)
    runs = 0
    for number, byte in enumerate(unwanted):
        runs = runs + 1 if number and unwanted[number - 1] == byte - 1 else 1
        assert runs <= gap
    for (first, last), (next_first, next_last) in pairwise(ranges):
        assert next_first - last > gap or next_last - first > bound


@pytest.mark.parametrize("name", ["versioned", "mixed", "unversioned"])
def test_every_flipped_bit_is_found_or_harmless(name: str) -> None:
    """With any one bit of a pack's contents wrong, no wrong byte passes as checked, and other
    members still come back.
    """
    world, packs, expected = packed(next(each for each in SCENARIOS if each.name == name))
    for pack in packs:
        length = max(member.offset + member.length_bytes for member in pack.members)
        for position in range(0, length, 3):

            def flip(number: int, call: Call, position: int = position) -> Fault:
                return Fault(
                    alter=lambda data: flip_bit(data, position - call.arguments["byte_range"][0])
                )

            good = bad = 0
            for each in fetch(FaultyStore(world.store, flip), SerialWorkers(), all_of([pack])):
                try:
                    assert (
                        b"".join(each.pieces) == expected[pack.group.bucket, each.member.identity]
                    )
                    good += 1
                except (BadPack, VerificationError):
                    bad += 1
            touched = [
                extent
                for extent in plan_extents(pack.members)
                if extent.first <= position < extent.last
            ]
            assert good + bad == len(pack.members)
            assert bad <= sum(len(extent.members) for extent in touched)


def flip_bit(data: bytes, position: int) -> bytes:
    return (
        data
        if not 0 <= position < len(data)
        else data[:position] + bytes([data[position] ^ 4]) + data[position + 1 :]
    )

"""The summary of `extract`: what came back, what did not, and from which packs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.support.world import World, document, make_world, trail_key

from log_aggregator.core.costs import estimate_dollars
from log_aggregator.core.query import Query
from log_aggregator.errors import ObjectFrozen
from log_aggregator.model import Target
from log_aggregator.reports.fetch import describe_fetch, render_fetch
from log_aggregator.steps.retrieval.fetch import (
    Fetched,
    FetchProgress,
    FetchResult,
    VersionChoice,
    choose,
    fetch_all,
    tolerate_gaps,
)
from log_aggregator.steps.retrieval.find import FoundPack, find
from log_aggregator.steps.workers import SerialWorkers

REQUESTS = {"GetObject": 1234, "ListObjectsV2": 1}


class Nowhere:
    """A sink that reads, and keeps nothing."""

    def take(self, original: Fetched) -> None:
        for _ in original.pieces:
            pass


def packed(*accounts: str) -> tuple[World, list[FoundPack]]:
    """Two log objects in a pack of each account."""
    world = make_world()
    for account in accounts:
        for number in range(2):
            world.put("logs", trail_key(number, account=account), document(number))
    world.run()
    return world, list(find(world.store, SerialWorkers(), [Target("dest")], Query()))


def freeze(world: World, pack: FoundPack) -> bytes:
    data = world.store.get_object("dest", pack.pack_key).data
    world.store.put("dest", pack.pack_key, data, storage_class="GLACIER")
    return data


def fetch(world: World, packs: list[FoundPack]) -> FetchResult:
    wanted = choose(packs, VersionChoice())
    return fetch_all(world.store, SerialWorkers(), wanted, Nowhere(), FetchProgress())


def show(result: FetchResult) -> tuple[dict[str, Any], list[str]]:
    described = describe_fetch(result, "out/", REQUESTS)
    return described, list(render_fetch(described))


def test_all_came_back() -> None:
    """One line: how many, how large, out of how many packs, where to, and what it took."""
    world, packs = packed("111111111111", "222222222222")
    described, lines = show(fetch(world, packs))
    size = sum(len(stored.data) for stored in world.originals)
    assert [described[name] for name in ("originals", "bytes", "packs")] == [4, size, 2]
    assert described["dollars"] == estimate_dollars(REQUESTS)
    assert [described[name] for name in ("rescued", "lost", "failures")] == [0, 0, []]
    assert lines == [
        f"4 originals, {size} bytes, from 2 packs, into out/; 1,235 requests, $0.000499"
    ]


def test_what_is_lost_is_not_counted() -> None:
    """A pack that cannot be read: its originals are lost, with the pack and the advice once, and
    the others are counted alone.
    """
    world, packs = packed("111111111111", "222222222222")
    freeze(world, packs[0])
    described, lines = show(fetch(world, packs))
    assert [described[name] for name in ("originals", "packs", "lost")] == [2, 1, 2]
    assert lines[0].startswith("2 originals, ")
    assert " from 1 pack," in lines[0]
    assert lines[1].startswith("2 originals ")
    assert len(described["failures"]) == 1
    assert [line for line in lines[2:] if packs[0].pack_key in line] == lines[2:3]
    assert lines[3:] == [f"    {ObjectFrozen.advice}"]


def test_what_came_out_of_another_pack() -> None:
    """It is there and nothing failed, but one should know that a pack cannot be read."""
    world, (pack,) = packed("111111111111")
    twin = replace(pack, pack_key=pack.pack_key.replace("CloudTrail_", "Twin_"))
    world.store.put("dest", twin.pack_key, freeze(world, pack))
    described, lines = show(fetch(world, [pack, twin]))
    assert [described[name] for name in ("originals", "rescued", "lost")] == [2, 2, 0]
    assert len(lines) == 2
    assert lines[1].startswith("2 originals came from another pack")
    assert "log-aggregator verify" in lines[1]


@pytest.mark.parametrize("loses", [False, True])
def test_what_could_not_be_searched(*, loses: bool) -> None:
    """There may be more than was found, and it is said whether anything that was found is lost."""
    world, packs = packed("111111111111", "222222222222")
    world.store.delete("dest", Target("dest").index_key(packs[0].pack_key))
    if loses:
        freeze(world, packs[1])
    gaps: list[Any] = []
    found = tolerate_gaps(find(world.store, SerialWorkers(), [Target("dest")], Query()), gaps)
    result = fetch(world, list(found))
    result.failures += gaps
    described, lines = show(result)
    assert described["originals"] == (0 if loses else 2)
    assert lines[0].startswith("0 originals" if loses else "2 originals")
    assert ("original" in lines[1]) is loses
    assert lines[1].endswith("not everything could be searched:")
    assert any(packs[0].pack_key in line for line in lines[2:])


def test_one_is_one() -> None:
    """One original, one pack, one request; and one that is lost."""
    result = FetchResult(lost=1, originals=1, size_bytes=1, packs=1, rescued=1)
    described = describe_fetch(result, "out/", {"GetObject": 1})
    lines = list(render_fetch(described))
    assert lines[0].startswith("1 original, 1 byte, from 1 pack, into out/; 1 request, ")
    assert lines[1].startswith("1 original came from another pack")

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
    """A sink that reads and keeps nothing."""

    def take(self, original: Fetched) -> None:
        for _ in original.pieces:
            pass


def packed(*accounts: str) -> tuple[World, list[FoundPack]]:
    """One pack per account, with two log objects each."""
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


def test_a_complete_extraction_is_one_line() -> None:
    """One line gives number, size, packs, target and requests."""
    world, packs = packed("111111111111", "222222222222")
    described, lines = show(fetch(world, packs))
    size = sum(len(stored.data) for stored in world.originals)
    assert [described[name] for name in ("originals", "bytes", "packs")] == [4, size, 2]
    assert described["dollars"] == estimate_dollars(REQUESTS)
    assert [described[name] for name in ("rescued", "lost", "failures")] == [0, 0, []]
    assert lines == [
        f"4 originals, {size} bytes, from 2 packs, into out/; 1,235 requests, $0.000499"
    ]


def test_lost_originals_are_counted_separately() -> None:
    """The originals of an unreadable pack are lost, with the pack and the advice named once; only
    the others are counted.
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


def test_recovery_from_another_pack_is_mentioned() -> None:
    """Nothing failed, but the report mentions the unreadable pack."""
    world, (pack,) = packed("111111111111")
    twin = replace(pack, pack_key=pack.pack_key.replace("CloudTrail_", "Twin_"))
    world.store.put("dest", twin.pack_key, freeze(world, pack))
    described, lines = show(fetch(world, [pack, twin]))
    assert [described[name] for name in ("originals", "rescued", "lost")] == [2, 2, 0]
    assert len(lines) == 2
    assert lines[1].startswith("2 originals came from another pack")
    assert "log-aggregator verify" in lines[1]


@pytest.mark.parametrize("loses", [False, True])
def test_an_incomplete_search_is_mentioned(*, loses: bool) -> None:
    """The report says that there may be more, and whether any found original is lost."""
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


def test_counts_of_one_are_singular() -> None:
    """One original, one pack, one request and one lost original are singular."""
    result = FetchResult(lost=1, originals=1, size_bytes=1, packs=1, rescued=1)
    described = describe_fetch(result, "out/", {"GetObject": 1})
    lines = list(render_fetch(described))
    assert lines[0].startswith("1 original, 1 byte, from 1 pack, into out/; 1 request, ")
    assert lines[1].startswith("1 original came from another pack")

"""The sample of many packs: drawn without counting the members of all of them."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
from tests.support.world import DAY, WINDOW, World, document, make_rules, make_world, trail_key

from log_aggregator.adapters.counting import CountingStore
from log_aggregator.core.evidence.samples import Sample
from log_aggregator.core.windows import DateWindow
from log_aggregator.errors import NothingFound
from log_aggregator.model import Target
from log_aggregator.ports.store import ObjectStore
from log_aggregator.steps.evidence.drills import draw as module
from log_aggregator.steps.evidence.drills.draw import DrawRules, draw_sample

DEST = Target("dest")
DAYS = 12


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """Twelve packs, of 1 to 12 members: 78 in all. Only packs that are hit are counted."""
    monkeypatch.setattr(module, "COUNTED_PACKS_MAX", 0)
    made = make_world()
    for day in range(DAYS):
        for number in range(day + 1):
            made.put("logs", trail_key(number, day=DAY + timedelta(days=day)), document(number))
    window = DateWindow(WINDOW.first, DAY + timedelta(days=DAYS))
    rules = make_rules(window, other_buckets="logs", destination_bucket="dest")
    assert made.run(rules=rules).failures == []
    return made


def draw(world: World, seed: int, members: int = 2, store: ObjectStore | None = None) -> Sample:
    found = draw_sample(world.job(store), DEST, DrawRules(seed, members))
    assert found is not None
    return found


def test_only_indexes_of_drawn_packs_are_read(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only a few KB of their indexes are read."""
    monkeypatch.setattr(module, "INDEX_BYTES_PER_MEMBER_MIN", 60)
    store = CountingStore(world.store)
    found = draw(world, 3, 1, store)
    assert (len(found.members), found.is_counted, found.packs) == (1, False, DAYS)
    assert store.requests["GetObject"] <= 5  # the beginnings of four at most, and one index


def test_members_of_large_packs_are_drawn_evenly(world: World) -> None:
    """The larger six packs have 57 of 78 members. Fixed seeds, six standard deviations."""
    draws, late = 400, DAY + timedelta(days=DAYS // 2)
    hits = Counter(
        each.pack_key.split("/")[4:7] >= f"{late:%Y/%m/%d}".split("/")
        for seed in range(draws)
        for each in draw(world, seed).members
    )
    expected = 2 * draws * 57 / 78
    assert sum(hits.values()) == 2 * draws
    assert abs(hits[True] - expected) < 76


def test_the_number_of_members_is_estimated(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The average over fixed seeds is near 78."""
    monkeypatch.setattr(module, "COUNTED_RATIO_MIN", 1)
    guesses = [draw(world, seed, 9).population for seed in range(100)]
    assert 70 < sum(guesses) / len(guesses) < 88


def test_a_pack_with_too_few_places_is_drawn_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An index that is smaller than assumed hides no member: all of the last pack's are drawn."""
    monkeypatch.setattr(module, "INDEX_BYTES_PER_MEMBER_MIN", 10**9)
    drawn = {each.member.key for seed in range(400) for each in draw(world, seed).members}
    last = f"{DAY + timedelta(days=DAYS - 1):%Y/%m/%d}"
    assert sum(last in key for key in drawn) == DAYS


def test_a_pack_without_an_index_is_counted(world: World) -> None:
    key = world.store.list_objects("dest", prefix="indexes/").objects[0].key
    world.store.delete("dest", key)
    found = draw(world, 1)
    assert (found.packs, found.packs_without_index) == (DAYS - 1, 1)


def test_without_any_readable_index_it_is_an_error(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unreadable indexes are an error, not an empty sample."""
    for counted in (0, 100):
        monkeypatch.setattr(module, "COUNTED_PACKS_MAX", counted)
        for found in world.store.list_objects("dest", prefix="indexes/").objects:
            world.store.put("dest", found.key, b"no index")
        with pytest.raises(NothingFound, match="no member can be drawn"):
            draw(world, 1)

"""The shelf returns what was put on it, group by group, and holds it in little memory."""

from __future__ import annotations

import gc
import threading
import tracemalloc
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

import pytest
from tests.support.world import DAY, access_key, document, make_world, trail_key

from log_aggregator.core.windows import DateWindow
from log_aggregator.model import DeleteMarker, Group, ListedKey, LogObject
from log_aggregator.steps.packing import shelf as shelf_module
from log_aggregator.steps.packing.buckets import SourceBucket
from log_aggregator.steps.packing.selection import GroupSources, Selection, select
from log_aggregator.steps.packing.shelf import Shelf
from log_aggregator.steps.rules import Rules

RULES = Rules(
    DateWindow(DAY - timedelta(days=3), DAY), frozenset({"eu-west-1"}), discard_other_regions=True
)
BUCKET = SourceBucket("logs", "Enabled", is_main=True)
MODIFIED = datetime(2025, 4, 3, 1, 2, 3, 450_000, tzinfo=UTC)


def any_keys(random: Random, count: int) -> list[ListedKey]:
    """Keys with several versions and old delete markers, of some accounts, Regions and days, and of
    buckets without accounts.
    """
    listed = []
    for number in range(count):
        day, region = (
            DAY - timedelta(days=random.randrange(3)),
            random.choice(["eu-west-1", "us-east-1"]),
        )
        key = trail_key(number, account=f"{random.randrange(3):012}", region=region, day=day)
        if random.random() < 0.2:
            key = access_key(number, day=day)
        versions = tuple(
            LogObject(
                "logs",
                key,
                f"v{age}" if age else None,
                f"{number:032x}",
                1 + number,
                MODIFIED,
                "STANDARD_IA",
                age == 0,
            )
            for age in range(random.randrange(1, 4))
        )
        markers = (
            (DeleteMarker("logs", key, "m", MODIFIED, is_latest=False),)
            if random.random() < 0.3
            else ()
        )
        listed.append(ListedKey(key, versions, markers))
    return sorted(listed, key=lambda each: each.key)


def plain_keys(count: int) -> list[ListedKey]:
    """Keys of one group, in key order, each of one version."""
    keys = sorted(trail_key(number) for number in range(count))
    return [ListedKey(key, (LogObject("logs", key, None, "e", 1, MODIFIED),)) for key in keys]


def contents(found: GroupSources) -> Counter[object]:
    counts: Counter[object] = Counter(found.sources)
    counts.update(("discard", each) for each in found.discards)
    counts.update(("marker", marker) for markers in found.markers.values() for marker in markers)
    return counts


def put(shelf: Shelf, listed: list[ListedKey], chunk: int) -> Selection:
    """Put the keys on the shelf in chunks; return what they make together."""
    whole = Selection()
    for start in range(0, len(listed), chunk):
        shelf.take(select(BUCKET, listed[start : start + chunk], RULES))
        whole.merge(select(BUCKET, listed[start : start + chunk], RULES))
    return whole


@pytest.mark.parametrize("seed", range(20))
def test_everything_put_on_the_shelf_comes_back(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often it is folded and cut into parts, every log object, discard and marker of a
    group comes back once, unchanged.
    """
    random = Random(seed)
    monkeypatch.setattr(shelf_module, "_BLOCK_OBJECTS_MAX", random.choice([1, 5, 1000]))
    shelf = Shelf(random.choice([0, 7, 50, 10_000]), random.choice([1, 10, 1000]))
    whole = put(shelf, any_keys(random, 120), random.choice([1, 13, 200]))
    assert shelf.groups == {group: found.count for group, found in whole.groups.items()}
    assert shelf.objects == sum(found.count for found in whole.groups.values())
    for group, found in whole.groups.items():
        parts = list(shelf.parts(group))
        assert sum(map(contents, parts), Counter()) == contents(found)
        assert all(part.count for part in parts)
        keys = [key for part in parts for key in {source.log_object.key for source in part.sources}]
        assert len(keys) == len(set(keys)), "versions of a key are in one part"


def test_parts_are_limited_and_in_order() -> None:
    """A group that is too large comes in parts of the wanted size, in key order if it was listed
    so.
    """
    shelf = Shelf(10, 2_500)
    listed = [
        ListedKey(
            trail_key(number), (LogObject("logs", trail_key(number), None, "e", 1, MODIFIED),)
        )
        for number in range(6_000)
    ]
    put(shelf, sorted(listed, key=lambda each: each.key), 100)
    (group,) = shelf.groups
    parts = [[source.log_object.key for source in part.sources] for part in shelf.parts(group)]
    assert [len(part) <= 2_500 for part in parts] == [True] * len(parts)
    assert len(parts) <= 4
    joined = [key for part in parts for key in part]
    assert joined == sorted(joined)


def test_unfolded_objects_are_part_of_a_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unfolded keys make no part larger, and are folded before the parts before them are done; a
    small group stays as it is.
    """
    monkeypatch.setattr(shelf_module, "_BLOCK_OBJECTS_MAX", 10)
    shelf = Shelf(60, 60)
    put(shelf, plain_keys(110), 10)
    (group,) = shelf.groups
    assert shelf._rows[group].open.count == 40
    parts = shelf.parts(group)
    assert next(parts).count == 60
    assert shelf._rows[group].open.count == 0
    assert [part.count for part in parts] == [50]
    small = Shelf(60, 60)
    put(small, plain_keys(40), 10)
    assert [part.count for part in small.parts(group)] == [40]
    assert small._rows[group].open.count == 40


@pytest.mark.parametrize("seed", range(5))
def test_objects_listed_by_several_threads_are_in_key_order(seed: int) -> None:
    """Places are listed in parallel and may be folded in any order; the parts of a group are still
    in key order.
    """
    shelf = Shelf(0, 20)
    keys = plain_keys(100)
    chunks = [keys[start : start + 10] for start in range(0, 100, 10)]
    for chunk in Random(seed).sample(chunks, len(chunks)):
        put(shelf, chunk, 10)
    (group,) = shelf.groups
    parts = [[source.log_object.key for source in part.sources] for part in shelf.parts(group)]
    assert [len(part) for part in parts] == [20] * 5
    assert [key for part in parts for key in part] == [each.key for each in keys]


def test_only_new_objects_are_folded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Folded keys are not counted again: otherwise each later log object would be a block by
    itself.
    """
    blocks: list[int] = []
    fold = shelf_module._make_block

    def watched(found: GroupSources) -> Any:
        blocks.append(found.count)
        return fold(found)

    monkeypatch.setattr(shelf_module, "_make_block", watched)
    shelf = Shelf(9)
    keys = plain_keys(100)
    put(shelf, keys[:95], 1)
    assert blocks == [10] * 9
    put(shelf, keys[95:99], 4)
    assert blocks == [10] * 9
    put(shelf, keys[99:], 1)
    assert blocks == [10] * 10


def test_the_shelf_takes_little_memory() -> None:
    """A log object takes at most 100 bytes, mostly what no compression can remove: its version,
    ETag and name.
    """
    random = Random(1)

    def listed(account: int) -> list[ListedKey]:
        found = []
        for number in range(1000):
            key = trail_key(random.getrandbits(50), account=f"{account:012}")
            version, etag = f"{random.getrandbits(128):032x}", f"{random.getrandbits(128):032x}"
            found.append(ListedKey(key, (LogObject("logs", key, version, etag, number, MODIFIED),)))
        return found

    shelf = Shelf(2_000)
    select(BUCKET, listed(99), RULES)  # what is compiled and shared once is not the shelf's
    tracemalloc.start()
    try:
        for account in range(12):
            shelf.take(select(BUCKET, listed(account), RULES))
        gc.collect()  # another test may have told the collector to wait
        held_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert shelf.objects > 11_900
    assert held_bytes / shelf.objects < 100


def test_threads_may_add_at_the_same_time() -> None:
    """Nothing is lost if several listings fold at the same time."""
    shelf = Shelf(50)
    chunks = [
        select(
            BUCKET,
            [ListedKey(key, (LogObject("logs", key, None, "e", 1, MODIFIED),)) for key in keys],
            RULES,
        )
        for keys in (
            [trail_key(number, account=f"{thread:012}") for number in range(start, start + 10)]
            for thread in range(4)
            for start in range(0, 200, 10)
        )
    ]

    def put_all(mine: list[Selection]) -> None:
        for chunk in mine:
            shelf.take(chunk)

    threads = [threading.Thread(target=put_all, args=(chunks[first::4],)) for first in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(part.count for group in shelf.groups for part in shelf.parts(group)) == 800


def test_a_run_in_parts_gives_the_same_result(monkeypatch: pytest.MonkeyPatch) -> None:
    """When a group is settled in parts, everything is packed and deleted, and the result counts
    each log object once.
    """
    monkeypatch.setattr(shelf_module, "PART_OBJECTS_MAX", 10)
    monkeypatch.setattr(shelf_module, "OPEN_OBJECTS_MAX", 0)
    monkeypatch.setattr(shelf_module, "_BLOCK_OBJECTS_MAX", 5)
    world = make_world()
    for number in range(37):
        world.put("logs", trail_key(number), document(number))
    result = world.run()
    assert result.failures == []
    (group,) = result.groups
    assert group.group == Group("logs", "CloudTrail", "111111111111", date(2025, 4, 3))
    assert (group.listed, group.packed, group.deleted, len(group.packs)) == (37, 37, 37, 4)
    assert [pack.deleted for pack in group.settled.values()] == [
        pack.members for pack in group.settled.values()
    ]
    assert world.run().groups == []

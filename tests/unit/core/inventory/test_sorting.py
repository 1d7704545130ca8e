"""Rows in any order come out in the order of a listing, each exactly once, key by key with all its
versions.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from random import Random

import pytest

from log_aggregator.core.inventory.rows import Entry
from log_aggregator.core.inventory.sorting import (
    Dated,
    EntrySorter,
    encode_run,
    gather_keys,
    merge_runs,
)
from log_aggregator.model import DeleteMarker, LogObject

NOW = datetime(2025, 4, 3, 1, 2, 3, 450_000, tzinfo=UTC)
FIRST = date(2025, 4, 1)


def rows(random: Random, count: int) -> list[Dated]:
    found: list[Dated] = []
    for number in range(count):
        day, key = (
            FIRST + timedelta(days=random.randrange(5)),
            f"{random.choice(['é', 'z', 'A'])}{number % (count // 3 + 1)}",
        )
        moment = NOW + timedelta(seconds=random.randrange(100))
        entry: Entry = LogObject("logs", key, f"v{number}", "e", number, moment, is_latest=False)
        if random.random() < 0.2:
            entry = DeleteMarker("logs", key, f"m{number}", moment, is_latest=random.random() < 0.5)
        found.append((day, entry))
    return found


def order(found: Sequence[Dated]) -> list[tuple[date, str]]:
    return [(day, entry.key) for day, entry in found]


@pytest.mark.parametrize("seed", range(30))
def test_rows_are_sorted_by_day_and_key(seed: int) -> None:
    """Rows come by day, then key, for any number of runs; none is lost or doubled."""
    random = Random(seed)
    given, sorter = rows(random, random.randrange(1, 300)), EntrySorter(random.choice([1, 7, 1000]))
    for start in range(0, len(given), 10):
        sorter.take(given[start : start + 10])
    found = list(sorter.merge("logs"))
    assert sorted(found, key=repr) == sorted(given, key=repr)
    assert order(found) == sorted(order(given))
    assert sum(sorter.days.values()) == len(given)


@pytest.mark.parametrize("seed", range(10))
def test_later_days_are_dropped(seed: int) -> None:
    """They are dropped from the runs and from the open buffer."""
    random = Random(seed)
    given, sorter = rows(random, 200), EntrySorter(random.choice([1, 30, 1000]))
    last = FIRST + timedelta(days=random.randrange(5))
    sorter.take(given)
    sorter.drop_after(last)
    kept = [row for row in given if row[0] <= last]
    assert sorted(sorter.merge("logs"), key=repr) == sorted(kept, key=repr)
    assert sum(sorter.days.values()) == len(kept)


def test_keys_keep_all_their_versions() -> None:
    """All versions and markers of a key come together, the newest first; duplicate rows count once;
    the order is that of UTF-8.
    """
    old = LogObject("logs", "a", "1", "e", 1, NOW - timedelta(days=2), is_latest=False)
    new = LogObject("logs", "a", "2", "e", 1, NOW, is_latest=True)
    marker = DeleteMarker("logs", "a", "3", NOW - timedelta(days=1), is_latest=False)
    other = LogObject("logs", "é", None, "e", 1, NOW)
    (first, second) = gather_keys([old, marker, new, new, other])
    assert (first.key, first.versions, first.markers) == ("a", (new, old), (marker,))
    assert (second.key, second.versions, second.markers) == ("é", (other,), ())


def test_runs_may_be_made_elsewhere() -> None:
    """Runs may be objects in S3, made by several functions."""
    given = rows(Random(1), 90)
    found = list(merge_runs("logs", [encode_run(given[start::3]) for start in range(3)]))
    assert order(found) == sorted(order(given))


def test_sorting_takes_little_memory() -> None:
    """A waiting row takes less than 150 bytes."""
    random, sorter = Random(1), EntrySorter(1_000)

    def some(start: int) -> list[Dated]:
        key = (
            "o-abcd1234/AWSLogs/o-abcd1234/111111111111/CloudTrail/eu-west-1/2025/04/03/"
            "111111111111_CloudTrail_eu-west-1_{:016x}.json.gz"
        )
        return [
            (
                FIRST,
                LogObject(
                    "logs",
                    key.format(random.getrandbits(64)),
                    f"{random.getrandbits(128):032x}",
                    f"{random.getrandbits(128):032x}",
                    n,
                    NOW,
                ),
            )
            for n in range(start, start + 200)
        ]

    tracemalloc.start()
    try:
        for start in range(0, 10_000, 200):
            sorter.take(some(start))
        held_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held_bytes / 10_000 < 150

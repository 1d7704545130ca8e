"""Which log objects of a listing are packed, and what is reported about the others."""

from __future__ import annotations

from datetime import UTC, date, datetime
from itertools import permutations

import pytest
from tests.support.world import DAY, WINDOW, access_key, trail_key

from log_aggregator.model import ListedKey, LogObject
from log_aggregator.steps.packing.buckets import SourceBucket
from log_aggregator.steps.packing.selection import (
    LEFT_SAMPLES_MAX,
    SAMPLES_MAX,
    Left,
    LeftWhy,
    Selection,
    select,
    select_in_chunks,
)
from log_aggregator.steps.rules import Rules

MAIN = SourceBucket("logs", "Enabled", is_main=True)
AUXILIARY = SourceBucket("logs", "Enabled")


def listed(key: str, *classes: str, size_bytes: int = 10) -> ListedKey:
    """A key whose versions are in these storage classes, newest first."""
    time = datetime(2025, 4, 3, tzinfo=UTC)
    versions = (
        LogObject("logs", key, f"v{age}", "e", size_bytes, time, each, age == 0)
        for age, each in enumerate(classes or ("STANDARD",))
    )
    return ListedKey(key, tuple(versions), ())


def rules(*regions: str, discard: bool = False) -> Rules:
    return Rules(WINDOW, frozenset(regions) or None, discard_other_regions=discard)


def packed(selection: Selection) -> int:
    return sum(len(found.sources) for found in selection.groups.values())


@pytest.mark.parametrize("frozen", ["GLACIER", "DEEP_ARCHIVE"])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_one_frozen_version_excludes_its_key(frozen: str, count: int) -> None:
    """Any frozen version counts, first, last or between: without it the others would be packed in
    parts, and an older one could become visible.
    """
    for classes in set(permutations([frozen, *["STANDARD_IA"] * (count - 1)])):
        selection = select(AUXILIARY, [listed(trail_key(1), *classes)], rules())
        assert (packed(selection), selection.left) == (0, {Left.FROZEN: count})
    others = ["STANDARD", "GLACIER_IR", "INTELLIGENT_TIERING"]
    assert packed(select(AUXILIARY, [listed(trail_key(1), *others)], rules())) == 3


@pytest.mark.parametrize(
    ("region", "is_wanted"),
    [
        ("eu-west-1", True),
        ("global", True),
        ("us-east-1", False),
        ("eu-west-2", False),
        ("us-west-2", True),
        ("us-west-2-lax-1a", True),
        ("us-east-1-bos-1a", False),
    ],
)
@pytest.mark.parametrize("discard", [False, True])
def test_global_services_and_local_zones_are_never_other_regions(
    region: str, *, is_wanted: bool, discard: bool
) -> None:
    """Logs of global services never count as "other regions", and a local zone belongs to its
    parent Region: neither is left, let alone discarded.
    """
    wanted = rules("eu-west-1", "us-west-2", discard=discard)
    selection = select(MAIN, [listed(trail_key(1, region=region, service="Config"))], wanted)
    discards = sum(len(found.discards) for found in selection.groups.values())
    assert packed(selection) == is_wanted
    assert discards == (discard and not is_wanted)
    assert selection.left == ({} if is_wanted or discard else {Left.OTHER_REGION: 1})


def test_a_key_without_a_region_is_wanted() -> None:
    """Server access logs name no Region."""
    assert packed(select(AUXILIARY, [listed(access_key(1))], rules("eu-west-1"))) == 1


@pytest.mark.parametrize("chunks", [1, 2, 5, 50])
def test_counts_add_up_across_chunks(chunks: int) -> None:
    """Every version is counted once, however a listing is cut, and only the first few of the keys
    that are left are named.
    """
    unknown = [listed(f"no-date-{number:03}", "STANDARD", "STANDARD") for number in range(50)]
    frozen = [listed(trail_key(number), "GLACIER") for number in range(50)]
    taken = [listed(trail_key(100 + number), *["STANDARD"] * 3) for number in range(50)]
    others = [listed(trail_key(200, day=date(2025, 3, 1)))]
    keys = [*unknown, *frozen, *taken, *others]
    whole = Selection()
    for start in range(0, len(keys), -(-len(keys) // chunks)):
        whole.merge(select(AUXILIARY, keys[start : start - (-len(keys) // chunks)], rules()))
    assert whole.left == {Left.UNKNOWN: 50, Left.FROZEN: 50, Left.OTHER_DATE: 1}
    assert (packed(whole), whole.listed, whole.listed_bytes) == (150, 200, 2000)
    assert list(whole.samples) == [
        f"s3://logs/no-date-{number:03}" for number in range(SAMPLES_MAX)
    ]
    assert len(whole.left_why) == 2
    for left, size_bytes in ((Left.UNKNOWN, 1000), (Left.FROZEN, 500)):
        (found,) = (keys for why, keys in whole.left_why.items() if why.left is left)
        assert (found.objects, found.size_bytes) == (50, size_bytes)
        assert len(found.samples) == LEFT_SAMPLES_MAX


def test_no_key_is_lost_between_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """No key is lost even if a listing ends with a whole chunk; and progress covers all keys."""
    for count in range(7):
        told: list[int] = []
        keys = [listed(trail_key(number)) for number in range(count)]
        monkeypatch.setattr("log_aggregator.steps.packing.selection.CHUNK_KEYS_MAX", 3)
        chunks = list(select_in_chunks(AUXILIARY, keys, rules(), told.append))
        assert [packed(chunk) for chunk in chunks] == told
        assert told == [3] * (count // 3) + ([count % 3] if count % 3 else [])


def test_both_ends_of_the_window_are_packed() -> None:
    """The days next to them are of another date."""
    days = [date(2025, 4, day) for day in range(1, 6)]
    keys = [listed(trail_key(1, day=day)) for day in days]
    selection = select(AUXILIARY, keys, rules())
    assert sorted(group.date for group in selection.groups) == list(WINDOW)
    assert selection.left == {Left.OTHER_DATE: 2}
    assert DAY in WINDOW


def test_reasons_are_counted_separately() -> None:
    """Counts are kept by bucket, kind and detailed reason."""
    selection = Selection()
    for why in ("a", "b", "a"):
        selection.leave(LeftWhy("logs", Left.NO_LOG, why), f"key-{why}", 2, 5)
    found = {why.why: (keys.objects, keys.size_bytes) for why, keys in selection.left_why.items()}
    assert found == {"a": (4, 10), "b": (2, 5)}
    assert selection.left == {Left.NO_LOG: 6}
    assert selection.samples == {}


def test_a_key_without_a_date_is_counted_once() -> None:
    """Every listing of some days sees keys without a date again; a dated key belongs to one of
    them.
    """
    total = Selection()
    for seen in (2, 3, 1):
        window = Selection()
        for number in range(seen):
            key = f"no-date-{number}"
            window.leave(LeftWhy("logs", Left.UNKNOWN, "no date"), key, 1, 5, is_dateless=True)
        window.leave(LeftWhy("logs", Left.HELD, "held"), "2025/04/03/x", 1, 7)
        total.merge_window(window)
    assert total.left == {Left.UNKNOWN: 3, Left.HELD: 3}
    unknown = total.left_why[LeftWhy("logs", Left.UNKNOWN, "no date")]
    assert (unknown.objects, unknown.size_bytes) == (3, 15)
    assert total.left_why[LeftWhy("logs", Left.HELD, "held")].size_bytes == 21

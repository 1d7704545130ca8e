"""Work items: every log object is in exactly one of them, none exceeds the limits, and everything
is there when it is read.

Every failure names the seed of its log objects.
"""

from __future__ import annotations

import gzip
import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random
from zlib import crc32

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.world import DAY, access_key, flow_key, trail_key

from log_aggregator.core.layouts import Dated, parse_key
from log_aggregator.core.layouts.declarations import read_declarations
from log_aggregator.core.packformat.deflate import encode_gzip
from log_aggregator.core.planning import PackLimits, Source, group_of
from log_aggregator.core.windows import DateWindow
from log_aggregator.errors import BadPack
from log_aggregator.model import DeleteMarker, Group, ListedKey, LogObject
from log_aggregator.steps.fanout.workitems import (
    ItemLimits,
    WorkItem,
    cut_items,
    decode_item,
    encode_item,
)
from log_aggregator.steps.packing.buckets import SourceBucket
from log_aggregator.steps.packing.selection import GroupSources, select
from log_aggregator.steps.rules import Rules

BUCKET = SourceBucket("logs", "Enabled")
LAYOUTS = read_declarations(
    [
        {"name": "nginx", "pattern": "nginx/{host}/access.log-{YYYYMMDD}"},
        {"name": "sessions", "pattern": "sessions/{id}.log", "date": "last-modified"},
    ]
)
SEEDS = st.integers(min_value=0, max_value=2**48)
RUNS = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
TIME = datetime(2025, 4, 4, 1, 2, 3, 456_000, tzinfo=UTC)
ODD_NAMES = (
    "a b+%41&.gz",
    'quote"back\\slash',
    "line\nbreak\u2028\x85and\x1ctab\t",
    "ümläut-Ω-\U0001f4a5",
    "a//b/./c",
    "'",
)


def log_object(
    key: str, version: str | None, size_bytes: int, *, is_latest: bool = True
) -> LogObject:
    return LogObject(
        "logs",
        key,
        version,
        f"{crc32(f'{key} {version}'.encode()):032x}",
        size_bytes,
        TIME,
        "STANDARD_IA",
        is_latest,
    )


def source(found: LogObject) -> Source:
    parsed = parse_key(found.key)
    assert isinstance(parsed, Dated)
    return Source(found, parsed.facts)


def any_key(random: Random) -> str:
    account = f"{random.randrange(3) + 1}" * 12
    day = DAY - timedelta(days=random.randrange(2))
    if random.random() < 0.3:
        return flow_key(random.choice(ODD_NAMES), account=account, day=day)
    return random.choice(
        (
            trail_key(random.randrange(10**6), account=account, day=day),
            access_key(random.randrange(10**6), day=day),
        )
    )


def any_groups(random: Random, keys_max: int = 40) -> dict[Group, GroupSources]:
    """Keys of one to four versions; some with delete markers, some discarded."""
    groups: dict[Group, GroupSources] = {}
    for key in {any_key(random) for _ in range(random.randrange(keys_max))}:
        count = random.choice((1, 1, 1, 2, 4))
        versions = [
            log_object(key, f"{n:03}-{random.random()}", random.randrange(1, 60), is_latest=n == 0)
            for n in range(count)
        ]
        found = groups.setdefault(group_of("logs", source(versions[0]).facts), GroupSources())
        if random.random() < 0.2:
            found.discards += versions
            continue
        found.sources += map(source, versions)
        if random.random() < 0.3:
            found.markers[key] = tuple(
                DeleteMarker("logs", key, f"m{n}", TIME, is_latest=False)
                for n in range(random.choice((1, 3)))
            )
    return groups


def any_limits(random: Random) -> ItemLimits:
    return ItemLimits(
        random.choice((1, 3, 10, 1000)),
        random.choice((1, 50, 300, 10**6)),
        random.choice((1, 2, 100)),
    )


def cut(
    groups: Mapping[Group, GroupSources], limits: ItemLimits, members_max: int = 200_000
) -> list[WorkItem]:
    return list(cut_items(BUCKET, groups, limits, PackLimits(members_max=members_max)))


def decode(data: bytes) -> WorkItem:
    """Decode as a run that declares `LAYOUTS`."""
    return decode_item(data, LAYOUTS.of)


def entries_of(parts: Iterator[tuple[Group, GroupSources]]) -> Counter[object]:
    """Every log object, discard and delete marker, with its group."""
    counts: Counter[object] = Counter()
    for group, found in parts:
        counts.update((group, "packed", each) for each in found.sources)
        counts.update((group, "discarded", each) for each in found.discards)
        counts.update(
            (group, "marker", each) for markers in found.markers.values() for each in markers
        )
    return counts


def size_of(part: tuple[Group, GroupSources]) -> int:
    return sum(each.log_object.size_bytes for each in part[1].sources)


@RUNS
@given(seed=SEEDS)
def test_every_log_object_is_in_exactly_one_item(seed: int) -> None:
    """Nothing that was listed is omitted or taken twice, however small the limits; markers go with
    their keys.
    """
    random = Random(seed)
    groups = any_groups(random)
    items = cut(groups, any_limits(random), random.choice((1, 5, 1000)))
    assert entries_of(part for item in items for part in item.groups) == entries_of(
        iter(groups.items())
    )
    for item in items:
        assert item.groups
        for _, found in item.groups:
            assert found.sources or found.discards
            assert set(found.markers) <= {each.log_object.key for each in found.sources}


@RUNS
@given(seed=SEEDS)
def test_versions_of_a_key_stay_together(seed: int) -> None:
    """All versions of a key are in one part of one item, so that one deletion keeps their order."""
    random = Random(seed)
    places: dict[str, set[tuple[int, int]]] = {}
    for number, item in enumerate(cut(any_groups(random), any_limits(random))):
        for place, (_, found) in enumerate(item.groups):
            for each in [*(each.log_object for each in found.sources), *found.discards]:
                places.setdefault(each.key, set()).add((number, place))
    assert all(len(found) == 1 for found in places.values())


@RUNS
@given(seed=SEEDS)
def test_limits_are_respected(seed: int) -> None:
    """Only the versions of one key, which are never separated, take an item over a limit."""
    random = Random(seed)
    limits = any_limits(random)
    for item in cut(any_groups(random), limits):
        assert len(item.groups) <= limits.groups_max
        objects = [*(each.log_object for _, found in item.groups for each in found.sources)]
        keys = {each.key for each in objects} | {
            each.key for _, found in item.groups for each in found.discards
        }
        # The last key may overshoot with its own versions, of which there are four at most, of 60
        # bytes at most.
        assert item.objects <= limits.objects_max + 3 or len(keys) == 1
        assert (
            sum(each.size_bytes for each in objects) <= limits.bytes_max + 3 * 60
            or len({each.key for each in objects}) == 1
        )


def test_items_are_as_full_as_possible() -> None:
    """Two consecutive items would not have fitted into one."""
    random = Random(1)
    for _ in range(100):
        limits = ItemLimits(20, 500, 5)
        items = cut(any_groups(random), limits)
        for first, second in pairwise(items):
            part = second.groups[0][1]
            is_full = first.objects + len(part.sources) + len(part.discards) > limits.objects_max
            is_heavy = sum(map(size_of, [*first.groups, second.groups[0]])) > limits.bytes_max
            assert len(first.groups) == limits.groups_max or is_full or is_heavy


@RUNS
@given(seed=SEEDS, versioning=st.sampled_from([None, "Enabled", "Suspended"]))
def test_an_item_survives_encoding(seed: int, versioning: str | None) -> None:
    """Odd keys, versions, times, markers and discards: the decoded item equals the encoded one, in
    the same order.
    """
    random = Random(seed)
    for item in cut(any_groups(random), any_limits(random)):
        given_item = replace(item, versioning=versioning)
        assert decode(encode_item(given_item)) == given_item


def test_an_object_without_a_version_survives_encoding() -> None:
    """An object from a bucket that never had versions is decoded without one."""
    found = log_object(access_key(1), None, 5)
    item = WorkItem(
        "logs", None, [(group_of("logs", source(found).facts), GroupSources([source(found)]))]
    )
    assert decode(encode_item(item)) == item


def declared_item() -> WorkItem:
    """Two versions of a declared key, and one whose date is that of its newest version."""
    nginx = "nginx/web-1/access.log-20250403"
    listed = [
        ListedKey(nginx, (log_object(nginx, "2", 5), log_object(nginx, "1", 5, is_latest=False))),
        ListedKey("sessions/a.log", (log_object("sessions/a.log", "3", 7),)),
    ]
    bucket = SourceBucket("logs", "Enabled", LAYOUTS.of("logs"))
    selection = select(bucket, listed, Rules(DateWindow(DAY, DAY + timedelta(days=1))))
    (item,) = cut(selection.groups, ItemLimits())
    return item


def test_declared_keys_survive_encoding() -> None:
    """They are read by the run's layouts, even if the date is not in the key."""
    item = declared_item()
    assert [(group.log_type, group.date) for group, _ in item.groups] == [
        ("nginx", DAY),
        ("sessions", TIME.date()),
    ]
    assert decode(encode_item(item)) == item


@pytest.mark.parametrize(
    "declared",
    [
        [],
        [{"name": "nginx", "pattern": "nginx/{host}/access.log-{YYYYMMDD}"}],
        [
            {"name": "nginx", "pattern": "nginx/{host}/access.log-{YYYYMMDD}"},
            {"name": "sessions", "pattern": "sessions/{id}.log", "date": "last-modified"},
            {"name": "first", "pattern": "{host}/{**}{YYYYMMDD}"},
        ][::-1],
    ],
)
def test_undeclared_keys_are_refused(declared: list[dict[str, str]]) -> None:
    """An item whose keys are read differently, or not at all, belongs to another run."""
    data = encode_item(declared_item())
    with pytest.raises(BadPack):
        decode_item(data, read_declarations(declared).of)


@pytest.mark.parametrize(
    "damage",
    [
        "empty",
        "text",
        "cut",
        "cut-line",
        "twice",
        "other-format",
        "undated",
        "no-head",
        "list",
        "flipped",
    ],
)
def test_an_incomplete_item_is_refused(damage: str) -> None:
    """A damaged item is an error: missing names would be forgotten, and wrong ones might be
    deleted.
    """
    objects = [source(log_object(access_key(number), f"{number}", 5)) for number in range(50)]
    data = encode_item(
        WorkItem("logs", "Enabled", [(group_of("logs", objects[0].facts), GroupSources(objects))])
    )
    lines = gzip.decompress(data).splitlines(keepends=True)
    head = json.loads(lines[0])
    damaged = {
        "empty": b"",
        "text": b"not gzip",
        "cut": data[: len(data) // 2],
        "cut-line": encode_gzip(b"".join(lines[:-1])),
        "twice": encode_gzip(b"".join([*lines, lines[-1]])),
        "other-format": encode_gzip(
            b"".join([json.dumps({**head, "format": 2}).encode() + b"\n", *lines[1:]])
        ),
        "undated": encode_gzip(b"".join(lines).replace(access_key(3).encode(), b"readme.txt")),
        "no-head": encode_gzip(b"".join(lines[1:])),
        "list": encode_gzip(b"[1, 2]\n"),
        "flipped": data[: len(data) // 2]
        + bytes([data[len(data) // 2] ^ 0x55])
        + data[len(data) // 2 + 1 :],
    }[damage]
    with pytest.raises(BadPack):
        decode(damaged)


def test_cutting_takes_linear_time() -> None:
    """Cutting eight times as many groups in one item takes Python eight times as much work, and no
    more.
    """

    def count_calls(count: int) -> int:
        objects = [source(log_object(trail_key(number), "1", 5)) for number in range(5)]
        groups = {
            Group("logs", "CloudTrail", f"{number:012}", DAY): GroupSources(list(objects))
            for number in range(count)
        }
        calls = 0

        def watch(_frame: object, event: str, _argument: object) -> None:
            nonlocal calls
            calls += event == "call"

        sys.setprofile(watch)
        try:
            items = cut(groups, ItemLimits(groups_max=10**6))
        finally:
            sys.setprofile(None)
        assert len(items) == 1
        return calls

    assert count_calls(160) < count_calls(20) * 8 * 1.2

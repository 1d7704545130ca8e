"""How many pages it takes to list one day out of a year, by the date skip-scan, against a full
listing. No server: a list of keys.

Six shapes of bucket: flat S3 access logs; CloudFront with 40 distributions; flow logs of 240
accounts and regions; a flat bucket and one of 40 hosts whose layouts are declared, with compact
dates; and keys that all have another random stem, where nothing can be skipped and nothing may be
lost by trying.
"""

from __future__ import annotations

import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import cast

from benchmarks.jobsteps import list_whole
from benchmarks.report import BenchmarkBroken, Options, Outcome, Table, Target

from log_aggregator.core.layouts.declarations import read_declarations
from log_aggregator.core.windows import DateWindow
from log_aggregator.limits import LIST_PAGE_COUNT_MAX
from log_aggregator.model import LogObject
from log_aggregator.ports.store import ListStart, ObjectStore, Page
from log_aggregator.steps.packing.buckets import Area, SourceBucket
from log_aggregator.steps.rules import Rules

KEY_COUNT = 1_000_000
KEY_COUNT_QUICK = 100_000
DAYS = 365
FIRST_DAY = date(2024, 8, 1)
WANTED_DAY = date(2025, 4, 3)
DISTRIBUTIONS = 40
FLOW_STEMS = 240

Shape = Callable[[Random, int], Iterator[tuple[date, str]]]


def measure(options: Options) -> Outcome:
    columns = {
        "shape of the bucket": "",
        "keys": ",d",
        "of the day": ",d",
        "pages": ",d",
        "full listing": ",d",
        "times fewer": ",.1f",
    }
    table = Table(f"Pages to list {WANTED_DAY} out of {DAYS} days", columns | {"seconds": ".2f"})
    outcome = Outcome([table], is_quick=options.is_quick)
    for name, (shape, bound, pattern) in SHAPES.items():
        pages, pages_full, *_ = row = _measure_shape(
            shape, pattern, KEY_COUNT_QUICK if options.is_quick else KEY_COUNT
        )
        table.rows.append((name, row[2], row[3], pages, pages_full, pages_full / pages, row[4]))
        outcome.targets.append(Target(f"pages, {name}", pages, min(bound, pages_full + 1)))
    outcome.notes.append(
        "Every key of the day was found, and no key of another day was taken. Seconds: reading "
        "the keys' dates, no network."
    )
    return outcome


class KeyList:
    """A bucket that is a sorted list of keys: as much of an object store as a plain listing
    needs.
    """

    def __init__(self, keys: list[str]) -> None:
        self._keys = keys
        self.pages = 0

    def list_objects(
        self, bucket: str, *, prefix: str = "", start: ListStart | None = None
    ) -> Page:
        self.pages += 1
        first = (
            bisect_right(self._keys, start.key)
            if start is not None
            else bisect_left(self._keys, prefix)
        )
        last = min(first + LIST_PAGE_COUNT_MAX, len(self._keys))
        found = self._keys[first:last]
        objects = tuple(LogObject(bucket, key, None, "0" * 32, 1, _DELIVERED) for key in found)
        return Page(objects, next_start=ListStart(found[-1]) if last < len(self._keys) else None)


def _measure_shape(shape: Shape, pattern: str, count: int) -> tuple[int, int, int, int, float]:
    """(pages, those of a full listing, keys, keys of the day, seconds). `pattern` is what is
    declared for the bucket, if anything is.
    """
    keys: list[str] = []
    wanted = set()
    for day, key in shape(Random(1), count):
        keys.append(key)
        if day == WANTED_DAY:
            wanted.add(key)
    keys.sort()
    bucket = KeyList(keys)
    began = time.perf_counter()
    rules = Rules(DateWindow(WANTED_DAY, WANTED_DAY))
    rows = [{"name": "example", "pattern": pattern}] if pattern else []
    area = Area(SourceBucket("example", None, read_declarations(rows).of("example")), "")
    selection = list_whole(cast("ObjectStore", bucket), area, rules)
    seconds = time.perf_counter() - began
    found = [
        source.log_object.key for group in selection.groups.values() for source in group.sources
    ]
    if len(found) != len(wanted) or set(found) != wanted:
        raise BenchmarkBroken(f"{len(found)} keys found where {len(wanted)} are of the day")
    return bucket.pages, -(-len(keys) // LIST_PAGE_COUNT_MAX), len(keys), len(wanted), seconds


def _spread(count: int, stems: int) -> Iterator[tuple[int, date]]:
    """(number of the stem, day), so many in all, evenly."""
    for number in range(count):
        yield number % stems, FIRST_DAY + timedelta(days=number // stems % DAYS)


def _access_logs(random: Random, count: int) -> Iterator[tuple[date, str]]:
    for _, day in _spread(count, 1):
        yield (
            day,
            f"{day}-{random.randrange(24):02d}-{random.randrange(60):02d}-11-{random.getrandbits(64):016X}",
        )


def _cloudfront(random: Random, count: int) -> Iterator[tuple[date, str]]:
    for number, day in _spread(count, DISTRIBUTIONS):
        yield (
            day,
            f"cdn/E{number:02d}ABCDEFGHIJK.{day}-{random.randrange(24):02d}.{random.getrandbits(32):08x}.gz",
        )


def _flow_logs(random: Random, count: int) -> Iterator[tuple[date, str]]:
    for number, day in _spread(count, FLOW_STEMS):
        account, region = 100_000_000_000 + number // 2, ("eu-west-1", "us-east-1")[number % 2]
        yield (
            day,
            f"AWSLogs/{account}/vpcflowlogs/{region}/{day:%Y/%m/%d}/{account}_{random.getrandbits(64):016x}.log.gz",
        )


def _logpush(random: Random, count: int) -> Iterator[tuple[date, str]]:
    for _, day in _spread(count, 1):
        begin, end = random.randrange(86_400), random.randrange(86_400)
        yield day, f"{day:%Y%m%d}/{begin:06d}Z_{end:06d}Z_{random.getrandbits(32):08x}.log.gz"


def _hosts(random: Random, count: int) -> Iterator[tuple[date, str]]:
    for number, day in _spread(count, DISTRIBUTIONS):
        yield day, f"web-{number:02d}/access-{day:%Y%m%d}-{random.getrandbits(32):08x}.log"


def _random_stems(random: Random, count: int) -> Iterator[tuple[date, str]]:
    for _, day in _spread(count, 1):
        yield day, f"{random.getrandbits(64):016x}x/{day:%Y/%m/%d}/{random.getrandbits(32):08x}.log"


_DELIVERED = datetime(2025, 4, 4, tzinfo=UTC)

SHAPES: dict[str, tuple[Shape, int, str]] = {
    "flat S3 access logs": (_access_logs, 7, ""),
    f"CloudFront, {DISTRIBUTIONS} distributions": (_cloudfront, 4 * DISTRIBUTIONS + 1, ""),
    f"flow logs, {FLOW_STEMS} stems": (_flow_logs, 2 * FLOW_STEMS + 1, ""),
    "declared, flat, compact dates": (_logpush, 8, "{YYYYMMDD}/{*}.log.gz"),
    f"declared, {DISTRIBUTIONS} hosts": (
        _hosts,
        3 * DISTRIBUTIONS + 1,
        "{host}/access-{YYYYMMDD}-{*}.log",
    ),
    "every key another stem": (_random_stems, KEY_COUNT, "{*}/{YYYY}/{MM}/{DD}/{*}.log"),
}
"""Shape -> at most so many pages, two for each stem and year, and never more than one above a full
listing; and the pattern that is declared for it.
"""

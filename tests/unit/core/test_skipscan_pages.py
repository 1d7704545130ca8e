"""The date skip-scan: single jumps, and how many pages real buckets take."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from random import Random

import pytest

from log_aggregator.core.skipscan import next_start
from log_aggregator.core.windows import DateWindow
from log_aggregator.limits import KEY_BYTES_MAX, LIST_PAGE_COUNT_MAX

DAY = date(2025, 4, 3)
WINDOW = DateWindow(DAY, DAY)
VPC = "AWSLogs/123456789012/vpcflowlogs/us-east-1/"
CONFIG = "AWSLogs/123456789012/Config/us-east-1/"


@pytest.mark.parametrize(
    ("last_key", "start"),
    [
        (f"{VPC}2024/01/01/x.log.gz", f"{VPC}2025/04/03.~"),  # before the day: on to it, over years
        (f"{VPC}2025/04/02/x.log.gz", f"{VPC}2025/04/03.~"),
        (f"{VPC}2025/04/03/x.log.gz", None),  # in the day: the next page
        (f"{VPC}2025/04/04/x.log.gz", f"{VPC}~~"),  # past the day: behind the stem
        (
            f"{CONFIG}2025/10/1/x.json.gz",
            f"{CONFIG}2025/4/03.~",
        ),  # unpadded: October sorts before April
        (f"{CONFIG}2025/4/29/x.json.gz", f"{CONFIG}2025/4/3.~"),  # and the 29th before the 3rd
        (f"{CONFIG}2025/4/3/x.json.gz", None),
        (f"{CONFIG}2025/4/30/x.json.gz", f"{CONFIG}~~"),
        ("2024-12-01-00-00-00-0123456789ABCDEF", "2024-18~"),  # flat: not beyond the year
        ("2025-01-01-00-00-00-0123456789ABCDEF", "2025-04-02~"),
        ("2025-04-03-00-00-00-0123456789ABCDEF", None),
        ("E1ABCDEFGHIJKL.2024-12-01-10.abc.gz", "E1ABCDEFGHIJKL.2024-18~"),
        ("no/date/in/it.log", None),
        ("ELBAccessLogTestFile", None),
        ("db/20250401.log", None),
        ("2025-04-02~", None),  # the very place where it would go on
    ],
)
def test_where_the_scan_continues(last_key: str, start: str | None) -> None:
    """Before the wanted day it jumps to the day, within it to the next page, and past it beyond the
    scope.
    """
    assert next_start(last_key, WINDOW) == start


def test_a_key_that_ends_where_a_date_begins_is_not_missed() -> None:
    """The start is exclusive, so it sorts before the text with which a wanted date begins."""
    start = next_start("db/2025-01-01.log", WINDOW)
    assert start is not None
    assert start < "db/2025-04-03"


def test_own_packs_are_skipped() -> None:
    """A prefix to be skipped costs one page, whatever is under it."""
    skip = ("packs/", "indexes/")
    assert next_start("packs/b/CloudTrail/1/2025/04/03/x", WINDOW, skip_prefixes=skip) == "packs/~~"
    assert next_start("packs2/x", WINDOW, skip_prefixes=skip) is None
    assert next_start("packs/~~", WINDOW, skip_prefixes=skip) is None
    assert next_start("packs/~~~", WINDOW, skip_prefixes=skip) is None


def test_a_start_too_long_for_a_key_is_not_used() -> None:
    """S3 allows keys of at most 1,024 bytes, so the next page is taken instead."""
    stem = "é" * ((KEY_BYTES_MAX - 12) // 2)
    assert next_start(f"{stem}2025-01-01", WINDOW) is not None
    assert next_start(f"x{stem}2025-01-01.", WINDOW) == f"x{stem}2025-04-02~"
    assert next_start(f"xx{stem}2025-01-01", WINDOW) is None


def test_a_window_includes_both_ends() -> None:
    """Both ends belong to a window; one that ends before it begins is refused."""
    window = DateWindow(date(2024, 12, 31), date(2025, 1, 2))
    assert list(window) == [date(2024, 12, 31), date(2025, 1, 1), date(2025, 1, 2)]
    assert all(day in window for day in window)
    assert date(2025, 1, 3) not in window
    with pytest.raises(ValueError, match="ends before it begins"):
        DateWindow(DAY, DAY - timedelta(days=1))


# How many pages a bucket costs: 365 days up to three months behind the wanted one, about 100,000
# keys.

_FIRST = date(2024, 8, 1)
_DAYS = [_FIRST + timedelta(days=count) for count in range(365)]


def _flat(random: Random) -> Iterator[tuple[date, str]]:
    for day in _DAYS:
        for _ in range(274):
            yield day, f"{day}-{random.randrange(24):02d}-10-11-{random.getrandbits(64):016X}"


def _cloudfront(random: Random) -> Iterator[tuple[date, str]]:
    for number in range(40):
        for day in _DAYS:
            for hour in range(0, 24, 4):
                yield (
                    day,
                    f"cdn/E{number:02d}ABCDEFGHIJK.{day}-{hour:02d}.{random.getrandbits(32):08x}.gz",
                )


def _vpc(random: Random) -> Iterator[tuple[date, str]]:
    for number in range(240):
        account, region = 100000000000 + number // 2, ("eu-west-1", "us-east-1")[number % 2]
        for day in _DAYS:
            yield (
                day,
                f"AWSLogs/{account}/vpcflowlogs/{region}/{day:%Y/%m/%d}/{account}_{random.getrandbits(64):016x}.log.gz",
            )


def _random_stems(random: Random) -> Iterator[tuple[date, str]]:
    for _ in range(100):
        stem = f"{random.getrandbits(40):010x}x/"
        for day in _DAYS:
            for _ in range(3):
                yield day, f"{stem}{day:%Y/%m/%d}/{random.getrandbits(64):016x}.log"


@pytest.mark.parametrize(
    ("shape", "pages_max"),
    [
        (_flat, 5),
        (_cloudfront, 2 * 40 + 5),
        (_vpc, 240 + 5),
        (_random_stems, 3 * 100 + 5),
    ],
)
def test_a_day_costs_few_pages(
    shape: Callable[[Random], Iterator[tuple[date, str]]], pages_max: int
) -> None:
    """One day out of a year is found whole in a few pages per stem, however many keys the other
    days have.
    """
    day_of = {key: day for day, key in shape(Random(1))}
    keys = sorted(day_of)
    seen, pages = _scan(keys)
    assert sorted(key for key in seen if day_of[key] == DAY) == sorted(
        key for key, day in day_of.items() if day == DAY
    )
    assert pages <= min(pages_max, len(keys) // LIST_PAGE_COUNT_MAX + 1), pages


def _scan(keys: list[str]) -> tuple[list[str], int]:
    seen: list[str] = []
    pages = begin = 0
    while begin < len(keys):
        page = keys[begin : begin + LIST_PAGE_COUNT_MAX]
        seen, pages, begin = seen + page, pages + 1, begin + len(page)
        start = next_start(page[-1], WINDOW)
        begin = begin if start is None else max(begin, bisect_right(keys, start))
    return seen, pages

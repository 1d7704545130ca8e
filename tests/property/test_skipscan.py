"""Laws of the date skip-scan, tested on keys made to break it: every layout, and everything that
looks like a date.

Every failure names the seed of its keys.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from datetime import date, timedelta
from functools import lru_cache
from random import Random

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from log_aggregator.core.layouts import Dated, DatePosition
from log_aggregator.core.layouts.declared import BUILT_IN, BucketLayouts, DeclaredLayout
from log_aggregator.core.layouts.pattern import parse_pattern
from log_aggregator.core.skipscan import next_start
from log_aggregator.core.windows import DateWindow
from log_aggregator.limits import KEY_BYTES_MAX

SEEDS = st.integers(min_value=0, max_value=2**48)


def laws(count: int) -> settings:
    return settings(
        max_examples=count,
        deadline=None,
        derandomize=False,
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow],
    )


class Reader:
    """A bucket's layouts; the laws look at one key in many ways."""

    def __init__(self, layouts: BucketLayouts = BUILT_IN) -> None:
        self.read = lru_cache(maxsize=10_000)(layouts.read)
        self.position = lru_cache(maxsize=10_000)(layouts.position)

    def date_of(self, key: str) -> date | None:
        parsed = self.read(key)
        return parsed.facts.date if isinstance(parsed, Dated) else None

    def in_window(self, keys: list[str], window: DateWindow) -> list[str]:
        days = ((key, self.date_of(key)) for key in keys)
        return [key for key, day in days if day is not None and day in window]

    def next_start(
        self, last_key: str, window: DateWindow, skip_prefixes: tuple[str, ...] = ()
    ) -> str | None:
        return next_start(last_key, window, self.position, skip_prefixes=skip_prefixes)


PATTERNS = (
    "{YYYYMMDD}/{**}",
    "{YYYY}/{MM}/{DD}/{**}",
    "logs{YYYY}-{MM}-{DD}{**}",
    "logs/{YYYY-MM-DD}.log",
    "{host}/{YYYY}/{M}/{D}/x.log",
    "{host}/x-{YYYYMMDD}.log",
    "{host}-{YYYYMMDD}{*}",
    "a/{**}/{YYYY}/{MM}/{DD}/{**}",
    "team-{*}/{YYYY-MM-DD}{*}",
    "release-{*}/logs/{YYYY}/{MM}/{DD}/{*}",
    "dt={YYYYMMDD}/hour={hour}/{*}",
    "x/year={YYYY}/month={MM}/day={DD}/{*}",
    "{DD}-{MM}-{YYYY}/{**}",
    "{account}/{region}/{*}/{YYYY}/{MM}/{DD}/{**}",
    "{account}/{YYYYMMDD}{**}",
    "{YYYY}/{MM}/x-{YYYY}-{MM}-{DD}.log",
    "E1ABCDEFGHIJKL.{YYYY-MM-DD}{**}",
    "logs/{epoch}/{*}",
    "{**}",
)


def any_reader(random: Random) -> Reader:
    """A reader, often without declared layouts, or with a few of them."""
    chosen = random.sample(PATTERNS, random.choice((0, 0, 1, 1, 2, 3)))
    declared = (
        DeclaredLayout(
            f"declared-{pattern}", parse_pattern(pattern), by_last_modified=pattern == "{**}"
        )
        for pattern in chosen
    )
    return Reader(BucketLayouts(tuple(declared)))


def scan(
    reader: Reader,
    keys: list[str],
    window: DateWindow,
    page_size: int,
    skip_prefixes: tuple[str, ...] = (),
) -> tuple[list[str], int]:
    """The keys seen, in pages as S3 gives them, and the number of pages."""
    seen, pages, begin = [], 0, 0
    while True:
        page = keys[begin : begin + page_size]
        pages += 1
        seen += page
        begin += len(page)
        if begin >= len(keys):
            return seen, pages
        start = reader.next_start(page[-1], window, skip_prefixes)
        begin = max(begin, bisect_right(keys, start)) if start is not None else begin


def any_window(random: Random) -> DateWindow:
    first = any_day(random)
    return DateWindow(first, first + timedelta(days=random.choice((0, 0, 1, 2, 5, 40))))


@laws(1500)
@given(seed=SEEDS, page_size=st.integers(3, 50))
def test_the_scan_finds_exactly_the_keys_of_the_window(seed: int, page_size: int) -> None:
    """All keys dated in the window are seen once each, in no more pages than a full listing
    takes.
    """
    random = Random(seed)
    reader, keys, window = any_reader(random), bucket(random), any_window(random)
    seen, pages = scan(reader, keys, window, page_size)
    assert reader.in_window(seen, window) == reader.in_window(keys, window)
    assert pages <= max(1, -(-len(keys) // page_size))


DAYS_BEFORE = (*range(8), 30, 100, 365, 400)
"""Few of many days: spelling each of them takes all the time."""


@laws(4000)
@given(seed=SEEDS)
def test_no_jump_skips_a_dated_key_of_the_window(seed: int) -> None:
    """No key dated in any window lies between a key and the scan's next start after it, whatever
    beginnings they share.
    """
    random = Random(seed)
    reader, keys = any_reader(random), sorted(set(family(random, 12)))
    for place, wanted in enumerate(keys):
        day = reader.date_of(wanted)
        if day is None:
            continue
        for window in (
            DateWindow(day, day),
            DateWindow(day - timedelta(days=random.choice(DAYS_BEFORE)), day + timedelta(days=1)),
        ):
            for last_key in keys[:place]:
                start = reader.next_start(last_key, window)
                assert start is None or start < wanted, (last_key, start, wanted, window)


@laws(3000)
@given(seed=SEEDS)
def test_a_jump_moves_forward(seed: int) -> None:
    """next_start returns a text that sorts after the last key in S3's order of UTF-8 bytes and is
    short enough for a key.
    """
    random = Random(seed)
    reader = any_reader(random)
    for last_key in family(random, 5):
        start = reader.next_start(last_key, any_window(random))
        if start is not None:
            assert last_key.encode() < start.encode()
            assert len(start.encode()) <= KEY_BYTES_MAX


@laws(4000)
@given(seed=SEEDS)
def test_a_position_applies_to_all_keys_of_its_scope(seed: int) -> None:
    """Keys that begin with a position's scope have their date in its place and grammar, or
    no date.
    """
    random = Random(seed)
    reader = any_reader(random)
    for key in family(random, 4):
        position = reader.position(key)
        if position is None:
            continue
        for _ in range(6):
            other = relative(random, key)
            day = reader.date_of(other)
            if day is None or not _in_scope(other, position):
                continue
            spelled = tuple(position.stem + text for text in position.grammar.stops(day))
            assert other.startswith(spelled), (key, other)


def _in_scope(key: str, position: DatePosition) -> bool:
    if position.is_declared:
        begun = position.stem + position.grammar.year_form
        return key.startswith(begun) and key[len(begun) :][:1] in set("0123456789")
    if position.whole_stem or position.year is None:
        return key.startswith(position.stem)
    year = position.stem + position.grammar.year_text(position.year)
    rest = key.removeprefix(year)
    return (
        key.startswith(year)
        and rest[:1] in set("0123456789")
        and not rest.startswith(position.grammar.centuries or "none")
    )


@laws(500)
@given(
    seed=SEEDS,
    page_size=st.integers(3, 50),
    prefix=st.sampled_from(["packs/", "logs", "AWSLogs/", "2", "o-abcd123456/"]),
)
def test_only_own_prefixes_are_skipped(seed: int, page_size: int, prefix: str) -> None:
    """With prefixes to skip, every other key of the window is still seen, each once."""
    random = Random(seed)
    reader, keys, window = any_reader(random), bucket(random), any_window(random)
    keys = sorted({*keys, *(f"{prefix}{number}" for number in range(random.randrange(60)))})
    seen, pages = scan(reader, keys, window, page_size, (prefix,))
    seen, others = ([key for key in some if not key.startswith(prefix)] for some in (seen, keys))
    assert reader.in_window(seen, window) == reader.in_window(others, window)
    assert pages <= max(1, -(-len(keys) // page_size))


_WITHOUT_DECLARED = Reader()
_TEXT = st.text(st.sampled_from("0123456789/-_.=:~AEaexyT\n é\U0001f600"), max_size=6)
_STEM = st.sampled_from(
    [
        "",
        "logs",
        "logs20",
        "AWSLogs/123456789012/Config/us-east-1/",
        "E1ABCDEFGHIJKL.",
        "202412345678/us-east-1/b/",
        "AWSLogs/123456789012/New/",
    ]
)
_YEAR = st.sampled_from(["2024", "2025", "year=2025/month=", "2024/2025", "19", "20"])
_DATE = st.sampled_from(
    [
        "-04-03",
        "/04/03/",
        "/4/3/",
        "4/day=3/",
        "2025-04-03",
        "2025/04/03/",
        "/2025/4/30",
        "12345678/us-east-1/b/2025/04/03/",
    ]
)


@laws(3000)
@given(stem=_STEM, front=_TEXT, year=_YEAR, first=_DATE | _TEXT, second=_DATE, behind=_TEXT)
@example(
    stem="",
    front="",
    year="2024",
    first="-12-01-10-11-12-0123456789ABCDEF",
    second="12345678/us-east-1/b/2025/04/03/",
    behind="",
)
@example(
    stem="logs",
    front="",
    year="20",
    first="19-12-31-10-11-12-0123456789ABCDEF",
    second="2025-04-03-10-11-12-",
    behind="0123456789ABCDEF",
)
def test_two_neighbouring_keys_obey_the_law(
    stem: str, front: str, year: str, first: str, second: str, behind: str
) -> None:
    """This repeats the law with free texts around the year, which hypothesis can shrink."""
    last_key, wanted = f"{stem}{front}{year}{first}", f"{stem}{front}{year}{second}{behind}"
    reader = _WITHOUT_DECLARED
    day = reader.date_of(wanted)
    if day is None or last_key >= wanted:
        return
    start = reader.next_start(last_key, DateWindow(day, day))
    assert start is None or start < wanted


# The keys

_ACCOUNTS = ("123456789012", "202412345678", "202504031234", "200612345678", "190012345678")
_ACCESS_LOG_END = "-10-11-12-0123456789ABCDEF"
_UUID = "0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d"

_STEMS = (
    "",
    "logs",
    "logs2",
    "logs20",
    "logs2025-",
    "logs2024/",
    "logs-2024-",
    "a/b-2024/2025/",
    "x/year=2024/",
    "x/year=2025/month=",
    "20250401/",
    "20250403-4e5f-4a6b-8c7d-9e0f1a2b3c4d/",
    "20250403-2025-04",
    "20250403-abcd-",
    "team-20241101/",
    "o-abcd123456/AWSLogs/123456789012/CloudTrail/us-east-1/",
    "o-abcd123456/AWSLogs/o-abcd123456/123456789012/CloudTrail-Digest/us-east-1/",
    "AWSLogs/202412345678/CloudTrail/us-east-1/",
    "AWSLogs/123456789012/Config/us-east-1/",
    "AWSLogs/123456789012/Config/global/",
    "AWSLogs/123456789012/vpcflowlogs/us-east-1/",
    "AWSLogs/aws-account-id=123456789012/aws-service=vpcflowlogs/aws-region=us-east-1/",
    "AWSLogs/123456789012/elasticloadbalancing/us-east-1/",
    "AWSLogs/123456789012/WAFLogs/us-east-1/my-acl-2024-01-01/",
    "AWSLogs/123456789012/WAFLogs/us-east-1/my-acl-2025-",
    "AWSLogs/123456789012/vpcdnsquerylogs/vpc-2025-04-0/",
    "AWSLogs/123456789012/network-firewall/flow/us-east-1/2025/",
    "AWSLogs/123456789012/KafkaBrokerLogs/us-east-1/cluster-2024/",
    "AWSLogs/123456789012/CloudFront/",
    "AWSLogs/123456789012/CloudFront/E1ABCDEFGHIJ2024.",
    "AWSLogs/123456789012/CloudFront/E1ABCDEFGHIJ2024/",
    "AWSLogs/aws-account-id=123456789012/CloudFront/DistributionId=E1ABCDEFGHIJKL/",
    "AWSLogs/123456789012/NewService/",
    "AWSLogs/123456789012/NewService/name-2024-",
    "AWSLogs/123456789012/Macie/",
    "team-20241101/AWSLogs/123456789012/vpcflowlogs/us-east-1/",
    "team-2024-11-01/AWSLogs/123456789012/vpcflowlogs/us-east-1/",
    "E1ABCDEFGHIJKL.",
    "cdn/E1ABCDEFGHIJ2024.",
    "cdn-20250403/E1ABCDEFGHIJ2024.",
    "AWSAppFabric/AuditLog/RAW/JSON/APP/tenant/auth/",
    "aws/SOURCE/2.0/region=us-east-1/accountId=123456789012/eventDay=",
    "202412345678/us-east-1/bucket/",
    "202412345678/us-east-1/bucket-2025-04-0",
    "202412345678/us-east-1/2024-04-0/",
    "202504031234/us-east-1/",
    "123456789012/us-east-1/2025/",
    "123456789012/us-east-1/AWSLogs/123456789012/vpcflowlogs/us-east-1/",
    "connect/instance/CallRecordings/",
    "Backup/123456789012/us-east-1/",
    "packs/bucket/CloudTrail/123456789012/",
    "logs/",
    "web-1/",
    "web-1/x-",
    "web-1-",
    "a/b/c/",
    "release-2024-12-01/logs/",
    "dt=",
    "123456789012/",
)

_PIECES = (
    *(
        "/",
        "-",
        "_",
        ".",
        ":",
        "~",
        "!",
        "=",
        "T",
        "é",
        "\uffff",
        "\U0001f600",
        "\n",
        "٢٠٢٥",
        "a2025f",
        "deadbeef20250403",
        "x",
        "data",
    ),
    *(
        "0",
        "1",
        "3",
        "19",
        "20",
        "2",
        "9",
        "04",
        "12",
        "31",
        "1999",
        "2005",
        "2024",
        "2025",
        "2026",
        "2100",
    ),
    *(
        "2024/",
        "2025/",
        "2024-",
        "2025-",
        "year=2024/",
        "year=2025/month=",
        "month=4/day=3/",
        "04/",
        "4/",
        "-04",
        "-4-",
        "03/",
        "3",
        "12/31/",
    ),
    *(
        "20250403",
        "20241231",
        "20251399",
        "20250401-20250501/",
        "2025/04/03",
        "2025/4/3/",
        "2024-12-31",
        "2025-01-01",
        "2025-04-03",
    ),
    *(
        "year=2025/month=04/day=03/",
        "year=2024/month=12/day=31/",
        _UUID,
        _ACCESS_LOG_END,
        "-10.x.gz",
        "/x.log",
        "/10/x.gz",
    ),
    *(
        "AWSLogs/",
        "/AWSLogs/",
        "CloudTrail/",
        "Config/",
        "vpcflowlogs/",
        "us-east-1/",
        "/us-east-1/",
        "bucket/",
        "o-abcd123456/",
    ),
    *(
        "E1ABCDEFGHIJKL",
        "E1ABCDEFGHIJKL.",
        "/E1ABCDEFGHIJ2025.",
        "region=us-east-1/",
        "AWSAppFabric/",
        "packs/",
        "connect/",
    ),
    *_ACCOUNTS,
    *(account + "/us-east-1/" for account in _ACCOUNTS),
    *_STEMS,
)

_WRITINGS: tuple[Callable[[date], str], ...] = (
    lambda day: f"{day:%Y/%m/%d}",
    lambda day: f"{day.year}/{day.month}/{day.day}",
    lambda day: f"{day.year}/{day.month:02d}/{day.day}",
    lambda day: f"{day.year}/{day.month}/{day.day:02d}",
    lambda day: f"{day:%Y-%m-%d}",
    lambda day: f"{day:year=%Y/month=%m/day=%d}",
    lambda day: f"year={day.year}/month={day.month}/day={day.day}",
    lambda day: f"{day:%Y%m%d}",
)

# "{day}" becomes a date, mostly the same as before.
_ENDS = (
    "/x.log",
    "/10/x.gz",
    "/10/y.parquet",
    _ACCESS_LOG_END,
    _ACCESS_LOG_END,
    "-10.x.gz",
    "-10/x.gz",
    "T1005Z.log",
    ".log",
    "",
    "0/x",
    "/{day}" + _ACCESS_LOG_END,
    "/{day}" + _ACCESS_LOG_END,
    "/logs/{day}" + _ACCESS_LOG_END,
    f"/10/stream-1-{{day}}-10-11-12-{_UUID}",
    f"/stream-2-{{day}}-10-11-12-{_UUID}.parquet",
    f"-10-11-12-{_UUID}",
    "/E1ABCDEFGHIJKL.{day}-10.x.gz",
    "/AWSLogs/123456789012/GuardDuty/us-east-1/{slashed}/x.jsonl.gz",
)


def any_end(random: Random, day: date) -> str:
    other = day + timedelta(days=random.choice((0, 0, 0, 1, -1, 2, 30)))
    return _filled(random.choice(_ENDS), other)


def any_day(random: Random) -> date:
    """A day, often at the end of a year or month, mostly in two adjacent years."""
    near = random.choice(
        (
            date(2024, 12, 31),
            date(2025, 4, 3),
            date(2025, 1, 31),
            date(2024, 2, 29),
            date(2025, 10, 1),
            date(2019, 12, 31),
        )
    )
    return near + timedelta(
        days=random.choice((0, 0, 1, -1, 2, 7, -30, random.randrange(-400, 400)))
    )


def any_key(random: Random) -> str:
    """A stem, a date in a common notation and an end; or a mix of pieces."""
    if random.random() < 0.3:
        return soup(random)
    return _stem(random) + _date_and_end(random)


def soup(random: Random) -> str:
    return "".join(random.choices(_PIECES, k=random.randrange(1, 7)))


def relative(random: Random, key: str) -> str:
    """A key with the same beginning as `key`: cut anywhere, mostly in or near its digits, then
    continued differently.
    """
    end = random.randrange(len(key) + 1)
    return key[:end] + random.choice((soup, _date_and_end, _digit, any_key))(random)


def family(random: Random, size: int) -> list[str]:
    """Keys that share beginnings with each other."""
    keys = [any_key(random) for _ in range(random.randrange(1, 4))]
    while len(keys) < size:
        keys.append(relative(random, random.choice(keys)))
    return keys


def bucket(random: Random) -> list[str]:
    """Stems with many days each, and noise of all kinds between them; sorted, without repeats."""
    keys: set[str] = set()
    for _ in range(random.randrange(1, 6)):
        keys.update(_series(random))
    kin = sorted(keys)
    keys.update(relative(random, random.choice(kin)) for _ in range(random.randrange(40)))
    keys.update(soup(random) for _ in range(random.randrange(10)))
    return sorted(key for key in keys if 0 < len(key.encode()) <= 1024)


def _series(random: Random) -> set[str]:
    stem, writing, end = _stem(random), random.choice(_WRITINGS), random.choice(_ENDS)
    at_same_day = random.random() < 0.8
    first, step = any_day(random), random.choice((1, 1, 1, 3, 29))
    days = [first + timedelta(days=step * count) for count in range(random.randrange(1, 60))]
    per_day = random.randrange(1, 4)
    return {
        f"{stem}{writing(day)}{_filled(end, day if at_same_day else first)}".replace(
            "10-11-12", f"10-11-1{number}"
        )
        for day in days
        for number in range(per_day)
    }


def _filled(end: str, day: date) -> str:
    return end.format(day=day, slashed=f"{day:%Y/%m/%d}")


def _stem(random: Random) -> str:
    return random.choice(_STEMS) if random.random() < 0.7 else soup(random)


def _date_and_end(random: Random) -> str:
    day = any_day(random)
    return random.choice(_WRITINGS)(day) + any_end(random, day)


def _digit(random: Random) -> str:
    return random.choice("0123456789/-:~") + _date_and_end(random)

"""An estate of log buckets that exists only as a listing: hundreds of thousands of keys, and the
true figures about them.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from random import Random

from log_aggregator.limits import LIST_PAGE_COUNT_MAX
from log_aggregator.model import LogObject
from log_aggregator.ports.store import ListStart, Page
from log_aggregator_lab.stores.memory import MemoryStore

MAIN_BUCKET = "estate-main"
ACCESS_BUCKET = "estate-access"


@dataclass(frozen=True, slots=True)
class EstateSpec:
    """What an organisation keeps. Accounts differ as log-normal figures do: `skew` is the sigma."""

    seed: int = 1
    accounts: int = 30
    regions: tuple[str, ...] = ("eu-west-1", "us-east-1", "us-west-2")
    first_day: date = date(2025, 1, 1)
    last_day: date = date(2025, 6, 30)
    objects_a_day: float = 2.0
    """CloudTrail logs of a median account in a median Region."""
    skew: float = 1.2
    access_logs_a_day: int = 0
    """In a separate flat bucket, and about two buckets."""


def list_estate(spec: EstateSpec) -> Iterator[LogObject]:
    """Every object, bucket by bucket, in no order."""
    yield from _list_main(spec)
    yield from _list_access(spec)


def _list_main(spec: EstateSpec) -> Iterator[LogObject]:
    chance = Random(f"{spec.seed} main")
    weights = {region: chance.lognormvariate(0, 1) for region in spec.regions}
    for number in range(spec.accounts):
        account = f"{100_000_000_000 + number * 7_919_000_003 % 900_000_000_000:012d}"
        activity = spec.objects_a_day * chance.lognormvariate(0, spec.skew)
        begins = spec.first_day + timedelta(days=chance.randrange(_days(spec) // 2 + 1))
        for region in spec.regions:
            for day in _each_day(begins, spec.last_day):
                rate = activity * weights[region]
                for index in range(_poisson(rate, chance)):
                    yield _trail(account, region, day, index, chance)
                if rate > 0.05:
                    yield _config(account, region, day, chance)


def _list_access(spec: EstateSpec) -> Iterator[LogObject]:
    chance = Random(f"{spec.seed} access")
    for day in _each_day(spec.first_day, spec.last_day):
        for _ in range(_poisson(spec.access_logs_a_day, chance)):
            moment = datetime.combine(day, time(), UTC) + timedelta(seconds=chance.randrange(86400))
            key = f"{moment:%Y-%m-%d-%H-%M-%S}-{chance.getrandbits(64):016X}"
            yield _object(ACCESS_BUCKET, key, day, int(chance.lognormvariate(6, 0.5)), chance)


def _trail(account: str, region: str, day: date, index: int, chance: Random) -> LogObject:
    hour, minute = divmod(chance.randrange(288) * 5, 60)
    key = (
        f"o-estate12345/AWSLogs/o-estate12345/{account}/CloudTrail/{region}/{day:%Y/%m/%d}/"
        f"{account}_CloudTrail_{region}_{day:%Y%m%d}T{hour:02d}{minute:02d}Z_"
        f"{index:04d}{chance.getrandbits(48):012x}.json.gz"
    )
    return _object(MAIN_BUCKET, key, day, int(chance.lognormvariate(8.3, 0.9)), chance)


def _config(account: str, region: str, day: date, chance: Random) -> LogObject:
    key = (
        f"o-estate12345/AWSLogs/o-estate12345/{account}/Config/{region}/"
        f"{day.year}/{day.month}/{day.day}/ConfigHistory/{account}_Config_{region}_ConfigHistory_"
        f"AWS::EC2::Instance_{day:%Y%m%d}T{chance.randrange(24):02d}1500Z_"
        f"{day:%Y%m%d}T{chance.randrange(24):02d}3000Z_1.json.gz"
    )
    return _object(MAIN_BUCKET, key, day, 1_200 + chance.randrange(1_600), chance)


def _object(bucket: str, key: str, day: date, size_bytes: int, chance: Random) -> LogObject:
    written = datetime.combine(day, time(12), UTC) + timedelta(minutes=chance.randrange(600))
    return LogObject(bucket, key, None, f"{chance.getrandbits(128):032x}", size_bytes, written)


def _days(spec: EstateSpec) -> int:
    return (spec.last_day - spec.first_day).days + 1


def _each_day(first: date, last: date) -> Iterator[date]:
    for number in range((last - first).days + 1):
        yield first + timedelta(days=number)


def _poisson(mean: float, chance: Random) -> int:
    """An approximation that is quick for large means."""
    if mean > 30:
        return max(0, round(chance.gauss(mean, mean**0.5)))
    count, left = 0, chance.expovariate(1.0)
    while left < mean:
        count += 1
        left += chance.expovariate(1.0)
    return count


class ListedStore(MemoryStore):
    """Lists objects that were never put: it implements S3's listings, by page and by delimiter, and
    nothing else.
    """

    def __init__(
        self, objects: Sequence[LogObject], *, page_size: int = LIST_PAGE_COUNT_MAX
    ) -> None:
        super().__init__(page_size=page_size)
        self._size = page_size
        self._listed: dict[str, list[LogObject]] = {}
        for found in sorted(objects, key=lambda each: (each.bucket, each.key)):
            self._listed.setdefault(found.bucket, []).append(found)
        self._keys = {name: [each.key for each in rows] for name, rows in self._listed.items()}
        for bucket in self._listed:
            self.create_bucket(bucket)

    def list_objects(
        self, bucket: str, *, prefix: str = "", start: ListStart | None = None
    ) -> Page:
        rows, keys = self._listed[bucket], self._keys[bucket]
        first = bisect_left(keys, prefix)
        if start is not None:
            first = max(first, bisect_right(keys, start.key))
        found: list[LogObject] = []
        for number in range(first, min(first + self._size, len(rows))):
            if not keys[number].startswith(prefix):
                return Page(tuple(found))
            found.append(rows[number])
        behind = first + self._size
        is_last = behind >= len(rows) or not keys[behind].startswith(prefix)
        return Page(tuple(found), next_start=None if is_last else ListStart(found[-1].key))

    def list_prefixes(self, bucket: str, *, prefix: str, start: ListStart | None = None) -> Page:
        rows, keys = self._listed[bucket], self._keys[bucket]
        place, prefixes, objects = bisect_left(keys, prefix), list[str](), list[LogObject]()
        while place < len(keys) and keys[place].startswith(prefix):
            name, slash, _ = keys[place][len(prefix) :].partition("/")
            if slash:
                prefixes.append(f"{prefix}{name}/")
                place = bisect_left(keys, f"{prefix}{name}0")  # "0" comes right after "/" in ASCII
            else:
                objects.append(rows[place])
                place += 1
        return Page(tuple(objects), prefixes=tuple(prefixes))

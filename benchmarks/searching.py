"""A target full of tables, made up: packs that exist only as keys, and tables of their terms.

Of 1,000 terms of a CloudTrail pack about 60 are kept here, so that seven years fit into memory; a
look-up reads as many pieces, and directories as large, as with all of them.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from random import Random

from benchmarks.generated import GeneratedBucket, GeneratedStore

from log_aggregator.core.tables.directory import Covered, Directory
from log_aggregator.core.tables.keys import FOLDER, Shelf, StoredTable, TableName
from log_aggregator.core.tables.names import ShortNames
from log_aggregator.core.tables.parquet import TableWriter
from log_aggregator.core.tables.rows import Row
from log_aggregator.model import LogObject
from log_aggregator.model import Target as PackTarget
from log_aggregator.ports.store import Body, ListStart, Page

BUCKET, SOURCE, LOG_TYPE = "target", "aws-controltower-logs", "CloudTrail"
TARGET = PackTarget(BUCKET)
FIRST_DAY = date(2019, 1, 1)
ACCOUNTS = 100
EVENTS = tuple(f"{source}:{verb}" for source in ("s3", "ec2", "iam") for verb in ("get", "put"))
LEAKED = "AKIAIOSFODNN7EXAMPLE"
NETWORK = "203.0.113.0/24"
OWN_TERMS = 50
"""Of each pack: access keys and addresses that no other has."""


class Estate:
    """Days of packs, one for each account and day."""

    def __init__(self, days: int, accounts: int = ACCOUNTS) -> None:
        self.days, self.accounts = days, accounts

    @property
    def packs(self) -> int:
        return self.days * self.accounts

    def key_of(self, number: int) -> str:
        account, day = divmod(number, self.days)
        return f"packs/{self.name(account, FIRST_DAY + timedelta(days=day))}"

    def name(self, account: int, day: date) -> str:
        number = 100_000_000_000 + account
        digest = hashlib.md5(f"{number}{day}".encode(), usedforsecurity=False).hexdigest()
        return (
            f"{SOURCE}/{LOG_TYPE}/{number}/{day:%Y/%m/%d}/"
            f"{number}_{LOG_TYPE}_{day:%Y%m%d}-{digest}.json.gz"
        )

    def months(self) -> Iterator[tuple[str, list[date]]]:
        days = [FIRST_DAY + timedelta(days=number) for number in range(self.days)]
        for month in sorted({f"{day:%Y-%m}" for day in days}):
            yield month, [day for day in days if f"{day:%Y-%m}" == month]

    def tables(self) -> Iterator[tuple[StoredTable, bytes]]:
        for month, days in self.months():
            packs = [
                (day, self.name(account, day)) for account in range(self.accounts) for day in days
            ]
            writer = TableWriter(ShortNames.of(name for _, name in packs))
            writer.take(sorted(row for day, name in packs for row in _rows(day, name)))
            directory = Directory.of(LOG_TYPE, month, [Covered(name, 100) for _, name in packs])
            _, data = writer.finish(directory)
            name = str(TableName(1, directory.id))
            yield StoredTable(TARGET, Shelf(LOG_TYPE, month), name, len(data)), bytes(data)


def _rows(day: date, name: str) -> Iterator[Row]:
    """What a pack says: the events that all say, terms of its own, and in one pack a month what is
    looked for.
    """
    random = Random(name)
    midnight = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())

    def row(value: str, field: str) -> Row:
        first = midnight + random.randrange(80_000)
        return (value, field, name, first, first + random.randrange(6_000), random.randrange(1, 99))

    for event in EVENTS:
        yield row(event, "event")
    for _ in range(OWN_TERMS // 2):
        yield row(f"ASIA{random.getrandbits(80):020X}", "access-key")
        yield row(
            f"10.{random.randrange(256)}.{random.randrange(256)}.{random.randrange(256)}", "address"
        )
    if day.day == 1 and name.split("/")[2] == "100000000007":
        yield row(LEAKED, "access-key")
        yield row(f"203.0.113.{random.randrange(256)}", "address")


class TablesStore(GeneratedStore):
    """Answers at once, or as late as S3 does. It has no pack to read, only their keys."""

    def __init__(self, estate: Estate, tables: dict[str, bytes], latency_seconds: float) -> None:
        super().__init__({BUCKET: GeneratedBucket(estate.packs, estate.key_of)}, b"")
        self.bytes_read = 0
        self._tables = tables
        self._latency_seconds = latency_seconds

    def list_objects(
        self, bucket: str, *, prefix: str = "", start: ListStart | None = None
    ) -> Page:
        self._wait()
        if not prefix.startswith(FOLDER):
            return super().list_objects(bucket, prefix=prefix, start=start)
        self._count("ListObjectsV2")
        return Page(
            tuple(
                LogObject(bucket, key, None, "0", len(data), datetime(2026, 1, 1, tzinfo=UTC))
                for key, data in sorted(self._tables.items())
            )
        )

    def list_prefixes(self, bucket: str, *, prefix: str, start: ListStart | None = None) -> Page:
        self._wait()
        if not prefix.startswith(FOLDER):
            return super().list_prefixes(bucket, prefix=prefix, start=start)
        self._count("ListObjectsV2")
        return Page((), prefixes=(f"{FOLDER}{LOG_TYPE}/",))

    def get_object(
        self,
        bucket: str,
        key: str,
        *,
        version_id: str | None = None,
        if_match: str | None = None,
        byte_range: tuple[int, int] | None = None,
    ) -> Body:
        self._wait()
        self._count("GetObject")
        data = self._tables[key]
        data = data if byte_range is None else data[slice(*byte_range)]
        self.bytes_read += len(data)
        return Body(data)

    def _wait(self) -> None:
        if self._latency_seconds:
            time.sleep(self._latency_seconds)

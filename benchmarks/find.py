"""How many indexes `find` reads, and how long it takes, to answer for one account out of a catalog
of 300,000 packs.

The catalog is made up as it is asked for: 411 accounts, two log types, 365 days, 300 log objects in
each pack. It answers at once, or as late as S3 does, and it refuses everything but listings and
reading an index.
"""

from __future__ import annotations

import gzip
import json
import time
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import cast

from benchmarks.generated import GeneratedBucket, GeneratedStore
from benchmarks.report import BenchmarkBroken, Options, Outcome, Table, Target

from log_aggregator.cli.query_options import make_query
from log_aggregator.core.packformat.index import encode_index
from log_aggregator.core.query import Query
from log_aggregator.model import Group, Index, Member, PackFormat
from log_aggregator.model import Target as PackTarget
from log_aggregator.ports.store import Body, ListStart, ObjectStore, Page
from log_aggregator.settings import Settings
from log_aggregator.steps.retrieval.catalog import iter_packs
from log_aggregator.steps.retrieval.find import find
from log_aggregator.wiring import make_workers

ACCOUNTS = 411
SOURCES = (("aws-controltower-logs", "CloudTrail"), ("example-vpc-flow-logs", "vpcflowlogs"))
FIRST_DAY = date(2019, 1, 1)
DAYS = 365
MEMBERS = 300
PACKS = len(SOURCES) * ACCOUNTS * DAYS
LATENCY_SECONDS = 0.03
"""What an answer of S3 takes inside of its region, about: the first byte of a GET, a page of a
listing.
"""

CATALOG = "catalog"
TARGET = PackTarget(CATALOG)
ACCOUNT = f"{100_000_000_000 + ACCOUNTS // 2}"


def measure(options: Options) -> Outcome:
    columns = {
        "asked for": "",
        "packs found": ",d",
        "log objects": ",d",
        "indexes read": ",d",
        "listings": ",d",
    }
    table = Table(
        f"Searching a catalog of {PACKS:,} packs",
        columns | {"seconds": ".2f", "seconds, 30 ms an answer": ".2f"},
    )
    outcome = Outcome([table], is_quick=options.is_quick)
    for name, (query, packs, listings_max) in _questions(is_quick=options.is_quick).items():
        found, members, indexes, listings, seconds = _search(query, 0)
        if (found, members) != (packs, packs * MEMBERS):
            raise BenchmarkBroken(f"{name}: {found} packs were found where {packs} are")
        table.rows.append(
            (name, found, members, indexes, listings, seconds, _search(query, LATENCY_SECONDS)[-1])
        )
        outcome.targets.append(Target(f"indexes read, {name}", indexes, packs))
        outcome.targets.append(Target(f"listings, {name}", listings, listings_max))
    seconds, listings = _list_all()
    each = table.rows[-1][5] / table.rows[-1][3]
    outcome.notes += [
        (
            f"Reading all {PACKS:,} indexes would take {each * PACKS:,.0f} s, {each * 1000:.1f} ms "
            "each (not measured)."
        ),
        f"Listing the whole catalog took {seconds:.1f} s and {listings:,} requests.",
        (
            "The store is in memory: seconds are this program's own. The last column has 30 ms "
            "for every answer."
        ),
        "No pack was read; the store has none.",
    ]
    return outcome


def _questions(*, is_quick: bool) -> dict[str, tuple[Query, int, int]]:
    """Name -> (query, packs that it finds, listing requests at most).

    Listed are, of indexes and of packs, the source buckets, the log types of each where none is
    named, and the account in each; and once whether there are adopted aggregates.
    """
    day, last, trail = "2019-03-14", "2019-12-31", ["CloudTrail"]
    sources = len(SOURCES)
    one_type, all_types = 1 + 2 * (1 + sources), 1 + 2 * (1 + 2 * sources)
    questions = {
        "an account's day, one log type": (
            make_query(accounts=[ACCOUNT], log_types=trail, date_=day),
            1,
            one_type,
        ),
        "an account's day": (make_query(accounts=[ACCOUNT], date_=day), sources, all_types),
        "an account's year, one log type": (
            make_query(accounts=[ACCOUNT], log_types=trail, from_=f"{FIRST_DAY}", to_=last),
            DAYS,
            one_type,
        ),
        "an account's year": (
            make_query(accounts=[ACCOUNT], from_=f"{FIRST_DAY}", to_=last),
            DAYS * sources,
            all_types,
        ),
    }
    if not is_quick:
        questions["a day of all accounts"] = (
            make_query(date_=day),
            sources * ACCOUNTS,
            1 + 2 * (1 + sources * (2 + ACCOUNTS)),
        )
    return questions


def _search(query: Query, latency_seconds: float) -> tuple[int, int, int, int, float]:
    """(packs, log objects, indexes read, listing requests, seconds)."""
    store = CatalogStore(latency_seconds)
    packs = members = 0
    began = time.perf_counter()
    with make_workers(Settings()) as workers:
        for found in find(cast("ObjectStore", store), workers, [TARGET], query):
            packs += 1
            members += len(found.members)
    return (
        packs,
        members,
        store.requests["GetObject"],
        store.requests["ListObjectsV2"],
        time.perf_counter() - began,
    )


def _list_all() -> tuple[float, int]:
    store = CatalogStore(0)
    began = time.perf_counter()
    with make_workers(Settings()) as workers:
        count = sum(1 for _ in iter_packs(cast("ObjectStore", store), workers, TARGET, Query()))
    if count != PACKS:
        raise BenchmarkBroken(f"{count} packs were listed where {PACKS} are")
    return time.perf_counter() - began, store.requests["ListObjectsV2"]


class CatalogStore(GeneratedStore):
    """Packs that nobody can read, and their indexes."""

    def __init__(self, latency_seconds: float) -> None:
        self._indexes = IndexMaker()
        super().__init__(
            {CATALOG: GeneratedBucket(2 * PACKS, key_of)}, self._indexes.make(key_of(PACKS))
        )
        self._latency_seconds = latency_seconds

    def list_objects(
        self, bucket: str, *, prefix: str = "", start: ListStart | None = None
    ) -> Page:
        time.sleep(self._latency_seconds)
        return super().list_objects(bucket, prefix=prefix, start=start)

    def list_prefixes(self, bucket: str, *, prefix: str, start: ListStart | None = None) -> Page:
        time.sleep(self._latency_seconds)
        return super().list_prefixes(bucket, prefix=prefix, start=start)

    def get_object(
        self,
        bucket: str,
        key: str,
        *,
        version_id: str | None = None,
        if_match: str | None = None,
        byte_range: tuple[int, int] | None = None,
    ) -> Body:
        if not key.startswith("indexes/"):
            raise BenchmarkBroken(f"{key} was read, which is not an index")
        time.sleep(self._latency_seconds)
        self._count("GetObject")
        return Body(self._indexes.make(TARGET.pack_key(key)))


def key_of(number: int) -> str:
    """Indexes, then packs, in the order of their keys."""
    pack_number = number % PACKS
    source, rest = divmod(pack_number, ACCOUNTS * DAYS)
    account, day = divmod(rest, DAYS)
    pack_key = _pack_key(
        *SOURCES[source], 100_000_000_000 + account, FIRST_DAY + timedelta(days=day)
    )
    return TARGET.index_key(pack_key) if number < PACKS else pack_key


def _pack_key(bucket: str, log_type: str, account: int, day: date) -> str:
    return (
        f"packs/{bucket}/{log_type}/{account}/{day:%Y/%m/%d}/{account}_{log_type}_"
        f"{day:%Y%m%d}-0123456789ab.json.gz"
    )


class IndexMaker:
    """Indexes of packs that all have the same members. What is concatenated gzip is one to its
    readers, so these are encoded only once.
    """

    def __init__(self) -> None:
        random = Random(1)
        members = tuple(_make_member(number, random) for number in range(MEMBERS))
        group = Group(*SOURCES[0], ACCOUNT, FIRST_DAY)
        lines = gzip.decompress(
            encode_index(Index("packs/", PackFormat.GZIP, group, 1_000_000, 0, members))
        )
        head, _, rest = lines.partition(b"\n")
        self._head = json.loads(head)
        self._members = gzip.compress(rest)

    def make(self, pack_key: str) -> bytes:
        _, bucket, log_type, account, year, month, day, _ = pack_key.split("/")
        named = {
            "pack": pack_key,
            "bucket": bucket,
            "log_type": log_type,
            "account": account,
            "date": f"{year}-{month}-{day}",
        }
        return (
            gzip.compress(json.dumps(self._head | named).encode() + b"\n", compresslevel=1)
            + self._members
        )


def _make_member(number: int, random: Random) -> Member:
    name = (
        f"{ACCOUNT}_CloudTrail_eu-west-1_"
        f"{FIRST_DAY:%Y%m%d}T{number // 12 % 24:02d}{number % 12 * 5:02d}Z_"
        f"{random.getrandbits(80):016x}"
    )
    key = (
        f"o-abcd123456/AWSLogs/o-abcd123456/{ACCOUNT}/CloudTrail/eu-west-1/{FIRST_DAY:%Y/%m/%d}/"
        f"{name}.json.gz"
    )
    etag, sha256 = f"{random.getrandbits(128):032x}", f"{random.getrandbits(256):064x}"
    version_id = f"{random.getrandbits(128):032x}"
    return Member(
        key,
        version_id,
        etag,
        3_000,
        _DELIVERED,
        3_000 * number,
        3_000,
        sha256=sha256,
        content_type="application/json",
    )


_DELIVERED = datetime(2019, 1, 2, tzinfo=UTC)

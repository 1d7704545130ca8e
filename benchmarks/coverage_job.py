"""A coverage calendar, alone in a process, of an organisation that exists only as a function.

Reads from its input how many accounts and which rows, and prints what it took.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from datetime import date, timedelta
from typing import cast

from benchmarks import shapes
from benchmarks.apart import read_peak_bytes
from benchmarks.find import IndexMaker
from benchmarks.generated import GeneratedBucket, GeneratedStore

from log_aggregator.adapters.s3.listing import parse_listing
from log_aggregator.core.evidence.calendar import By, DayState
from log_aggregator.core.windows import DateWindow
from log_aggregator.limits import LIST_PAGE_COUNT_MAX
from log_aggregator.model import Target
from log_aggregator.ports.store import Body, ListStart, ObjectStore, Page
from log_aggregator.settings import read_settings
from log_aggregator.steps.evidence.coverage import cover
from log_aggregator.steps.evidence.presence import Asked
from log_aggregator.steps.job import Job
from log_aggregator.wiring import SystemClock, make_run_rules, make_workers

SOURCE, CATALOG = "generated-logs", "generated-packs"
TARGET = Target(CATALOG)
DAYS, DAYS_KEPT = 365, 3
FIRST_DAY = date(2025, 3, 1)
WINDOW = DateWindow(FIRST_DAY, FIRST_DAY + timedelta(days=DAYS - 1))
LOG_TYPES = ("CloudTrail-Digest", "CloudTrail", "Config")
"""In S3's order of the folders."""


class PackedStore(GeneratedStore):
    """A year of packs, of which originals of the last days are still there. A page is parsed out of
    XML, too, as the adapter does, so that its cost is counted.
    """

    def __init__(self, accounts: int) -> None:
        self._indexes = IndexMaker()
        kept = tuple(WINDOW.last - timedelta(days=number) for number in range(DAYS_KEPT))[::-1]
        buckets = {
            CATALOG: GeneratedBucket(2 * packs_of(accounts), make_key_of(accounts)),
            SOURCE: shapes.main_bucket(accounts, kept, 1),
        }
        super().__init__(buckets, self._indexes.make(make_key_of(accounts)(packs_of(accounts))))
        self._xml = make_xml(make_key_of(accounts))

    def list_objects(
        self, bucket: str, *, prefix: str = "", start: ListStart | None = None
    ) -> Page:
        page = super().list_objects(bucket, prefix=prefix, start=start)
        if len(page.objects) > LIST_PAGE_COUNT_MAX // 2:
            parse_listing(self._xml)
        return page

    def get_object(
        self,
        bucket: str,
        key: str,
        *,
        version_id: str | None = None,
        if_match: str | None = None,
        byte_range: tuple[int, int] | None = None,
    ) -> Body:
        self._count("GetObject")
        return Body(self._indexes.make(TARGET.pack_key(key)))


def packs_of(accounts: int) -> int:
    return len(LOG_TYPES) * accounts * DAYS


class make_key_of:  # noqa: N801 - it is called as a function
    """Indexes, then packs, in the order of their keys."""

    def __init__(self, accounts: int) -> None:
        self._accounts = accounts
        self._days = [f"{day:%Y/%m/%d}" for day in WINDOW]

    def __call__(self, number: int) -> str:
        packs = packs_of(self._accounts)
        log_type, rest = divmod(number % packs, self._accounts * DAYS)
        account, day = divmod(rest, DAYS)
        owner, name = shapes.account_id(account), LOG_TYPES[log_type]
        path = (
            f"{SOURCE}/{name}/{owner}/{self._days[day]}/"
            f"{owner}_{name}_{self._days[day].replace('/', '')}-0123456789ab.json.gz"
        )
        return f"indexes/{path}.index.jsonl.gz" if number < packs else f"packs/{path}"


def make_xml(key_of: make_key_of) -> bytes:
    """A page as S3 writes it."""
    rows = "".join(
        f"<Contents><Key>{key_of(number)}</Key><LastModified>2026-03-15T01:02:03.000Z"
        f"</LastModified><ETag>&quot;{number:032x}&quot;</ETag><Size>{1_000 + number}</Size>"
        "<StorageClass>STANDARD</StorageClass></Contents>"
        for number in range(LIST_PAGE_COUNT_MAX)
    )
    space = "http://s3.amazonaws.com/doc/2006-03-01/"
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<ListBucketResult xmlns="{space}"><Name>{CATALOG}</Name><Prefix></Prefix>'
        f"<IsTruncated>false</IsTruncated>{rows}</ListBucketResult>"
    ).encode()


class Quiet:
    def listed(self, count: int) -> None: ...
    def checked(self, accounts: int, total: int) -> None: ...


def main() -> int:
    told = json.load(sys.stdin)
    store = PackedStore(told["accounts"])
    own = {"control_tower_bucket": SOURCE, "destination_bucket": CATALOG}
    settings = read_settings(None, own)
    wall, cpu = time.perf_counter(), time.process_time()
    with make_workers(settings) as workers:
        over = cast("ObjectStore", store)
        job = Job(over, workers, make_run_rules(settings, WINDOW), SystemClock())
        calendar = cover(job, Asked(WINDOW, By(told["by"])), Quiet())
    json.dump(
        {
            "rows": len(calendar.rows),
            "days": {state.name: count for state, count in calendar.count().items()},
            "failures": [failure.message for failure in calendar.failures],
            "gaps": len(calendar.gaps),
            "listings": store.requests["ListObjectsV2"],
            "indexes": store.requests["GetObject"],
            "seconds": time.perf_counter() - wall,
            "cpu_seconds": time.process_time() - cpu,
            "peak_bytes": read_peak_bytes(),
        },
        sys.stdout,
    )
    return 0


def expected_days(accounts: int) -> Mapping[str, int]:
    """By account."""
    rows = len(LOG_TYPES) * accounts
    return {
        DayState.PACKED.name: rows * (DAYS - DAYS_KEPT),
        DayState.BOTH.name: rows * DAYS_KEPT,
    }


if __name__ == "__main__":
    sys.exit(main())

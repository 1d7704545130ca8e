"""The CloudTrail logs of the Control Tower bucket: which there are, when they came, what they
hold.
"""

from __future__ import annotations

import string
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache, partial
from math import log
from random import Random

from log_aggregator.limits import KIB
from log_aggregator_lab.organisation.documents import (
    CloudTrailDocument,
    cloudtrail_log,
    large_document,
    pooled_cloudtrail_log,
    record_count_for,
)
from log_aggregator_lab.organisation.specification import OrganisationSpec
from log_aggregator_lab.organisation.synthetic import Oddity, Purpose, SyntheticObject

DELIVERY_SECONDS = 300
"""CloudTrail delivers about every five minutes; the time in a log's name is a multiple of that."""
_SIZE_BYTES_MAX = 128 * KIB
_NAME_ALPHABET = string.ascii_letters + string.digits


@dataclass(frozen=True, slots=True)
class CloudTrailLog:
    """One log: its key, and what its content is made from. `pool_number` is None for a document
    that no other log shares.
    """

    key: str
    document: CloudTrailDocument
    pool_number: int | None = None


def list_cloudtrail(spec: OrganisationSpec) -> Iterator[SyntheticObject]:
    """All ordinary and large logs of the wanted days, and those that only a backfill digest
    names.
    """
    for day in spec.wanted_days:
        for account, region in spec.chains:
            for item in plan_logs(spec, account, region, day):
                yield log_object(spec, item)
    for item in plan_large_logs(spec):
        yield log_object(spec, item, oddity=Oddity.LARGE)
    for item in plan_backfilled_logs(spec):
        yield log_object(spec, item)


def plan_logs(
    spec: OrganisationSpec, account: str, region: str, day: date
) -> Iterator[CloudTrailLog]:
    """The ordinary logs of one account, region and day, by time."""
    count = _counts(spec).get((day, account, region), 0)
    random = Random(f"{spec.seed}/cloudtrail/{account}/{region}/{day}")
    for number in range(count):
        seconds = number * 86_400 // count // DELIVERY_SECONDS * DELIVERY_SECONDS
        size_bytes = min(
            random.lognormvariate(log(spec.size_bytes_median), spec.size_sigma), _SIZE_BYTES_MAX
        )
        delivered = midnight(day) + timedelta(seconds=seconds)
        item = plan_log(spec, account, region, delivered, random, round(size_bytes))
        yield _from_pool(spec, item, number) if spec.document_pool_count else item


def plan_large_logs(spec: OrganisationSpec) -> Iterator[CloudTrailLog]:
    """Large logs come on the first day, in the first chain."""
    account, region = spec.chains[0]
    random = Random(f"{spec.seed}/large")
    for number, size_bytes in enumerate(spec.large_sizes_bytes):
        delivered = midnight(spec.first_day) + timedelta(hours=9, minutes=5 * (number % 100))
        key = cloudtrail_key(spec, account, region, delivered, random)
        yield CloudTrailLog(
            key, large_document(f"{spec.seed}/{key}", account, region, delivered, size_bytes)
        )


def plan_backfilled_logs(spec: OrganisationSpec) -> Iterator[CloudTrailLog]:
    """Logs of the first chain's first day that the ordinary digests do not name."""
    account, region = spec.chains[0]
    random = Random(f"{spec.seed}/backfilled")
    for _ in range(spec.backfilled_logs):
        yield plan_log(
            spec, account, region, midnight(spec.first_day) + timedelta(hours=10), random
        )


def plan_log(
    spec: OrganisationSpec,
    account: str,
    region: str,
    delivered: datetime,
    random: Random,
    size_bytes: int | None = None,
) -> CloudTrailLog:
    key = cloudtrail_key(spec, account, region, delivered, random)
    record_count = record_count_for(spec.size_bytes_median if size_bytes is None else size_bytes)
    return CloudTrailLog(
        key, CloudTrailDocument(f"{spec.seed}/{key}", account, region, delivered, record_count)
    )


def log_object(
    spec: OrganisationSpec,
    item: CloudTrailLog,
    *,
    purpose: Purpose = Purpose.LOG,
    oddity: Oddity = Oddity.NONE,
) -> SyntheticObject:
    document, level = item.document, spec.compression_level
    if item.pool_number is None:
        make = partial(cloudtrail_log, document, level)
    else:
        noon = datetime.combine(document.time.date(), time(12), UTC)
        make = partial(
            pooled_cloudtrail_log,
            item.pool_number,
            document.account,
            document.region,
            noon,
            document.record_count,
            level,
            spec.seed,
        )
    return SyntheticObject(
        bucket=spec.control_tower_bucket,
        key=item.key,
        make=make,
        source="cloudtrail",
        purpose=purpose,
        day=document.time.date(),
        content_type="application/json",
        content_encoding="gzip",
        oddity=oddity,
    )


def cloudtrail_key(
    spec: OrganisationSpec,
    account: str,
    region: str,
    delivered: datetime,
    random: Random,
    family: str = "CloudTrail",
) -> str:
    """https://docs.aws.amazon.com/awscloudtrail/latest/userguide/get-and-view-cloudtrail-log-files.html."""
    name = "".join(random.choices(_NAME_ALPHABET, k=16))
    return (
        f"{day_prefix(spec, account, family, region, delivered)}{account}_{family}_{region}_"
        f"{delivered:%Y%m%dT%H%MZ}_{name}.json.gz"
    )


def day_prefix(
    spec: OrganisationSpec, account: str, family: str, region: str, when: datetime
) -> str:
    """Since landing zone 3.0 one trail serves the organisation, whose id is in the key twice."""
    old = account in spec.account_ids[spec.accounts - spec.accounts_before_landing_zone_3 :]
    organisation = "" if old else f"{spec.organization_id}/"
    return (
        f"{spec.organization_id}/AWSLogs/{organisation}{account}/{family}/{region}/{when:%Y/%m/%d}/"
    )


def midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _from_pool(spec: OrganisationSpec, item: CloudTrailLog, number: int) -> CloudTrailLog:
    return CloudTrailLog(item.key, item.document, number % spec.document_pool_count)


@lru_cache(maxsize=16)
def _counts(spec: OrganisationSpec) -> dict[tuple[date, str, str], int]:
    """Distributes the logs: the second account is half as busy as the first, the third a third as
    busy, and so on; regions likewise.
    """
    places = [(day, account, region) for day in spec.wanted_days for account, region in spec.chains]
    weights = [
        1 / ((1 + spec.account_ids.index(account)) * (1 + spec.regions.index(region)))
        for _, account, region in places
    ]
    exact = [spec.objects * weight / sum(weights) for weight in weights]
    counts = [int(share) for share in exact]
    by_remainder = sorted(
        range(len(places)), key=lambda place: (counts[place] - exact[place], place)
    )
    for place in by_remainder[: spec.objects - sum(counts)]:
        counts[place] += 1
    return dict(zip(places, counts, strict=True))

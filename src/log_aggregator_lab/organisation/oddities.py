"""The odd things in real buckets: versions, delete markers, damage, strange keys, other days,
objects that are not logs. No digest names any of these CloudTrail logs, so that the digests stay
valid.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from random import Random

from log_aggregator_lab.organisation.auxiliary import SOURCES, list_source, source_named
from log_aggregator_lab.organisation.cloudtrail import log_object, midnight, plan_log
from log_aggregator_lab.organisation.compression import truncated
from log_aggregator_lab.organisation.config_logs import oversized_object
from log_aggregator_lab.organisation.specification import UNWANTED_REGION, OrganisationSpec
from log_aggregator_lab.organisation.strangers import list_no_logs, list_unknown
from log_aggregator_lab.organisation.synthetic import Oddity, Purpose, Step, SyntheticObject

_ODD_SEGMENTS = (
    "team a+b",
    "ünïcode 日本",
    "percent%41",
    "colon::and=equals",
    "(brackets) & 'quotes'",
)


def list_oddities(spec: OrganisationSpec) -> Iterator[SyntheticObject]:
    """All of them, kind by kind. The steps on one key follow one another."""
    yield from _list_versions(spec)
    yield from _list_damaged(spec)
    yield from _list_odd_keys(spec)
    yield from _list_other_days(spec)
    yield from _list_other_region(spec)
    if spec.oddities.no_log:
        yield from list_no_logs(spec)
    if spec.oddities.unknown:
        yield from list_unknown(spec)


def _list_versions(spec: OrganisationSpec) -> Iterator[SyntheticObject]:
    random = Random(f"{spec.seed}/versions")
    for _ in range(spec.oddities.versions):
        versions = _versions(spec, random, 3, Purpose.LOG, Oddity.VERSIONS)
        yield from versions
    for _ in range(spec.oddities.revived):
        oldest, newest = _versions(spec, random, 2, Purpose.LOG, Oddity.REVIVED)
        yield from (oldest, _delete_marker(oldest), newest)
    for _ in range(spec.oddities.deleted):
        versions = _versions(spec, random, 2, Purpose.DELETED, Oddity.DELETED)
        yield from (*versions, _delete_marker(versions[-1]))


def _versions(
    spec: OrganisationSpec, random: Random, count: int, purpose: Purpose, oddity: Oddity
) -> list[SyntheticObject]:
    """Versions of one key, each with a different body."""
    item = plan_log(
        spec,
        *_place(spec, random),
        midnight(spec.first_day) + timedelta(hours=random.randrange(24)),
        random,
    )
    documents = [
        replace(item.document, seed=f"{item.document.seed}/{number}") for number in range(count)
    ]
    return [
        log_object(spec, replace(item, document=document), purpose=purpose, oddity=oddity)
        for document in documents
    ]


def _list_damaged(spec: OrganisationSpec) -> Iterator[SyntheticObject]:
    random = Random(f"{spec.seed}/damaged")
    for _ in range(spec.oddities.truncated):
        whole = _log_of(spec, random)
        yield replace(whole, make=partial(_truncated_body, whole), oddity=Oddity.TRUNCATED)
    for number in range(spec.oddities.plain_text):
        text = f'{{"Records":[{{"eventVersion":"1.11","eventName":"PlainText{number}"}}]}}'.encode()
        yield replace(
            _log_of(spec, random),
            make=partial(bytes, text),
            content_encoding=None,
            oddity=Oddity.PLAIN_TEXT,
        )
    for _ in range(spec.oddities.empty):
        yield replace(
            _log_of(spec, random),
            make=bytes,
            content_encoding=None,
            purpose=Purpose.NO_LOG,
            oddity=Oddity.EMPTY,
        )


def _list_odd_keys(spec: OrganisationSpec) -> Iterator[SyntheticObject]:
    """A strange prefix before ordinary flow logs, and a strange resource id in Config's oversized
    notifications.
    """
    account, noon = spec.account_ids[0], midnight(spec.first_day) + timedelta(hours=12)
    for number in range(spec.oddities.key):
        for segment in _ODD_SEGMENTS:
            prefix = f"{segment} {number}/"
            yield from list_source(
                spec, source_named("flow"), spec.first_day, 1, key_prefix=prefix, oddity=Oddity.KEY
            )
            resource = f"{segment} {number}"
            yield replace(
                oversized_object(spec, account, spec.home_region, noon, resource), oddity=Oddity.KEY
            )
    for number in range(spec.oddities.hostile_key):
        for segment in ("empty//segment", "./dot", "a/../b"):
            prefix = f"{segment} {number}/"
            yield from list_source(
                spec,
                source_named("flow"),
                spec.first_day,
                1,
                key_prefix=prefix,
                oddity=Oddity.HOSTILE_KEY,
            )


def _list_other_days(spec: OrganisationSpec) -> Iterator[SyntheticObject]:
    """At noon, where no digest of a wanted day reaches."""
    count = spec.oddities.other_day
    for day in spec.neighbouring_days:
        random = Random(f"{spec.seed}/other-day/{day}")
        for _ in range(count):
            yield _log_of(spec, random, day, purpose=Purpose.OTHER_DAY)
        for source in SOURCES:
            if getattr(spec.auxiliary, source.name):
                yield from list_source(spec, source, day, count, purpose=Purpose.OTHER_DAY)


def _list_other_region(spec: OrganisationSpec) -> Iterator[SyntheticObject]:
    """Logs of a family that no digest names: where a trail delivers logs it also delivers digests,
    and this Region has none.
    """
    random = Random(f"{spec.seed}/other-region")
    for _ in range(spec.oddities.other_region):
        item = plan_log(
            spec,
            spec.account_ids[0],
            UNWANTED_REGION,
            midnight(spec.first_day) + timedelta(hours=12),
            random,
        )
        key = item.key.replace("/CloudTrail/", "/CloudTrail-Insight/")
        key = key.replace("_CloudTrail_", "_CloudTrail-Insight_")
        found = log_object(spec, replace(item, key=key), purpose=Purpose.OTHER_REGION)
        yield replace(found, source="insight")


def _log_of(
    spec: OrganisationSpec,
    random: Random,
    day: date | None = None,
    *,
    purpose: Purpose = Purpose.LOG,
) -> SyntheticObject:
    """One more CloudTrail log, at noon."""
    delivered = midnight(day or spec.first_day) + timedelta(hours=12)
    return log_object(
        spec, plan_log(spec, *_place(spec, random), delivered, random), purpose=purpose
    )


def late_logs(spec: OrganisationSpec) -> Iterator[SyntheticObject]:
    """Logs of the first day that come after the first run: CloudTrail retries for 30 days, S3
    access logs may be hours late.
    """
    random = Random(f"{spec.seed}/late")
    for number in range(spec.late):
        account, region = _place(spec, random)
        delivered = midnight(spec.first_day) + timedelta(minutes=5 * (number % 288))
        yield log_object(
            spec, plan_log(spec, account, region, delivered, random), purpose=Purpose.LATE
        )
    if spec.auxiliary.access:
        yield from list_source(
            spec, source_named("access"), spec.first_day, spec.late, purpose=Purpose.LATE
        )


def _place(spec: OrganisationSpec, random: Random) -> tuple[str, str]:
    return random.choice(spec.chains)


def _delete_marker(item: SyntheticObject) -> SyntheticObject:
    return replace(item, step=Step.DELETE, make=bytes, metadata={}, content_encoding=None)


def _truncated_body(whole: SyntheticObject) -> bytes:
    return truncated(whole.make())

"""Which logs CloudTrail's digests name, and whether they exist. Signatures are not checked:
`validate-cloudtrail` does that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

from log_aggregator.core.digests import PERIOD, Digest, DigestName, Flaw, parse_digest_key
from log_aggregator.core.evidence.hours import Span, TrailHours
from log_aggregator.core.windows import DateWindow, split_window
from log_aggregator.errors import Failure
from log_aggregator.model import Group, Target
from log_aggregator.steps.cloudtrail.accounts import AccountPlaces, ReadFrom
from log_aggregator.steps.cloudtrail.copies import Reading, read_copies
from log_aggregator.steps.cloudtrail.digests import ReadDigest, use_digest
from log_aggregator.steps.cloudtrail.files import TrailFiles, group_of_key
from log_aggregator.steps.cloudtrail.hours import Lineage
from log_aggregator.steps.job import Job

DAYS_AT_ONCE = 31
SAMPLES_MAX = 3
LATE = timedelta(hours=2)
"""For this long after midnight a digest may still name logs of the day before."""

Place = tuple[str, date]
"""(Region, log date)"""


@dataclass(slots=True)
class Told:
    """What the digests tell of one Region's day."""

    digests: int = 0
    """Digests of the day and of the hours after it that were read."""
    named: int = 0
    missing: int = 0
    samples: list[str] = field(default_factory=list)
    unread: str = ""
    """Why a digest of the day could not be read; empty where all could."""


@dataclass(slots=True)
class TrailTold:
    """What an account's digests tell."""

    days: dict[Place, Told] = field(default_factory=dict)
    hours: dict[Lineage, TrailHours] = field(default_factory=dict)
    failures: dict[str, Failure] = field(default_factory=dict)

    def day(self, region: str, day: date) -> Told:
        return self.days.setdefault((region, day), Told())

    def find_holes(self, due: Span) -> dict[str, list[Span]]:
        """Spans without a digest, by Region."""
        found: dict[str, list[Span]] = {}
        for lineage, hours in self.hours.items():
            others = [
                other
                for key, other in self.hours.items()
                if key != lineage and key[:2] == lineage[:2]
            ]
            found.setdefault(lineage[1], []).extend(hours.find_holes(due, others))
        return found


def read_named(
    job: Job,
    targets: Iterable[Target],
    places: AccountPlaces,
    days: Collection[date],
    window: DateWindow,
) -> TrailTold:
    """What the digests tell of these days of an account. Raises StoreError."""
    told = TrailTold()
    files = TrailFiles(job.store, job.workers, list(targets), places, window, ReadFrom.BOTH)
    for piece in split_window(DateWindow(min(days), max(days)), DAYS_AT_ONCE):
        wanted = {day for day in days if day in piece}
        if wanted:
            _read_piece(job, files, wanted, told)
    for where, error in files.failures:
        told.failures.setdefault(where, Failure.of(where, error))
    return told


def _read_piece(job: Job, files: TrailFiles, days: Collection[date], told: TrailTold) -> None:
    listed = files.list_digests(DateWindow(min(days), max(days) + timedelta(days=1)))
    copies = [
        copy
        for found in listed.values()
        for copy in found
        if (name := parse_digest_key(copy.bucket, copy.key)) is not None and _is_of(name, days)
    ]
    named: dict[Group | None, dict[tuple[str, str], str]] = {}
    for reading in read_copies(job.store, job.workers, copies, use_digest):
        name = parse_digest_key(reading.copy.bucket, reading.copy.key)
        if name is None:
            continue
        digest = _take_digest(name, reading, told)
        for log in digest.logs if digest is not None else ():
            group = group_of_key(log.bucket, log.key)
            named.setdefault(group, {})[log.bucket, log.key] = name.chain.region
    for group, logs in named.items():
        if group is not None and group.date in days:
            _look_for(files, group, logs, told)


def _is_of(name: DigestName, days: Collection[date]) -> bool:
    return name.end.date() in days or (name.end - LATE).date() in days


def _take_digest(name: DigestName, reading: Reading[ReadDigest], told: TrailTold) -> Digest | None:
    """Notes the digest's hour. None if it could not be read."""
    parsed = reading.value.parsed if reading.value is not None else reading.flaw
    hours = None
    if not name.chain.is_backfill:
        hours = told.hours.setdefault(name.chain.lineage, TrailHours())
    if isinstance(parsed, Digest):
        for day in {name.end.date(), (name.end - PERIOD).date()}:
            told.day(name.chain.region, day).digests += 1
        if hours is not None:
            hours.valid.add(_begin_of(parsed), parsed.end)
            if parsed.previous is None:
                hours.begun.append(parsed.start)
        return parsed
    text = parsed.text if isinstance(parsed, Flaw) else str(reading.error)
    if hours is not None:
        hours.unchecked.add(name.end - PERIOD, name.end)
    told.day(name.chain.region, (name.end - PERIOD).date()).unread = text
    if reading.error is not None:
        where = reading.copy.where
        told.failures.setdefault(where, Failure.of(where, reading.error))
    return None


def _begin_of(digest: Digest) -> datetime:
    """Where the time that a digest covers begins: at the end of the digest that it links to, since
    there is none in between.
    """
    link = digest.previous
    previous = parse_digest_key(link.bucket, link.key) if link is not None else None
    return min(digest.start, previous.end) if previous is not None else digest.start


def _look_for(
    files: TrailFiles, group: Group, logs: Mapping[tuple[str, str], str], told: TrailTold
) -> None:
    failed = len(files.failures)
    found = files.find(group, logs.keys())
    is_certain = len(files.failures) == failed
    for identity, region in sorted(logs.items()):
        day = told.day(region, group.date)
        day.named += 1
        if identity in found:
            continue
        if not is_certain:
            day.unread = "packs of the day could not be searched"
            continue
        day.missing += 1
        if len(day.samples) < SAMPLES_MAX:
            day.samples.append(f"s3://{identity[0]}/{identity[1]}")


def span_of(day: date) -> Span:
    begin = datetime.combine(day, time.min, UTC)
    return begin, begin + timedelta(days=1)

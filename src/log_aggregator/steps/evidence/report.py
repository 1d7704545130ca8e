"""Collects what a report shows: the custody records, their contents and whether the chain holds;
how the bucket of the packs is protected; drills and checks at rest; what packing saved.

A question that got no answer is shown as unknown, with the reason. It neither stops the report nor
is left out of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Generic, TypeVar

from log_aggregator import __version__
from log_aggregator.core.custody import Record, RecordKind
from log_aggregator.core.evidence.at_rest import AtRestCheck
from log_aggregator.core.evidence.calendar import Calendar
from log_aggregator.core.evidence.drills import Drill
from log_aggregator.core.windows import DateWindow
from log_aggregator.errors import RequestFailed
from log_aggregator.model import Target
from log_aggregator.ports.account import (
    AccountInspector,
    BucketEncryption,
    BucketVersioning,
    LifecycleRule,
    ObjectLock,
    PublicAccessBlock,
)
from log_aggregator.steps.custody.prove import Trust, prove_chain
from log_aggregator.steps.custody.totals import PackedTotals
from log_aggregator.steps.custody.walk import (
    StoredRecord,
    Walked,
    WalkRules,
    list_records,
    read_records,
)
from log_aggregator.steps.job import Job

TOOL = f"log-aggregator {__version__}"
RECORDS_MAX = 3_000
"""A report lists only this many records, the newest: four years of nightly runs, with an opening
and a closing record each."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """What S3 reported about a bucket, or why it did not."""

    value: T | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Protection:
    """What protects the objects of a bucket from changes, and when rules expire them."""

    lock: Answer[ObjectLock]
    lifecycle: Answer[tuple[LifecycleRule, ...]]
    versioning: Answer[BucketVersioning]
    encryption: Answer[BucketEncryption]
    public_access: Answer[PublicAccessBlock]


@dataclass(frozen=True, slots=True)
class RecordRow:
    """A custody record without its groups. `problem` says why it cannot be read; the fields after
    it are empty then.
    """

    sequence: int
    key: str
    sha256: str
    problem: str = ""
    kind: RecordKind | None = None
    run: str = ""
    began: datetime | None = None
    ended: datetime | None = None
    days: tuple[date, date] | None = None
    packs: int = 0
    """New packs."""
    objects: int = 0
    """Log objects in these packs."""
    deleted: int = 0
    failures: int = 0
    drill: Drill | None = None
    at_rest: AtRestCheck | None = None

    @classmethod
    def of(cls, found: StoredRecord) -> RecordRow:
        record, sha256 = found.record, found.sha256 or ""
        if record is None:
            return cls(found.sequence, found.key, sha256, found.problem or "it cannot be read")
        new = [pack for pack in record.packs if pack.is_new]
        return cls(
            found.sequence,
            found.key,
            sha256,
            kind=record.kind,
            run=record.run,
            began=record.began,
            ended=record.ended,
            days=(record.first, record.last),
            packs=len(new),
            objects=sum(pack.members for pack in new),
            deleted=sum(group.counts.deleted for group in record.groups),
            failures=len(record.failures),
            drill=record.drill,
            at_rest=record.at_rest,
        )


@dataclass(frozen=True, slots=True)
class Place:
    """A bucket of packs, and what is known about it. `records` are the newest, newest first; of the
    `older` ones only the totals are kept.
    """

    target: Target
    walked: Walked
    records: tuple[RecordRow, ...]
    older: int
    protection: Protection

    @property
    def drills(self) -> list[RecordRow]:
        return [row for row in self.records if row.drill is not None]

    @property
    def checks(self) -> list[RecordRow]:
        """Checks of packs at rest."""
        return [row for row in self.records if row.at_rest is not None]


@dataclass(frozen=True, slots=True)
class Report:
    """The evidence for the logs of some days, at one moment."""

    made: datetime
    tool: str
    window: DateWindow
    places: tuple[Place, ...]
    totals: PackedTotals
    calendar: Calendar | None
    """None: coverage was not examined."""
    accounts: tuple[str, ...] = ()
    """The accounts in the calendar. Empty: all."""


def collect_report(
    job: Job,
    inspector: AccountInspector,
    trust: Trust,
    calendar: Calendar | None,
    show: Callable[[int], object] = lambda _: None,
) -> Report:
    """Collects the report. `trust` says whose signatures count; `show` gets the number of records
    read. Raises StoreError if packs cannot be listed.
    """
    totals = PackedTotals()
    places = []
    for target in job.list_targets():
        rows = _read_rows(job, target, totals, show)
        places.append(
            Place(
                target,
                prove_chain(job, target, WalkRules(), trust),
                tuple(rows[:RECORDS_MAX]),
                max(0, len(rows) - RECORDS_MAX),
                read_protection(inspector, target.bucket),
            )
        )
    window = job.rules.selection.window
    return Report(job.clock.now(), TOOL, window, tuple(places), totals, calendar)


def _read_rows(
    job: Job, target: Target, totals: PackedTotals, show: Callable[[int], object]
) -> list[RecordRow]:
    """The records, newest first. Adds what they count to `totals`."""
    listed = list_records(job.store, target)
    newest_first = {sequence: listed[sequence] for sequence in sorted(listed, reverse=True)}
    rows = []
    for found in read_records(job.store, job.workers, target, newest_first):
        totals.records += 1
        show(totals.records)
        if found.record is None:
            totals.unread.append((f"s3://{target.bucket}/{found.key}", found.problem))
        else:
            _count(found.record, totals)
        rows.append(RecordRow.of(found))
    return rows


def _count(record: Record, totals: PackedTotals) -> None:
    for entry in record.groups:
        totals.add(entry)


def read_protection(inspector: AccountInspector, bucket: str) -> Protection:
    """Asks each question separately: one permission may be missing while others are granted."""
    return Protection(
        _ask(lambda: inspector.get_object_lock_configuration(bucket)),
        _ask(lambda: inspector.get_bucket_lifecycle_configuration(bucket)),
        _ask(lambda: inspector.get_bucket_versioning(bucket)),
        _ask(lambda: inspector.get_bucket_encryption(bucket)),
        _ask(lambda: inspector.get_public_access_block(bucket)),
    )


def _ask(question: Callable[[], T]) -> Answer[T]:
    try:
        return Answer(question())
    except RequestFailed as error:
        return Answer(None, str(error))

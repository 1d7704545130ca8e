"""Collects what a report shows: the custody records, what they say and whether they hold; how the
bucket of the packs is locked; drills and checks at rest; what packing saved.

What could not be asked is kept as unknown, with its reason. A report never fails over it, and never
passes it over.
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
"""So many records a report lists, the newest: eight years of a run and its opening, every night."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """What S3 said of a bucket; or why it did not."""

    value: T | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Protection:
    """What keeps the objects of a bucket from being changed, and when they go by themselves."""

    lock: Answer[ObjectLock]
    lifecycle: Answer[tuple[LifecycleRule, ...]]
    versioning: Answer[BucketVersioning]
    encryption: Answer[BucketEncryption]
    public_access: Answer[PublicAccessBlock]


@dataclass(frozen=True, slots=True)
class RecordRow:
    """A custody record without its groups. `problem`: why it cannot be read; all else is empty
    then.
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
    """New ones."""
    objects: int = 0
    """Log objects in them."""
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
    """A bucket of packs, and all that is known of it. `records` are the newest, newest first; of
    `older` ones only what they count is here.
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
        """Of packs at rest."""
        return [row for row in self.records if row.at_rest is not None]


@dataclass(frozen=True, slots=True)
class Report:
    """What there is to show, at one moment, of the logs of some days."""

    made: datetime
    tool: str
    window: DateWindow
    places: tuple[Place, ...]
    totals: PackedTotals
    calendar: Calendar | None
    """None: nobody looked."""
    accounts: tuple[str, ...] = ()
    """Whose days are in the calendar. Empty: all."""


def collect_report(
    job: Job,
    inspector: AccountInspector,
    trust: Trust,
    calendar: Calendar | None,
    show: Callable[[int], object] = lambda _: None,
) -> Report:
    """`trust` says whose signatures count; `show` is told how many records were read. Raises
    StoreError where packs cannot be listed.
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
    """The newest first; `totals` take in what they count."""
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
    """Asks for each by itself: one permission may be missing, and the others not."""
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

"""Writes custody records: an opening before a run touches a window of days, and a closing when that
window is done, for every target that its packs go to.

A run that is stopped, or whose result is partly unknown, leaves its opening open; a later run finds
out what it did (`recover`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime

from log_aggregator.core.custody import (
    GroupEntry,
    PackEntry,
    Record,
    RecordKind,
    WrittenRecord,
    custody_prefix,
    sum_counts,
)
from log_aggregator.core.layouts.declarations import describe_declarations
from log_aggregator.core.packformat.index import TOOL
from log_aggregator.errors import (
    CannotStart,
    Failure,
    GroupFailed,
    Interrupted,
    RequestFailed,
)
from log_aggregator.model import Group, Target
from log_aggregator.ports.store import ObjectStore, WriteOptions
from log_aggregator.steps.custody.chain import ChainEnd, ChainRecord, append, read_back
from log_aggregator.steps.job import Job
from log_aggregator.steps.packing.results import GroupResult, RunResult
from log_aggregator.steps.packing.selection import Selection
from log_aggregator.steps.rules import RunRules

OTHERS_MAX = 200
"""This many records of other runs are checked for what they say about this run's packs."""


@dataclass(frozen=True, slots=True)
class RunSpan:
    """A run's name, and when it, or a window of it, began and ended, in UTC."""

    name: str
    began: datetime
    ended: datetime


def open_custody(
    job: Job, span: RunSpan, first: date, last: date, groups: Iterable[Group]
) -> list[WrittenRecord]:
    """Records in each target which groups are about to be touched. Without this record nothing is
    touched. Raises CannotStart.
    """
    by_target: dict[Target, list[Group]] = {}
    for group in sorted(groups):
        by_target.setdefault(job.rules.target(group.bucket), []).append(group)
    written = []
    for target, planned in by_target.items():
        record = Record(
            target,
            span.name,
            TOOL,
            span.began,
            span.ended,
            first,
            last,
            stage=job.rules.group.stage,
            kind=RecordKind.OPENING,
            planned=tuple(planned),
        )
        try:
            written.append(append_record(job.store, record, job.rules.group.combine.index))
        except RequestFailed as error:
            raise CannotStart.because(error, "the custody record cannot be written") from error
    return written


def write_custody(job: Job, result: RunResult, span: RunSpan) -> None:
    """Writes a closing for each target. If one cannot be written, that is a failure of the run; its
    work and its other records stay.
    """
    for target in targets_of(job.rules, result):
        record = make_record(job.rules, result, target, span)
        try:
            written = append_record(
                job.store,
                record,
                job.rules.group.combine.index,
                closes_own=is_all_known(record) and not result.has_gaps,
            )
        except (RequestFailed, GroupFailed, Interrupted) as error:
            where = f"custody record in s3://{target.bucket}/{custody_prefix(target)}"
            result.failures.append(Failure.of(where, error))
        else:
            result.custody.append(written)


def is_all_known(record: Record) -> bool:
    """Whether nothing failed in any group. After a failure the outcome of the last request may not
    be known.
    """
    return not any(entry.counts.unknown or entry.failures for entry in record.groups)


def targets_of(rules: RunRules, result: RunResult) -> list[Target]:
    """The destination bucket, or every listed bucket if each has its own packs."""
    if rules.destination_bucket is not None:
        return [Target(rules.destination_bucket)]
    return sorted(
        {rules.target(bucket) for bucket in result.buckets},
        key=lambda target: (target.bucket, target.root),
    )


def make_record(rules: RunRules, result: RunResult, target: Target, span: RunSpan) -> Record:
    """The record of what a run did in one target. Its place in the chain is not known yet."""
    return Record(
        target=target,
        run=span.name,
        tool=TOOL,
        began=span.began,
        ended=span.ended,
        first=result.first,
        last=result.last,
        objects=_left_alone(result.selection),
        layouts=tuple(describe_declarations(result.layouts)),
        stage=result.stage,
        groups=tuple(
            _entry_of(done) for done in result.groups if rules.target(done.group.bucket) == target
        ),
        failures=tuple(
            (failure.where, failure.error, failure.message) for failure in result.failures
        ),
    )


def append_record(
    store: ObjectStore, record: Record, options: WriteOptions, *, closes_own: bool = False
) -> WrittenRecord:
    """Appends a record to its target's chain. If the run already has this record (an answer was
    lost, or the end of the run was repeated), returns that one. Packs whose writing another record
    claims are listed as found, not as written. Raises StoreError.
    """

    def follow(end: ChainEnd) -> Record | WrittenRecord:
        others = list(_read_others(store, end.newest, record))
        for other in others:
            if other.record.step == record.step and record.kind is not RecordKind.RECOVERY:
                return other.written
        closes = record.closes
        if closes_own:
            closes = next((each.sequence for each in others if _opens(each, record)), None)
        claimed = {pack.key for other in others for pack in other.record.packs if pack.is_new}
        still_open = set() if end.newest is None else set(end.newest.record.open)
        if record.kind is RecordKind.OPENING:
            still_open.add(end.following)
        return replace(
            record,
            groups=tuple(entry.without_new(claimed, record.target) for entry in record.groups),
            closes=closes if closes in still_open else None,
            open=tuple(sorted(still_open - {closes})),
            sequence=end.following,
            previous=None if end.newest is None else end.newest.sha256,
        )

    return append(store, record.target, options, follow)


def _opens(found: ChainRecord, record: Record) -> bool:
    """Whether it is the opening that this record closes."""
    return found.record.step == (record.run, RecordKind.OPENING, record.first, record.last)


def _read_others(
    store: ObjectStore, newest: ChainRecord | None, record: Record
) -> Iterator[ChainRecord]:
    """The records that may concern this record's run: back to its opening, or to the time when it
    began; for a recovery, back to the opening that it is about.
    """
    for number, found in enumerate(read_back(store, newest), 1):
        yield found
        if record.kind is RecordKind.RECOVERY:
            if found.sequence <= (record.about or 0):
                return
        elif _opens(found, record) or number >= OTHERS_MAX:
            return
        elif not record.groups and found.record.ended < record.began:
            return  # it claims no packs, so a wrong clock does no harm here


def _left_alone(selection: Selection) -> dict[str, int]:
    return {reason.value: count for reason, count in sorted(selection.left.items()) if count}


def _entry_of(done: GroupResult) -> GroupEntry:
    return GroupEntry(
        done.group,
        sum_counts([done]),  # without what else a result has
        tuple(done.discard_lists),
        tuple(_packs_of(done)),
        tuple((failure.error, failure.message) for failure in done.failures),
    )


def _packs_of(done: GroupResult) -> Iterator[PackEntry]:
    """Verified packs as they were verified; then those that were written but not verified."""
    new = {pack.key: pack for pack in done.packs}
    for settled in done.settled.values():
        written = new.get(settled.key)
        sha256 = None if written is None else written.sha256
        yield replace(settled, is_new=written is not None, sha256=sha256)
    for pack in done.packs:
        if pack.key not in done.settled:
            yield PackEntry(
                pack.key,
                pack.source_count,
                pack.source_bytes,
                pack.size_bytes,
                is_new=True,
                sha256=pack.sha256,
            )

"""Writes the custody record of a run, at its end: one for each place that its packs went to,
chained to the one before it.

Two runs that end at the same time want the same key; S3 lets one have it, and the other one looks
again and takes the next.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from log_aggregator.core.checksums import crc64nvme
from log_aggregator.core.custody import (
    GroupEntry,
    PackEntry,
    Record,
    WrittenRecord,
    custody_prefix,
    decode_record,
    encode_record,
    hash_record,
    parse_record_key,
    record_key,
    sum_counts,
)
from log_aggregator.core.layouts.declarations import describe_declarations
from log_aggregator.core.packformat.index import TOOL
from log_aggregator.errors import (
    BadPack,
    Failure,
    GroupFailed,
    NotFound,
    PreconditionFailed,
    StoreError,
    Unreachable,
)
from log_aggregator.model import Target
from log_aggregator.ports.store import ObjectStore, WriteOptions
from log_aggregator.steps.job import Job
from log_aggregator.steps.packing.results import GroupResult, RunResult
from log_aggregator.steps.packing.selection import Selection
from log_aggregator.steps.packs.pages import list_all
from log_aggregator.steps.rules import RunRules

ATTEMPTS_MAX = 50
"""So many other runs may end between one look at the newest record and the next."""

LOOK_BACK_COUNT_MAX = 200
"""So many records of other runs that ended since this one began are looked at for this one's own.
"""


@dataclass(frozen=True, slots=True)
class RunSpan:
    """A run's name, and when it began and ended, in UTC."""

    name: str
    began: datetime
    ended: datetime


def write_custody(job: Job, result: RunResult, span: RunSpan) -> None:
    """A record for each target. What cannot be written is a failure of the run; the result stands,
    and so do the other records.
    """
    for target in targets_of(job.rules, result):
        record = make_record(job.rules, result, target, span)
        try:
            written = append_record(job.store, record, job.rules.group.combine.index)
        except (GroupFailed, Unreachable) as error:
            where = f"custody record in s3://{target.bucket}/{custody_prefix(target)}"
            result.failures.append(Failure.of(where, error))
        else:
            result.custody.append(written)


def targets_of(rules: RunRules, result: RunResult) -> list[Target]:
    """The destination bucket; or every bucket that logs were looked for in, where each has its own
    packs.
    """
    if rules.destination_bucket is not None:
        return [Target(rules.destination_bucket)]
    return sorted(
        {rules.target(bucket) for bucket in result.buckets},
        key=lambda target: (target.bucket, target.root),
    )


def make_record(rules: RunRules, result: RunResult, target: Target, span: RunSpan) -> Record:
    """What a run did in one target. Its place in the chain is not known yet."""
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
        groups=tuple(
            _entry_of(done) for done in result.groups if rules.target(done.group.bucket) == target
        ),
        failures=tuple(
            (failure.where, failure.error, failure.message) for failure in result.failures
        ),
    )


def append_record(store: ObjectStore, record: Record, options: WriteOptions) -> WrittenRecord:
    """Puts a record at the end of its target's chain. Where the run has one already (an answer was
    lost, the end of a run was begun again), that one is given. Raises StoreError.
    """
    for _ in range(ATTEMPTS_MAX):
        newest = find_newest(store, record.target)
        following = record
        if newest is not None:
            newest_data = _read(store, record.target, newest)
            own = _find_own(store, record, newest, newest_data)
            if own is not None:
                return own
            following = replace(record, sequence=newest + 1, previous=hash_record(newest_data))
        data = encode_record(following)
        try:
            store.put_object(
                record.target.bucket,
                following.key,
                data,
                crc64nvme=crc64nvme(data),
                options=options,
            )
        except PreconditionFailed:
            continue
        return _written(following.target, following.sequence, data)
    raise StoreError(
        f"s3://{record.target.bucket}/{custody_prefix(record.target)}: {ATTEMPTS_MAX} times "
        "another run wrote the next record"
    )


def find_newest(store: ObjectStore, target: Target) -> int | None:
    """The newest record's sequence number, None where there is no record. Two requests, however
    many there are.
    """
    folders = store.list_prefixes(target.bucket, prefix=custody_prefix(target)).prefixes
    for folder in sorted(folders, reverse=True):
        found = [
            parse_record_key(target, entry.key) for entry in list_all(store, target.bucket, folder)
        ]
        sequences = [sequence for sequence in found if sequence is not None]
        if sequences:
            return max(sequences)
    return None


def _find_own(
    store: ObjectStore, record: Record, newest: int, newest_data: bytes
) -> WrittenRecord | None:
    """The record that this run has written already. It can only be among those written since the
    run began.
    """
    for sequence in range(newest, max(-1, newest - LOOK_BACK_COUNT_MAX), -1):
        try:
            data = newest_data if sequence == newest else _read(store, record.target, sequence)
            found = decode_record(data)
        except (BadPack, NotFound):
            # somebody's doing: it is no record of this run any more, and `custody verify` names it
            return None
        if found.run == record.run:
            return _written(record.target, sequence, data)
        if found.ended < record.began:
            return None
    return None


def _read(store: ObjectStore, target: Target, sequence: int) -> bytes:
    return store.get_object(target.bucket, record_key(target, sequence)).data


def _written(target: Target, sequence: int, data: bytes) -> WrittenRecord:
    return WrittenRecord(target.bucket, record_key(target, sequence), sequence, hash_record(data))


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
    """Verified packs as they were verified; then those that were written and not verified."""
    new = {pack.key for pack in done.packs}
    yield from (replace(pack, is_new=pack.key in new) for pack in done.settled.values())
    for pack in done.packs:
        if pack.key not in done.settled:
            yield PackEntry(
                pack.key, pack.source_count, pack.source_bytes, pack.size_bytes, is_new=True
            )

"""Records what interrupted runs did without recording it: they were killed, or stopped halfway, or
S3 did not answer a deletion.

A run like this has an opening record that no record closes, and that names its groups. Their packs
are verified, and their originals are listed to see which are gone. What other records already say
is left out. In the end exactly one record says of every pack that it was written, and at least one
says of every original that it was deleted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from log_aggregator.core.custody import (
    GroupCounts,
    GroupEntry,
    PackEntry,
    Record,
    RecordKind,
    WrittenRecord,
    custody_prefix,
)
from log_aggregator.core.digests import DIGEST_LOG_TYPE
from log_aggregator.core.jsontext import decode_json, decoding, inflate_lines
from log_aggregator.core.layouts import Dated, parse_key
from log_aggregator.core.packformat.index import TOOL
from log_aggregator.core.times import decode_time
from log_aggregator.errors import (
    CannotStart,
    Failure,
    GroupFailed,
    NotFound,
    Unreachable,
)
from log_aggregator.model import Group, Identity, Target, VerifiedPack, is_fixed
from log_aggregator.steps.custody.chain import ChainRecord, find_end, read_back, read_record
from log_aggregator.steps.custody.write import RunSpan, append_record, targets_of
from log_aggregator.steps.job import Job
from log_aggregator.steps.packing.buckets import SourceBucket, look_at_bucket
from log_aggregator.steps.packing.ledger import read_ledger
from log_aggregator.steps.packing.results import GroupResult, RunResult
from log_aggregator.steps.packing.scan import find_present
from log_aggregator.steps.packs.pages import list_all
from log_aggregator.steps.packs.verify import verify_pack

ALIVE_TIME_MAX = timedelta(hours=24)
"""A run may be under way for this long. Until then its opening stays open, so that the run itself,
or a later recovery, can record what it does next.
"""

LOOKED_AT_AGAIN = (
    "What they did is done and safe, but not recorded yet. Fix what the message names; the next "
    "run tries again."
)

OLDER_RECORDS_MAX = 50
"""This many records before an opening are read too: they may record deletions from older packs."""

ATTEMPTS_TIME_MAX = timedelta(days=7)
"""For this long recovery retries what it cannot examine."""


def recover_runs(
    job: Job, result: RunResult, span: RunSpan, archive_keys: Callable[[RunResult], None]
) -> None:
    """Writes a recovery record for every opening that is not fully recorded, of other runs and of
    this one, which is over; and archives the public keys of the digests that they packed.

    What cannot be examined becomes a failure of this run; the next one tries again.
    """
    targets = targets_of(job.rules, result)
    for target in targets:
        try:
            end = find_end(job.store, target)
            still_open = () if end.newest is None else end.newest.record.open
            for sequence in still_open:
                opening = read_record(job.store, target, sequence)
                if opening is not None:
                    recovery = _Recovery(job, target, opening)
                    written = recovery.write(span)
                    result.custody += [] if written is None else [written]
                    digests = recovery.describe_digests()
                    archive_keys(digests)
                    result.failures += digests.failures
                    result.take_warnings(digests)
        except (CannotStart, GroupFailed, Unreachable) as error:
            where = f"earlier runs in s3://{target.bucket}/{custody_prefix(target)}"
            result.failures.append(Failure.of(where, error, LOOKED_AT_AGAIN))


@dataclass(slots=True)
class _Told:
    """What the records since an opening say."""

    new: set[str] = field(default_factory=set)
    deleted: Counter[str] = field(default_factory=Counter)
    """Deleted originals, by the key of their pack."""
    lists: set[str] = field(default_factory=set)
    groups: set[Group] = field(default_factory=set)
    """Groups for which a record of the run itself is complete, at least for a part of them."""
    unsure: set[Group] = field(default_factory=set)
    """Groups for which a record of the run itself is incomplete, at least for a part of them."""


@dataclass(slots=True)
class _Recovery:
    """The recovery of one run, in one target."""

    job: Job
    target: Target
    opening: ChainRecord
    buckets: dict[str, SourceBucket] = field(default_factory=dict)
    digest_regions: dict[Group, set[str]] = field(default_factory=dict)

    def write(self, span: RunSpan) -> WrittenRecord | None:
        """Writes the record. None if there is nothing to record and the run may be under way."""
        told, opened_at = self._read_told(), self._opened_at()
        job, opening = self.job, self.opening.record
        entries = [
            entry
            for entry in job.workers.each(
                lambda group: self._look_at(group, told, opened_at),
                [group for group in opening.planned if group not in told.groups - told.unsure],
            )
            if entry is not None
        ]
        has_failed = any(entry.failures for entry in entries)
        age = job.clock.now() - opening.began
        is_over = age > ATTEMPTS_TIME_MAX or (
            not has_failed and (opening.run == span.name or age > ALIVE_TIME_MAX)
        )
        if not entries and not is_over:
            return None
        record = Record(
            self.target,
            opening.run,
            TOOL,
            span.began,
            job.clock.now(),
            opening.first,
            opening.last,
            groups=tuple(entries),
            failures=tuple(
                (str(entry.group), *failure) for entry in entries for failure in entry.failures
            ),
            kind=RecordKind.RECOVERY,
            about=opening.sequence,
            closes=opening.sequence if is_over else None,
        )
        return append_record(job.store, record, job.rules.group.combine.index)

    def describe_digests(self) -> RunResult:
        """The groups of digests that it found, for archiving their public keys."""
        opening = self.opening.record
        groups = [
            GroupResult(group, digest_regions=sorted(regions))
            for group, regions in self.digest_regions.items()
        ]
        return RunResult(opening.first, opening.last, groups=groups, stage=opening.stage)

    def _opened_at(self) -> datetime:
        """When the opening was written, by S3's clock: it is compared with times of packs, which S3
        sets too, and the clock of this machine may differ.
        """
        store, key = self.job.store, self.opening.record.key
        found = list_all(store, self.target.bucket, key)
        return next(entry.last_modified for entry in found if entry.key == key)

    def _read_told(self) -> _Told:
        """Reads the records since the opening, and some before it for their deletions."""
        told = _Told()
        for found in read_back(self.job.store, find_end(self.job.store, self.target).newest):
            if found.sequence < self.opening.sequence - OLDER_RECORDS_MAX:
                break
            is_own = found.record.step == replace(self.opening.record, kind=RecordKind.CLOSING).step
            for entry in found.record.groups:
                if is_own:
                    is_whole = not entry.failures and not entry.counts.unknown
                    (told.groups if is_whole else told.unsure).add(entry.group)
                told.lists.update(entry.discard_lists)
                for pack in entry.packs:
                    if pack.is_new:
                        told.new.add(pack.key)
                    told.deleted[pack.key] += pack.deleted or 0
        return told

    def _look_at(self, group: Group, told: _Told, opened_at: datetime) -> GroupEntry | None:
        """A group's entry, or None if other records already say everything."""
        entry = _Entry(group)
        try:
            ledger = read_ledger(
                self.job.store, self.target, group, frozenset(), self.job.rules.group.combine.index
            )
            for key in sorted(ledger.written, key=ledger.age_of):
                is_new = ledger.written[key] >= opened_at and key not in told.new
                self._look_at_pack(entry, key, told.deleted[key], is_new=is_new)
            self._look_at_discards(entry, told.lists, opened_at)
        except (CannotStart, GroupFailed, Unreachable) as error:
            entry.failures.append((error.state_name, str(error)))
        return entry.make()

    def _look_at_pack(self, entry: _Entry, key: str, told: int, *, is_new: bool) -> None:
        try:
            verified = verify_pack(self.job.store, self.target, key)
        except (
            NotFound
        ):  # without an index none of its originals were deleted; a later run adopts it
            return
        members = {member.identity for member in verified.index.members}
        there = self._find_there(entry.group, members)
        gone = len(members) - len(there)
        if not is_new and gone <= told:
            return
        entry.take(verified, max(0, gone - told), is_new=is_new)
        if entry.group.log_type == DIGEST_LOG_TYPE:
            facts = (parse_key(member.key) for member in verified.index.members)
            regions = {each.facts.region for each in facts if isinstance(each, Dated)}
            self.digest_regions[entry.group] = {each for each in regions if each is not None}

    def _look_at_discards(self, entry: _Entry, told: set[str], opened_at: datetime) -> None:
        prefix = f"{self.target.root}discards/{entry.group.path}"
        for found in list_all(self.job.store, self.target.bucket, prefix):
            if found.key in told or found.last_modified < opened_at:
                continue
            data = self.job.store.get_object(self.target.bucket, found.key).data
            with decoding(f"s3://{self.target.bucket}/{found.key}"):
                listed = set(map(_identity_of, inflate_lines(data)))
            there = self._find_there(entry.group, listed)
            entry.lists.append(found.key)
            entry.counts.discarded += len(listed) - len(there)

    def _look_at_bucket(self, name: str) -> SourceBucket:
        if name not in self.buckets:
            self.buckets[name] = look_at_bucket(self.job, name)
        return self.buckets[name]

    def _find_there(self, group: Group, identities: set[Identity]) -> set[Identity]:
        bucket = self._look_at_bucket(group.bucket)
        return find_present(self.job.store, bucket, identities, group.date)


@dataclass(slots=True)
class _Entry:
    """A group's entry while it is assembled."""

    group: Group
    counts: GroupCounts = field(default_factory=GroupCounts)
    packs: list[PackEntry] = field(default_factory=list)
    lists: list[str] = field(default_factory=list)
    failures: list[tuple[str, str]] = field(default_factory=list)

    def take(self, verified: VerifiedPack, gone: int, *, is_new: bool) -> None:
        pack, counts = PackEntry.of(verified), self.counts
        pack.is_new, pack.deleted = is_new, gone
        self.packs.append(pack)
        is_copy = verified.index.format == "copy"
        counts.listed += pack.members
        counts.listed_bytes += pack.source_bytes
        counts.deleted += gone
        if is_new:
            counts.copied += pack.members if is_copy else 0
            counts.packed += 0 if is_copy else pack.members
            counts.bytes_in += pack.source_bytes
        else:
            counts.packed_before += pack.members
            counts.packed_before_bytes += pack.source_bytes

    def make(self) -> GroupEntry | None:
        if not (self.packs or self.lists or self.failures):
            return None
        return GroupEntry(
            self.group, self.counts, tuple(self.lists), tuple(self.packs), tuple(self.failures)
        )


def _identity_of(line: bytes) -> Identity:
    found = decode_json(line)
    version_id = found["version_id"]
    written = None if is_fixed(version_id) else decode_time(found["last_modified"])
    return (found["key"], version_id, found["etag"], found["size"], written)

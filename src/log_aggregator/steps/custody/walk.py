"""Walks a chain of custody records from the newest to the oldest, and reports everything that is
not as it was written.

One record is in memory at a time. For each pack that records name only a few bytes are kept: a
chain of ten years names several hundred thousand.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from log_aggregator.core.custody import (
    Record,
    RecordKind,
    custody_prefix,
    decode_record,
    hash_record,
    parse_record_key,
    record_key,
)
from log_aggregator.core.signatures import Proven
from log_aggregator.errors import BadPack, NotFound
from log_aggregator.model import LogObject, Target
from log_aggregator.ports.store import ObjectStore
from log_aggregator.steps.custody.chain import SEQUENCE_MAX
from log_aggregator.steps.custody.once import Finding, list_written_once
from log_aggregator.steps.job import Job
from log_aggregator.steps.packs.index import read_index
from log_aggregator.steps.packs.pages import list_all
from log_aggregator.steps.workers import Workers

PENDING_HOURS_MAX = 24
"""A run that wrote a pack has finished after this time, or it died."""


@dataclass(frozen=True, slots=True)
class WalkRules:
    """What a walk checks."""

    last: int | None = None
    """Check only this many records, the newest. Packs without a record are not looked for then."""
    oldest: int = 0
    """The chain should begin with this record: those before it are known to be gone."""
    expected: Mapping[int, str] = field(default_factory=dict)
    """Hashes of records that the user kept elsewhere, by sequence number."""
    reads_indexes: bool = False
    """Read every index that a record names, and compare its hash."""


@dataclass(slots=True)
class Walked:
    """What a walk over one chain saw."""

    target: Target
    records: int = 0
    newest: tuple[int, str] | None = None
    """(sequence number, hash), for the user to keep elsewhere."""
    packs: int = 0
    indexes_read: int = 0
    findings: list[Finding] = field(default_factory=list)
    """Breaks of the chain: the exit code is 1."""
    notes: list[Finding] = field(default_factory=list)
    """Oddities with an explanation: packs of runs that did not finish."""
    proven: Proven = field(default_factory=Proven)
    """How far it is signed, if signatures were checked (`prove`)."""


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A record as it was read: its place, its hash, and its contents or why they cannot be read."""

    sequence: int
    key: str
    sha256: str | None
    record: Record | None
    problem: str = ""


def walk_chain(
    job: Job,
    target: Target,
    rules: WalkRules,
    watch: Callable[[StoredRecord], object] = lambda _: None,
) -> Walked:
    """Checks one target's chain. `watch` gets each record, the newest first. Raises StoreError if
    S3 cannot be reached.
    """
    store, workers = job.store, job.workers
    walked = Walked(target)
    listed = _list_versions(store, target, walked)
    _check_sequence(target, listed, rules, walked)
    wanted = sorted(listed, reverse=True)[: rules.last]
    packs = _Packs()
    links = _Links()
    ended: datetime | None = None
    for found in read_records(
        store, workers, target, {sequence: listed[sequence] for sequence in wanted}
    ):
        watch(found)
        walked.findings += links.take(found)
        _check_record(target, found, rules, walked)
        if found.record is None:
            continue
        if walked.newest is None and found.sha256 is not None:
            walked.newest = (found.sequence, found.sha256)
        walked.records += 1
        if found.record.kind is not RecordKind.DRILL:  # a drill's record does not name new packs
            ended = ended or found.record.ended
        hashes = packs.take(found, walked)
        if rules.reads_indexes:
            _check_indexes(store, workers, target, found.sequence, hashes, walked)
        if found.sequence in (0, rules.oldest):
            packs.began = found.record.began
    walked.packs = len(packs.named)
    if rules.last is None:
        _check_unrecorded(job, packs, ended, walked)
    return walked


def read_records(
    store: ObjectStore, workers: Workers, target: Target, listed: Mapping[int, LogObject]
) -> Iterator[StoredRecord]:
    """Records, in the order of `listed`. A record that cannot be read has a `problem`."""

    def read(sequence: int) -> StoredRecord:
        key = record_key(target, sequence)
        try:
            data = store.get_object(target.bucket, key).data
        except NotFound:
            return StoredRecord(sequence, key, None, None, "it was deleted during the check")
        try:
            return StoredRecord(sequence, key, hash_record(data), decode_record(data))
        except BadPack as error:
            return StoredRecord(sequence, key, hash_record(data), None, str(error))

    yield from workers.read_ahead(read, listed, lambda sequence: listed[sequence].size_bytes)


def list_records(store: ObjectStore, target: Target) -> dict[int, LogObject]:
    """All records as they are now, oldest first, by sequence number."""
    found = (
        (parse_record_key(target, entry.key), entry)
        for entry in list_all(store, target.bucket, custody_prefix(target))
    )
    return {sequence: entry for sequence, entry in found if sequence is not None}


def _list_versions(store: ObjectStore, target: Target, walked: Walked) -> dict[int, LogObject]:
    """The current records."""

    def parse(key: str) -> int | None:
        sequence = parse_record_key(target, key)
        return None if sequence is None or sequence > SEQUENCE_MAX else sequence

    prefix = custody_prefix(target)
    return list_written_once(
        store, target.bucket, prefix, parse, "it is not a custody record", walked.findings
    )


def _check_sequence(
    target: Target, listed: Iterable[int], rules: WalkRules, walked: Walked
) -> None:
    """Checks that no number is missing, also among expected records newer than all that exist."""
    present = sorted(listed)
    expected = rules.oldest
    for sequence in present:
        if sequence > expected:
            missing = record_key(target, expected)
            count = sequence - expected
            walked.findings.append(
                Finding(
                    missing,
                    "it is missing"
                    if count == 1
                    else f"it and {count - 1} records after it are missing",
                )
            )
        expected = max(expected, sequence + 1)
    for sequence in sorted(rules.expected):
        if sequence >= expected:
            walked.findings.append(
                Finding(record_key(target, sequence), "it is missing, although it was expected")
            )


def _check_record(target: Target, found: StoredRecord, rules: WalkRules, walked: Walked) -> None:
    """Checks a record by itself."""

    def complain(what: str) -> None:
        walked.findings.append(Finding(found.key, what))

    wanted = rules.expected.get(found.sequence)
    if wanted is not None and wanted != found.sha256:
        complain(f"its SHA-256 is {found.sha256}, but {wanted} was expected")
    record = found.record
    if record is None:
        complain(found.problem)
        return
    if (record.target, record.sequence) != (target, found.sequence):
        complain(
            f"its contents are those of record {record.sequence} of "
            f"s3://{record.target.bucket}/{record.target.root}"
        )
    if (record.previous is None) != (found.sequence == 0):
        complain(
            "it does not name the record before it"
            if record.previous is None
            else "it is the first record, but names one before it"
        )
    for entry in record.groups:
        imbalance = entry.find_imbalance()
        if imbalance is not None:
            complain(f"{entry.group}: {imbalance}")


@dataclass(slots=True)
class _Link:
    """A record whose predecessor was not seen yet."""

    found: StoredRecord
    record: Record
    is_told: bool
    """It was already reported that the record after it does not name it."""


@dataclass(slots=True)
class _Links:
    """Follows a chain backwards from its newest record. Skips objects put in between, so that only
    these are reported, and not every record before them.
    """

    _open: list[_Link] = field(default_factory=list)
    _expected: int = -1
    """The number of the record that they may follow."""
    _has_hole: bool = False
    """A record in between cannot be read, and may be the one that they follow."""

    def take(self, found: StoredRecord) -> Iterator[Finding]:
        record, is_beside = found.record, found.sequence == self._expected
        self._expected = found.sequence - 1
        if record is None:
            self._has_hole = True
            return
        following = next(
            (each for each in self._open if each.record.previous == found.sha256), None
        )
        if not is_beside or following is not None:
            yield from self._close(found.key, record, following if is_beside else None)
            self._open = [_Link(found, record, is_told=True)]
        else:
            if not self._has_hole:
                named = self._open[0].record.previous
                what = f"its SHA-256 is {found.sha256}, but the record after it names {named}"
                yield Finding(found.key, what)
            self._open.append(_Link(found, record, is_told=not self._has_hole))
        self._has_hole = False

    def _close(self, key: str, older: Record, following: _Link | None) -> Iterator[Finding]:
        """Compares an older record with the one that is now known to follow it."""
        if following is None:
            return
        for other in self._open:
            if other is not following and not other.is_told:
                yield Finding(other.found.key, "the record after it names a different record")
        newer = following.record
        opened = {newer.sequence} if newer.kind is RecordKind.OPENING else set()
        if set(newer.open) != (set(older.open) | opened) - {newer.closes}:
            yield Finding(key, "the record after it lists different openings as open")


def _check_indexes(
    store: ObjectStore,
    workers: Workers,
    target: Target,
    sequence: int,
    hashes: Mapping[str, str],
    walked: Walked,
) -> None:
    def check(pack_key: str) -> Finding | None:
        try:
            index_key = target.index_key(pack_key)
        except ValueError:
            return Finding(pack_key, f"record {sequence} names it, but it is not a pack's key here")
        try:
            sha256 = read_index(store, target, pack_key).sha256
        except NotFound:
            return Finding(index_key, f"record {sequence} names it, but it does not exist")
        if sha256 != hashes[pack_key]:
            return Finding(index_key, f"its SHA-256 differs from the one in record {sequence}")
        return None

    for finding in workers.each(check, hashes):
        walked.indexes_read += 1
        if finding is not None:
            walked.findings.append(finding)


class _Packs:
    """The packs that records name, and those whose writing a record claims; each as 64 bits of a
    hash.
    """

    def __init__(self) -> None:
        self.named: dict[int, int] = {}
        """A pack -> the oldest record that names it."""
        self.written: set[int] = set()
        self.began: datetime | None = None
        """When the first run of the chain began."""
        self._hashes: set[tuple[int, int]] = set()

    def take(self, found: StoredRecord, walked: Walked) -> dict[str, str]:
        """Notes a record's packs. Returns the keys of its verified packs with the hashes of their
        indexes, except those that a newer record already gave.
        """
        fresh: dict[str, str] = {}
        for pack in found.record.packs if found.record is not None else ():
            number = short(pack.key)
            self.named[number] = found.sequence
            if pack.is_new and number in self.written:
                walked.findings.append(
                    Finding(found.key, f"another record also claims to have written {pack.key}")
                )
            elif pack.is_new:
                self.written.add(number)
            if (
                pack.index_sha256 is not None
                and (number, short(pack.index_sha256)) not in self._hashes
            ):
                self._hashes.add((number, short(pack.index_sha256)))
                fresh[pack.key] = pack.index_sha256
        return fresh


def short(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())


def _check_unrecorded(job: Job, packs: _Packs, ended: datetime | None, walked: Walked) -> None:
    """Reports packs whose writing no record claims: their run died before it wrote the record."""
    target, now = walked.target, job.clock.now()
    for entry in list_all(job.store, target.bucket, f"{target.root}indexes/"):
        number = (
            short(target.pack_key(entry.key)) if entry.key.endswith(".index.jsonl.gz") else None
        )
        if number is None or number in packs.written:
            continue
        if number in packs.named:
            settled = packs.named[number]
            what = (
                "its pack was written by a run, or a call, that did not finish; record "
                f"{settled} settled it"
            )
            walked.notes.append(Finding(entry.key, what))
        elif packs.began is not None and entry.last_modified < packs.began:
            walked.notes.append(Finding(entry.key, "its pack is older than the chain"))
        elif ended is not None and entry.last_modified <= ended:
            walked.notes.append(
                Finding(
                    entry.key,
                    "no record names its pack: it was written by a run that died or is under way, "
                    "and the next run records it; or it was made by hand",
                )
            )
        elif now - entry.last_modified < timedelta(hours=PENDING_HOURS_MAX):
            walked.notes.append(
                Finding(entry.key, "no record names its pack yet: a run is under way, or died")
            )
        else:
            what = (
                "no record names its pack, and none was written since: the newest records are "
                "missing, or no run finished"
            )
            walked.findings.append(Finding(entry.key, what))

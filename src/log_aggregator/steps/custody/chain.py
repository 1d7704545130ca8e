"""The end of a chain of custody records: finds it, reads it, and appends to it.

An object under `custody/` is trusted only if it agrees with its own key and with the record before
it: anyone who can write there must not be able to end the chain, or to divert it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from log_aggregator.core.checksums import crc64nvme
from log_aggregator.core.custody import (
    Record,
    WrittenRecord,
    custody_prefix,
    decode_place,
    decode_record,
    encode_record,
    hash_record,
    parse_record_key,
    record_key,
)
from log_aggregator.errors import BadPack, NewerFormat, NotFound, PreconditionFailed, StoreError
from log_aggregator.model import Target
from log_aggregator.ports.store import ObjectStore, WriteOptions
from log_aggregator.steps.packs.pages import list_all

ATTEMPTS_MAX = 50
"""How many times other runs may take the next number before appending gives up."""

SEQUENCE_MAX = 9_000_000_000
"""No chain gets this far. A forged record with a higher number could leave no room for the next."""

READS_MAX = 5
"""A record that cannot be decoded is read again until the same bytes come twice: skipping a record
that was only damaged in transit would lose what it says.
"""

FOREIGN_COUNT_MAX = 100
"""The search for the newest record looks at this many objects that are not records of the chain."""


@dataclass(frozen=True, slots=True)
class ChainRecord:
    """A record that agrees with its place."""

    record: Record
    sha256: str

    @property
    def sequence(self) -> int:
        return self.record.sequence

    @property
    def written(self) -> WrittenRecord:
        target = self.record.target
        return WrittenRecord(target.bucket, self.record.key, self.sequence, self.sha256)


@dataclass(frozen=True, slots=True)
class ChainEnd:
    """The newest record of a chain, or None if there is none; and the number of the next."""

    newest: ChainRecord | None
    following: int


def find_end(store: ObjectStore, target: Target) -> ChainEnd:
    """Finds the end with four requests, however many records there are.

    Raises StoreError, and NewerFormat: a release that cannot read a chain's records must not write
    the next one.
    """
    taken: set[int] = set()
    alone: ChainRecord | None = None
    for looked_at, sequence in enumerate(_list_newest_first(store, target, taken), 1):
        found = read_record(store, target, sequence)
        if found is not None:
            if sequence == 0 or _has_place(store, found):
                return ChainEnd(found, _first_free(sequence + 1, taken))
            alone = alone or found  # the beginning of the chain may have expired
        if looked_at > FOREIGN_COUNT_MAX:
            raise StoreError(
                f"s3://{target.bucket}/{custody_prefix(target)}: more than {FOREIGN_COUNT_MAX} "
                "objects there are not records of the chain; remove them"
            )
    start = 0 if alone is None else alone.sequence + 1
    return ChainEnd(alone, _first_free(start, taken))


def _has_place(store: ObjectStore, found: ChainRecord) -> bool:
    """Whether it follows an earlier record, or may follow one that is damaged: the one directly
    before it, if that cannot be read.
    """
    if find_before(store, found) is not None:
        return True
    oldest = max(-1, found.sequence - 1 - FOREIGN_COUNT_MAX)
    for sequence in range(found.sequence - 1, oldest, -1):
        if read_record(store, found.record.target, sequence) is not None:
            return sequence < found.sequence - 1
    return False


def read_record(store: ObjectStore, target: Target, sequence: int) -> ChainRecord | None:
    """The record with a number. None if nothing is there, or something that is not a record or
    belongs in another place. Raises NewerFormat where a newer release wrote it.
    """
    if sequence > SEQUENCE_MAX:
        return None
    key, seen = record_key(target, sequence), set[bytes]()
    for _ in range(READS_MAX):
        try:
            data = store.get_object(target.bucket, key).data
            record = decode_record(data)
        except NotFound:
            return None
        except NewerFormat as error:
            if _is_of_chain(store, target, sequence, data):
                # To pass it over would be to write a second chain next to it.
                raise NewerFormat(f"s3://{target.bucket}/{key}: {error}") from error
            break
        except BadPack:
            if data in seen:  # the stored bytes are bad; they were not damaged in transit
                return None
            seen.add(data)
            continue
        is_in_place = (record.target, record.sequence) == (target, sequence)
        if not is_in_place or (record.previous is None) != (sequence == 0):
            return None
        return ChainRecord(record, hash_record(data))
    return None


def _is_of_chain(store: ObjectStore, target: Target, sequence: int, data: bytes) -> bool:
    """Whether a record that this release cannot read follows one that it can.

    Otherwise anyone who can write under `custody/` could stop every run with one made-up record.
    """
    with suppress(BadPack):
        for _ in range(FOREIGN_COUNT_MAX):
            claimed, number, previous = decode_place(data)
            if (claimed, number) != (target, sequence):
                break
            before = _find_by_hash(store, target, sequence, previous)
            if before is None:
                return sequence == 0 and previous is None
            sequence, data = before
            with suppress(NewerFormat):
                decode_record(data)
                return True
        else:
            return True
    return False


def _find_by_hash(
    store: ObjectStore, target: Target, sequence: int, sha256: str | None
) -> tuple[int, bytes] | None:
    """The number and the bytes of an object before `sequence` that has this hash."""
    for number in range(sequence - 1, max(-1, sequence - 1 - FOREIGN_COUNT_MAX), -1):
        with suppress(NotFound):
            data = store.get_object(target.bucket, record_key(target, number)).data
            if hash_record(data) == sha256:
                return number, data
    return None


def find_before(store: ObjectStore, found: ChainRecord) -> ChainRecord | None:
    """The record that it names as the one before it. Objects put in between are skipped."""
    oldest = max(-1, found.sequence - 1 - FOREIGN_COUNT_MAX)
    for sequence in range(found.sequence - 1, oldest, -1):
        before = read_record(store, found.record.target, sequence)
        if before is not None and before.sha256 == found.record.previous:
            return before
    return None


def read_back(store: ObjectStore, newest: ChainRecord | None) -> Iterator[ChainRecord]:
    """The chain from its newest record backwards, as far as it can be followed."""
    while newest is not None:
        yield newest
        newest = find_before(store, newest)


def append(
    store: ObjectStore,
    target: Target,
    options: WriteOptions,
    follow: Callable[[ChainEnd], Record | WrittenRecord],
) -> WrittenRecord:
    """Appends a record to a chain: the one that `follow` makes for its end. `follow` can also
    return a record that was written already.

    If two writers want the same number, If-None-Match lets one of them have it, and the other tries
    the next (https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html). Raises
    StoreError.
    """
    for _ in range(ATTEMPTS_MAX):
        record = follow(find_end(store, target))
        if isinstance(record, WrittenRecord):
            return record
        data = encode_record(record)
        try:
            store.put_object(
                target.bucket, record.key, data, crc64nvme=crc64nvme(data), options=options
            )
        except PreconditionFailed:
            continue
        return ChainRecord(record, hash_record(data)).written
    raise StoreError(
        f"s3://{target.bucket}/{custody_prefix(target)}: no record could be appended, because "
        f"{ATTEMPTS_MAX} times another run wrote the next one first"
    )


def _list_newest_first(store: ObjectStore, target: Target, taken: set[int]) -> Iterator[int]:
    """Numbers that any object has taken, the highest first; also adds them to `taken`."""
    folders = store.list_prefixes(target.bucket, prefix=custody_prefix(target)).prefixes
    for folder in sorted(folders, reverse=True):
        found = (
            parse_record_key(target, entry.key) for entry in list_all(store, target.bucket, folder)
        )
        sequences = [sequence for sequence in found if sequence is not None]
        taken.update(sequences)
        yield from sorted(sequences, reverse=True)


def _first_free(sequence: int, taken: set[int]) -> int:
    while sequence in taken:
        sequence += 1
    return sequence

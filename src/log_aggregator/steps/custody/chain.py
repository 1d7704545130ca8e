"""The end of a chain of custody records: where it is, what stands there, and how to write behind
it.

What lies under `custody/` is believed only as far as it agrees with its own key and with the record
before it: whoever can write there must not be able to end the chain, or to lead it elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from log_aggregator.core.checksums import crc64nvme
from log_aggregator.core.custody import (
    Record,
    WrittenRecord,
    custody_prefix,
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
"""So many other runs may write between one look at the newest record and the next."""

SEQUENCE_MAX = 9_000_000_000
"""No chain gets there: with a higher number somebody could leave no room for the next one."""

READS_MAX = 5
"""What cannot be read is read again, until it comes as it did before: to pass a record over is to
forget what it says.
"""

FOREIGN_COUNT_MAX = 100
"""So many objects that are no records of the chain are looked at before the newest one is found."""


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
    """The newest record of a chain, None where there is none, and the number of the next."""

    newest: ChainRecord | None
    following: int


def find_end(store: ObjectStore, target: Target) -> ChainEnd:
    """Four requests, however many records there are. Raises StoreError, and NewerFormat: whoever
    cannot read a chain's records must not write the next one.
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
                "objects there are no records of the chain; remove them"
            )
    start = 0 if alone is None else alone.sequence + 1
    return ChainEnd(alone, _first_free(start, taken))


def _has_place(store: ObjectStore, found: ChainRecord) -> bool:
    """It follows a record before it; or the one right before it cannot be read: that was damaged,
    and it may have followed that.
    """
    if find_before(store, found) is not None:
        return True
    oldest = max(-1, found.sequence - 1 - FOREIGN_COUNT_MAX)
    for sequence in range(found.sequence - 1, oldest, -1):
        if read_record(store, found.record.target, sequence) is not None:
            return sequence < found.sequence - 1
    return False


def read_record(store: ObjectStore, target: Target, sequence: int) -> ChainRecord | None:
    """None where there is none, or where what is there is none, or that of another place. Raises
    NewerFormat where a newer release wrote it: what it says is part of the chain.
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
        except NewerFormat as error:  # to pass it over would be to write a second chain beside it
            raise NewerFormat(f"s3://{target.bucket}/{key}: {error}") from error
        except BadPack:
            if data in seen:  # it is stored so, and was not damaged on its way
                return None
            seen.add(data)
            continue
        is_in_place = (record.target, record.sequence) == (target, sequence)
        if not is_in_place or (record.previous is None) != (sequence == 0):
            return None
        return ChainRecord(record, hash_record(data))
    return None


def find_before(store: ObjectStore, found: ChainRecord) -> ChainRecord | None:
    """The record that it names as the one before it. What somebody put in between is passed
    over.
    """
    oldest = max(-1, found.sequence - 1 - FOREIGN_COUNT_MAX)
    for sequence in range(found.sequence - 1, oldest, -1):
        before = read_record(store, found.record.target, sequence)
        if before is not None and before.sha256 == found.record.previous:
            return before
    return None


def read_back(store: ObjectStore, newest: ChainRecord | None) -> Iterator[ChainRecord]:
    """The chain from its newest record on, as far as it can be followed."""
    while newest is not None:
        yield newest
        newest = find_before(store, newest)


def append(
    store: ObjectStore,
    target: Target,
    options: WriteOptions,
    follow: Callable[[ChainEnd], Record | WrittenRecord],
) -> WrittenRecord:
    """Puts a record at the end of a chain: what `follow` makes of that end, or gives as written
    already. Two writers at once want the same number; S3 lets one have it, and the other looks
    again. Raises StoreError.
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
        f"s3://{target.bucket}/{custody_prefix(target)}: {ATTEMPTS_MAX} times another run wrote "
        "the next record"
    )


def _list_newest_first(store: ObjectStore, target: Target, taken: set[int]) -> Iterator[int]:
    """Numbers that are taken, by whatever, the highest first; `taken` fills up with them."""
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

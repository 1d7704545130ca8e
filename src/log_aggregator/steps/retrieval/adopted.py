"""Finds and checks adopted aggregates, by the indexes that `index adopt` wrote for them. Nothing
here writes or deletes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import TypeVar

from log_aggregator.core.adopted import (
    ADOPTED,
    INDEX_SUFFIX,
    Adopted,
    AdoptedQuery,
    Aggregate,
    decode_adopted,
)
from log_aggregator.core.packformat.split import GzipMember, split_gzip
from log_aggregator.core.query import Query
from log_aggregator.errors import BadPack, GroupFailed, NotFound, ObjectFrozen, VerificationError
from log_aggregator.model import Group, Member, StoredObject, Target
from log_aggregator.ports.store import ObjectStore
from log_aggregator.steps.packs.index import estimate_index_memory, naming
from log_aggregator.steps.packs.stream import ObjectStream
from log_aggregator.steps.retrieval.catalog import list_folder
from log_aggregator.steps.workers import Workers

T = TypeVar("T")


@dataclass(frozen=True, slots=True, order=True)
class AdoptedEntry:
    """An adopted aggregate, by the key of its index."""

    group: Group
    index_key: str


def list_adopted(
    store: ObjectStore, workers: Workers, target: Target, query: Query
) -> list[AdoptedEntry]:
    """The aggregates whose group may match. Takes one request if nothing was ever adopted."""
    if not store.list_prefixes(target.bucket, prefix=f"{target.root}{ADOPTED}").prefixes:
        return []
    found = list_folder(store, workers, target, query, ADOPTED)
    return sorted(
        AdoptedEntry(group, listed.key)
        for group, listed in found
        if listed.key.endswith(INDEX_SUFFIX)
    )


@dataclass(frozen=True, slots=True)
class FoundAggregate:
    """An adopted aggregate with members that match. `stored` is what HeadObject returns now, or
    None if it is gone.
    """

    aggregate: Aggregate
    members: tuple[Member, ...]
    stored: StoredObject | None


def find_adopted(
    store: ObjectStore, workers: Workers, target: Target, query: Query
) -> Iterator[FoundAggregate | GroupFailed]:
    """Adopted aggregates with members that match, and an error for each unreadable index."""
    asked = AdoptedQuery.of(query)
    if asked is None:
        return
    entries = list_adopted(store, workers, target, asked.place)

    def read(entry: AdoptedEntry) -> FoundAggregate | GroupFailed | None:
        try:
            adopted, members = _read_index(store, target, entry.index_key)
            wanted = tuple(each for each in members if asked.matches(entry.group, each.key))
        except (BadPack, NotFound, ObjectFrozen) as error:
            return error
        aggregate = adopted.aggregate
        return (
            FoundAggregate(aggregate, wanted, _head_if_there(store, aggregate)) if wanted else None
        )

    for found in workers.read_ahead(read, entries, lambda _: estimate_index_memory(None)):
        if found is not None:
            yield found


def _head_if_there(store: ObjectStore, aggregate: Aggregate) -> StoredObject | None:
    try:
        return store.head_object(aggregate.bucket, aggregate.key)
    except NotFound:
        return None


def check_adopted(
    store: ObjectStore, target: Target, index_key: str, *, read_back: bool
) -> Adopted:
    """Checks that an adopted aggregate still matches its index: by size and checksum, or by all of
    its bytes. Raises VerificationError, BadPack, NotFound, ObjectFrozen.
    """
    adopted, members = _read_index(store, target, index_key)
    stored = _head(store, adopted)
    is_proven = _compare_head(adopted, stored)
    if read_back or not is_proven:
        _read_back(store, adopted, stored, members)
    else:
        for _ in members:  # decoding them checks the rest of the index
            pass
    return adopted


def _read_index(
    store: ObjectStore, target: Target, index_key: str
) -> tuple[Adopted, Iterator[Member]]:
    """The index's first line, and its members one by one. Raises BadPack, also while the members
    are consumed.
    """
    where = f"s3://{target.bucket}/{index_key}"
    data = store.get_object(target.bucket, index_key).data
    with naming(where):
        adopted, members = decode_adopted(data)
    if adopted.aggregate.index_key(target) != index_key:
        raise BadPack(f"{where} is the index of another aggregate, {adopted.aggregate.place}")
    return adopted, _naming_each(where, members)


def _naming_each(where: str, items: Iterable[T]) -> Iterator[T]:
    with naming(where):
        yield from items


def _head(store: ObjectStore, adopted: Adopted) -> StoredObject:
    try:
        return store.head_object(adopted.aggregate.bucket, adopted.aggregate.key)
    except NotFound as error:
        raise NotFound(
            f"{adopted.aggregate.place}: its index exists, but the aggregate does not",
            code=error.code,
        ) from None


def _compare_head(adopted: Adopted, stored: StoredObject) -> bool:
    """Whether size, checksum or ETag prove that the aggregate is the same. Raises VerificationError
    if they prove that it is not.
    """
    aggregate = adopted.aggregate
    if stored.size_bytes != aggregate.size_bytes:
        raise VerificationError(
            f"{aggregate.place}: {stored.size_bytes} bytes are stored, "
            f"{aggregate.size_bytes} were adopted"
        )
    if stored.crc64nvme is not None and stored.crc64nvme != adopted.crc64nvme:
        raise VerificationError(f"{aggregate.place}: its checksum differs from the adopted one")
    return stored.crc64nvme is not None or stored.etag == aggregate.etag


def _read_back(
    store: ObjectStore, adopted: Adopted, stored: StoredObject, members: Iterator[Member]
) -> None:
    stream = ObjectStream(store, stored)
    stored_members = split_gzip(stream.read(stored.size_bytes))
    for member, found in zip_longest(
        members, _naming_each(adopted.aggregate.place, stored_members)
    ):
        if (
            member is None
            or found is None
            or found != GzipMember(member.offset, member.length_bytes, member.sha256 or "")
        ):
            name = member.key if member else adopted.aggregate.key
            raise VerificationError(f"{adopted.aggregate.place}: {name} does not match the index")
    if stream.running.crc != adopted.crc64nvme:
        raise VerificationError(
            f"{adopted.aggregate.place}: its checksum differs from the adopted one"
        )

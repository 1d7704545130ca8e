"""Finds members by what their keys say, from the warm indexes alone: no pack is touched, so nothing need be thawed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from log_aggregator.core.packformat.index import find_members
from log_aggregator.core.query import Query
from log_aggregator.errors import BadPack
from log_aggregator.model import Group, Member, PackFormat, Target
from log_aggregator.ports import ObjectStore
from log_aggregator.steps.catalog import CatalogEntry, list_indexed
from log_aggregator.steps.ledger import naming
from log_aggregator.steps.workers import Workers

_INDEX_BYTES_TYPICAL = 64 * 1024


@dataclass(frozen=True, slots=True)
class FoundPack:
    """A pack with members that are looked for: these, in the order of its index."""

    target: Target
    pack_key: str
    group: Group
    format: PackFormat
    members: tuple[Member, ...]


def find(store: ObjectStore, workers: Workers, targets: Iterable[Target], query: Query) -> Iterator[FoundPack]:
    """Packs with at least one member that matches, by group and key. Raises BadPack, StoreError."""
    for target in targets:
        yield from find_in(store, workers, target, list_indexed(store, workers, target, query), query)


def find_in(store: ObjectStore, workers: Workers, target: Target, entries: Iterable[CatalogEntry], query: Query) -> Iterator[FoundPack]:
    """The same, of packs that are known. Indexes are read side by side, and never more of them than fit."""

    def read(entry: CatalogEntry) -> FoundPack:
        index_key = target.index_key(entry.pack_key)
        data = store.get_object(target.bucket, index_key).data
        with naming(target.bucket, index_key):
            head, members = find_members(data, lambda key: query.matches(entry.group.bucket, key))
        if head.pack_key != entry.pack_key:
            raise BadPack(f"s3://{target.bucket}/{index_key} is the index of another pack, {head.pack_key}")
        return FoundPack(target, entry.pack_key, head.group, head.format, tuple(members))

    for found in workers.read_ahead(read, entries, lambda _: _INDEX_BYTES_TYPICAL):
        if found.members:
            yield found

"""Finds members by their keys, from the indexes alone. Indexes are never archived, and no pack is
read, so nothing needs thawing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from log_aggregator.core.query import Query
from log_aggregator.errors import BadPack, GroupFailed, IncompleteSearch, NotFound, ObjectFrozen
from log_aggregator.model import Group, Member, PackFormat, Target
from log_aggregator.ports.store import ObjectStore
from log_aggregator.steps.packs.index import estimate_index_memory, read_index
from log_aggregator.steps.retrieval.adopted import find_adopted
from log_aggregator.steps.retrieval.catalog import CatalogEntry, iter_packs
from log_aggregator.steps.workers import Workers

_ENTRIES_AT_ONCE = 2048
"""Entries of the catalog are searched in batches of this size, however many there are."""
_NAMED_MAX = 50


@dataclass(frozen=True, slots=True)
class FoundPack:
    """A pack and its members that match, in the order of its index."""

    target: Target
    pack_key: str
    group: Group
    format: PackFormat
    members: tuple[Member, ...]
    pack_bytes: int | None = None
    storage_class: str | None = None
    """Both from the listing. None: the index exists, but the pack has expired or was deleted."""

    @property
    def where(self) -> str:
        return f"s3://{self.target.bucket}/{self.pack_key}"


def find(
    store: ObjectStore, workers: Workers, targets: Iterable[Target], query: Query
) -> Iterator[FoundPack]:
    """Yields packs with at least one matching member, in key order, as they are found; then adopted
    aggregates, each as a pack of the bucket that it lies in.

    A key whose date is only a hint is searched on the days of the hint, and if it is not found
    there, in all packs, which come last.

    A missing or unreadable index does not stop the search; at the end IncompleteSearch is raised,
    which names it. Raises StoreError.
    """
    gaps: dict[str, None] = {}
    places, hinted, seen = list(targets), frozenset(query.hinted_keys), set[str]()
    for target in places:
        for found in _search_target(store, workers, target, query, gaps):
            if hinted:
                seen.update(name for name in _names(found) if name in hinted)
            yield found
    remaining = query.second_look(seen)
    if remaining is not None:
        for target in places:
            yield from _search_packs(store, workers, target, remaining, gaps)
    _check(gaps)


def _names(found: FoundPack) -> Iterator[str]:
    """The names by which a user may have asked for its members."""
    for member in found.members:
        yield member.key
        yield f"s3://{found.group.bucket}/{member.key}"


@dataclass(frozen=True, slots=True)
class _Unread:
    """An index that could not be searched."""

    message: str


def _search_target(
    store: ObjectStore, workers: Workers, target: Target, query: Query, gaps: dict[str, None]
) -> Iterator[FoundPack]:
    yield from _search_packs(store, workers, target, query.first_look(), gaps)
    yield from _search_adopted(store, workers, target, query, gaps)


def _search_packs(
    store: ObjectStore, workers: Workers, target: Target, query: Query, gaps: dict[str, None]
) -> Iterator[FoundPack]:
    entries = iter_packs(store, workers, target, query)
    while some := list(islice(entries, _ENTRIES_AT_ONCE)):
        yield from _search(store, workers, target, some, query, gaps)


def _search(
    store: ObjectStore,
    workers: Workers,
    target: Target,
    entries: Iterable[CatalogEntry],
    query: Query,
    gaps: dict[str, None],
) -> Iterator[FoundPack]:
    def read(entry: CatalogEntry) -> FoundPack | _Unread:
        try:
            return _read_entry(store, target, entry, query)
        except (BadPack, NotFound, ObjectFrozen) as error:
            return _Unread(str(error))

    for found in workers.read_ahead(
        read, entries, lambda entry: estimate_index_memory(entry.index_bytes)
    ):
        if isinstance(found, _Unread):
            gaps[found.message] = None
        elif found.members:
            yield found


def _search_adopted(
    store: ObjectStore, workers: Workers, target: Target, query: Query, gaps: dict[str, None]
) -> Iterator[FoundPack]:
    for found in find_adopted(store, workers, target, query):
        if isinstance(found, GroupFailed):
            gaps[str(found)] = None
            continue
        aggregate, stored = found.aggregate, found.stored
        size, storage_class = (stored.size_bytes, stored.storage_class) if stored else (None, None)
        yield FoundPack(
            Target(aggregate.bucket),
            aggregate.key,
            aggregate.group,
            PackFormat.GZIP,
            found.members,
            size,
            storage_class,
        )


def _read_entry(store: ObjectStore, target: Target, entry: CatalogEntry, query: Query) -> FoundPack:
    """Reads an entry's index. Also tries that of a pack without a listed index: a run may have
    written both after indexes were listed and before packs were.
    """
    try:
        index = read_index(store, target, entry.pack_key)
    except NotFound:
        if entry.pack_bytes is None or entry.index_bytes is not None:
            raise
        raise BadPack(f"s3://{target.bucket}/{entry.pack_key}: the pack has no index") from None
    head, members = index.find_members(lambda key: query.matches(entry.group, key))
    return FoundPack(
        target,
        entry.pack_key,
        head.group,
        head.format,
        tuple(members),
        entry.pack_bytes,
        entry.storage_class,
    )


def _check(gaps: dict[str, None]) -> None:
    if not gaps:
        return
    more = [f"... and {len(gaps) - _NAMED_MAX:,} more"] if len(gaps) > _NAMED_MAX else []
    raise IncompleteSearch(
        f"{len(gaps):,} packs could not be searched, because they have no readable index",
        lines=[f"  {gap}" for gap in [*sorted(gaps)[:_NAMED_MAX], *more]],
    )

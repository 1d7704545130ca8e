"""Which packs there are: all that have an index, and those that lost it. Only what can match is listed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from itertools import product

from log_aggregator.core.query import Query
from log_aggregator.model import Group, Target
from log_aggregator.ports import ListStart, ObjectStore
from log_aggregator.steps.workers import Workers


@dataclass(frozen=True, slots=True, order=True)
class CatalogEntry:
    """A pack, by its key or by that of its index."""

    group: Group
    pack_key: str


def list_packs(store: ObjectStore, workers: Workers, target: Target, query: Query) -> list[CatalogEntry]:
    """Packs that may hold what is looked for, from the indexes and from the packs: neither without the other goes unseen."""
    indexed = list_indexed(store, workers, target, query)
    stored = _list_folder(store, workers, target, query, f"{target.root}packs/")
    return sorted({*indexed, *(CatalogEntry(group, key) for group, key in stored if not key.endswith("/"))})


def list_indexed(store: ObjectStore, workers: Workers, target: Target, query: Query) -> list[CatalogEntry]:
    """Packs that may hold what is looked for and have an index. No pack is touched, and no index is read."""
    found = _list_folder(store, workers, target, query, f"{target.root}indexes/")
    return sorted(CatalogEntry(group, target.pack_key(key)) for group, key in found)


def _list_folder(store: ObjectStore, workers: Workers, target: Target, query: Query, folder: str) -> Iterator[tuple[Group, str]]:
    """Accounts side by side, and of each only the days that can match."""

    def list_account(prefix: str) -> list[tuple[Group, str]]:
        return list(_list_account(store, target, folder, prefix, query))

    for entries in workers.each(list_account, _account_prefixes(store, target, folder, query)):
        yield from entries


def _account_prefixes(store: ObjectStore, target: Target, folder: str, query: Query) -> Iterator[str]:
    """`<folder><source bucket>/<log type>/<account>/`; a level whose names are known is not listed."""
    for bucket in _children(store, target, folder, query.buckets):
        for log_type in _children(store, target, bucket, query.log_types):
            yield from _children(store, target, log_type, query.accounts)


def _children(store: ObjectStore, target: Target, prefix: str, known: Iterable[str]) -> list[str]:
    if known:
        return [f"{parent}{name}/" for parent, name in product([prefix], sorted(known))]
    return list(store.list_prefixes(target.bucket, prefix=prefix).prefixes)


def _list_account(store: ObjectStore, target: Target, folder: str, prefix: str, query: Query) -> Iterator[tuple[Group, str]]:
    """From the first wanted day to the last, one request per thousand."""
    window = query.window
    bucket, log_type, account = prefix.removeprefix(folder).rstrip("/").split("/")
    # What ends in a slash is no pack, so nothing is passed over by beginning right behind the day's slash.
    start: ListStart | None = ListStart(f"{prefix}{window.first:%Y/%m/%d}/" if window.first > date.min else "")
    while start is not None:
        page = store.list_objects(target.bucket, prefix=prefix, start=start if start.key else None)
        for found in page.objects:
            day = _day_of(found.key.removeprefix(prefix))
            if day is None:
                continue
            if day > window.last:
                return
            group = Group(bucket, log_type, account, day)
            if query.may_hold(group):
                yield group, found.key
        start = page.next_start


def _day_of(text: str) -> date | None:
    """The day that a key begins with, behind its account; None for what is no pack's."""
    parts = text.split("/", 3)
    try:
        return date(int(parts[0]), int(parts[1]), int(parts[2]))
    except (ValueError, IndexError):
        return None

"""Lists the packs that exist: all that have an index, and those that lost it. Lists only what can
match, and reads nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date

from log_aggregator.core.query import Query
from log_aggregator.core.windows import DateWindow
from log_aggregator.model import Group, LogObject, Target
from log_aggregator.ports.store import ListStart, ObjectStore
from log_aggregator.steps.packs.pages import list_pages
from log_aggregator.steps.workers import Workers

_INDEXES = "indexes/"
_PACKS = "packs/"
_PATH = re.compile("(?:[A-Za-z0-9._-]+/){3}")
"""The path of a group; anything else is not ours."""

_LISTING_BYTES = 256 * 1024
"""Roughly what a page of a listing takes in memory."""


@dataclass(frozen=True, slots=True, order=True)
class CatalogEntry:
    """A pack, known by its key or its index's key, with what the listings showed of both."""

    group: Group
    pack_key: str
    index_bytes: int | None = field(default=None, compare=False)
    """None: the index does not exist, or was not listed."""
    pack_bytes: int | None = field(default=None, compare=False)
    """None: the pack does not exist, or was not listed."""
    storage_class: str | None = field(default=None, compare=False)


def list_packs(
    store: ObjectStore, workers: Workers, target: Target, query: Query
) -> list[CatalogEntry]:
    """Packs that may hold what the query looks for. Lists both indexes and packs, so that an index
    without a pack, or a pack without an index, is found too.
    """
    return sorted(iter_packs(store, workers, target, query))


def iter_packs(
    store: ObjectStore, workers: Workers, target: Target, query: Query
) -> Iterator[CatalogEntry]:
    """The same as `list_packs`, but yields while listing, in key order. Accounts are listed
    concurrently, with only a few in memory, and for each only the days that can match.
    """

    def list_account(path: str) -> list[CatalogEntry]:
        # Indexes first: a run writes a pack before its index, so the pack of any listed index
        # exists by the time the packs are listed.
        indexes, packs = (
            dict(_list_account(store, target, folder, path, query)) for folder in (_INDEXES, _PACKS)
        )
        return list(_join(indexes, packs))

    paths = sorted(
        {
            path
            for folder in (_INDEXES, _PACKS)
            for path in _account_paths(store, workers, target, folder, query)
        }
    )
    for entries in workers.read_ahead(list_account, paths, lambda _: _LISTING_BYTES):
        yield from entries


def list_folder(
    store: ObjectStore, workers: Workers, target: Target, query: Query, folder: str
) -> Iterator[tuple[Group, LogObject]]:
    """The objects of another folder that is laid out by group, like packs and indexes, whose group
    may match. Accounts are listed concurrently.
    """

    def list_account(path: str) -> list[tuple[Group, LogObject]]:
        return [found for _, found in _list_account(store, target, folder, path, query)]

    paths = _account_paths(store, workers, target, folder, query)
    for listed in workers.read_ahead(list_account, paths, lambda _: _LISTING_BYTES):
        yield from listed


def entry_of(target: Target, pack_key: str) -> CatalogEntry:
    """The entry of a pack's key. Raises ValueError if it is not one of this target's."""
    packs = f"{target.root}{_PACKS}"
    parts = pack_key.removeprefix(packs).split("/", 6)
    day = _day_of("/".join(parts[3:]))
    if not pack_key.startswith(packs) or len(parts) < 7 or not parts[6] or day is None:
        raise ValueError(f"not the key of a pack: {pack_key!r}")
    return CatalogEntry(Group(parts[0], parts[1], parts[2], day), pack_key)


_Listed = dict[str, tuple[Group, LogObject]]
"""The pack's key -> its group, and the object that was listed."""


def _join(indexes: _Listed, packs: _Listed) -> Iterator[CatalogEntry]:
    for pack_key in sorted({*indexes, *packs}):
        group, index = indexes.get(pack_key, (None, None))
        packed_group, pack = packs.get(pack_key, (None, None))
        known = group or packed_group
        if known is not None:
            yield CatalogEntry(
                known,
                pack_key,
                index_bytes=index.size_bytes if index else None,
                pack_bytes=pack.size_bytes if pack else None,
                storage_class=pack.storage_class if pack else None,
            )


def _account_paths(
    store: ObjectStore, workers: Workers, target: Target, folder: str, query: Query
) -> list[str]:
    """`<source bucket>/<log type>/<account>/` in a folder. A level whose names the query gives is
    not listed.
    """
    paths = [""]
    for names in (query.bucket_names, query.log_type_names, query.account_names):
        paths = list(_descend(store, workers, target, folder, paths, names))
    return [path for path in paths if _PATH.fullmatch(path)]


def _descend(
    store: ObjectStore,
    workers: Workers,
    target: Target,
    folder: str,
    paths: Iterable[str],
    names: Iterable[str] | None,
) -> Iterator[str]:
    def list_children(path: str) -> tuple[str, ...]:
        return store.list_prefixes(target.bucket, prefix=f"{target.root}{folder}{path}").prefixes

    if names is not None:
        yield from (f"{path}{name}/" for path in paths for name in sorted(names))
        return
    for children in workers.read_ahead(list_children, paths, lambda _: _LISTING_BYTES):
        yield from (child.removeprefix(f"{target.root}{folder}") for child in children)


def _list_account(
    store: ObjectStore, target: Target, folder: str, path: str, query: Query
) -> Iterator[tuple[str, tuple[Group, LogObject]]]:
    """(pack's key, (group, object)) for each of an account's days that can match. Other objects in
    the folder are ignored.
    """
    bucket, log_type, account = path.rstrip("/").split("/")
    prefix = f"{target.root}{folder}{path}"
    for listed in _list_days(store, target.bucket, prefix, query.window_of(log_type)):
        day = _day_of(listed.key.removeprefix(prefix))
        pack_key = _pack_key(target, folder, listed.key)
        if day is None or pack_key is None:
            continue
        group = Group(bucket, log_type, account, day)
        if query.may_hold(group):
            yield pack_key, (group, listed)


def _list_days(
    store: ObjectStore, bucket: str, prefix: str, window: DateWindow
) -> Iterator[LogObject]:
    """Lists from the first day to the last and a little beyond, one request per thousand objects,
    under the prefix that all these days share.

    StartAfter excludes the key it names, here a day's folder; a key that ends in a slash is not a
    pack, so no pack is missed.
    """
    shared = _shared_path(window)
    start = None if window.first == date.min else ListStart(f"{prefix}{window.first:%Y/%m/%d}/")
    for page in list_pages(store.list_objects, bucket, f"{prefix}{shared}", start):
        yield from page.objects
        day = _day_of(page.objects[-1].key.removeprefix(prefix)) if page.objects else None
        if day is not None and day > window.last:
            return


def _shared_path(window: DateWindow) -> str:
    """`<YYYY>/<MM>/<DD>/`, as far as all days share it."""
    first, last = window.first, window.last
    if first == last:
        return f"{first:%Y/%m/%d}/"
    if (first.year, first.month) == (last.year, last.month):
        return f"{first:%Y/%m}/"
    return f"{first:%Y}/" if first.year == last.year else ""


def _pack_key(target: Target, folder: str, key: str) -> str | None:
    """The pack's key, or None for a key that is neither a pack's nor an index's."""
    if folder != _INDEXES:
        return None if key.endswith("/") else key
    try:
        return target.pack_key(key)
    except ValueError:
        return None


def _day_of(text: str) -> date | None:
    """The day that follows the account in a key; None if it is not a pack's."""
    parts = text.split("/", 3)
    try:
        return date(int(parts[0]), int(parts[1]), int(parts[2])) if len(parts) > 3 else None
    except ValueError:
        return None


def list_source_buckets(store: ObjectStore, target: Target) -> list[str]:
    """The source buckets whose packs a target has."""
    prefixes = store.list_prefixes(target.bucket, prefix=f"{target.root}indexes/").prefixes
    return [prefix.rstrip("/").rpartition("/")[2] for prefix in prefixes]

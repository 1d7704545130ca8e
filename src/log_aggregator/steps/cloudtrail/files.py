"""Where the digests and logs of an account's trails lie now, in their own buckets or in packs, and
how they are read.

Nothing is asked object by object: originals are listed, members are found in the indexes of their
group, and members that lie side by side are read with one range read.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from typing import Generic, TypeVar

from log_aggregator.core.digests import DIGEST_LOG_TYPE, NOT_FOUND, Flaw, parse_digest_key
from log_aggregator.core.layouts import Dated, parse_key
from log_aggregator.core.planning import group_of
from log_aggregator.core.query import Query
from log_aggregator.core.windows import DateWindow
from log_aggregator.errors import GroupFailed, NoSuchBucket, NotFound, StoreError, Unsound
from log_aggregator.limits import KIB
from log_aggregator.model import Group, LogObject, Member, PackedMember, Target
from log_aggregator.ports.store import ObjectStore
from log_aggregator.steps.packing.buckets import Area, SourceBucket
from log_aggregator.steps.packing.prefixes import AccountFolder, MainTree
from log_aggregator.steps.packing.scan import list_window
from log_aggregator.steps.packing.selection import Selection
from log_aggregator.steps.packs.index import format_of, list_all, read_index, read_tail
from log_aggregator.steps.packs.ranges import READ_BYTES, RangeReader
from log_aggregator.steps.retrieval.catalog import CatalogEntry, entry_of, list_packs
from log_aggregator.steps.retrieval.fetch import Wanted, fetch
from log_aggregator.steps.retrieval.find import FoundPack
from log_aggregator.steps.workers import SerialWorkers, Workers

LOG_SERVICE = "CloudTrail"

_INDEX_BYTES_TYPICAL = 64 * KIB
_DAY = timedelta(days=1)

T = TypeVar("T")


class ReadFrom(StrEnum):
    """Which copies are validated. With BOTH an original that is still there is preferred, as AWS's
    own tool would see it.
    """

    BOTH = "both"
    ORIGINALS = "originals"
    PACKS = "packs"


@dataclass(frozen=True, slots=True)
class AccountPlaces:
    """Where an account's trails may have files: `folders` are (bucket,
    `.../AWSLogs/.../<account>/`), `packed` (target, source bucket).
    """

    account: str
    folders: tuple[tuple[str, str], ...] = ()
    packed: tuple[tuple[Target, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Copy:
    """A digest or log that is there: in a pack, or in its own bucket."""

    bucket: str
    key: str
    size_bytes: int
    etag: str
    packed: PackedMember | None = None

    @property
    def where(self) -> str:
        """What to look at when it cannot be read."""
        return self.packed.where if self.packed else f"s3://{self.bucket}/{self.key}"


@dataclass(frozen=True, slots=True)
class Reading(Generic[T]):
    """What came of reading a copy: a value, or what is wrong with it, or why it could not be
    read.
    """

    copy: Copy
    value: T | None = None
    flaw: Flaw | None = None
    error: GroupFailed | None = None


Use = Callable[[Mapping[str, str], Iterable[bytes]], T]
"""Makes a value of an object's user metadata and its bytes, piece by piece."""


def find_accounts(
    store: ObjectStore,
    targets: Iterable[Target],
    main_buckets: Iterable[str],
    buckets: Collection[str],
    read_from: ReadFrom,
) -> list[AccountPlaces]:
    """The accounts that have digests in packs, and those that have a folder in a bucket: the named
    ones, or else the main buckets and all that packs were made from. Raises StoreError.
    """
    folders: dict[str, list[tuple[str, str]]] = {}
    packed: dict[str, list[tuple[Target, str]]] = {}
    for target in targets:
        for bucket, account in _list_packed(store, target, buckets):
            packed.setdefault(account, []).append((target, bucket))
    known = [*main_buckets, *(bucket for places in packed.values() for _, bucket in places)]
    for bucket in dict.fromkeys([] if read_from is ReadFrom.PACKS else sorted(buckets) or known):
        for folder in _list_account_folders(store, bucket):
            folders.setdefault(folder.account, []).append((bucket, folder.prefix))
    if read_from is ReadFrom.ORIGINALS:
        packed = {}
    return [
        AccountPlaces(account, tuple(folders.get(account, ())), tuple(packed.get(account, ())))
        for account in sorted({*folders, *packed})
    ]


def _list_packed(
    store: ObjectStore, target: Target, buckets: Collection[str]
) -> Iterator[tuple[str, str]]:
    """(source bucket, account) of all packs of digests, whether they have their index or not."""
    found = set()
    for folder in (f"{target.root}indexes/", f"{target.root}packs/"):
        for prefix in store.list_prefixes(target.bucket, prefix=folder).prefixes:
            bucket = prefix.removeprefix(folder).rstrip("/")
            if not buckets or bucket in buckets:
                accounts = store.list_prefixes(
                    target.bucket, prefix=f"{prefix}{DIGEST_LOG_TYPE}/"
                ).prefixes
                found |= {(bucket, account.rstrip("/").rpartition("/")[2]) for account in accounts}
    yield from sorted(found)


def _list_account_folders(store: ObjectStore, bucket: str) -> list[AccountFolder]:
    """None where the bucket is gone: its logs are in packs."""
    try:
        return MainTree(store, bucket).list_accounts(Selection())
    except NoSuchBucket:
        return []


@dataclass(slots=True)
class TrailFiles:
    """The digests and logs of one account. `failures` are packs and indexes that could not be
    looked into: what they hold is not known.
    """

    store: ObjectStore
    workers: Workers
    targets: Sequence[Target]
    places: AccountPlaces
    window: DateWindow
    read_from: ReadFrom
    failures: list[tuple[str, GroupFailed]] = field(default_factory=list)
    _emptied: dict[tuple[str, str], bool] = field(default_factory=dict)
    _gone: dict[str, NoSuchBucket] = field(default_factory=dict)

    def list_digests(self, window: DateWindow) -> dict[date, list[Copy]]:
        """By the day in which their hour ended. Raises StoreError."""
        found: dict[tuple[str, str], Copy] = {}
        for target, bucket in self.places.packed:
            query = Query.of_days(window.first, window.last)
            entries = self._list_packs(target, bucket, DIGEST_LOG_TYPE, self.places.account, query)
            found |= self._find_packed(
                target, bucket, entries, lambda key: parse_digest_key("", key) is not None
            )
        for bucket, folder in self.places.folders:
            for listed in list_window(
                self.store,
                Area(SourceBucket(bucket, None), f"{folder}{DIGEST_LOG_TYPE}/"),
                window,
            ):
                if listed.versions:
                    found[bucket, listed.key] = _copy_of(listed.versions[0])
        by_day: dict[date, list[Copy]] = {}
        for copy in found.values():
            name = parse_digest_key(copy.bucket, copy.key)
            if name is not None and name.end.date() in window:
                by_day.setdefault(name.end.date(), []).append(copy)
        return by_day

    def find(
        self, group: Group | None, wanted: Collection[tuple[str, str]]
    ) -> dict[tuple[str, str], Copy]:
        """Those of a group's logs that are there, by bucket and key. Without a group only originals
        can be found. Raises StoreError.
        """
        found: dict[tuple[str, str], Copy] = {}
        if self.read_from is not ReadFrom.PACKS:
            found |= self._find_originals(group, wanted)
        found |= self._find_in_packs(group, wanted, found)
        gone = {bucket for bucket, key in wanted if (bucket, key) not in found} & self._gone.keys()
        self.failures += [(f"s3://{bucket}/", self._gone[bucket]) for bucket in sorted(gone)]
        return found

    def _find_in_packs(
        self,
        group: Group | None,
        wanted: Collection[tuple[str, str]],
        originals: Collection[tuple[str, str]],
    ) -> dict[tuple[str, str], Copy]:
        """Those of which there is no original."""
        missing = {key for bucket, key in wanted if (bucket, key) not in originals}
        if group is None or not missing or self.read_from is ReadFrom.ORIGINALS:
            return {}
        found: dict[tuple[str, str], Copy] = {}
        query = Query.of_days(group.date, group.date)
        for target in self.targets:
            entries = self._list_packs(target, group.bucket, group.log_type, group.account, query)
            packed = self._find_packed(target, group.bucket, entries, missing.__contains__)
            found |= {
                identity: copy
                for identity, copy in packed.items()
                if _is_newer(copy, found.get(identity))
            }
        return found

    def _find_originals(
        self, group: Group | None, wanted: Collection[tuple[str, str]]
    ) -> dict[tuple[str, str], Copy]:
        """Folder by folder; those of which it is known that nothing is left are not listed
        again.
        """
        folders = {(bucket, key.rpartition("/")[0] + "/") for bucket, key in wanted}
        found = {}
        for bucket, folder in sorted(folders):
            if group is not None and group.date in self._near and self._is_emptied(bucket, folder):
                continue
            try:
                for listed in list_all(self.store, bucket, folder):
                    if (bucket, listed.key) in wanted:
                        found[bucket, listed.key] = _copy_of(listed)
            except NoSuchBucket as error:  # all of them may be in packs
                self._gone[bucket] = error
        return found

    @property
    def _near(self) -> DateWindow:
        """The days of which most logs are: a digest names logs of its own day and of the evening
        before.
        """
        return DateWindow(self.window.first - _DAY, self.window.last)

    def _is_emptied(self, bucket: str, folder: str) -> bool:
        """Whether it was seen that none of the account's logs of all these days is left in the
        bucket.
        """
        for own_bucket, own_folder in self.places.folders:
            logs = f"{own_folder}{LOG_SERVICE}/"
            if bucket == own_bucket and folder.startswith(logs):
                if (bucket, logs) not in self._emptied:
                    area = Area(SourceBucket(bucket, None), logs)
                    listed = list_window(self.store, area, self._near)
                    groups = (
                        group_of_key(bucket, found.key) for found in listed if found.versions
                    )  # a page has other days', too
                    self._emptied[bucket, logs] = not any(
                        group is not None and group.date in self._near for group in groups
                    )
                return self._emptied[bucket, logs]
        return False

    def _list_packs(
        self, target: Target, bucket: str, log_type: str, account: str, days: Query
    ) -> list[CatalogEntry]:
        query = Query(
            frozenset({bucket}),
            frozenset({log_type}),
            frozenset({account}),
            first=days.first,
            last=days.last,
        )
        return list_packs(
            self.store, SerialWorkers(), target, query
        )  # in this thread: it may be one that `workers` waits for

    def _find_packed(
        self,
        target: Target,
        bucket: str,
        entries: Iterable[CatalogEntry],
        wants: Callable[[str], bool],
    ) -> dict[tuple[str, str], Copy]:
        """The newest packed version of every wanted key. What cannot be looked into goes to the
        failures.
        """

        def look(entry: CatalogEntry) -> tuple[CatalogEntry, list[Member] | GroupFailed]:
            try:
                return entry, read_members(self.store, target, entry.pack_key, wants)
            except GroupFailed as error:
                return entry, error

        found: dict[tuple[str, str], Copy] = {}
        for entry, members in self.workers.read_ahead(
            look, entries, lambda _: _INDEX_BYTES_TYPICAL
        ):
            if isinstance(members, GroupFailed):
                self.failures.append((f"s3://{target.bucket}/{entry.pack_key}", members))
                continue
            for member in members:
                copy = Copy(
                    bucket,
                    member.key,
                    member.size_bytes,
                    member.etag,
                    PackedMember(target, entry.pack_key, member),
                )
                if _is_newer(copy, found.get((bucket, member.key))):
                    found[bucket, member.key] = copy
        return found


def read_members(
    store: ObjectStore, target: Target, pack_key: str, wants: Callable[[str], bool]
) -> list[Member]:
    """The wanted members of a pack, from its index, or from the pack's own tail where the index is
    lost.

    Raises BadPack, ObjectFrozen, StoreError.
    """
    try:
        index = read_index(store, target, pack_key)
    except NotFound:
        index = read_tail(store, target, pack_key)
    return index.find_members(wants)[1]


def read_copies(
    store: ObjectStore, workers: Workers, copies: Iterable[Copy], use: Use[T]
) -> Iterator[Reading[T]]:
    """Every copy once, in any order. Raises Unreachable."""
    copies = list(copies)
    originals = [copy for copy in copies if copy.packed is None]
    yield from workers.read_ahead(
        lambda copy: _read_original(store, copy, use),
        originals,
        lambda copy: min(copy.size_bytes, READ_BYTES),
    )
    packed = {
        (copy.packed.pack_key, copy.packed.member.identity): copy
        for copy in copies
        if copy.packed is not None
    }
    for fetched in fetch(store, workers, _plan_fetch(packed.values())):
        copy = packed[fetched.pack.pack_key, fetched.member.identity]
        try:
            reading = Reading(copy, use(fetched.member.metadata, fetched.pieces))
        except GroupFailed as error:
            reading = _failed(copy, error)
        yield reading


def group_of_key(bucket: str, key: str) -> Group | None:
    """The group in whose packs a log lies; None for a key of no known layout, which is never
    packed.
    """
    parsed = parse_key(key)
    return group_of(bucket, parsed.facts) if isinstance(parsed, Dated) else None


def _plan_fetch(copies: Iterable[Copy]) -> Iterator[Wanted]:
    """Pack by pack, the members of each from front to end."""
    by_pack: dict[tuple[Target, str], list[PackedMember]] = {}
    for copy in copies:
        if copy.packed is not None:
            by_pack.setdefault((copy.packed.target, copy.packed.pack_key), []).append(copy.packed)
    for (target, pack_key), places in by_pack.items():
        group = entry_of(target, pack_key).group
        members = tuple(
            sorted(
                (place.member for place in places),
                key=lambda member: (member.offset, member.inner_offset),
            )
        )
        yield Wanted(
            FoundPack(target, pack_key, group, format_of(group, target, pack_key), members),
            frozenset(),
        )


def _read_original(store: ObjectStore, copy: Copy, use: Use[T]) -> Reading[T]:
    bodies = RangeReader(store, copy.bucket, copy.key).read_all(copy.size_bytes)
    try:
        first = next(bodies)
        return Reading(
            copy, use(first.metadata, (body.data for body in itertools.chain([first], bodies)))
        )
    except GroupFailed as error:
        return _failed(copy, error)


def _failed(copy: Copy, error: GroupFailed) -> Reading[T]:
    """A member that is not what its index says is as bad as a changed log; what could not be read
    at all says nothing.
    """
    if isinstance(error, NotFound):
        is_original = copy.packed is None
        gone = NOT_FOUND if is_original else Flaw(f"not found: its pack {copy.where} is gone")
        return Reading(copy, flaw=gone)
    if isinstance(error, Unsound) or (
        isinstance(error, StoreError) and error.code == "InvalidRange"
    ):
        text = f"damaged in its pack {copy.where}" if copy.packed else "shorter than it was listed"
        return Reading(copy, flaw=Flaw(text))
    return Reading(copy, error=error)


def _copy_of(found: LogObject) -> Copy:
    return Copy(found.bucket, found.key, found.size_bytes, found.etag)


def _is_newer(copy: Copy, other: Copy | None) -> bool:
    if other is None or other.packed is None or copy.packed is None:
        return other is None
    return copy.packed.member.last_modified > other.packed.member.last_modified

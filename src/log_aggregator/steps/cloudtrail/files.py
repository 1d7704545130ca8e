"""Finds where the digests and logs of an account's trails lie now, in their own buckets or in
packs.

No request is made for a single object: originals are listed, and members are found in the indexes
of their group.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from log_aggregator.core.digests import DIGEST_LOG_TYPE, parse_digest_key
from log_aggregator.core.layouts import Dated, parse_key
from log_aggregator.core.planning import group_of
from log_aggregator.core.query import Query
from log_aggregator.core.windows import DateWindow
from log_aggregator.errors import GroupFailed, NoSuchBucket, NotFound
from log_aggregator.model import Group, LogObject, Member, PackedMember, Target
from log_aggregator.ports.store import ObjectStore
from log_aggregator.steps.cloudtrail.accounts import LOG_SERVICE, AccountPlaces, ReadFrom
from log_aggregator.steps.cloudtrail.copies import Copy
from log_aggregator.steps.packing.buckets import Area, SourceBucket
from log_aggregator.steps.packing.scan import list_window
from log_aggregator.steps.packs.index import estimate_index_memory, read_index, read_tail
from log_aggregator.steps.packs.pages import list_all
from log_aggregator.steps.retrieval.catalog import CatalogEntry, list_packs
from log_aggregator.steps.workers import SerialWorkers, Workers

_DAY = timedelta(days=1)
_REGION_OF_LOG = re.compile(
    rf"(?P<folder>(?:.*/)?AWSLogs/(?:o-[a-z0-9]+/)?[0-9]{{12}}/){LOG_SERVICE}/(?P<region>[a-z0-9-]+)/"
)


@dataclass(slots=True)
class TrailFiles:
    """The digests and logs of one account. `failures` are packs and indexes that could not be
    searched: their contents are not known.
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
    _logged: dict[tuple[str, str], str] = field(default_factory=dict)
    """By bucket and Region for which packs hold logs of these days: the account's folder."""

    def list_digests(self, window: DateWindow) -> dict[date, list[Copy]]:
        """Digests by the day on which their hour ended. Raises StoreError."""
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
        """Those of a group's logs that exist, by bucket and key. Without a group only originals can
        be found. Raises StoreError.
        """
        found: dict[tuple[str, str], Copy] = {}
        if self.read_from is not ReadFrom.PACKS:
            found |= self._find_originals(group, wanted)
        found |= self._find_in_packs(group, wanted, found)
        gone = {bucket for bucket, key in wanted if (bucket, key) not in found} & self._gone.keys()
        self.failures += [(f"s3://{bucket}/", self._gone[bucket]) for bucket in sorted(gone)]
        return found

    def find_logged_regions(self, known: Collection[str]) -> Iterator[tuple[str, str, str]]:
        """(bucket, account's folder, Region) that have logs of the days of the range, except the
        known Regions. Raises StoreError.
        """
        found = set()
        for bucket, folder in self.places.folders if self.read_from is not ReadFrom.PACKS else ():
            logs = f"{folder}{LOG_SERVICE}/"
            for prefix in self.store.list_prefixes(bucket, prefix=logs).prefixes:
                region = prefix.rstrip("/").rpartition("/")[2]
                area = Area(SourceBucket(bucket, None), prefix)
                if region not in known and any(
                    self._is_log_of_range(bucket, listed.key)
                    for listed in list_window(self.store, area, self.window)
                    if listed.versions
                ):
                    found.add((bucket, folder, region))
        if not known and self.read_from is not ReadFrom.ORIGINALS:
            self._look_for_packed_logs()
        for (bucket, region), folder in self._logged.items():
            if region not in known:
                found.add((bucket, folder, region))
        yield from sorted(found)

    def _look_for_packed_logs(self) -> None:
        """Reads the indexes of packed logs. Without digests nothing has read them yet."""
        query = Query.of_days(self.window.first, self.window.last)
        for target, bucket in self.places.packed:
            entries = self._list_packs(target, bucket, LOG_SERVICE, self.places.account, query)
            self._find_packed(target, bucket, entries, lambda _: False)

    def _is_log_of_range(self, bucket: str, key: str) -> bool:
        group = group_of_key(bucket, key)
        return group is not None and group.date in self.window

    def _find_in_packs(
        self,
        group: Group | None,
        wanted: Collection[tuple[str, str]],
        originals: Collection[tuple[str, str]],
    ) -> dict[tuple[str, str], Copy]:
        """The wanted logs that have no original."""
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
        """Lists folder by folder, except folders that are known to be empty."""
        folders = {(bucket, key.rpartition("/")[0] + "/") for bucket, key in wanted}
        found = {}
        for bucket, folder in sorted(folders):
            if group is not None and group.date in self._near and self._is_emptied(bucket, folder):
                continue
            try:
                for listed in list_all(self.store, bucket, folder):
                    if (bucket, listed.key) in wanted:
                        found[bucket, listed.key] = _copy_of(listed)
            except NoSuchBucket as error:  # its logs may all be in packs
                self._gone[bucket] = error
        return found

    @property
    def _near(self) -> DateWindow:
        """The days of most of the logs: a digest names logs of its own day and of the evening
        before.
        """
        return DateWindow(self.window.first - _DAY, self.window.last)

    def _is_emptied(self, bucket: str, folder: str) -> bool:
        """Whether the bucket has none of the account's logs of these days any more. Asks once."""
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
        """The newest packed version of every wanted key. Packs that cannot be searched become
        failures.
        """

        def look(entry: CatalogEntry) -> tuple[CatalogEntry, list[Member] | GroupFailed]:
            def wants_it(key: str) -> bool:
                if entry.group.log_type == LOG_SERVICE and entry.group.date in self.window:
                    self._note_region(bucket, key)
                return wants(key)

            try:
                return entry, read_members(self.store, target, entry.pack_key, wants_it)
            except GroupFailed as error:
                return entry, error

        found: dict[tuple[str, str], Copy] = {}
        for entry, members in self.workers.read_ahead(
            look, entries, lambda _: estimate_index_memory(None)
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

    def _note_region(self, bucket: str, key: str) -> None:
        if found := _REGION_OF_LOG.match(key):
            self._logged[bucket, found["region"]] = found["folder"]


def read_members(
    store: ObjectStore, target: Target, pack_key: str, wants: Callable[[str], bool]
) -> list[Member]:
    """The wanted members of a pack, from its index, or from the pack's own tail if the index is
    lost.

    Raises BadPack, ObjectFrozen, StoreError.
    """
    try:
        index = read_index(store, target, pack_key)
    except NotFound:
        index = read_tail(store, target, pack_key)
    return index.find_members(wants)[1]


def group_of_key(bucket: str, key: str) -> Group | None:
    """The group whose packs hold a log; None for a key without a known layout, which is never
    packed.
    """
    parsed = parse_key(key)
    return group_of(bucket, parsed.facts) if isinstance(parsed, Dated) else None


def _copy_of(found: LogObject) -> Copy:
    return Copy(found.bucket, found.key, found.size_bytes, found.etag)


def _is_newer(copy: Copy, other: Copy | None) -> bool:
    if other is None or other.packed is None or copy.packed is None:
        return other is None
    return copy.packed.member.last_modified > other.packed.member.last_modified

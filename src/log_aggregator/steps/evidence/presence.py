"""What exists of each day: packs, from the listings of indexes and packs; originals, from one
listing of the source buckets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date

from log_aggregator.core.digests import DIGEST_LOG_TYPE
from log_aggregator.core.evidence.calendar import By, RowName
from log_aggregator.core.evidence.marks import Marks, Seen
from log_aggregator.core.layouts import Dated
from log_aggregator.core.query import Query, region_of
from log_aggregator.core.windows import DateWindow
from log_aggregator.errors import Failure, GroupFailed, NoSuchBucket
from log_aggregator.model import NO_ACCOUNT, Target
from log_aggregator.steps.cloudtrail.accounts import LOG_SERVICE
from log_aggregator.steps.job import Job
from log_aggregator.steps.packing.buckets import Area, SourceBucket
from log_aggregator.steps.packing.prefixes import AWS_LOGS, list_prefixes
from log_aggregator.steps.packing.scan import list_window
from log_aggregator.steps.packing.selection import FROZEN_CLASSES, Selection
from log_aggregator.steps.packs.index import estimate_index_memory, read_index, read_tail
from log_aggregator.steps.retrieval.catalog import CatalogEntry, iter_packs

Show = Callable[[int], None]

TRAIL_TYPES = frozenset({LOG_SERVICE, DIGEST_LOG_TYPE})


@dataclass(frozen=True, slots=True)
class Asked:
    """The rows of a calendar to fill. Empty sets mean everything."""

    window: DateWindow
    by: By = By.ACCOUNT
    accounts: frozenset[str] = frozenset()
    log_types: frozenset[str] = frozenset()
    every_digest: bool = False
    """Read every digest, not only those of days without a log."""

    @property
    def query(self) -> Query:
        days = Query.of_days(self.window.first, self.window.last)
        return Query(
            log_types=self.log_types, accounts=self.accounts, first=days.first, last=days.last
        )

    def wants(self, log_type: str, account: str) -> bool:
        return (not self.log_types or log_type in self.log_types) and (
            not self.accounts or account in self.accounts
        )


@dataclass(slots=True)
class Presence:
    """What was seen. `lost`: packs that are gone although their index exists. `trail_buckets`:
    buckets with originals of trails.
    """

    marks: Marks
    trail_buckets: set[str] = field(default_factory=set)
    lost: list[tuple[RowName, date, str]] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)


def look_everywhere(job: Job, asked: Asked, show: Show) -> Presence:
    """Lists all originals, then all packs. Raises StoreError, CannotStart."""
    found = Presence(Marks(asked.window))
    counted = _Counted(show)
    targets = job.list_targets()
    # Originals first: a log that a run packs in between is seen in both places, not in neither.
    _look_at_originals(job, asked, found, counted)
    for target in targets:
        _look_at_packs(job, target, asked, found, counted)
    return found


@dataclass(slots=True)
class _Counted:
    show: Show
    count: int = 0

    def add(self, count: int) -> None:
        self.count += count
        self.show(self.count)


def _look_at_packs(
    job: Job, target: Target, asked: Asked, found: Presence, counted: _Counted
) -> None:
    entries = iter_packs(job.store, job.workers, target, asked.query)
    if asked.by is By.ACCOUNT:
        for entry in entries:
            _mark_pack(found, entry, [""], target)
            counted.add(1)
        return

    def read_regions(entry: CatalogEntry) -> tuple[CatalogEntry, Iterable[str] | GroupFailed]:
        try:
            return entry, _read_regions(job, target, entry)
        except GroupFailed as error:
            return entry, error

    for entry, regions in job.workers.read_ahead(
        read_regions, entries, lambda entry: estimate_index_memory(entry.index_bytes)
    ):
        if isinstance(regions, GroupFailed):
            found.failures.append(Failure.of(f"s3://{target.bucket}/{entry.pack_key}", regions))
            _mark_pack(found, entry, [""], target)
        else:
            _mark_pack(found, entry, regions, target)
        counted.add(1)


def _read_regions(job: Job, target: Target, entry: CatalogEntry) -> set[str]:
    """The Regions of a pack's members, from its index. "" for members whose keys name none."""
    has_index = entry.index_bytes is not None
    index = (read_index if has_index else read_tail)(job.store, target, entry.pack_key)
    layouts, bucket = job.rules.layouts, entry.group.bucket
    regions: set[str] = set()
    seen: set[str] = set()

    def note(key: str) -> bool:
        folder = key.rpartition("/")[0]
        # Under AWSLogs/ the folder names the Region; elsewhere the file name may name it.
        if AWS_LOGS not in folder or folder not in seen:
            seen.add(folder)
            regions.add(region_of(layouts, bucket, key) or "")
        return False

    index.find_members(note)
    return regions


def _mark_pack(
    found: Presence, entry: CatalogEntry, regions: Iterable[str], target: Target
) -> None:
    group = entry.group
    seen = Seen.PACK
    if entry.pack_bytes is None:
        seen = Seen.LOST
    elif entry.storage_class in FROZEN_CLASSES:
        seen |= Seen.FROZEN
    for region in regions:
        name = RowName(group.log_type, group.account, region)
        found.marks.mark(name, group.date, seen)
        if seen is Seen.LOST:
            found.lost.append((name, group.date, f"s3://{target.bucket}/{entry.pack_key}"))


def _look_at_originals(job: Job, asked: Asked, found: Presence, counted: _Counted) -> None:
    def look(area: Area) -> tuple[str, Marks, int]:
        return (area.bucket.name, *_mark_area(job, area, asked))

    for bucket, marks, count in job.workers.each(look, _list_areas(job, asked, found)):
        found.marks.merge(marks)
        if any(name.log_type in TRAIL_TYPES for name in marks.rows):
            found.trail_buckets.add(bucket)
        counted.add(count)


def _list_areas(job: Job, asked: Asked, found: Presence) -> Iterator[Area]:
    """The areas that a run would list, with all versions if a bucket has them."""
    for name in job.list_source_buckets():
        try:
            versioning = job.store.get_bucket_versioning(name)
            bucket = SourceBucket.of(job.rules, name, versioning)
            prefixes = list_prefixes(job, name, Selection())
        except NoSuchBucket as error:  # its logs may all be in packs
            found.failures.append(Failure.of(f"s3://{name}/", error))
            continue
        for prefix in prefixes:
            parts = prefix.rstrip("/").split("/")
            if not bucket.is_main or asked.wants(parts[-1], parts[-2]):
                yield Area(bucket, prefix, job.rules.own_prefixes(name))


def _mark_area(job: Job, area: Area, asked: Asked) -> tuple[Marks, int]:
    marks, count = Marks(asked.window), 0
    for listed in list_window(job.store, area, asked.window):
        if listed.is_deleted or listed.key.startswith(area.skipped):
            continue
        parsed = area.bucket.layouts.read_listed(listed)
        if not isinstance(parsed, Dated) or not any(
            version.size_bytes for version in listed.versions
        ):
            continue
        facts = parsed.facts
        account = facts.account or NO_ACCOUNT
        if facts.date in asked.window and asked.wants(facts.log_type, account):
            region = (facts.region or "") if asked.by is By.REGION else ""
            marks.mark(RowName(facts.log_type, account, region), facts.date, Seen.ORIGINAL)
            count += 1
    return marks, count

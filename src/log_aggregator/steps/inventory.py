"""An S3 Inventory as the listing of a run.

An inventory is a day old or more
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory.html). That is safe: every
log object is read on the condition that it is still the one of its row, and changed ones are left
alone. Before originals of existing packs are deleted, they are looked up in the bucket.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import accumulate, islice

from log_aggregator.core.inventory.manifest import (
    CHECKSUM,
    MANIFEST,
    Column,
    Format,
    InventoryFile,
    Manifest,
    check_versions,
    parse_manifest,
)
from log_aggregator.core.inventory.rows import Columns, Entry, RowReader
from log_aggregator.core.inventory.sorting import Dated, EntrySorter, gather_keys
from log_aggregator.core.layouts import Dated as DatedKey
from log_aggregator.core.layouts import Unknown
from log_aggregator.core.windows import DateWindow
from log_aggregator.errors import (
    BadInventory,
    CannotStart,
    NotFound,
    NotInstalled,
    SettingsError,
    VerificationError,
    cannot_start,
)
from log_aggregator.limits import MIB
from log_aggregator.model import ListedKey, LogObject, StoredObject
from log_aggregator.ports.store import ObjectStore
from log_aggregator.steps.job import Job
from log_aggregator.steps.packing.buckets import SourceBucket
from log_aggregator.steps.packing.listing import Found, ListingProgress
from log_aggregator.steps.packing.prefixes import is_main_log
from log_aggregator.steps.packing.selection import (
    Left,
    LeftWhy,
    Selection,
    select,
    select_in_chunks,
)
from log_aggregator.steps.packs.stream import ObjectStream
from log_aggregator.steps.rules import Rules, RunRules
from log_aggregator.steps.workers import Workers

ENTRIES_MAX = 5_000_000
"""This many rows are sorted together, in about 500 MB. If there are more, the later days wait for
another reading of the inventory.
"""

PARQUET_BYTES_MAX = 512 * MIB
"""A Parquet file must be read whole, because its directory is at its end."""

_BATCH_ROWS = 1_000
_LOCATION = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/(?P<key>.+)")
_MADE_AT = re.compile(r"(?:\A|/)\d{4}-\d{2}-\d{2}T\d{2}-\d{2}Z/\Z", re.ASCII)
_TRIED_MAX = 10


@dataclass(frozen=True, slots=True)
class Inventory:
    """A complete inventory, and its address."""

    location: str
    manifest: Manifest


class InventoryListing:
    """Finds what there is to pack in inventories, each of one bucket. Raises NotInstalled if one is
    Parquet and its reader is not installed.
    """

    is_old = True

    def __init__(
        self,
        job: Job,
        inventories: Iterable[Inventory],
        progress: ListingProgress,
    ) -> None:
        self._job = job
        self._inventories = {
            inventory.manifest.source_bucket: inventory for inventory in inventories
        }
        if any(each.manifest.format is Format.PARQUET for each in self._inventories.values()):
            _load_parquet_reader()
        self._progress = progress

    def windows(self, buckets: Mapping[str, SourceBucket], rules: Rules) -> Iterator[Found]:
        """Windows of as many days as fit in memory; later days need another reading."""
        for name, bucket in buckets.items():
            with naming(self._inventories[name].location):
                check_versions(self._inventories[name].manifest, bucket.versioning)
        # An inventory is out of date: the object of a row may be gone or replaced by now. So
        # nothing is ever deleted without a pack because of an inventory.
        careful, first = replace(rules, discard_other_regions=False), rules.window.first
        while first <= rules.window.last:
            found = self._read_window(
                buckets,
                replace(careful, window=DateWindow(first, rules.window.last)),
                is_first=first == rules.window.first,
            )
            yield found
            first = found.window.last + timedelta(days=1)

    def _read_window(
        self, buckets: Mapping[str, SourceBucket], rules: Rules, *, is_first: bool
    ) -> Found:
        held = _Held(rules.window, list(buckets))
        left = Selection()
        for name, bucket in buckets.items():
            inventory = self._inventories[name]
            self._progress.listing(
                f"{name}, by its inventory of {inventory.manifest.created:%Y-%m-%d %H:%M} UTC"
            )
            left.merge_counts(self._read_inventory(inventory, bucket, rules, held))
        found = Found(held.window)
        if is_first:  # a second reading sees the same keys again
            found.selection.merge_counts(left)
        wanted = replace(rules, window=held.window)
        for name, bucket in buckets.items():
            entries = (entry for _, entry in held.sorters[name].merge(name))
            for chunk in select_in_chunks(bucket, gather_keys(entries), wanted):
                self._job.workers.check_stop()
                found.take(chunk)
        return found

    def _read_inventory(
        self, inventory: Inventory, bucket: SourceBucket, rules: Rules, held: _Held
    ) -> Selection:
        job, manifest = self._job, inventory.manifest
        source = InventorySource.of(bucket, job.rules)
        reader = InventoryReader(job.store, job.workers, manifest, bucket.versioning)

        def read_one(file: InventoryFile) -> Selection:
            left = Selection()
            with naming(f"s3://{manifest.bucket}/{file.key}"), cannot_start("cannot be read"):
                rows = reader.read(file, self._progress.listed)
                dated = find_dated(rows, source, rules, left)
                while batch := list(islice(dated, _BATCH_ROWS)):
                    held.take(bucket.name, batch)
            return left

        total = Selection()
        for left in job.workers.each(read_one, manifest.files):
            total.merge_counts(left)
        return total


class _Held:
    """Rows of the earliest days of a window, as many as fit. Safe to use from several threads."""

    def __init__(self, window: DateWindow, buckets: Sequence[str]) -> None:
        self.window = window
        self.sorters = {bucket: EntrySorter() for bucket in buckets}
        self._lock = threading.Lock()

    def take(self, bucket: str, rows: Sequence[Dated]) -> None:
        with self._lock:
            self.sorters[bucket].take(row for row in rows if row[0] <= self.window.last)
            if sum(sum(sorter.days.values()) for sorter in self.sorters.values()) > ENTRIES_MAX:
                self._shorten()

    def _shorten(self) -> None:
        """Drops later days until half of the room is free, but keeps one day at least."""
        days: Counter[date] = Counter()
        for sorter in self.sorters.values():
            days += sorter.days
        ordered = sorted(days)
        fitting = [
            day
            for day, sum_so_far in zip(
                ordered, accumulate(days[day] for day in ordered), strict=True
            )
            if sum_so_far <= ENTRIES_MAX // 2
        ]
        last = max(fitting, default=ordered[0])
        self.window = DateWindow(self.window.first, last)
        for sorter in self.sorters.values():
            sorter.drop_after(last)


def find_inventory(store: ObjectStore, location: str) -> Inventory:
    """The inventory at `s3://bucket/.../manifest.json`, or the newest whole one under a prefix.
    Raises SettingsError, CannotStart.
    """
    found = _LOCATION.fullmatch(location)
    if found is None:
        raise SettingsError(
            f"inventory {location}: expected s3://BUCKET/.../manifest.json, or the folder "
            "of an inventory's configuration"
        )
    bucket, key = found["bucket"], found["key"]
    with cannot_start(f"the inventory {location} cannot be read"):
        if not key.endswith(f"/{MANIFEST}"):
            key = _find_newest(store, bucket, f"{key.rstrip('/')}/", location)
        data = store.get_object(bucket, key).data
        checksum = store.get_object(bucket, f"{key.removesuffix(MANIFEST)}{CHECKSUM}").data
    expected = checksum.decode("ascii", "replace").strip().lower()
    where = f"s3://{bucket}/{key}"
    if hashlib.md5(data, usedforsecurity=False).hexdigest() != expected:
        raise BadInventory(f"{where} does not match its {CHECKSUM}")
    with naming(where):
        return Inventory(where, parse_manifest(data))


def narrow_job(job: Job, inventories: Sequence[Inventory]) -> Job:
    """The job, only for the buckets that have an inventory.

    Raises SettingsError if an inventory is of a bucket that the settings do not name, or older than
    the wanted days.
    """
    named, rules = job.list_source_buckets(), job.rules
    wanted: list[str] = []
    for inventory in inventories:
        name = inventory.manifest.source_bucket
        if name not in named:
            raise SettingsError(
                f"inventory {inventory.location}: it lists bucket {name!r}, which is neither in "
                "control_tower_bucket nor in other_buckets"
            )
        check_age(inventory, rules.selection.window)
        if name in wanted:
            raise SettingsError(
                f"inventory {inventory.location}: another inventory of bucket {name!r} is named too"
            )
        wanted.append(name)
    main = tuple(name for name in wanted if name in rules.main_buckets)
    others = tuple(name for name in wanted if name not in main)
    return replace(job, rules=replace(rules, main_buckets=main, other_buckets=others))


def check_age(inventory: Inventory, window: DateWindow) -> None:
    """Raises SettingsError if it was made before the first day."""
    if inventory.manifest.created.date() < window.first:
        made = f"{inventory.manifest.created:%Y-%m-%d %H:%M} UTC"
        raise SettingsError(
            f"inventory {inventory.location}: it was made on {made}, so it cannot list logs of "
            f"{window.first} and later"
        )


@dataclass(frozen=True, slots=True)
class InventoryReader:
    """Reads the files of one inventory. `versioning` is the source bucket's."""

    store: ObjectStore
    workers: Workers
    manifest: Manifest
    versioning: str | None

    def read(
        self, file: InventoryFile, on_progress: Callable[[int], None] = lambda _: None
    ) -> Iterator[Entry]:
        """All rows of a file, which is checked against the manifest. `on_progress` gets the number
        of rows of each batch.

        Raises BadInventory, StoreError, VerificationError, Interrupted.
        """
        rows = self._read_rows(file)
        while batch := list(islice(rows, _BATCH_ROWS)):
            self.workers.check_stop()
            on_progress(len(batch))
            yield from batch

    def _read_rows(self, file: InventoryFile) -> Iterator[Entry]:
        reader = RowReader(self.manifest, self.versioning)
        stored = self.store.head_object(self.manifest.bucket, file.key)
        if stored.size_bytes != file.size_bytes:
            raise BadInventory(
                f"{stored.size_bytes} bytes are stored, but the manifest says {file.size_bytes}"
            )
        pieces = _Checked(self.store, stored, file)
        if self.manifest.format is Format.CSV:
            yield from reader.read_csv(pieces.read())
            pieces.check()
        else:
            yield from _read_parquet(reader, pieces)


@dataclass(frozen=True, slots=True)
class InventorySource:
    """The bucket that an inventory lists, and which of its keys count as logs."""

    bucket: SourceBucket
    skipped: tuple[str, ...]
    """Our own prefixes."""
    organization_id: str | None

    @classmethod
    def of(cls, bucket: SourceBucket, rules: RunRules) -> InventorySource:
        return cls(bucket, rules.own_prefixes(bucket.name), rules.organization_id)


def find_dated(
    rows: Iterable[Entry], source: InventorySource, rules: Rules, left: Selection
) -> Iterator[Dated]:
    """The rows of the window's days, with their days. `left` collects what is left alone."""
    for entry in rows:
        if entry.key.startswith(source.skipped):
            continue
        parsed = source.bucket.layouts.read(entry.key)
        if (
            isinstance(parsed, DatedKey)
            and source.bucket.is_main
            and not is_main_log(entry.key, source.organization_id)
        ):
            why = LeftWhy(source.bucket.name, Left.UNKNOWN, "outside Control Tower's folders")
            left.leave(why, entry.key)
        elif isinstance(parsed, DatedKey) and parsed.facts.date in rules.window:
            yield parsed.facts.date, entry
        elif isinstance(parsed, DatedKey):
            left.leave_other_date()
        elif isinstance(entry, LogObject) and isinstance(parsed, Unknown):
            # Also for keys that a listing would date by LastModified: an old inventory does not
            # know their newest version.
            why = LeftWhy(source.bucket.name, Left.UNKNOWN, parsed.reason)
            left.leave(why, entry.key, 1, entry.size_bytes)
        elif isinstance(entry, LogObject):
            listed = [ListedKey(entry.key, (entry,))]
            left.merge_counts(select(source.bucket, listed, rules))


class _Checked:
    """The bytes of a file as they are read, and a check against the manifest."""

    def __init__(self, store: ObjectStore, stored: StoredObject, file: InventoryFile) -> None:
        self._stream = ObjectStream(store, stored)
        self._stored = stored
        self._file = file
        self._md5 = hashlib.md5(usedforsecurity=False)

    @property
    def size_bytes(self) -> int:
        return self._file.size_bytes

    def read(self) -> Iterator[bytes]:
        for piece in self._stream.read(self._file.size_bytes):
            self._md5.update(piece)
            yield piece

    def check(self) -> None:
        """Raises BadInventory if the file does not match. With SSE-KMS the ETag is not an MD5, and
        the manifest's MD5checksum may be either.
        """
        for _ in self._stream.read(self._file.size_bytes - self._stream.running.length_bytes):
            raise BadInventory("it contains more bytes than its rows")
        is_quoted_etag = not self._stored.has_md5_etag and self._stored.etag == self._file.md5
        if self._md5.hexdigest() != self._file.md5 and not is_quoted_etag:
            raise BadInventory("its MD5 differs from the one in the manifest")


@contextmanager
def naming(where: str) -> Iterator[None]:
    """Adds the address to errors, which the code that parses an inventory does not know."""
    try:
        yield
    except BadInventory as error:
        raise BadInventory(f"{where}: {error}") from error
    except CannotStart as error:
        raise CannotStart(f"{where}: {error}") from error
    except VerificationError as error:
        raise BadInventory(f"{where}: {error}") from error


def _read_parquet(reader: RowReader, pieces: _Checked) -> Iterator[Entry]:
    read_batches = _load_parquet_reader()
    if pieces.size_bytes > PARQUET_BYTES_MAX:
        raise BadInventory(
            f"{pieces.size_bytes} bytes are too many for Parquet, which must be read whole: "
            "configure the inventory as CSV"
        )
    data = b"".join(pieces.read())
    pieces.check()
    for columns in read_batches(data, [column.in_parquet for column in Column]):
        yield from reader.read_columns(columns)


def _load_parquet_reader() -> Callable[[bytes, Sequence[str]], Iterator[Columns]]:
    """The reader takes 33 MB that few users need, so it is an optional extra, loaded only if a file
    is Parquet. Raises NotInstalled.
    """
    try:
        from log_aggregator.core.inventory.parquet import read_batches  # noqa: PLC0415 - see above
    except ModuleNotFoundError as error:
        what = "the inventory is Parquet, and arro3, which reads it,"
        raise NotInstalled.of(what, "inventory") from error
    return read_batches


def _find_newest(store: ObjectStore, bucket: str, folder: str, location: str) -> str:
    """The manifest of the newest complete inventory under a folder. S3 writes the checksum last, so
    an inventory without it is not complete
    (https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory-location.html).
    """
    folders = (
        [folder] if _MADE_AT.search(folder) else store.list_prefixes(bucket, prefix=folder).prefixes
    )
    dated = [found for found in folders if _MADE_AT.search(found)]
    for made in sorted(dated, reverse=True)[:_TRIED_MAX]:
        with suppress(NotFound):
            store.head_object(bucket, f"{made}{CHECKSUM}")
            return f"{made}{MANIFEST}"
    raise BadInventory(
        f"{location}: no complete inventory was found; expected a folder such as "
        f"2026-01-31T01-00Z/ with {CHECKSUM} in it"
    )

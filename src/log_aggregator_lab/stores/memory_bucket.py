"""One bucket of the store in memory: versions, delete markers, uploads, and the order in which S3
lists them.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta

from log_aggregator.model import NULL_VERSION, DeleteMarker, LogObject, Restore
from log_aggregator.ports.store import ListStart, Upload, WriteOptions

READABLE_CLASSES = frozenset(
    {
        "STANDARD",
        "STANDARD_IA",
        "ONEZONE_IA",
        "INTELLIGENT_TIERING",
        "GLACIER_IR",
        "REDUCED_REDUNDANCY",
    }
)


RESTORE_TIMES: Mapping[tuple[str, str], timedelta] = {
    ("GLACIER", "Expedited"): timedelta(minutes=5),
    ("GLACIER", "Standard"): timedelta(hours=5),
    ("GLACIER", "Bulk"): timedelta(hours=12),
    ("DEEP_ARCHIVE", "Standard"): timedelta(hours=12),
    ("DEEP_ARCHIVE", "Bulk"): timedelta(hours=48),
}
"""By storage class and tier:
https://docs.aws.amazon.com/AmazonS3/latest/userguide/restoring-objects-retrieval-options.html
"""


@dataclass(slots=True, eq=False)
class Entry:
    """A version of an object, or a delete marker, where `data` is None."""

    key: str
    version_id: str
    sequence: int
    last_modified: datetime
    data: bytes | None = None
    etag: str = ""
    storage_class: str = "STANDARD"
    metadata: Mapping[str, str] = field(default_factory=dict)
    content_type: str | None = None
    content_encoding: str | None = None
    crc64nvme: int | None = None
    """The checksum that the store reports for the whole object; None where it stores none."""
    has_opaque_etag: bool = False
    is_retained: bool = False
    is_denied: bool = False
    is_thawed: bool = False
    restored_from: datetime | None = None
    restored_until: datetime | None = None

    @property
    def is_marker(self) -> bool:
        return self.data is None

    @property
    def is_archived(self) -> bool:
        return self.storage_class not in READABLE_CLASSES

    def is_frozen(self, now: datetime) -> bool:
        restore = self.find_restore(now)
        return self.is_archived and not self.is_thawed and (restore is None or restore.is_ongoing)

    def find_restore(self, now: datetime) -> Restore | None:
        """What HeadObject reports: nothing once the copy is gone."""
        if self.restored_from is None or self.restored_until is None or now >= self.restored_until:
            return None
        return (
            Restore(is_ongoing=True)
            if now < self.restored_from
            else Restore(is_ongoing=False, expires=self.restored_until)
        )

    def restore(self, now: datetime, days: int, tier: str) -> None:
        """Takes as long as S3 says at most; the copy is deleted at midnight. An existing copy gets
        its full days again.
        """
        found = self.find_restore(now)
        if found is not None and found.is_ongoing:
            return
        if found is None:
            self.restored_from = now + RESTORE_TIMES[self.storage_class, tier]
        midnight = datetime.combine(max(now, self.restored_from or now).date(), time.min, UTC)
        self.restored_until = midnight + timedelta(days=days + 1)


@dataclass(slots=True)
class PendingPart:
    data: bytes
    etag: str
    crc64nvme: int


@dataclass(slots=True)
class PendingUpload:
    upload: Upload
    options: WriteOptions
    parts: dict[int, PendingPart] = field(default_factory=dict)


@dataclass(slots=True)
class Bucket:
    """`versioning` is None, "Enabled" or "Suspended", as in S3. Not thread safe: the store holds a
    lock.
    """

    name: str
    versioning: str | None = None
    has_kms: bool = False
    entries: dict[str, list[Entry]] = field(default_factory=dict)
    """By key, newest first. Every key has an entry."""
    uploads: dict[str, PendingUpload] = field(default_factory=dict)
    _order: list[tuple[bytes, str]] = field(default_factory=list)
    """The keys in S3's order, which is that of their UTF-8 bytes."""

    def add(self, entry: Entry) -> None:
        """Makes it the newest of its key. A null version replaces an existing null version."""
        present = self.entries.get(entry.key)
        if present is None:
            present = self.entries[entry.key] = []
            insort(self._order, (entry.key.encode(), entry.key))
        if entry.version_id == NULL_VERSION:
            present[:] = [each for each in present if each.version_id != NULL_VERSION]
        present.insert(0, entry)

    def remove(self, entry: Entry) -> None:
        present = self.entries[entry.key]
        present.remove(entry)
        if not present:
            del self.entries[entry.key]
            del self._order[bisect_left(self._order, (entry.key.encode(), entry.key))]

    def find_current(self, key: str) -> Entry | None:
        """The newest entry of the key, unless it is a delete marker."""
        newest = self.entries.get(key, [None])[0]
        return None if newest is None or newest.is_marker else newest

    def find_version(self, key: str, version_id: str) -> Entry | None:
        return next(
            (entry for entry in self.entries.get(key, ()) if entry.version_id == version_id), None
        )

    def select_keys(self, prefix: str, after: str = "") -> Iterator[str]:
        """Keys under the prefix and after `after`, in S3's order."""
        begin = bisect_left(self._order, (prefix.encode(), prefix))
        if after:
            begin = max(begin, bisect_right(self._order, (after.encode(), after)))
        for position in range(begin, len(self._order)):
            key = self._order[position][1]
            if not key.startswith(prefix):
                return
            yield key

    def select_current(self, prefix: str, after: str = "") -> Iterator[Entry]:
        for key in self.select_keys(prefix, after):
            if (entry := self.find_current(key)) is not None:
                yield entry

    def select_versions(self, prefix: str, start: ListStart | None) -> Iterator[Entry]:
        start = start or ListStart()
        if start.version_id is not None and start.key.startswith(prefix):
            yield from self._select_older(start.key, start.version_id)
        for key in self.select_keys(prefix, start.key):
            yield from self.entries[key]

    def _select_older(self, key: str, version_id: str) -> Iterator[Entry]:
        """The versions after that one, which may have been deleted since it was listed."""
        present = self.entries.get(key, [])
        ids = [entry.version_id for entry in present]
        if version_id in ids:
            yield from present[ids.index(version_id) + 1 :]
        else:
            yield from (
                entry
                for entry in present
                if version_id == NULL_VERSION or entry.version_id < version_id
            )

    def make_log_object(self, entry: Entry, *, with_version: bool) -> LogObject:
        return LogObject(
            bucket=self.name,
            key=entry.key,
            version_id=entry.version_id if with_version else None,
            etag=entry.etag,
            size_bytes=len(entry.data or b""),
            last_modified=entry.last_modified,
            storage_class=entry.storage_class,
            is_latest=self.entries[entry.key][0] is entry,
        )

    def make_delete_marker(self, entry: Entry) -> DeleteMarker:
        return DeleteMarker(
            self.name,
            entry.key,
            entry.version_id,
            entry.last_modified,
            self.entries[entry.key][0] is entry,
        )

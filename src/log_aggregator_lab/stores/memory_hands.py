"""What probes and rehearsals do outside the port, for a store in memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from log_aggregator.errors import AccessDenied, NotFound, PreconditionFailed, StoreError
from log_aggregator.ports.scratch import Entry, Lock
from log_aggregator.ports.store import Deletion, WriteOptions
from log_aggregator_lab.stores.memory import MemoryStore


class MemoryHands:
    """Implements `Hands` and `ScratchBuckets`."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self.locks: dict[str, Lock] = {}
        self._held: set[tuple[str, str]] = set()
        self.removed: list[str] = []
        """Buckets, in order."""

    def overwrite(
        self, bucket: str, key: str, data: bytes, options: WriteOptions | None = None
    ) -> None:
        options = options or WriteOptions()
        self._store.put(
            bucket,
            key,
            data,
            metadata=options.metadata,
            content_type=options.content_type,
            content_encoding=options.content_encoding,
            storage_class=options.storage_class,
        )

    def delete(self, bucket: str, key: str, *, if_match: str | None = None) -> None:
        if if_match is not None and self._store.head_object(bucket, key).etag != if_match:
            raise PreconditionFailed("", code="PreconditionFailed")
        self._store.delete(bucket, key)

    def list_of_owner(self, bucket: str, prefix: str, owner: str) -> None:
        raise AccessDenied("", code="AccessDenied")

    def hold(self, bucket: str, key: str, version_id: str, *, is_held: bool) -> None:
        if is_held:
            self._held.add((bucket, key))
            self._store.retain(bucket, key)
        else:
            self._held.discard((bucket, key))
            self._store.release(bucket, key)

    def retain(self, bucket: str, key: str, version_id: str, until: datetime) -> None:
        self._store.retain(bucket, key)

    def clear(self, bucket: str, prefix: str, keys: Iterable[str]) -> None:
        self.remove_entries(bucket, self.list_entries(bucket, prefix))

    def now(self) -> datetime:
        return datetime.now(UTC)

    def wait(self) -> None:
        """Its times come from a counter."""

    def exists(self, bucket: str) -> bool:
        try:
            self._store.get_bucket_versioning(bucket)
        except StoreError:
            return False
        return True

    def create(self, bucket: str, *, has_lock: bool = False) -> None:
        self._store.create_bucket(bucket, versioning="Enabled" if has_lock else None)
        if has_lock:
            self.locks[bucket] = Lock(is_default=False)

    def switch_versions_on(self, bucket: str) -> None:
        self._store.set_versioning(bucket, "Enabled")

    def find_lock(self, bucket: str) -> Lock | None:
        return self.locks.get(bucket)

    def list_entries(self, bucket: str, prefix: str) -> list[Entry]:
        page = MemoryStore.list_object_versions(self._store, bucket, prefix=prefix)
        entries = [Entry(each.key, each.version_id) for each in page.objects]
        return entries + [Entry(each.key, each.version_id) for each in page.markers]

    def remove_entries(self, bucket: str, entries: Sequence[Entry]) -> None:
        """Nobody can bypass a legal hold."""
        for entry in entries:
            if (bucket, entry.key) not in self._held:
                self._store.release(bucket, entry.key)
            MemoryStore.delete_objects(self._store, bucket, [Deletion(entry.key, entry.version_id)])

    def abort_uploads(self, bucket: str, prefix: str) -> None:
        for upload in MemoryStore.list_multipart_uploads(self._store, bucket, prefix=prefix):
            self._store.abort_multipart_upload(upload)

    def remove(self, bucket: str) -> None:
        if MemoryStore.list_object_versions(self._store, bucket).objects:
            raise StoreError(f"s3://{bucket}: BucketNotEmpty", code="BucketNotEmpty")
        if not self.exists(bucket):
            raise NotFound(f"s3://{bucket}: NoSuchBucket", code="NoSuchBucket")
        self.removed.append(bucket)

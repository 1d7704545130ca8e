"""What a store holds, frozen or not, as S3 Batch Operations sees it."""

from __future__ import annotations

from log_aggregator.core.checksums import crc64nvme
from log_aggregator.errors import NotFound
from log_aggregator.ports.store import ObjectStore, WriteOptions
from log_aggregator_lab.servers.batch_operations import AtRest
from log_aggregator_lab.stores.memory import MemoryStore


class StoreAtRest:
    """Implements `Storage` over any store whose objects can be read."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def find(self, bucket: str, key: str, version_id: str | None) -> AtRest | None:
        try:
            body = self._store.get_object(bucket, key, version_id=version_id)
        except NotFound:
            return None
        return AtRest(body.data, body.etag, body.version_id)

    def write(self, bucket: str, key: str, data: bytes) -> None:
        options = WriteOptions(may_replace=True)
        self._store.put_object(bucket, key, data, crc64nvme=crc64nvme(data), options=options)


class MemoryAtRest(StoreAtRest):
    """The same over a store in memory, ignoring archive classes. `sse_c` are keys that S3 cannot
    read.
    """

    def __init__(self, store: MemoryStore) -> None:
        super().__init__(store)
        self._memory = store
        self.sse_c: set[str] = set()

    def find(self, bucket: str, key: str, version_id: str | None) -> AtRest | None:
        found = self._memory.read_at_rest(bucket, key, version_id)
        if found is None:
            return None
        data, etag, version, is_kms = found
        return AtRest(data, etag, version, is_sse_c=key in self.sse_c, is_kms=is_kms)

"""A few files on disk as a store that can be read: a pack that somebody has downloaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from log_aggregator.adapters.forwarding import Call, ForwardingStore
from log_aggregator.errors import NotFound, PreconditionFailed, StoreError
from log_aggregator.model import StoredObject
from log_aggregator.ports.store import Body

T = TypeVar("T")


class LocalFiles(ForwardingStore):
    """Objects by bucket and key: a file each, or bytes. Lists nothing, writes nothing."""

    def __init__(self, objects: Mapping[tuple[str, str], Path | bytes]) -> None:
        super().__init__(self)
        self._objects = dict(objects)

    def _call(self, call: Call, run: Callable[[], T]) -> T:
        raise StoreError(f"{call.operation}: not of files on disk", operation=call.operation)

    def get_object(
        self,
        bucket: str,
        key: str,
        *,
        version_id: str | None = None,
        if_match: str | None = None,
        byte_range: tuple[int, int] | None = None,
    ) -> Body:
        stored = self.head_object(bucket, key, if_match=if_match)
        first, end = byte_range or (0, stored.size_bytes)
        found = self._objects[bucket, key]
        if isinstance(found, bytes):
            return Body(found[first:end], etag=stored.etag)
        try:
            with found.open("rb") as file:
                file.seek(first)
                return Body(file.read(end - first), etag=stored.etag)
        except OSError as error:
            raise _unreadable(found, error) from error

    def head_object(
        self, bucket: str, key: str, *, version_id: str | None = None, if_match: str | None = None
    ) -> StoredObject:
        found = self._objects.get((bucket, key))
        if found is None:
            raise NotFound(f"s3://{bucket}/{key}: not among the files that were opened")
        if isinstance(found, bytes):
            size, etag = len(found), "bytes"
        else:
            try:
                status = found.stat()
            except OSError as error:
                raise _unreadable(found, error) from error
            size, etag = status.st_size, f"{status.st_size}-{status.st_mtime_ns}"
        if if_match not in (None, etag):
            raise PreconditionFailed(
                f"s3://{bucket}/{key}: the file has changed since it was opened"
            )
        return StoredObject(bucket, key, size, etag, None, "STANDARD", None)


def _unreadable(path: Path, error: OSError) -> StoreError:
    kind = NotFound if isinstance(error, FileNotFoundError) else StoreError
    return kind(f"{path}: {error.strerror or type(error).__name__}")

"""One object, read by ranges. What comes is as long as what was asked for, or it is an error."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from log_aggregator.errors import NotFound, StoreError, VerificationError
from log_aggregator.limits import MIB
from log_aggregator.model import LogObject, StoredObject
from log_aggregator.ports.store import Body, ObjectStore

READ_BYTES = 8 * MIB
"""So much is read at a time, unless the reader knows better."""


@dataclass(frozen=True, slots=True)
class RangeReader:
    """Reads an object on the condition that it is still the one of this version and ETag, where
    these are known.
    """

    store: ObjectStore
    bucket: str
    key: str
    version_id: str | None = None
    etag: str | None = None

    @classmethod
    def of_source(cls, store: ObjectStore, source: LogObject) -> RangeReader:
        """Of the very version that was listed."""
        return cls(store, source.bucket, source.key, source.version_id, source.etag)

    @classmethod
    def of_stored(cls, store: ObjectStore, stored: StoredObject) -> RangeReader:
        """Of what HeadObject described. Its ETag says enough: to read by version id takes another
        permission.
        """
        return cls(store, stored.bucket, stored.key, etag=stored.etag)

    @property
    def where(self) -> str:
        return f"s3://{self.bucket}/{self.key}"

    def read(self, first: int, end: int) -> Body:
        """Bytes [first, end). Raises VerificationError where fewer came."""
        body = self._get((first, end))
        if len(body.data) != end - first:
            raise VerificationError(f"{self.where}: a range of it came back with another length")
        return body

    def read_pieces(self, first: int, end: int, piece_bytes: int = READ_BYTES) -> Iterator[Body]:
        """Bytes [first, end), piece by piece, all of one object: of that of the first piece, where
        no ETag was given.
        """
        reader = self
        for start in range(first, end, piece_bytes):
            body = reader.read(start, min(start + piece_bytes, end))
            reader = replace(reader, etag=reader.etag or body.etag or None)
            yield body
            del body  # else it would be here until the next one is

    def read_all(self, size_bytes: int) -> Iterator[Body]:
        """The whole object. A small one comes as it is, without a range, which is the store's
        quickest way.
        """
        if size_bytes <= READ_BYTES:
            yield self._get(None)
        else:
            yield from self.read_pieces(0, size_bytes)

    def _get(self, byte_range: tuple[int, int] | None) -> Body:
        return self.store.get_object(
            self.bucket,
            self.key,
            version_id=self.version_id,
            if_match=self.etag,
            byte_range=byte_range,
        )


class PackReader(RangeReader):
    """Reads what a pack's index says is there."""

    def read(self, first: int, end: int) -> Body:
        """Raises VerificationError where the pack is shorter, and NotFound."""
        try:
            body = self._get((first, end))
        except NotFound as error:
            raise missing_pack(self.where, error) from error
        except StoreError as error:
            if error.code != "InvalidRange":
                raise
            raise StoreError(self._shorter, code=error.code, operation=error.operation) from error
        if len(body.data) != end - first:
            raise VerificationError(self._shorter)
        return body

    @property
    def _shorter(self) -> str:
        return f"{self.where}: shorter than its index says"


def missing_pack(where: str, error: NotFound) -> NotFound:
    """The same error, in the words of whoever has read the index."""
    return NotFound(
        f"{where}: the index is there, the pack is not", code=error.code, operation=error.operation
    )

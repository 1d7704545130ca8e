"""Reads one object by ranges. A response of another length than requested is an error."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from log_aggregator.errors import NotFound, StoreError, VerificationError
from log_aggregator.limits import MIB
from log_aggregator.model import LogObject, StoredObject
from log_aggregator.ports.store import Body, ObjectStore

READ_BYTES = 8 * MIB
"""How much is read at a time, unless the caller chooses otherwise."""


@dataclass(frozen=True, slots=True)
class RangeReader:
    """Reads an object on the condition that its version and ETag, if known, are unchanged."""

    store: ObjectStore
    bucket: str
    key: str
    version_id: str | None = None
    etag: str | None = None

    @classmethod
    def of_source(cls, store: ObjectStore, source: LogObject) -> RangeReader:
        """Reads exactly the version that was listed."""
        return cls(store, source.bucket, source.key, source.version_id, source.etag)

    @classmethod
    def of_stored(cls, store: ObjectStore, stored: StoredObject) -> RangeReader:
        """Reads what HeadObject described. The ETag is enough; reading by version id would need
        s3:GetObjectVersion
        (https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html#API_GetObject_Permissions).
        """
        return cls(store, stored.bucket, stored.key, etag=stored.etag)

    @property
    def where(self) -> str:
        return f"s3://{self.bucket}/{self.key}"

    def read(self, first: int, end: int) -> Body:
        """Bytes [first, end). Raises VerificationError if the response has another length."""
        body = self._get((first, end))
        if len(body.data) != end - first:
            raise VerificationError(
                f"{self.where}: S3 returned {len(body.data)} bytes for a range of {end - first}"
            )
        return body

    def read_pieces(self, first: int, end: int, piece_bytes: int = READ_BYTES) -> Iterator[Body]:
        """Bytes [first, end), piece by piece, all from the same object: without an ETag, from the
        one that the first piece came from.
        """
        reader = self
        for start in range(first, end, piece_bytes):
            body = reader.read(start, min(start + piece_bytes, end))
            reader = replace(reader, etag=reader.etag or body.etag or None)
            yield body
            del body  # frees its memory before the next piece is read

    def read_all(self, size_bytes: int) -> Iterator[Body]:
        """The whole object. A small one is read without a range, which is the quickest way."""
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
    """Reads a pack, as described by its index."""

    def read(self, first: int, end: int) -> Body:
        """Raises VerificationError if the pack is shorter, and NotFound."""
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
    """The same error, for a caller who has read the index."""
    return NotFound(
        f"{where}: the index exists, but the pack does not",
        code=error.code,
        operation=error.operation,
    )

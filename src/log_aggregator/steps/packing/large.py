"""Reads large log objects piece by piece, and checks the result against S3's checksum of the whole.

A large member is never in memory as a whole. What was read is right if its CRC64NVME equals the one
that S3 stores, or its MD5 the ETag. S3 stores a CRC64NVME for every object written since December
2024 (https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html). The
ETag is not an MD5 for multipart uploads and with SSE-KMS or SSE-C
(https://docs.aws.amazon.com/AmazonS3/latest/API/RESTCommonResponseHeaders.html). If S3 has neither,
the object is read twice.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator

from log_aggregator.core.checksums import RunningChecksum
from log_aggregator.errors import NotFound, PreconditionFailed, VerificationError
from log_aggregator.model import LogObject, StoredObject
from log_aggregator.ports.store import Body, ObjectStore
from log_aggregator.steps.packing.read import UNREADABLE, UnfitSources, Unreadable
from log_aggregator.steps.packs.ranges import RangeReader


class PieceReader:
    """Reads the pieces of a source, and then checks them."""

    def __init__(self, store: ObjectStore, source: LogObject, piece_bytes: int) -> None:
        self._store, self._source, self._piece_bytes = store, source, piece_bytes
        self._running = RunningChecksum()
        self._md5 = hashlib.md5(usedforsecurity=False)

    def pieces(self) -> Iterator[bytes]:
        for piece in self._read():
            self._running.take(piece)
            self._md5.update(piece)
            yield piece

    def check(self) -> None:
        """Raises UnfitSources if what was read is not what S3 stores."""
        if self._md5.hexdigest() == self._source.etag:
            return
        stored = _head(self._store, self._source)
        if stored.has_md5_etag:
            raise _damaged(self._source)
        if stored.crc64nvme is None:
            again = RunningChecksum()
            for piece in self._read():
                again.take(piece)
            _compare(self._source, self._running.crc, again.crc)
        else:
            _compare(self._source, self._running.crc, stored.crc64nvme)

    def _read(self) -> Iterator[bytes]:
        reader = RangeReader.of_source(self._store, self._source)
        with unfit_where_unreadable(self._source):
            for body in reader.read_pieces(0, self._source.size_bytes, self._piece_bytes):
                yield body.data


def read_head(store: ObjectStore, source: LogObject, length_bytes: int) -> Body:
    """The first bytes, and the headers. Raises UnfitSources."""
    with unfit_where_changed(source), unfit_where_unreadable(source):
        return RangeReader.of_source(store, source).read(0, min(length_bytes, source.size_bytes))


def check_bridged(
    store: ObjectStore, source: LogObject, whole: RunningChecksum, head: bytes
) -> None:
    """Checks that the first bytes, which were read, and the rest, which S3 copied, make up the
    source. Raises UnfitSources.
    """
    stored = _head(store, source)
    if stored.crc64nvme is not None:
        _compare(source, whole.crc, stored.crc64nvme)
    elif read_head(store, source, len(head)).data != head:
        raise _damaged(source)


@contextlib.contextmanager
def unfit_where_changed(source: LogObject) -> Iterator[None]:
    """A source that is deleted or replaced while it is read or copied is unfit, not an error of the
    store.

    NoSuchUpload is a NotFound too, but means that the upload vanished, not the source.
    """
    try:
        yield
    except (NotFound, PreconditionFailed) as error:
        if error.code == "NoSuchUpload":
            raise
        raise UnfitSources([source], []) from error


@contextlib.contextmanager
def unfit_where_unreadable(source: LogObject) -> Iterator[None]:
    """A source that cannot be read is unfit. Only requests that read it belong inside: the same
    errors of a write concern the target.
    """
    try:
        yield
    except UNREADABLE as error:
        raise UnfitSources([], [Unreadable(source, error)]) from error


def _head(store: ObjectStore, source: LogObject) -> StoredObject:
    with unfit_where_unreadable(source):
        return store.head_object(
            source.bucket, source.key, version_id=source.version_id, if_match=source.etag
        )


def _compare(source: LogObject, ours: int, theirs: int) -> None:
    if ours != theirs:
        raise _damaged(source)


def _damaged(source: LogObject) -> UnfitSources:
    error = VerificationError(
        f"s3://{source.bucket}/{source.key}: what was read differs from S3's checksum"
    )
    return UnfitSources([], [Unreadable(source, error)])

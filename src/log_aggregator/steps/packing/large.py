"""Reads large log objects piece by piece, and checks what came against what S3 knows of the whole.

A large member is never here as a whole. What is read of it is right where the CRC64NVME of the
whole is the one that S3 stores (it computes one for every object since December 2024), or its MD5
the ETag; where S3 has neither, what was read is read twice.
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
    """The pieces of a source, and afterwards the proof that they were right."""

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
        """Raises UnfitSources where what was read is not what S3 stores."""
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
    """That the first bytes, which were read, and the rest, which S3 copied, are the source. Raises
    UnfitSources.
    """
    stored = _head(store, source)
    if stored.crc64nvme is not None:
        _compare(source, whole.crc, stored.crc64nvme)
    elif read_head(store, source, len(head)).data != head:
        raise _damaged(source)


@contextlib.contextmanager
def unfit_where_changed(source: LogObject) -> Iterator[None]:
    """An object that is gone or another in the middle of reading or copying it is unfit, not an
    error of the store.

    What is gone may also be the upload that it is copied into: that says nothing of the object.
    """
    try:
        yield
    except (NotFound, PreconditionFailed) as error:
        if error.code == "NoSuchUpload":
            raise
        raise UnfitSources([source], []) from error


@contextlib.contextmanager
def unfit_where_unreadable(source: LogObject) -> Iterator[None]:
    """An object that cannot be read for a reason of its own is unfit. Only what reads it belongs
    inside: the same errors of a write are the target's.
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
        f"s3://{source.bucket}/{source.key}: what was read of it is not what S3 stores"
    )
    return UnfitSources([], [Unreadable(source, error)])

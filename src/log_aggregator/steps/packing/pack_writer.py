"""Writes one pack: gathers bytes into large parts, and creates, completes or aborts the upload.

A pack smaller than one part is one PutObject. Memory: one part, plus those being uploaded, whose
number the workers limit.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from concurrent.futures import Future, wait
from dataclasses import dataclass, replace
from itertools import pairwise

from log_aggregator.core.checksums import RunningChecksum, crc64nvme
from log_aggregator.errors import RequestFailed, VerificationError
from log_aggregator.limits import COPY_RANGE_BYTES_MAX, PART_COUNT_MAX, PART_SIZE_BYTES_MIN
from log_aggregator.model import LogObject
from log_aggregator.ports.store import ObjectStore, Part, Upload, WriteOptions
from log_aggregator.steps.packs.ranges import RangeReader
from log_aggregator.steps.workers import Workers


@dataclass(frozen=True, slots=True)
class PackUpload:
    """Where a pack goes, and how it is sent."""

    bucket: str
    key: str
    options: WriteOptions
    part_size_bytes: int

    @property
    def where(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


@contextlib.contextmanager
def open_pack(store: ObjectStore, workers: Workers, upload: PackUpload) -> Iterator[PackWriter]:
    """A writer whose upload is aborted unless it is completed, whatever happens in between."""
    writer = PackWriter(store, workers, upload)
    try:
        yield writer
    finally:
        writer.abort_unless_completed()


class PackWriter:
    """Appends bytes and copied ranges to an object that does not exist before `complete`."""

    def __init__(self, store: ObjectStore, workers: Workers, upload: PackUpload) -> None:
        self._store = store
        self._workers = workers
        self._asked = upload
        self._part_size_bytes = upload.part_size_bytes
        self._buffer = bytearray()
        self._parts: list[Future[Part]] = []
        self._upload: Upload | None = None
        self._completed = False
        self._hash: hashlib._Hash | None = hashlib.sha256()

    @property
    def buffered_bytes(self) -> int:
        return len(self._buffer)

    def append(self, data: bytes) -> None:
        """Takes bytes, and starts uploading a part when there are enough."""
        self._buffer += data
        if len(self._buffer) >= self._part_size_bytes:
            self._flush()

    def copy(self, source: LogObject, first: int) -> RunningChecksum:
        """Copies [first, end) of a source within S3. The buffer must be empty or at least as large
        as the smallest part, because copied bytes always start a new part.
        """
        if self._buffer:
            self._flush()
        self._hash = None  # for bytes that S3 copies only the CRC64NVME is known
        copied = RunningChecksum()
        for start, end in split_evenly(first, source.size_bytes, COPY_RANGE_BYTES_MAX):
            part = self._copy_range(source, start, end)
            copied.take_piece(part.size_bytes, part.crc64nvme or 0)
        return copied

    def complete(self, expected: RunningChecksum) -> None:
        """Makes the object durable. `expected` is the size and checksum that the builder counted;
        S3 compares them with what it stored.

        Raises PreconditionFailed if the key already exists.
        """
        if self._upload is None:
            self._take_hash(self._buffer)
            self._check(expected, RunningChecksum(len(self._buffer), crc64nvme(self._buffer)))
            asked = self._asked
            self._store.put_object(
                asked.bucket, asked.key, self._buffer, crc64nvme=expected.crc, options=asked.options
            )
        else:
            if self._buffer:
                self._flush()
            parts = [future.result() for future in self._parts]
            # A CRC64NVME of type FULL_OBJECT can be computed from those of the parts, so S3 and
            # this program arrive at the same value; a SHA-256 of an upload would only be a hash of
            # hashes
            # (https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html).
            self._check(expected, _sum_up(parts))
            self._store.complete_multipart_upload(
                self._upload, parts, size_bytes=expected.length_bytes, crc64nvme=expected.crc
            )
        self._completed = True

    @property
    def sha256(self) -> str | None:
        """Hex SHA-256 of all bytes, once completed; None if S3 copied some of them."""
        return None if self._hash is None else self._hash.hexdigest()

    def abort_unless_completed(self) -> None:
        """Waits for the parts being uploaded and then aborts, so that no parts are left to be
        billed. A part that finishes after an abort would stay.
        """
        if self._upload is None or self._completed:
            return
        wait(self._parts)
        # If this fails, the bucket's lifecycle rule or a later run aborts the upload.
        with contextlib.suppress(RequestFailed):
            self._store.abort_multipart_upload(self._upload)

    def _flush(self) -> None:
        upload, number = self._begin(), self._next_number()
        data, self._buffer = self._buffer, bytearray()
        self._take_hash(data)
        self._parts.append(
            self._workers.start_write(
                lambda: self._store.upload_part(upload, number, data, crc64nvme=crc64nvme(data))
            )
        )
        self._raise_failed_parts()

    def _take_hash(self, data: bytearray) -> None:
        """Hashes a part at a time: hashing every small piece would cost a call each."""
        if self._hash is not None:
            self._hash.update(data)

    def _copy_range(self, source: LogObject, first: int, last: int) -> Part:
        upload, number = self._begin(), self._next_number()
        part = self._store.upload_part_copy(upload, number, source, (first, last))
        if part.crc64nvme is None:
            crc = self._read_range_crc(source, first, last)
            part = replace(part, crc64nvme=crc, is_told=False)
        future: Future[Part] = Future()
        future.set_result(part)
        self._parts.append(future)
        return part

    def _read_range_crc(self, source: LogObject, first: int, last: int) -> int:
        """Reads a range to compute its checksum, for a store that returns none for a copied
        part.
        """
        running = RunningChecksum()
        reader = RangeReader.of_source(self._store, source)
        for body in reader.read_pieces(first, last, self._part_size_bytes):
            running.take(body.data)
        return running.crc

    def _begin(self) -> Upload:
        if self._upload is None:
            asked = self._asked
            self._upload = self._store.create_multipart_upload(
                asked.bucket, asked.key, options=asked.options
            )
        return self._upload

    def _next_number(self) -> int:
        if len(self._parts) >= PART_COUNT_MAX:
            raise VerificationError(
                f"{self._asked.where}: more than {PART_COUNT_MAX} parts; lower pack_size_max"
            )
        return len(self._parts) + 1

    def _raise_failed_parts(self) -> None:
        """Notices a failed part early, looking at a few only; `complete` checks all of them."""
        for future in self._parts[-8:]:
            if future.done():
                future.result()

    def _check(self, expected: RunningChecksum, sent: RunningChecksum) -> None:
        if expected != sent:
            raise VerificationError(
                f"{self._asked.where}: what was sent differs from what was built; this is a bug or "
                "faulty memory"
            )


def bridge_bytes(buffered_bytes: int) -> int:
    """How many of a source's first bytes must be read and appended to the buffer, so that the
    buffer is large enough for a part. S3 requires 5 MiB of every part but the last
    (https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html).
    """
    return max(0, PART_SIZE_BYTES_MIN - buffered_bytes) if buffered_bytes else 0


def split_evenly(first: int, end: int, length_max: int) -> Iterator[tuple[int, int]]:
    """Splits [first, end) into as few pieces as possible, of nearly equal length, so that none is
    too small for a part.
    """
    count = max(1, -(-(end - first) // length_max))
    bounds = [first + (end - first) * index // count for index in range(count + 1)]
    return pairwise(bounds)


def _sum_up(parts: list[Part]) -> RunningChecksum:
    total = RunningChecksum()
    for part in parts:
        total.take_piece(part.size_bytes, part.crc64nvme or 0)
    return total

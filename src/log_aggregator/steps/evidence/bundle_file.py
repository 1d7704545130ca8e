"""Writes a bundle as a zip file: one file after the other, each hashed on the way."""

from __future__ import annotations

import hashlib
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import IO, BinaryIO, Self

from log_aggregator.core.evidence.archive import encode_central, encode_end, encode_local
from log_aggregator.core.evidence.manifest import (
    MANIFEST,
    MANIFEST_END,
    MANIFEST_HASH,
    About,
    encode_file,
    encode_manifest_begin,
)
from log_aggregator.errors import BadPack, LimitExceeded
from log_aggregator.limits import MIB

_SPOOL_BYTES = 16 * MIB


def make_spool() -> IO[bytes]:
    """For data that grows with the number of files: in memory while small, then on disk."""
    return tempfile.SpooledTemporaryFile(_SPOOL_BYTES)


def read_spool(spool: IO[bytes]) -> Iterator[bytes]:
    spool.seek(0)
    while piece := spool.read(MIB):
        yield piece


@dataclass(slots=True)
class BundleFile:
    """A zip file in `out`, which must be empty and seekable. Memory use does not grow with it."""

    out: BinaryIO
    bytes_max: int
    files: int = 0
    size_bytes: int = 0
    _central: IO[bytes] = field(default_factory=make_spool)
    _lines: IO[bytes] = field(default_factory=make_spool)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._central.close()
        self._lines.close()

    def add(self, path: str, pieces: Iterable[bytes], size_bytes: int) -> str:
        """Adds a file of this size and returns its SHA-256. If reading the pieces fails, nothing of
        the file is left. Raises LimitExceeded.
        """
        offset = self.size_bytes
        if offset + size_bytes > self.bytes_max:
            raise LimitExceeded(
                f"the bundle would be larger than {self.bytes_max:,} bytes (--bytes-max)"
            )
        crc32, length, hashed = 0, 0, hashlib.sha256()
        try:
            self.out.write(encode_local(path, 0, size_bytes))
            for piece in pieces:
                crc32, length = zlib.crc32(piece, crc32), length + len(piece)
                hashed.update(piece)
                self.out.write(piece)
            _check_length(path, length, size_bytes)
        except BaseException:
            self.out.seek(offset)
            self.out.truncate()
            raise
        self.out.seek(offset)
        self.out.write(encode_local(path, crc32, size_bytes))
        self.size_bytes = self.out.seek(0, 2)
        self._central.write(encode_central(path, crc32, size_bytes, offset))
        self._lines.write(
            (b",\n" if self.files else b"") + encode_file(path, length, hashed.hexdigest())
        )
        self.files += 1
        return hashed.hexdigest()

    def add_data(self, path: str, data: bytes) -> str:
        return self.add(path, [data], len(data))

    def add_spool(self, path: str, spool: IO[bytes]) -> str:
        return self.add(path, read_spool(spool), spool.seek(0, 2))

    def finish(self, about: About) -> None:
        """Adds the manifest, its hash and the zip directory."""
        with make_spool() as manifest:
            manifest.write(encode_manifest_begin(about))
            for piece in read_spool(self._lines):
                manifest.write(piece)
            manifest.write(b"\n" + MANIFEST_END)
            sha256 = self.add_spool(MANIFEST, manifest)
        self.add_data(MANIFEST_HASH, f"{sha256}  {MANIFEST}\n".encode())
        length = self._central.tell()
        for piece in read_spool(self._central):
            self.out.write(piece)
        self.out.write(encode_end(self.files, self.size_bytes, length))
        self.out.flush()


def _check_length(path: str, length: int, size_bytes: int) -> None:
    if length != size_bytes:
        raise BadPack(f"{path}: read {length} bytes, expected {size_bytes}")

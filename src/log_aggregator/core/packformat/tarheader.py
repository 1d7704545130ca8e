"""Headers of tar entries, the same bytes on every machine (POSIX pax if a name needs it)."""

from __future__ import annotations

import tarfile

BLOCK_BYTES = tarfile.BLOCKSIZE
END_OF_ARCHIVE = bytes(2 * BLOCK_BYTES)
"""POSIX ends an archive with two blocks of zeros."""


def encode_tar_header(name: str, size_bytes: int, modified_seconds: int) -> bytes:
    """The header block, or blocks, of one regular file. `modified_seconds` since 1970."""
    info = tarfile.TarInfo(name)
    info.size = size_bytes
    info.mtime = modified_seconds
    info.mode = 0o644
    return info.tobuf(format=tarfile.PAX_FORMAT, encoding="utf-8", errors="strict")


def padding(size_bytes: int) -> bytes:
    """The zero bytes that fill an entry's last block."""
    return bytes(-size_bytes % BLOCK_BYTES)

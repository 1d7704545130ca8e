"""The zip of a bundle: every byte follows from the names, sizes and contents of its files.

Files are stored, not compressed, because logs are gzip already and deflate has many outputs for the
same input. There are no times, and zip64 only where it is needed. APPNOTE 6.3.10:
https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT. The verifier, which is a program of its
own, writes the same bytes and compares.
"""

from __future__ import annotations

import struct

_MAX32, _MAX16 = 0xFFFFFFFF, 0xFFFF
_UTF8_NAMES = 0x800
_NO_DATE = 0x21
"""1980-01-01, the earliest date that zip can express."""
_REGULAR_FILE = 0o100644 << 16
# "Version needed to extract", APPNOTE 4.4.3.2: 4.5 for zip64, otherwise 2.0.
_ZIP64 = 45
_PLAIN = 20


def encode_local(path: str, crc32: int, size_bytes: int) -> bytes:
    """The header before a file. Its length depends only on path and size."""
    name, is_large = path.encode(), size_bytes >= _MAX32
    extra = struct.pack("<HHQQ", 1, 16, size_bytes, size_bytes) if is_large else b""
    size = _MAX32 if is_large else size_bytes
    head = (b"PK\x03\x04", _ZIP64 if is_large else _PLAIN, _UTF8_NAMES, 0, 0, _NO_DATE)
    tail = (crc32, size, size, len(name), len(extra))
    return struct.pack("<4sHHHHHIIIHH", *head, *tail) + name + extra


def encode_central(path: str, crc32: int, size_bytes: int, offset: int) -> bytes:
    """A file's entry in the directory at the end."""
    name, wide = path.encode(), b""
    size = min(size_bytes, _MAX32)
    if size_bytes >= _MAX32:
        wide += struct.pack("<QQ", size_bytes, size_bytes)
    if offset >= _MAX32:
        wide += struct.pack("<Q", offset)
    extra = struct.pack("<HH", 1, len(wide)) + wide if wide else b""
    needed = _ZIP64 if wide else _PLAIN
    head = (b"PK\x01\x02", 0x0300 | needed, needed, _UTF8_NAMES, 0, 0, _NO_DATE, crc32, size, size)
    tail = (len(name), len(extra), 0, 0, 0, _REGULAR_FILE, min(offset, _MAX32))
    return struct.pack("<4sHHHHHHIIIHHHHHII", *head, *tail) + name + extra


def encode_end(count: int, start: int, length_bytes: int) -> bytes:
    """The records after the directory."""
    end = b""
    if count >= _MAX16 or start >= _MAX32 or length_bytes >= _MAX32:
        versions = (0x0300 | _ZIP64, _ZIP64)
        end += struct.pack("<4sQHHII", b"PK\x06\x06", 44, *versions, 0, 0)
        end += struct.pack("<QQQQ", count, count, length_bytes, start)
        end += struct.pack("<4sIQI", b"PK\x06\x07", 0, start + length_bytes, 1)
    short = min(count, _MAX16)
    sizes = (min(length_bytes, _MAX32), min(start, _MAX32), 0)
    return end + struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, short, short, *sizes)

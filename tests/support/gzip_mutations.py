"""Gzip members of every kind that compressors make, with random damage: flipped bits, removed or
added bytes, truncated ends.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from random import Random

STRATEGIES = (zlib.Z_DEFAULT_STRATEGY, zlib.Z_FIXED, zlib.Z_HUFFMAN_ONLY, zlib.Z_RLE)
SIZES = (0, 1, 5, 50, 300, 2_000, 20_000, 60_000)
FLAGS = (0, 0, 0, 1, 2, 4, 8, 16, 2 | 8, 2 | 4 | 8 | 16)
"""Flags of the header (RFC 1952): text, its own CRC, an extra field, a name, a comment."""


def make_member(random: Random) -> bytes:
    """One complete member."""
    text = _make_text(random, random.choice(SIZES))
    deflater = zlib.compressobj(
        random.choice((0, 1, 6, 9)),
        zlib.DEFLATED,
        -random.choice((9, 12, 15)),
        random.choice((1, 8, 9)),
        random.choice(STRATEGIES),
    )
    raw = deflater.compress(text)
    if random.random() < 0.3:
        raw += deflater.flush(random.choice((zlib.Z_SYNC_FLUSH, zlib.Z_FULL_FLUSH)))
        raw += deflater.compress(text[:100])
        text += text[:100]
    raw += deflater.flush()
    return _make_header(random) + raw + struct.pack("<II", zlib.crc32(text), len(text))


def _make_text(random: Random, size: int) -> bytes:
    words = [random.randbytes(random.randrange(1, 12)).hex().encode() for _ in range(40)]
    return b" ".join(random.choices(words, k=size // 8 + 1))[:size]


def _make_header(random: Random) -> bytes:
    flags = random.choice(FLAGS)
    header = b"\x1f\x8b\x08" + bytes([flags]) + random.randbytes(4) + b"\x00\x03"
    header += b"\x06\x00ab\x02\x00zz" if flags & 4 else b""
    header += b"name.json\0" if flags & 8 else b""
    header += b"comment\0" if flags & 16 else b""
    return header + (struct.pack("<H", zlib.crc32(header) & 0xFFFF) if flags & 2 else b"")


def _flip(data: bytes, random: Random, first: int, last: int) -> bytes:
    changed = bytearray(data)
    changed[random.randrange(first, max(first + 1, last))] ^= 1 << random.randrange(8)
    return bytes(changed)


def _replace(data: bytes, random: Random) -> bytes:
    changed = bytearray(data)
    for _ in range(random.randrange(2, 9)):
        changed[random.randrange(len(changed))] = random.randrange(256)
    return bytes(changed)


def _remove(data: bytes, random: Random) -> bytes:
    first = random.randrange(len(data))
    return data[:first] + data[first + random.randrange(1, 50) :]


MUTATIONS: tuple[Callable[[bytes, Random], bytes], ...] = (
    lambda data, _: data,
    lambda data, random: _flip(data, random, 0, len(data)),
    lambda data, random: _flip(data, random, 0, 10),
    lambda data, random: _flip(data, random, 3, 4),  # the flags
    lambda data, random: _flip(data, random, len(data) - 8, len(data)),  # the trailer
    lambda data, random: _flip(data, random, 10, min(len(data), 60)),  # the first block's header
    lambda data, random: data[: random.randrange(len(data))],
    lambda data, random: data[: -random.randrange(1, 12)],
    lambda data, random: data + bytes(random.randrange(1, 40)),
    lambda data, random: data + random.randbytes(random.randrange(1, 40)),
    lambda data, random: data + make_member(random),
    lambda data, random: data + make_member(random)[: random.randrange(1, 200)],
    _replace,
    _remove,
)


def mutate(data: bytes, random: Random) -> bytes:
    """Damages one of them."""
    return random.choice(MUTATIONS)(data, random)

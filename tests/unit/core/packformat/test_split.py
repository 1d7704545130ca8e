"""Splitting plain concatenations of gzip files: the place of each member, and what is refused at
which byte.
"""

from __future__ import annotations

import gzip
import hashlib
import random
import tracemalloc
import zlib
from collections.abc import Iterator
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from log_aggregator.core.packformat import inflate
from log_aggregator.core.packformat.split import GzipMember, split_gzip
from log_aggregator.errors import BadPack

NOISE = random.Random(7).randbytes(200_000)


def member_of(data: bytes, level: int = 6) -> bytes:
    return gzip.compress(data, level, mtime=0)


def with_name(data: bytes) -> bytes:
    """A gzip member with a file's name and a time in its header, as gzip(1) writes them."""
    plain = gzip.compress(data, mtime=1_700_000_000)
    return plain[:3] + b"\x08" + plain[4:10] + b"name.log\x00" + plain[10:]


def cut(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


PARTS = st.lists(
    st.one_of(
        st.binary(max_size=300).map(member_of),
        st.binary(max_size=300).map(with_name),
        st.integers(0, 200_000).map(lambda size: member_of(b"a" * size)),
        st.integers(0, 150_000).map(lambda size: member_of(NOISE[:size], 0)),
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=100, deadline=None)
@given(PARTS, st.integers(0, 40), st.sampled_from([1, 2, 17, 4096, 65_536, 1_000_000]))
def test_every_gzip_member_is_found(parts: list[bytes], padding: int, size: int) -> None:
    """Offset, length and SHA-256 of every gzip member are found for any piece size, with or without
    zero bytes after them.
    """
    if size < 17:
        parts = [part for part in parts if len(part) < 2_000] or [member_of(b"")]
    expected, offset = [], 0
    for part in parts:
        expected.append(GzipMember(offset, len(part), hashlib.sha256(part).hexdigest()))
        offset += len(part)
    assert list(split_gzip(cut(b"".join(parts) + bytes(padding), size))) == expected


def test_zero_bytes_between_members_are_padding() -> None:
    """They belong to no member."""
    one, two = member_of(b"one"), member_of(b"two")
    found = list(split_gzip([bytes(3) + one + bytes(100_000) + two]))
    assert [(each.offset, each.length_bytes) for each in found] == [
        (3, len(one)),
        (3 + len(one) + 100_000, len(two)),
    ]


ONE, TWO = member_of(b"one" * 100), member_of(NOISE[:1000])


@pytest.mark.parametrize("size", [1, 5, 100_000])
@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"plain text\n" + ONE, "the data at byte 0 is not gzip"),
        (ONE + b"plain text\n" + TWO, f"the data at byte {len(ONE)} is not gzip"),
        (ONE + TWO + b"x", f"the data at byte {len(ONE + TWO)} is not gzip"),
        (ONE + bytes(7) + b"PK\x03\x04" + TWO, f"the data at byte {len(ONE) + 7} is not gzip"),
        (ONE + TWO[:-1], f"the gzip member at byte {len(ONE)} is cut short"),
        (ONE + TWO[:-9], f"the gzip member at byte {len(ONE)} is cut short"),
        (ONE + TWO[:12], f"the gzip member at byte {len(ONE)} is cut short"),
        (ONE + TWO[:1], f"the gzip member at byte {len(ONE)} is cut short"),
        (
            TWO[:500] + bytes([TWO[500] ^ 4]) + TWO[501:] + ONE,
            "the gzip member at byte 0 is damaged",
        ),
        (TWO[:-5] + bytes([TWO[-5] ^ 1]) + TWO[-4:], "the gzip member at byte 0 is damaged"),
        (ONE + zlib.compress(b"zlib, not gzip"), f"the data at byte {len(ONE)} is not gzip"),
    ],
)
def test_anything_else_is_refused_with_its_offset(data: bytes, message: str, size: int) -> None:
    """Plain text, another format, and a damaged or cut member are refused; the message says what
    begins at which byte.
    """
    with pytest.raises(BadPack, match=message):
        list(split_gzip(cut(data, size)))


def test_members_before_the_damage_are_returned() -> None:
    """Members are yielded before anything later is read."""
    members = split_gzip([ONE + b"x"])
    assert next(members).length_bytes == len(ONE)
    with pytest.raises(BadPack):
        next(members)


@pytest.mark.parametrize("size", [1, 64, 1_000_000])
def test_a_bomb_is_refused(size: int) -> None:
    """It is not inflated to its end. Honest members next to it, even many, are accepted."""
    honest = member_of(NOISE[:1000]) * 40
    with mock.patch.object(inflate, "BOMB_BYTES_MIN", 10_000):
        assert len(list(split_gzip(cut(honest, size)))) == 40
        with pytest.raises(BadPack, match=f"the gzip member at byte {len(honest)} is a gzip bomb"):
            list(split_gzip(cut(honest + member_of(bytes(1_000_000), 9) + honest, size)))


def test_highly_compressed_data_takes_little_memory() -> None:
    """64 MiB out of 64 KiB are inflated 256 KiB at a time."""
    data = member_of(bytes(64 * 1024 * 1024), 9)
    tracemalloc.start()
    try:
        assert [each.length_bytes for each in split_gzip([data])] == [len(data)]
        assert tracemalloc.get_traced_memory()[1] < 2 * 1024 * 1024
    finally:
        tracemalloc.stop()

"""Gzip bombs: how much of them is inflated is limited, whatever they are made of."""

from __future__ import annotations

import gzip
import random
import zlib
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.inflating import bombs_from, counted_inflating

from log_aggregator.core.packformat import contents, inflate
from log_aggregator.core.packformat.contents import Contents, Shape, inspect
from log_aggregator.core.packformat.inflate import (
    GzipBomb,
    cut_slices,
    inflate_members,
    inflated_bytes_max,
)
from log_aggregator.limits import BOMB_BYTES_MIN, BOMB_RATIO_MIN, GIB, KIB, MIB

LIMIT_BYTES = MIB
ZEROS = gzip.compress(bytes(10 * MIB), mtime=0)
LINE = gzip.compress(b"{}\n", mtime=0)
NOISE = random.Random(1).randbytes(100 * KIB)
BOMB = Contents(Shape.SEALED, flags=("gzip-bomb",))
DAMAGED = Contents(Shape.SEALED, flags=("damaged-gzip",))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(ZEROS, id="zeros"),
        pytest.param(gzip.compress(b"line\n" * 2 * MIB), id="text"),
        pytest.param(gzip.compress(bytes(100 * KIB)) * 100, id="many members, none of them large"),
        pytest.param(LINE + ZEROS, id="behind an honest member"),
        pytest.param(ZEROS + LINE, id="in front of an honest member"),
        pytest.param(gzip.compress(ZEROS * 200), id="gzip of many bombs"),
        pytest.param(ZEROS[:-8], id="cut"),
        pytest.param(ZEROS[:-8] + bytes(8), id="with a wrong CRC"),
        pytest.param(ZEROS + b"more", id="with something behind"),
        pytest.param(gzip.compress(NOISE[:5000] + bytes(10 * MIB)), id="noise first"),
    ],
)
def test_a_bomb_is_sealed_cheaply(data: bytes) -> None:
    """At most the limit and one byte is inflated, in pieces, however the bomb is made; its end is
    not checked.
    """
    with bombs_from(LIMIT_BYTES), counted_inflating() as inflated:
        assert inspect(data, promises_gzip=True) == BOMB
    first_look = inflate.INFLATED_BYTES if len(data) <= inflate.SLICE_BYTES else 0
    assert inflated.total_bytes <= inflated_by(data) + first_look + 1
    assert inflated.piece_bytes_max <= inflate.INFLATED_BYTES


def inflated_by(data: bytes) -> int:
    with bombs_from(LIMIT_BYTES):
        return inflated_bytes_max(len(data))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(LINE[:-8] + bytes(8) + ZEROS, DAMAGED, id="damage comes first"),
        pytest.param(ZEROS[:700], DAMAGED, id="it ends before"),
        pytest.param(
            gzip.compress(NOISE + b"a\n" * MIB), Contents(Shape.GZIP), id="large, but not by far"
        ),
        pytest.param(gzip.compress(b"a\n" * KIB), Contents(Shape.GZIP), id="far, but not large"),
    ],
)
def test_a_bomb_exceeds_both_size_and_ratio(data: bytes, expected: Contents) -> None:
    """It is a bomb only if both size and ratio are exceeded before any other error."""
    with bombs_from(LIMIT_BYTES, ratio_min=100):
        assert inspect(data, promises_gzip=True) == expected


@pytest.mark.parametrize("members", [1, 2, 7])
@pytest.mark.parametrize("limit_bytes", [300_000, 1_000_000])
def test_the_limit_is_exact(members: int, limit_bytes: int) -> None:
    """Content that inflates to the limit is whole; one byte more is a bomb."""
    for beyond, expected in ((0, Shape.GZIP), (1, Shape.SEALED)):
        sizes = [1000] * (members - 1)
        sizes.append(limit_bytes + beyond - sum(sizes))
        data = b"".join(gzip.compress(bytes(size), mtime=0) for size in sizes)
        with bombs_from(limit_bytes):
            assert inspect(data, promises_gzip=True).shape is expected


@pytest.mark.parametrize(
    ("size_bytes", "expected"),
    [(0, GIB), (1, GIB), (MIB, GIB), (16 * MIB, 1600 * MIB), (GIB, 100 * GIB)],
)
def test_the_limit_grows_with_the_object(size_bytes: int, expected: int) -> None:
    """The limit is at least that of a plausible small log, and for large ones a multiple of the
    stored size, always below deflate's 1,032.
    """
    assert inflated_bytes_max(size_bytes) == expected
    assert (BOMB_BYTES_MIN, BOMB_RATIO_MIN) == (GIB, 100)


@given(
    limit_bytes=st.integers(800, 2000),
    beyond=st.integers(-300, 300),
    behind=st.integers(0, 400),
    damage=st.sampled_from(["", "crc", "cut", "more"]),
    piece=st.integers(1, 400),
    slice_bytes=st.integers(1, 100),
)
def test_the_size_of_pieces_does_not_matter(
    limit_bytes: int, beyond: int, behind: int, damage: str, piece: int, slice_bytes: int
) -> None:
    """Damage within the limit is damage, and anything beyond it is a bomb: a pack's bytes do not
    depend on the piece size.
    """
    first = gzip.compress(b"ab" * (limit_bytes + beyond), mtime=0)
    first = {
        "": first,
        "crc": first[:-8] + bytes(8),
        "cut": first[:-8],
        "more": first + b"more",
    }[damage]
    data = first + (gzip.compress(bytes(behind), mtime=0) if damage in {"", "crc"} else b"")
    is_beyond = beyond > 0 or (not damage and 2 * beyond + behind > 0)
    expected = ("gzip-bomb",) if is_beyond else ("damaged-gzip",) if damage else ()
    for inflated_bytes, taken_bytes in ((piece, slice_bytes), (600, 64 * KIB), (1, 1)):
        with (
            bombs_from(2 * limit_bytes, ratio_min=1),
            mock.patch.object(inflate, "INFLATED_BYTES", inflated_bytes),
            mock.patch.object(contents, "INFLATED_BYTES", inflated_bytes),
            mock.patch.object(inflate, "SLICE_BYTES", taken_bytes),
        ):
            assert inspect(data, promises_gzip=False).flags == expected


@given(
    texts=st.lists(st.binary(max_size=50), min_size=1, max_size=5), limit_bytes=st.integers(0, 300)
)
def test_everything_is_inflated_or_it_is_a_bomb(texts: list[bytes], limit_bytes: int) -> None:
    """Either everything is inflated, or one byte after the limit raises GzipBomb."""
    whole = b"".join(texts)
    pieces = cut_slices(b"".join(gzip.compress(text) for text in texts))
    if len(whole) <= limit_bytes:
        assert b"".join(inflate_members(pieces, limit_bytes)) == whole
    else:
        with pytest.raises(GzipBomb):
            list(inflate_members(pieces, limit_bytes))


def test_damage_is_still_reported() -> None:
    """The limit hides neither a cut nor earlier damage."""
    zipped = gzip.compress(b"text" * 9)
    with pytest.raises(EOFError):
        list(inflate_members([zipped[:-1]], 100))
    with pytest.raises(zlib.error):
        list(inflate_members([zipped[:-8] + bytes(8)], 100))

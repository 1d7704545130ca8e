"""Empty gzip members with bytes in their extra field."""

from __future__ import annotations

import gzip
import math

import pytest

from log_aggregator.core.packformat.extra import (
    INDEX_PIECE,
    NEWLINE,
    OVERHEAD_BYTES,
    SEALED_PIECE,
    decode_extra,
    decode_pieces,
    encode_extra,
    encode_pieces,
)
from log_aggregator.errors import BadPack
from log_aggregator.limits import EXTRA_PIECE_BYTES_MAX

SIZES = (
    0,
    1,
    EXTRA_PIECE_BYTES_MAX - 1,
    EXTRA_PIECE_BYTES_MAX,
    EXTRA_PIECE_BYTES_MAX + 1,
    2 * EXTRA_PIECE_BYTES_MAX + 5,
)


@pytest.mark.parametrize("size", SIZES)
def test_pieces_come_back_and_are_invisible_when_inflated(size: int) -> None:
    """Bytes of any length come back from their pieces; an inflating reader sees none of them; each
    piece adds the same few bytes.
    """
    data = (bytes(range(256)) * (size // 256 + 1))[:size]
    encoded = b"".join(encode_pieces(SEALED_PIECE, data))
    assert decode_pieces(SEALED_PIECE, encoded) == data
    assert gzip.decompress(encoded) == b""
    count = max(1, math.ceil(size / EXTRA_PIECE_BYTES_MAX))
    assert len(encoded) == size + count * OVERHEAD_BYTES


def test_the_newline_member_holds_one_newline() -> None:
    """The tiny member that ends a document holds one newline, in 23 bytes at most."""
    assert gzip.decompress(NEWLINE) == b"\n"
    assert len(NEWLINE) <= 23


def test_extra_fields_are_limited() -> None:
    """No extra field is longer than readers accept."""
    with pytest.raises(ValueError, match="at most"):
        encode_extra(INDEX_PIECE, bytes(EXTRA_PIECE_BYTES_MAX + 1))


@pytest.mark.parametrize("position", range(OVERHEAD_BYTES + 3))
def test_damage_to_the_frame_is_found(position: int) -> None:
    """A changed byte outside the payload is a BadPack; a changed payload is left to its
    checksum.
    """
    encoded = bytearray(encode_extra(INDEX_PIECE, b"abc"))
    encoded[position] ^= 1
    start = OVERHEAD_BYTES - 10
    if start <= position < start + 3:
        assert decode_extra(INDEX_PIECE, bytes(encoded), 0) != b"abc"
    else:
        with pytest.raises(BadPack):
            decode_extra(INDEX_PIECE, bytes(encoded), 0)


@pytest.mark.parametrize("cut", range(1, OVERHEAD_BYTES + 3))
def test_truncated_pieces_are_found(cut: int) -> None:
    """Pieces that end early are a BadPack."""
    with pytest.raises(BadPack):
        decode_pieces(INDEX_PIECE, encode_extra(INDEX_PIECE, b"abc")[:cut])


def test_pieces_of_another_kind_are_refused() -> None:
    """Sealed bytes are not taken for an index."""
    with pytest.raises(BadPack):
        decode_pieces(INDEX_PIECE, encode_extra(SEALED_PIECE, b"abc"))

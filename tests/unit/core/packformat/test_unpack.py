"""Unpacking gives originals, and nothing else."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from log_aggregator.core.checksums import crc64nvme
from log_aggregator.core.packformat.extra import SEALED_PIECE, encode_pieces
from log_aggregator.core.packformat.unpack import decode_stored
from log_aggregator.errors import BadPack, VerificationError
from log_aggregator.model import Encoding, Member
from log_aggregator_lab.unpacking import unpack_member

TEXT = b"before\nthe line\nafter\n"
BLOCK = gzip.compress(TEXT, mtime=0)


def member_of(data: bytes, encoding: Encoding = Encoding.RAW, inner_offset: int = 0) -> Member:
    return Member(
        "a",
        None,
        "e",
        len(data),
        datetime(2025, 4, 3, tzinfo=UTC),
        0,
        0,
        encoding,
        inner_offset,
        sha256=hashlib.sha256(data).hexdigest(),
    )


@pytest.mark.parametrize(
    ("encoding", "stored", "inner_offset"),
    [
        (Encoding.RAW, b"the line\n", 0),
        (Encoding.BLOCK, BLOCK, 7),
        (Encoding.SEALED, b"".join(encode_pieces(SEALED_PIECE, b"the line\n")), 0),
    ],
)
def test_every_encoding_comes_back(encoding: Encoding, stored: bytes, inner_offset: int) -> None:
    """Every encoding gives back the member's own bytes; a changed or missing byte is an error,
    never another original.
    """
    member = member_of(b"the line\n", encoding, inner_offset)
    assert unpack_member(member, stored) == b"the line\n"
    for position in range(len(stored)):
        for damaged in (
            stored[:position] + bytes([stored[position] ^ 4]) + stored[position + 1 :],
            stored[:position],
        ):
            try:
                assert unpack_member(member, damaged) == b"the line\n"
            except (BadPack, VerificationError):
                continue


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_pieces_may_end_anywhere(size: int) -> None:
    """Decoding does not depend on how the stored bytes are cut into pieces."""
    data = bytes(range(256)) * 200
    for encoding, stored in (
        (Encoding.BLOCK, gzip.compress(data)),
        (Encoding.SEALED, b"".join(encode_pieces(SEALED_PIECE, data))),
    ):
        pieces = [stored[first : first + size] for first in range(0, len(stored), size)]
        assert b"".join(decode_stored(encoding, pieces)) == data


@pytest.mark.parametrize("cut", [1, 5])
def test_bytes_after_a_block_are_refused(cut: int) -> None:
    """An extent longer than its block contradicts its index, whether the rest is in the same piece
    or the next.
    """
    longer = BLOCK + b"rest"
    for pieces in ([longer], [BLOCK, b"rest"], [longer[:cut], longer[cut:]]):
        with pytest.raises(BadPack):
            list(decode_stored(Encoding.BLOCK, pieces))


def test_highly_compressed_text_comes_back() -> None:
    """A block that inflates a thousandfold passes in pieces and comes back whole."""
    data = bytes(5_000_000)
    assert unpack_member(member_of(data, Encoding.BLOCK), gzip.compress(data)) == data
    pieces = list(decode_stored(Encoding.BLOCK, [gzip.compress(data)]))
    assert max(map(len, pieces)) <= 1024 * 1024


def test_each_check_alone_finds_damage() -> None:
    """A mismatch in length, SHA-256 or CRC64NVME alone is enough to refuse."""
    member = member_of(b"data")
    for wrong in (
        replace(member, size_bytes=3, sha256=hashlib.sha256(b"dat").hexdigest(), crc64nvme=0),
        replace(member, size_bytes=5),
        replace(member, sha256="0" * 64),
        replace(member, crc64nvme=1),
        replace(member, sha256=None, crc64nvme=1),
    ):
        with pytest.raises(VerificationError):
            unpack_member(wrong, b"data")
    assert (
        unpack_member(replace(member, sha256=None, crc64nvme=crc64nvme(b"data")), b"data")
        == b"data"
    )

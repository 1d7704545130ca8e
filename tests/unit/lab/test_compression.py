"""gzip members, made with zlib and by hand, read by Python's gzip."""

from __future__ import annotations

import gzip

import pytest

from log_aggregator_lab.organisation.compression import gzip_member, truncated


@pytest.mark.parametrize("level", [0, 1, 6, 9])
@pytest.mark.parametrize("size_bytes", [0, 1, 65_534, 65_535, 65_536, 131_070, 200_001])
def test_members_inflate_to_their_data(level: int, size_bytes: int) -> None:
    """Whatever the level and length, even at the borders of stored blocks, a reader gets the data
    back.
    """
    data = bytes(number * 7 % 251 for number in range(size_bytes))
    assert gzip.decompress(gzip_member(data, level)) == data


def test_stored_members_cost_only_their_frames() -> None:
    """Level 0 adds 18 bytes for the member and 5 for each block of 65,535 bytes."""
    assert len(gzip_member(bytes(100_000), 0)) == 100_000 + 18 + 2 * 5


def test_the_header_contains_no_name_or_time() -> None:
    """No name, time or system: the header is ten fixed bytes."""
    assert gzip_member(b"x")[:10] == b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x00"


@pytest.mark.parametrize("data", [b"", b"x", b"some text, more text" * 40])
def test_truncated_members_do_not_inflate(data: bytes) -> None:
    """A truncated member still begins like gzip, and no reader can finish it."""
    with pytest.raises(EOFError):
        gzip.decompress(truncated(gzip_member(data)))

"""Originals as lines."""

from __future__ import annotations

import gzip
import tracemalloc
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from log_aggregator.core.lines import iter_lines
from log_aggregator.core.packformat import inflate
from log_aggregator.errors import NoLines


def lines_of(data: bytes, piece: int = 7) -> bytes:
    pieces = (data[first : first + piece] for first in range(0, len(data), piece))
    return b"".join(iter_lines(pieces, len(data)))


@given(
    texts=st.lists(
        st.text(st.characters(min_codepoint=9, max_codepoint=300), max_size=60),
        min_size=1,
        max_size=4,
    ),
    piece=st.integers(1, 50),
)
def test_text_and_gzip_give_the_same_lines(texts: list[str], piece: int) -> None:
    """Text, gzip of text and multi-member gzip all become the text, always with a final newline."""
    parts = [text.encode() for text in texts]
    whole = b"".join(parts)
    expected = whole if whole.endswith(b"\n") else whole + b"\n"
    if not whole:
        expected = b""
    assert lines_of(whole, piece) == expected
    assert lines_of(b"".join(gzip.compress(part) for part in parts), piece) == expected


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"PAR1\x00\x01", id="binary"),
        pytest.param(b"text with \x00", id="text with a zero byte"),
        pytest.param(gzip.compress(b"PAR1"), id="gzip of binary"),
        pytest.param(gzip.compress(gzip.compress(b"twice")), id="gzip in gzip"),
        pytest.param(gzip.compress(b"cut short")[:-4], id="cut short"),
        pytest.param(gzip.compress(b"x" * 1000)[:20] + b"broken" * 5, id="broken within"),
        pytest.param(b"\x1f\x8b", id="gzip's magic alone"),
        pytest.param(gzip.compress(b"text") + b"trailing", id="more behind it"),
    ],
)
def test_contents_without_lines_are_refused(data: bytes) -> None:
    """Binary data and damaged gzip are not printed as text."""
    with pytest.raises(NoLines):
        lines_of(data)


@pytest.mark.parametrize("beyond", [0, 1])
def test_a_bomb_is_not_split_into_lines(beyond: int) -> None:
    """An original that inflates beyond a log's limit, by one byte or a thousandfold, is refused, as
    packing would seal it; up to the limit it is printed.
    """
    text = b"a" * (9_999 + beyond) + b"\n"
    with mock.patch.object(inflate, "BOMB_BYTES_MIN", 10_000):
        bomb = gzip.compress(text)
        if beyond:
            with pytest.raises(NoLines, match="gzip bomb: it inflates to more than 10,000 bytes"):
                lines_of(bomb)
        else:
            assert lines_of(bomb) == text


def test_memory_is_limited() -> None:
    """Content that inflates a thousandfold passes in pieces."""
    bomb = gzip.compress(b"a" * 50_000_000)
    tracemalloc.start()
    try:
        assert sum(len(piece) for piece in iter_lines([bomb], len(bomb))) == 50_000_001
        assert tracemalloc.get_traced_memory()[1] < 3_000_000
    finally:
        tracemalloc.stop()

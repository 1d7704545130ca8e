"""What bytes are, whatever their key promises."""

from __future__ import annotations

import gzip

import pytest

from log_aggregator.core.packformat.contents import (
    KEPT_BYTES_MAX,
    Contents,
    Shape,
    inspect,
)

WHOLE = gzip.compress(b'{"a":1}', mtime=0)
LINES = gzip.compress(b"a\nb\n", mtime=0)
BIG = gzip.compress(bytes(range(256)) * 2000, compresslevel=0)


@pytest.mark.parametrize(
    ("data", "promises_gzip", "expected"),
    [
        pytest.param(WHOLE, True, Contents(Shape.GZIP, lacks_newline=True), id="a document"),
        pytest.param(LINES, True, Contents(Shape.GZIP), id="lines"),
        pytest.param(
            WHOLE, False, Contents(Shape.GZIP, lacks_newline=True), id="gzip without the suffix"
        ),
        pytest.param(gzip.compress(b""), True, Contents(Shape.GZIP), id="gzip of nothing"),
        pytest.param(
            LINES + WHOLE,
            True,
            Contents(Shape.GZIP, lacks_newline=True),
            id="two members, the last without an end",
        ),
        pytest.param(
            WHOLE + LINES, True, Contents(Shape.GZIP), id="two members, the last with an end"
        ),
        pytest.param(
            WHOLE + gzip.compress(b""),
            True,
            Contents(Shape.GZIP, lacks_newline=True),
            id="an empty member behind",
        ),
        pytest.param(
            gzip.compress(b"\x1f") + gzip.compress(b"\x8b"),
            True,
            Contents(Shape.GZIP),
            id="gzip's magic over two members",
        ),
        pytest.param(gzip.compress(WHOLE), True, Contents(Shape.GZIP), id="gzip in gzip"),
        pytest.param(BIG, True, Contents(Shape.GZIP, lacks_newline=True), id="more than one slice"),
        pytest.param(BIG[:-1], True, Contents(Shape.SEALED, flags=("damaged-gzip",)), id="cut"),
        pytest.param(
            WHOLE[:2], True, Contents(Shape.SEALED, flags=("damaged-gzip",)), id="only the magic"
        ),
        pytest.param(
            WHOLE + b"x",
            True,
            Contents(Shape.SEALED, flags=("damaged-gzip",)),
            id="something behind",
        ),
        pytest.param(
            WHOLE[:-8] + bytes(8),
            True,
            Contents(Shape.SEALED, flags=("damaged-gzip",)),
            id="a wrong CRC",
        ),
        pytest.param(b"a line\n", False, Contents(Shape.TEXT), id="text"),
        pytest.param(
            b"a line", False, Contents(Shape.TEXT, lacks_newline=True), id="text without an end"
        ),
        pytest.param(
            b"a line\n",
            True,
            Contents(Shape.TEXT, flags=("not-gzip",)),
            id="text that is called .gz",
        ),
        pytest.param(b"", False, Contents(Shape.TEXT), id="nothing"),
        pytest.param(
            b"", True, Contents(Shape.TEXT, flags=("not-gzip",)), id="nothing that is called .gz"
        ),
        pytest.param(b"a\x00b", False, Contents(Shape.SEALED, flags=("binary",)), id="binary"),
        pytest.param(
            b"a\x00b",
            True,
            Contents(Shape.SEALED, flags=("not-gzip", "binary")),
            id="binary that is called .gz",
        ),
        pytest.param(
            b"PAR1abcPAR1", False, Contents(Shape.SEALED, flags=("binary",)), id="parquet"
        ),
    ],
)
def test_contents_are_recognised_by_their_bytes(
    data: bytes, *, promises_gzip: bool, expected: Contents
) -> None:
    """Only whole gzip is concatenated, only text goes into a block, and everything else is
    sealed.
    """
    assert inspect(data, promises_gzip=promises_gzip) == expected


@pytest.mark.parametrize("cut", range(len(WHOLE)))
def test_truncated_gzip_is_damaged(cut: int) -> None:
    """A gzip file cut at any byte is not whole."""
    shape = inspect(WHOLE[:cut], promises_gzip=True).shape
    assert shape is (Shape.SEALED if cut >= 2 else Shape.TEXT)


@pytest.mark.parametrize(
    ("data", "inflated"),
    [
        pytest.param(WHOLE, b'{"a":1}', id="a document"),
        pytest.param(LINES + WHOLE, b'a\nb\n{"a":1}', id="two members"),
        pytest.param(BIG, bytes(range(256)) * 2000, id="more than one slice"),
        pytest.param(gzip.compress(bytes(KEPT_BYTES_MAX)), bytes(KEPT_BYTES_MAX), id="just kept"),
        pytest.param(gzip.compress(bytes(KEPT_BYTES_MAX + 1)), None, id="a byte too many"),
        pytest.param(BIG[:-1], None, id="damaged"),
        pytest.param(b"text", None, id="no gzip"),
    ],
)
def test_small_contents_are_kept_inflated(data: bytes, inflated: bytes | None) -> None:
    """A second inflation is thereby avoided; larger originals take no memory."""
    assert inspect(data, promises_gzip=True).inflated == inflated

"""A table as an Apache Parquet file in which each row group can be read alone.

Each row group is written as a small Parquet file, and the large file contains these as they are. A
reader that uses the large file's footer sees one table; a reader that knows where a small file is
can read it with one request. The directory (`directory.py`), between the last small file and the
footer, says where they are.

A module of its own, because arro3 is an optional extra.
"""

from __future__ import annotations

import io
import zlib
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import arro3.io
from arro3.core import Array, DataType, Table

from log_aggregator.core.tables.directory import Directory, Piece, encode_directory
from log_aggregator.core.tables.names import ShortNames, account_of
from log_aggregator.core.tables.rows import NO_TIME, Row
from log_aggregator.core.tables.thrift import I16, LIST, Struct, decode_struct, encode_struct
from log_aggregator.core.tables.wanted import Range
from log_aggregator.errors import BadTerms

ShortRow = Row
"""A row with the short name of its pack."""
MAGIC = b"PAR1"
PIECE_ROWS = 20_000
_STRING, _INT32, _INT64 = DataType.string(), DataType.int32(), DataType.int64()
COLUMNS = {
    "value": _STRING,
    "field": _STRING,
    "account": _STRING,
    "pack": _STRING,
    "first": _INT64,
    "lasted": _INT32,
    "count": _INT64,
}
"""`pack` is a short name (`ShortNames`), `first` in seconds since 1970, `lasted` in seconds up to
the last time. docs/internals/tables-format.md measures what each takes.
"""
_DELTAS: dict[str | Sequence[str], Any] = {
    "value": "delta_byte_array",
    "first": "delta_binary_packed",
    "lasted": "delta_binary_packed",
}
"""Encodings that are smaller than a dictionary if most values differ from the one before. arro3,
DuckDB, Spark and Athena's Trino read them.
"""

# Ids of fields in FileMetaData, RowGroup, ColumnChunk and ColumnMetaData
# (https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift)
_ROWS, _GROUPS = 3, 4
_CHUNKS, _GROUP_OFFSET, _ORDINAL = 1, 5, 7
_CHUNK_OFFSETS, _METADATA = (2, 4, 6), 3
_PAGE_OFFSETS = (9, 10, 11, 14)


@dataclass(slots=True)
class TableWriter:
    """Collects sorted rows into compressed pieces and assembles the file."""

    names: ShortNames
    piece_rows: int = PIECE_ROWS
    _data: bytearray = field(default_factory=lambda: bytearray(MAGIC))
    _pieces: list[Piece] = field(default_factory=list)
    _footers: list[Struct] = field(default_factory=list)
    _open: list[Row] = field(default_factory=list)

    def take(self, rows: Sequence[Row]) -> None:
        self._open += rows
        while len(self._open) >= self.piece_rows:
            self._close(self._open[: self.piece_rows])
            self._open = self._open[self.piece_rows :]

    @property
    def rows(self) -> int:
        return len(self._open) + sum(piece.rows for piece in self._pieces)

    def finish(self, directory: Directory) -> tuple[Directory, bytearray]:
        """(the directory with its pieces, the whole file)."""
        if self._open or not self._pieces:
            self._close(self._open)
        whole = directory.with_pieces(self._pieces)
        self._data += encode_directory(whole)
        footer = encode_struct(_join(self._footers))
        self._data += footer + len(footer).to_bytes(4, "little") + MAGIC
        return whole, self._data

    def _close(self, rows: Sequence[Row]) -> None:
        piece = encode_piece(rows, self.names)
        offset = len(self._data)
        self._footers.append(_shift(_footer_of(piece), offset, len(self._footers)))
        self._data += piece
        self._pieces.append(
            Piece(offset, len(piece), len(rows), zlib.crc32(piece), _bounds_of(rows))
        )


def _bounds_of(rows: Sequence[Row]) -> dict[str, tuple[str, str]]:
    """The first and the last value of each field; the rows are sorted by value."""
    lasts = {row[1]: row[0] for row in rows}
    firsts = {row[1]: row[0] for row in reversed(rows)}
    return {field_: (firsts[field_], lasts[field_]) for field_ in sorted(lasts)}


def encode_piece(rows: Sequence[Row], names: ShortNames) -> bytes:
    """A file of one row group."""
    values, fields, packs, firsts, lasts, counts = zip(*rows, strict=True) if rows else ((),) * 6
    cells: tuple[Iterable[Any], ...] = (
        values,
        fields,
        (account_of(pack) for pack in packs),
        map(names.short_of.__getitem__, packs),
        (None if first == NO_TIME else first for first in firsts),
        (
            None if first == NO_TIME else last - first
            for first, last in zip(firsts, lasts, strict=True)
        ),
        counts,
    )
    arrays = [
        Array(list(column), kind) for column, kind in zip(cells, COLUMNS.values(), strict=True)
    ]
    out = io.BytesIO()
    arro3.io.write_parquet(
        Table.from_arrays(arrays, names=list(COLUMNS)),
        out,
        compression="zstd(3)",
        column_encoding=_DELTAS,
        column_dictionary_enabled=dict.fromkeys(_DELTAS, False),
        skip_arrow_metadata=True,
        max_row_group_size=max(1, len(rows)),
    )
    return out.getvalue()


def decode_piece(data: bytes, piece: Piece, ranges: Sequence[Range]) -> Iterator[ShortRow]:
    """The rows of a piece, from its bytes, whose values are in one of the ranges. Packs have their
    short names. Raises BadTerms.
    """
    if len(data) != piece.length_bytes or zlib.crc32(data) != piece.crc32:
        raise BadTerms("a piece of the table differs from its length or CRC-32 in the directory")
    try:
        for batch in arro3.io.read_parquet(io.BytesIO(data), batch_size=PIECE_ROWS):
            yield from _decode_batch(batch, ranges)
    # arro3 raises plain Exceptions, and for bugs in its Rust code a PanicException, which is a
    # BaseException.
    except BaseException as error:
        if isinstance(error, GeneratorExit) or not (
            isinstance(error, Exception) or type(error).__name__ == "PanicException"
        ):
            raise
        raise BadTerms(f"a piece of the table cannot be read: {type(error).__name__}") from error


def _decode_batch(batch: Any, ranges: Sequence[Range]) -> Iterator[ShortRow]:
    """Only wanted rows become Python objects: mostly a handful of twenty thousand."""
    values = batch.column("value").to_pylist()
    for low, high in ranges:
        first, end = bisect_left(values, low), bisect_left(values, high)
        if first < end:
            yield from _decode_rows(batch.slice(first, end - first))


def _decode_rows(batch: Any) -> Iterator[ShortRow]:
    values, fields, _, packs, firsts, lasted, counts = (
        batch.column(name).to_pylist() for name in COLUMNS
    )
    times = (
        (NO_TIME, NO_TIME) if first is None else (first, first + seconds)
        for first, seconds in zip(firsts, lasted, strict=True)
    )
    for value, field_, pack, (first, last), count in zip(
        values, fields, packs, times, counts, strict=True
    ):
        yield (value, field_, pack, first, last, count)


def _footer_of(piece: bytes) -> Struct:
    length = int.from_bytes(piece[-8:-4], "little")
    return decode_struct(piece[-8 - length : -8])


def _shift(footer: Struct, offset: int, number: int) -> Struct:
    """The footer of a small file, changed to describe a row group of the large one."""
    for group in footer[_GROUPS][1][1]:
        _add(group, (_GROUP_OFFSET,), offset)
        group[_ORDINAL] = (I16, number)
        for chunk in group[_CHUNKS][1][1]:
            _add(chunk, _CHUNK_OFFSETS, offset)
            _add(chunk[_METADATA][1], _PAGE_OFFSETS, offset)
    return footer


def _add(struct: Struct, fields: Iterable[int], offset: int) -> None:
    for each in fields:
        if each in struct and struct[each][1]:  # an offset of 0 means that there is none
            kind, value = struct[each]
            struct[each] = (kind, value + offset)


def _join(footers: Sequence[Struct]) -> Struct:
    joined = dict(footers[0])
    joined[_ROWS] = (joined[_ROWS][0], sum(footer[_ROWS][1] for footer in footers))
    groups = [group for footer in footers for group in footer[_GROUPS][1][1]]
    joined[_GROUPS] = (LIST, (footers[0][_GROUPS][1][0], groups))
    return joined

"""Invariant: a table is a valid Parquet file for every reader, and each piece of it alone gives the
same rows.
"""

from __future__ import annotations

import io
import random
import zlib
from pathlib import Path

import duckdb
import pyarrow.parquet
import pytest

from log_aggregator.core.tables.directory import (
    Covered,
    Directory,
    decode_directory,
    encode_directory,
    find_end,
)
from log_aggregator.core.tables.names import ShortNames
from log_aggregator.core.tables.parquet import TableWriter, decode_piece
from log_aggregator.core.tables.rows import NO_TIME, Row, RowSorter
from log_aggregator.core.tables.thrift import decode_struct, encode_struct
from log_aggregator.core.tables.wanted import EVERYTHING
from log_aggregator.core.terms.model import Unsearched
from log_aggregator.errors import BadTerms

PACKS = [
    f"logs/CloudTrail/{111122223333 + number}/2021/03/{day:02}/x-{number * 97 + day:032x}.json.gz"
    for number in range(3)
    for day in (1, 2)
]


def make_rows(count: int, seed: int = 1) -> list[Row]:
    chance = random.Random(seed)
    rows: set[Row] = set()
    while len(rows) < count:
        field = chance.choice(["event", "address", "access-key"])
        value = f"{field}-{chance.randrange(40)}-ü" if field == "event" else f"{chance.random()}"
        first = chance.choice([NO_TIME, 1_614_556_800 + chance.randrange(86_400)])
        last = first if first == NO_TIME else first + chance.randrange(4_000)
        rows.add((value, field, chance.choice(PACKS), first, last, chance.randrange(1, 99)))
    return sorted(rows)


def write(rows: list[Row], *, piece_rows: int = 100) -> tuple[Directory, bytes]:
    writer = TableWriter(ShortNames.of(PACKS), piece_rows)
    for start in range(0, len(rows), 70):
        writer.take(rows[start : start + 70])
    packs = [Covered(pack, 10) for pack in PACKS]
    directory, data = writer.finish(Directory.of("CloudTrail", "2021-03", packs))
    return directory, bytes(data)


def test_other_programs_read_the_same_rows(tmp_path: Path) -> None:
    """DuckDB and Arrow rely on the footer, which is ours."""
    rows = make_rows(1_050)
    _, data = write(rows)
    path = tmp_path / "table.parquet"
    path.write_bytes(data)
    short = ShortNames.of(PACKS).short_of
    expected = [
        (
            value,
            field,
            pack.split("/")[2],
            short[pack],
            None if first == NO_TIME else first,
            None if first == NO_TIME else last - first,
            count,
        )
        for value, field, pack, first, last, count in rows
    ]
    asked = duckdb.execute(
        f"SELECT value, field, account, pack, first, lasted, count FROM '{path}'"
    )
    assert sorted(asked.fetchall(), key=repr) == sorted(expected, key=repr)
    read = pyarrow.parquet.read_table(io.BytesIO(data)).to_pylist()
    assert [tuple(row.values()) for row in read] == expected
    one = duckdb.execute(f"SELECT count(*) FROM '{path}' WHERE value = '{rows[500][0]}'").fetchall()
    assert one == [(sum(row[0] == rows[500][0] for row in rows),)]


def test_each_piece_can_be_read_alone() -> None:
    rows = make_rows(1_050)
    directory, data = write(rows)
    names = ShortNames.of(PACKS)
    read = [
        (row[0], row[1], names.pack_of[row[2]], *row[3:])
        for piece in directory.pieces
        for row in decode_piece(
            data[piece.offset : piece.offset + piece.length_bytes], piece, [EVERYTHING]
        )
    ]
    assert read == rows
    assert len(directory.pieces) == 11


def test_only_pieces_with_wanted_values_are_read() -> None:
    """No piece with a wanted row is skipped, and few others are read."""
    rows = make_rows(1_050)
    directory, data = write(rows)
    for row in rows[::37]:
        spans = {row[1]: [(row[0], row[0] + "\0")]}
        found = [
            each[:2]
            for piece, ranges in directory.find_pieces(spans)
            for each in decode_piece(
                data[piece.offset : piece.offset + piece.length_bytes], piece, ranges
            )
        ]
        assert found.count(row[:2]) == sum(each[:2] == row[:2] for each in rows)
        assert len(list(directory.find_pieces(spans))) <= 2


def test_a_damaged_piece_is_found() -> None:
    directory, data = write(make_rows(100))
    piece = directory.pieces[0]
    damaged = bytearray(data[piece.offset : piece.offset + piece.length_bytes])
    damaged[20] ^= 1
    with pytest.raises(BadTerms):
        list(decode_piece(bytes(damaged), piece, [EVERYTHING]))


def test_the_directory_is_read_from_the_end_of_the_file() -> None:
    packs = [
        Covered(PACKS[0], 10),
        Covered(PACKS[1], 5, {Unsearched.UNPARSABLE: 2}),
        Covered(PACKS[2], 5, {}, "0123abcd"),
    ]
    writer = TableWriter(ShortNames.of(PACKS))
    writer.take(make_rows(50))
    written, table = writer.finish(Directory.of("CloudTrail", "2021-03", packs, ("00-x.parquet",)))
    data = bytes(table)
    end = find_end(data[-200:])
    assert end is None or end <= len(data)
    read = decode_directory(data)
    assert read == written
    assert list(read.packs) == sorted(packs)
    assert read.replaces == ("00-x.parquet",)


@pytest.mark.parametrize("cut", [1, 4, 8, 20, 400])
def test_a_damaged_end_is_found(cut: int) -> None:
    _, data = write(make_rows(100))
    for damaged in (data[:-cut], data[-cut:] + b"PAR1", b"PAR1", b""):
        with pytest.raises(BadTerms):
            decode_directory(damaged)


def test_a_wrong_count_of_packs_is_found() -> None:
    """A list that lost a line does not show what was searched."""
    packs = [Covered(PACKS[0], 1), Covered(PACKS[1], 1)]
    whole = encode_directory(Directory.of("CloudTrail", "2021-03", packs))
    lines = zlib.decompress(whole[:-12]).splitlines(keepends=True)
    short = zlib.compress(b"".join([lines[0], b'["one"]\n', *lines[2:]]))
    end = b"\0\0\0\0PAR1"  # of a file whose footer is empty
    assert list(decode_directory(whole + end).packs) == packs
    with pytest.raises(BadTerms, match="has 1 names of packs and 2 counts"):
        decode_directory(short + len(short).to_bytes(4, "little") + whole[-8:] + end)


def test_short_names_still_identify_packs() -> None:
    alike = [f"logs/CloudTrail/1/2021/03/01/a-{'0' * 20}{number:012x}.gz" for number in range(3)]
    names = ShortNames.of([*alike, "logs/CloudTrail/1/2021/03/01/without-an-id.gz"])
    assert len(names.pack_of) == 4
    assert {names.pack_of[names.short_of[pack]] for pack in alike} == set(alike)


@pytest.mark.parametrize("run_rows_max", [7, 100, 10_000])
def test_rows_come_out_sorted(run_rows_max: int) -> None:
    rows = make_rows(2_000)
    shuffled = rows.copy()
    random.Random(3).shuffle(shuffled)
    sorter = RowSorter(run_rows_max)
    for start in range(0, len(shuffled), 33):
        sorter.take(shuffled[start : start + 33])
    assert [row for some in sorter.merge() for row in some] == rows


def test_a_footer_survives_rewriting() -> None:
    """Our reader keeps the fields of the protocol that it does not know."""
    out = io.BytesIO()
    table = pyarrow.table({"a": [1, 2, None], "b": ["x", "y", "z"], "c": [True, False, None]})
    pyarrow.parquet.write_table(table, out, compression="snappy")
    data = out.getvalue()
    footer = data[-8 - int.from_bytes(data[-8:-4], "little") : -8]
    assert decode_struct(encode_struct(decode_struct(footer))) == decode_struct(footer)
    assert encode_struct(decode_struct(footer)) == footer

"""Stored tables: lists them, and reads their ends and single pieces."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from log_aggregator.core.query import Query
from log_aggregator.core.tables.directory import (
    Directory,
    decode_directory,
    find_end,
    footer_bytes,
)
from log_aggregator.core.tables.keys import FOLDER, StoredTable, parse_table
from log_aggregator.core.tables.names import ShortNames, find_pack
from log_aggregator.core.tables.rows import Row
from log_aggregator.core.tables.wanted import EVERYTHING, Range
from log_aggregator.errors import BadTerms, NotInstalled
from log_aggregator.limits import KIB
from log_aggregator.model import Target
from log_aggregator.ports.store import ObjectStore
from log_aggregator.steps.packs.pages import list_all
from log_aggregator.steps.packs.ranges import RangeReader
from log_aggregator.steps.workers import Workers

_TAIL_BYTES_MIN = 192 * KIB
_TAIL_SHARE = 64
"""A table's directory and footer take about a hundredth of it, or 130 KB for a month of 100
accounts with few terms. The first read is a little larger, and seldom too small.
"""
EXTRA = "search"
_LISTING_BYTES = 256 * KIB
"""Roughly what the listing of a log type's tables takes in memory."""
_FEW_NAMES = 30
_SLASHES = 6
"""Slashes in a pack's short key."""


def has_reader() -> bool:
    """Whether tables can be read and written here."""
    try:
        import log_aggregator.core.tables.parquet  # noqa: F401, PLC0415 - it is large, and few need it
    except ModuleNotFoundError:
        return False
    return True


def require_reader() -> None:
    """Raises NotInstalled."""
    if not has_reader():
        raise NotInstalled.of("arro3-io, which reads and writes tables of terms,", EXTRA)


def list_tables(
    store: ObjectStore, workers: Workers, target: Target, query: Query
) -> list[StoredTable]:
    """The tables that may hold what the query looks for. Log types are listed concurrently, with
    one request per thousand tables.

    They are listed separately because of their order: S3 sorts `CloudTrail-Insight/` before
    `CloudTrail/`, servers that keep folders do the opposite, and a page boundary in between could
    hide tables.
    """
    folder, names = f"{target.root}{FOLDER}", query.log_type_names
    if names is None:
        prefixes = list(store.list_prefixes(target.bucket, prefix=folder).prefixes)
    else:
        prefixes = [f"{folder}{name}/" for name in sorted(names)]

    def list_type(prefix: str) -> list[StoredTable]:
        found = (
            parse_table(target, listed.key, listed.size_bytes)
            for listed in list_all(store, target.bucket, prefix)
        )
        return [table for table in found if table is not None and _may_hold(table, query)]

    listed = workers.read_ahead(list_type, prefixes, lambda _: _LISTING_BYTES)
    return [table for tables in listed for table in tables]


def _may_hold(table: StoredTable, query: Query) -> bool:
    window = query.window_of(table.shelf.log_type)
    return f"{window.first:%Y-%m}" <= table.shelf.month <= f"{window.last:%Y-%m}"


@dataclass(frozen=True)
class OpenTable:
    """A table whose directory was read."""

    store: ObjectStore
    table: StoredTable
    directory: Directory

    @cached_property
    def names(self) -> ShortNames:
        return ShortNames.of(self.directory.names)

    def read_rows(self, spans: Mapping[str, Sequence[Range]] | None = None) -> Iterator[list[Row]]:
        """The rows whose values are in one of the spans of any field, piece by piece, with one
        request for each piece that may have any. Without spans, all rows. Raises BadTerms, and
        StoreError if the table is gone.
        """
        from log_aggregator.core.tables.parquet import decode_piece  # noqa: PLC0415

        reader = _reader(self.store, self.table)
        pieces = (
            ((piece, [EVERYTHING]) for piece in self.directory.pieces)
            if spans is None
            else self.directory.find_pieces(spans)
        )
        for piece, ranges in pieces:
            data = reader.read(piece.offset, piece.offset + piece.length_bytes).data
            rows = list(decode_piece(data, piece, ranges))
            pack_of = self._name({row[2] for row in rows})
            yield [(row[0], row[1], pack_of[row[2]], *row[3:]) for row in rows]

    def _name(self, shorts: set[str]) -> Mapping[str, str]:
        try:
            if len(shorts) <= _FEW_NAMES:
                return {short: find_pack(short, self.directory.names) for short in shorts}
            return {short: self.names.pack_of[short] for short in shorts}
        except KeyError as error:
            raise BadTerms(
                f"{self.table.where}: a row belongs to a pack that the table does not cover"
            ) from error


def open_table(store: ObjectStore, table: StoredTable) -> OpenTable:
    """Reads a table's directory, mostly with one request. Anyone who can write there must not be
    able to mislead a reader, so the directory must match the month and log type of its key. Raises
    BadTerms, StoreError, VerificationError.
    """
    tail = _read_tail(store, table)
    directory = decode_directory(tail)
    shelf = table.shelf
    if (directory.log_type, directory.month) != (shelf.log_type, shelf.month):
        raise BadTerms(f"{table.where}: the table is of another month or log type")
    log_type, month = f"/{shelf.log_type}/", f"/{shelf.month.replace('-', '/')}/"
    # Quicker than parsing each of hundreds of thousands of names.
    if not all(
        log_type in name and month in name and name.count("/") >= _SLASHES
        for name in directory.names
    ):
        raise BadTerms(f"{table.where}: the table covers a pack of another month or log type")
    return OpenTable(store, table, directory)


def _read_tail(store: ObjectStore, table: StoredTable) -> bytes:
    reader, size = _reader(store, table), table.size_bytes
    wanted = max(_TAIL_BYTES_MIN, size // _TAIL_SHARE)
    tail = b""
    while len(tail) < size:
        first = max(0, size - wanted)
        tail = reader.read(first, size - len(tail)).data + tail
        end = find_end(tail)
        if end is not None and end <= len(tail):
            break
        wanted = footer_bytes(tail) if end is None else end
        if not len(tail) < wanted <= size:
            raise BadTerms(f"{table.where}: the table's end points before its beginning")
    return tail


def _reader(store: ObjectStore, table: StoredTable) -> RangeReader:
    return RangeReader(store, table.target.bucket, table.key)

"""Merges the terms of packs into tables, by month and log type.

    terms of packs that no table covers  ->  one more table (level 0)
    a month that is over, or has many    ->  one table of all of them, which names those it replaces

Nothing is changed or deleted: a table is written once, under a name derived from the packs that it
covers, and a reader takes each pack from one table only. So merging can be killed anywhere,
repeated, and done by two processes at the same time; at worst an unneeded table is left.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from itertools import chain

from log_aggregator.core.checksums import crc64nvme
from log_aggregator.core.query import Query
from log_aggregator.core.tables.directory import Covered, Directory
from log_aggregator.core.tables.keys import (
    Shelf,
    StoredTable,
    TableName,
    order_for_reading,
    pack_name,
    shelf_of,
)
from log_aggregator.core.tables.names import ShortNames
from log_aggregator.core.tables.rows import Row, RowSorter, merge_sorted
from log_aggregator.errors import (
    BadTerms,
    Failure,
    NotFound,
    PreconditionFailed,
    StoreError,
    VerificationError,
)
from log_aggregator.limits import MIB
from log_aggregator.model import Target
from log_aggregator.ports.store import ObjectStore, WriteOptions
from log_aggregator.steps.retrieval.catalog import list_folder
from log_aggregator.steps.search.look_up import read_pack_terms
from log_aggregator.steps.search.tables import OpenTable, list_tables, open_table, require_reader
from log_aggregator.steps.workers import Workers

TABLE_ROWS_MAX = 6_000_000
"""The limit of a table, apart from the rows of its last pack: about 70 MB, held in memory while it
is written. A night of 5,000 accounts makes one table.
"""
TABLES_MAX = 8
"""When a month has this many tables, they are merged into one, as they are when it is over."""
LEVEL_MAX = 99
_DAYS_LATE = 3
"""This long after the end of a month its tables are merged; later packs make another table."""
_TERMS_BYTES = MIB
_TERMS = "terms/"


@dataclass(slots=True)
class MergeResult:
    """What a merge did."""

    tables: list[str] = field(default_factory=list)
    """Addresses of the tables that were written."""
    packs: int = 0
    """Packs whose terms were added to a table."""
    rows: int = 0
    compacted: int = 0
    """Tables that another one now replaces."""
    failures: list[Failure] = field(default_factory=list)
    read: int = 0
    """Packs whose terms were requested."""

    def add(self, other: MergeResult) -> None:
        self.tables += other.tables
        self.packs += other.packs
        self.rows += other.rows
        self.compacted += other.compacted
        self.failures += other.failures
        self.read += other.read


@dataclass(frozen=True, slots=True)
class Merging:
    """What a merge works with. `options` are those of indexes; `is_rebuild`: make every table
    again, whatever exists.
    """

    store: ObjectStore
    workers: Workers
    target: Target
    options: WriteOptions
    today: date
    is_rebuild: bool = False
    table_rows_max: int = TABLE_ROWS_MAX
    progress: Callable[[int], object] = lambda _: None
    """Gets the number of packs that are done."""


def list_terms(store: ObjectStore, workers: Workers, target: Target, query: Query) -> Iterator[str]:
    """The keys of packs that have terms."""
    for _, listed in list_folder(store, workers, target, query, _TERMS):
        try:
            yield target.pack_key_of_terms(listed.key)
        except ValueError:
            continue  # other objects there are not ours


def merge_terms(merging: Merging, pack_keys: Iterable[str]) -> MergeResult:
    """Merges the terms of these packs, unless a table covers them, and the tables of their months
    when it is time. Packs without terms are skipped: the answer of a search names them. Raises
    NotInstalled, StoreError.
    """
    require_reader()
    result = MergeResult()
    wanted: dict[Shelf, set[str]] = defaultdict(set)
    for key in pack_keys:
        name = pack_name(merging.target, key)
        wanted[shelf_of(name)].add(name)
    for shelf, names in sorted(wanted.items()):
        merging.workers.check_stop()
        _merge_shelf(merging, shelf, names, result)
    return result


def _merge_shelf(merging: Merging, shelf: Shelf, names: set[str], result: MergeResult) -> None:
    listed = _list_shelf(merging, shelf)
    if merging.is_rebuild:
        replaced = tuple(sorted(table.name for table in listed))
        opened, level = list[OpenTable](), _next_level(listed)
    else:
        replaced, level = (), 0
        opened = _open_tables(merging, listed, result)
    covered = {name for each in opened for name in each.directory.names}
    current = opened + _write_new(
        merging, shelf, sorted(names - covered), (level, replaced), result
    )
    if _is_time(merging, shelf, current):
        _compact(merging, shelf, current, result)


def _list_shelf(merging: Merging, shelf: Shelf) -> list[StoredTable]:
    year, month = map(int, shelf.month.split("-"))
    of_month = Query.of_days(date(year, month, 1), date(year, month, 1))
    query = replace(of_month, log_types=frozenset({shelf.log_type}))
    return order_for_reading(list_tables(merging.store, merging.workers, merging.target, query))


def _open_tables(
    merging: Merging, listed: Iterable[StoredTable], result: MergeResult
) -> list[OpenTable]:
    """Opens the tables of a month that no other replaces. Unreadable ones count as missing."""
    opened: list[OpenTable] = []
    replaced: set[str] = set()
    for table in listed:
        if table.name in replaced:
            continue
        try:
            opened.append(open_table(merging.store, table))
        except (BadTerms, StoreError, VerificationError) as error:
            result.failures.append(Failure.of(table.where, error))
            continue
        replaced.update(opened[-1].directory.replaces)
    return opened


def _next_level(tables: Iterable[StoredTable]) -> int:
    return min(LEVEL_MAX, 1 + max((table.level for table in tables), default=-1))


def _write_new(
    merging: Merging,
    shelf: Shelf,
    names: Sequence[str],
    place: tuple[int, tuple[str, ...]],
    result: MergeResult,
) -> list[OpenTable]:
    """Writes tables of these packs' terms. Only the last one names the tables that they replace,
    because by then all others are durable.
    """
    level, replaces = place
    waiting = _read_terms(merging, names, result)
    written: list[OpenTable] = []
    batch = _gather(waiting, merging.table_rows_max)
    while batch is not None:
        packs, sorter = batch
        batch = _gather(waiting, merging.table_rows_max)
        replaced = replaces if batch is None else ()
        directory = Directory.of(shelf.log_type, shelf.month, packs, replaced)
        written.append(_write(merging, directory, level, sorter.merge(), result))
        result.packs += len(packs)
    if written:
        result.compacted += len(replaces)
    return written


def _read_terms(
    merging: Merging, names: Sequence[str], result: MergeResult
) -> Iterator[tuple[Covered, list[Row]]]:
    def read(name: str) -> tuple[Covered, list[Row]] | Failure | None:
        try:
            return read_pack_terms(merging.store, merging.target, name, lambda *_: True)
        except NotFound:
            return None
        except (BadTerms, StoreError) as error:
            where = f"s3://{merging.target.bucket}/{merging.target.root}packs/{name}"
            return Failure.of(f"terms of {where}", error)

    found = merging.workers.read_ahead(read, names, lambda _: _TERMS_BYTES)
    for each in found:
        result.read += 1
        merging.progress(result.read)
        if isinstance(each, Failure):
            result.failures.append(each)
        elif each is not None:
            yield each


def _gather(
    waiting: Iterator[tuple[Covered, list[Row]]], rows_max: int
) -> tuple[list[Covered], RowSorter] | None:
    """As many packs as a table holds. None if no packs are left."""
    packs: list[Covered] = []
    sorter = RowSorter()
    rows = 0
    for covered, some in waiting:
        packs.append(covered)
        sorter.take(some)
        rows += len(some)
        if rows >= rows_max:
            break
    return (packs, sorter) if packs else None


def _write(
    merging: Merging,
    directory: Directory,
    level: int,
    rows: Iterator[list[Row]],
    result: MergeResult,
) -> OpenTable:
    from log_aggregator.core.tables.parquet import TableWriter  # noqa: PLC0415

    writer = TableWriter(ShortNames.of(directory.names))
    for some in rows:
        merging.workers.check_stop()
        writer.take(some)
    result.rows += writer.rows
    whole, data = writer.finish(directory)
    shelf = Shelf(directory.log_type, directory.month)
    name = str(TableName(level, directory.id))
    table = StoredTable(merging.target, shelf, name, len(data))
    try:
        merging.store.put_object(
            merging.target.bucket,
            table.key,
            data,
            crc64nvme=crc64nvme(data),
            options=merging.options,
        )
    except PreconditionFailed:
        # The name is derived from the packs, so an existing table holds the same.
        return open_table(merging.store, table)
    result.tables.append(table.where)
    return OpenTable(merging.store, table, whole)


def _is_time(merging: Merging, shelf: Shelf, tables: Sequence[OpenTable]) -> bool:
    rows = sum(piece.rows for each in tables for piece in each.directory.pieces)
    return (
        len(tables) >= (2 if _is_over(shelf, merging.today) else TABLES_MAX)
        and rows <= merging.table_rows_max
    )


def _is_over(shelf: Shelf, today: date) -> bool:
    return shelf.month < f"{today - timedelta(days=_DAYS_LATE):%Y-%m}"


def _compact(
    merging: Merging, shelf: Shelf, tables: Sequence[OpenTable], result: MergeResult
) -> None:
    """Merges tables into one. Each pack's rows come from the table that a reader would use."""
    owners: dict[str, tuple[str, Covered]] = {}
    for each in sorted(tables, key=lambda each: (-each.table.level, each.table.name)):
        for pack in each.directory.packs:
            owners.setdefault(pack.pack, (each.table.name, pack))

    def own_rows(table: OpenTable) -> Iterator[list[Row]]:
        for rows in table.read_rows():
            yield [row for row in rows if owners[row[2]][0] == table.table.name]

    directory = Directory.of(
        shelf.log_type,
        shelf.month,
        (pack for _, pack in owners.values()),
        tuple(sorted(chain.from_iterable(_names(each) for each in tables))),
    )
    level, rows = (
        _next_level(each.table for each in tables),
        merge_sorted([own_rows(each) for each in tables]),
    )
    try:
        _write(merging, directory, level, rows, result)
    except (BadTerms, VerificationError) as error:
        # Nothing is lost: searches still read the tables that were to be merged.
        result.failures.append(Failure.of(shelf.prefix(merging.target), error))
        return
    result.compacted += len(tables)


def _names(table: OpenTable) -> Iterator[str]:
    """A table's own name, and those that it replaced: they still exist."""
    yield table.table.name
    yield from table.directory.replaces

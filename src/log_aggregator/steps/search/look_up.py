"""Looks up terms in tables, and in the terms of packs that no table covers. The answer always says
what could not be searched.

    tables   ->  by month and log type, side by side: their end, and the few pieces that may hold it
    packs    ->  listed meanwhile, to find those that no table covers
    terms    ->  of those, read one by one, up to a limit
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from log_aggregator.core.query import Query
from log_aggregator.core.tables.directory import Covered, Directory
from log_aggregator.core.tables.keys import (
    Shelf,
    StoredTable,
    order_for_reading,
    pack_name,
    shelf_of,
)
from log_aggregator.core.tables.rows import NO_TIME, Row
from log_aggregator.core.tables.wanted import Range, Wanted
from log_aggregator.core.terms.model import Unsearched
from log_aggregator.core.terms.table import has_terms
from log_aggregator.errors import (
    BadTerms,
    Failure,
    LimitExceeded,
    NotFound,
    StoreError,
    VerificationError,
)
from log_aggregator.limits import MIB
from log_aggregator.model import Group, LogObject, Target
from log_aggregator.ports.store import ObjectStore
from log_aggregator.steps.packs.terms import read_terms
from log_aggregator.steps.retrieval.adopted import list_adopted
from log_aggregator.steps.retrieval.catalog import entry_of, list_folder
from log_aggregator.steps.search.answers import Answer, Coverage, Sighted, SightedPack
from log_aggregator.steps.search.tables import OpenTable, has_reader, list_tables, open_table
from log_aggregator.steps.workers import Workers

READ_DIRECTLY_MAX = 20_000
"""Up to this many packs that no table covers yet are searched by reading their terms; the rest is
reported as unsearched.
"""
ROWS_MAX = 500_000
"""About 400 MB of values in packs: more than anyone reads, and a limit for memory."""
_TERMS_BYTES = MIB
"""Roughly what a pack's terms take in memory while they are read."""
EVENTLESS = frozenset({"CloudTrail-Digest"})
"""Log types without events, only names and hashes of logs. They have no terms, so no answer would
be complete if they counted.
"""
_PACKS = "packs/"
_SLASHES = 6
"""Slashes in a pack's short key, up to its name."""


@dataclass(slots=True)
class Room:
    """How many rows an answer may still have. Threads may exceed it by a few, which is harmless."""

    rows_left: int = ROWS_MAX

    def take(self, rows: int) -> None:
        """Raises LimitExceeded."""
        self.rows_left -= rows
        if self.rows_left < 0:
            error = LimitExceeded(f"more than {ROWS_MAX:,} values in packs match")
            error.advice = "Narrow the search with --field, --account, --log-type, --from and --to."
            raise error


@dataclass(frozen=True)
class Asked:
    """What to look for, and in which packs. `is_quick`: do not list packs, so that the answer says
    nothing about those that no table covers.
    """

    wanted: Sequence[Wanted]
    query: Query = field(default_factory=Query)
    is_quick: bool = False
    search_key_id: str = ""
    """The id of the key that `wanted` was hashed with."""
    read_directly_max: int = READ_DIRECTLY_MAX
    room: Room = field(default_factory=Room)
    progress: Callable[[int], object] = lambda _: None
    """Gets the number of packs whose own terms were read."""

    @cached_property
    def spans(self) -> Mapping[str, Sequence[Range]]:
        """The ranges of values of each field that can match."""
        spans: dict[str, list[Range]] = defaultdict(list)
        for wanted in self.wanted:
            for name, ranges in wanted.spans.items():
                spans[name] += ranges
        return spans

    def match(self, value: str, field_: str) -> Wanted | None:
        """The wanted value that this one matches, or None."""
        for wanted in self.wanted:
            if wanted.matches(value, field_):
                return wanted
        return None

    def hides(self, pack: Covered) -> Unsearched | None:
        """Why the pack's values cannot be matched, although it has terms."""
        if not pack.search_key:
            return None
        if not all(wanted.is_exact for wanted in self.wanted):
            return Unsearched.HASHED
        return None if pack.search_key == self.search_key_id else Unsearched.OTHER_KEY


def look_up(
    store: ObjectStore, workers: Workers, targets: Iterable[Target], asked: Asked
) -> Answer:
    """Searches the terms of all packs that the query covers. Raises StoreError if something cannot
    be listed.
    """
    coverage, sighted = Coverage(is_compared=not asked.is_quick), list[Sighted]()
    for target in targets:
        sighted += _search_target(store, workers, target, asked, coverage)
    sighted.sort(key=lambda each: (each.asked, each.value, each.field, each.pack.where))
    return Answer(
        sighted, coverage, [each.text for each in asked.wanted if not _is_found(each, sighted)]
    )


def _is_found(wanted: Wanted, sighted: Iterable[Sighted]) -> bool:
    """Whether anything matches. A value that matches several wanted ones, such as an address and
    its network, is sighted under the first only, so all sightings are checked.
    """
    return any(wanted.matches(each.value, each.field) for each in sighted)


def _search_target(
    store: ObjectStore, workers: Workers, target: Target, asked: Asked, coverage: Coverage
) -> list[Sighted]:
    tables = list_tables(store, workers, target, asked.query) if has_reader() else []
    shelves = [workers.start_read(_reader_of(store, tables, asked)) for tables in _by_shelf(tables)]
    packs = {} if asked.is_quick else _list_packs(store, workers, target, asked.query)
    covered: set[str] = set()
    rows: list[Row] = []
    for result in (shelf.result() for shelf in shelves):
        covered |= result.covered
        rows += result.rows
        coverage.take(result.coverage)
    uncovered = [name for name in sorted(packs) if name not in covered]
    rows += _search_directly(store, workers, target, uncovered, asked, coverage)
    if not asked.is_quick:
        for adopted in list_adopted(store, workers, target, asked.query):
            if adopted.group.log_type not in EVENTLESS:
                coverage.add_unsearched(adopted.index_key, Unsearched.ADOPTED)
    return [_sighted(target, row, packs, asked) for row in rows]


def _sighted(
    target: Target, row: Row, packs: Mapping[str, tuple[Group, LogObject]], asked: Asked
) -> Sighted:
    value, field_, name, first, last, count = row
    group, listed = packs.get(name, (None, None))
    key = f"{target.root}{_PACKS}{name}"
    pack = SightedPack(
        target,
        key,
        group or entry_of(target, key).group,
        listed.size_bytes if listed else None,
        listed.storage_class if listed else None,
    )
    times = (None, None) if first == NO_TIME else (first, last)
    wanted = asked.match(value, field_)
    asked_text, shown = (
        (wanted.text, wanted.show(value, field_)) if wanted is not None else (value, value)
    )
    return Sighted(asked_text, shown, field_, pack, count, *times)


def _count(coverage: Coverage, pack: Covered, asked: Asked) -> None:
    hidden = asked.hides(pack)
    if hidden is None:
        coverage.add_searched(pack.pack, pack.members, pack.unsearched)
    else:
        coverage.add_unsearched(pack.pack, hidden)


def _list_packs(
    store: ObjectStore, workers: Workers, target: Target, query: Query
) -> dict[str, tuple[Group, LogObject]]:
    """All existing packs that the query covers, by their short keys."""
    return {
        pack_name(target, listed.key): (group, listed)
        for group, listed in list_folder(store, workers, target, query, _PACKS)
    }


def _by_shelf(tables: Iterable[StoredTable]) -> Iterator[list[StoredTable]]:
    shelves: dict[Shelf, list[StoredTable]] = defaultdict(list)
    for table in tables:
        shelves[table.shelf].append(table)
    for _, found in sorted(shelves.items()):
        yield order_for_reading(found)


@dataclass(slots=True)
class _ShelfResult:
    """The result for one month and log type."""

    covered: set[str] = field(default_factory=set)
    rows: list[Row] = field(default_factory=list)
    coverage: Coverage = field(default_factory=Coverage)


def _reader_of(
    store: ObjectStore, tables: Sequence[StoredTable], asked: Asked
) -> Callable[[], _ShelfResult]:
    return lambda: read_shelf(store, tables, asked)


def read_shelf(store: ObjectStore, tables: Sequence[StoredTable], asked: Asked) -> _ShelfResult:
    """Reads the tables of one month, those that replace others first. Each pack is taken from one
    of them only; a table that cannot be read covers nothing.
    """
    result, replaced, is_wanted = _ShelfResult(), set[str](), _filter(asked.query)
    for table in tables:
        if table.name in replaced:
            continue
        try:
            opened = open_table(store, table)
            rows = list(_matching(opened, asked))
        except (BadTerms, StoreError, VerificationError) as error:
            result.coverage.failures.append(Failure.of(table.where, error))
            continue
        replaced.update(opened.directory.replaces)
        fresh = set(filter(is_wanted, opened.directory.names)) - result.covered
        result.rows += [row for row in rows if row[2] in fresh]
        result.covered |= fresh
        _count_fresh(result.coverage, opened.directory, fresh, asked)
    return result


def _matching(table: OpenTable, asked: Asked) -> Iterator[Row]:
    """Raises BadTerms, StoreError, LimitExceeded."""
    known: set[str] = set()
    for rows in table.read_rows(asked.spans):
        found = [row for row in rows if asked.match(row[0], row[1])]
        asked.room.take(len(found))
        for name in {row[2] for row in found} - known:
            _check_name(table, name)
            known.add(name)
        yield from found


def _check_name(table: OpenTable, name: str) -> None:
    target = table.table.target
    try:
        entry_of(target, f"{target.root}{_PACKS}{name}")
    except ValueError as error:
        raise BadTerms(f"{table.table.where}: {name!r} is not the key of a pack") from error


def _count_fresh(coverage: Coverage, directory: Directory, fresh: set[str], asked: Asked) -> None:
    """Counts the packs that a table was the first to cover. Nearly all are plain ones, which are
    counted together.
    """
    others = [pack for name, pack in directory.others.items() if name in fresh]
    for pack in others:
        _count(coverage, pack, asked)
    members = sum(
        directory.members
        if len(fresh) == len(directory.names)
        else (
            count
            for name, count in zip(directory.names, directory.members, strict=True)
            if name in fresh
        )
    )
    coverage.packs += len(fresh) - len(others)
    coverage.members += members - sum(pack.members for pack in others)


def _filter(query: Query) -> Callable[[str], bool] | None:
    """A test whether the query covers a pack, by its short key: like `Query.may_hold`, but without
    making a Group for each of hundreds of thousands. None if the query covers all.
    """
    if query == Query(layouts=query.layouts):
        return None
    first, last = (query.window_of("").first, query.window_of("").last)
    begin, end = f"{first:%Y/%m/%d}", f"{last:%Y/%m/%d}"

    def is_wanted(name: str) -> bool:
        bucket, log_type, account, year, month, day, _ = name.split("/", 6)
        return (
            begin <= f"{year}/{month}/{day}" <= end
            and (not query.buckets or bucket in query.buckets)
            and (not query.log_types or log_type in query.log_types)
            and (not query.accounts or account in query.accounts)
        )

    return is_wanted


def _search_directly(
    store: ObjectStore,
    workers: Workers,
    target: Target,
    names: Sequence[str],
    asked: Asked,
    coverage: Coverage,
) -> Iterator[Row]:
    """Searches packs that no table covers, by their own terms."""
    searchable: list[str] = []
    for name in names:
        log_type = shelf_of(name).log_type
        if log_type in EVENTLESS:
            continue
        if not has_terms(log_type):
            coverage.add_unsearched(name, Unsearched.LOG_TYPE)
        elif "/" in name.split("/", _SLASHES)[-1]:  # a copy, in a folder below the group's
            coverage.add_unsearched(name, Unsearched.COPIED)
        elif len(searchable) >= asked.read_directly_max:
            coverage.add_unsearched(name, Unsearched.NOT_MERGED)
        else:
            searchable.append(name)

    def read(name: str) -> _Direct:
        return _read_directly(store, target, name, asked)

    results = workers.read_ahead(read, searchable, lambda _: _TERMS_BYTES)
    for number, found in enumerate(results, 1):
        asked.progress(number)
        if found.covered is None:
            coverage.add_unsearched(found.name, found.reason)
            coverage.failures += found.failures
        else:
            _count(coverage, found.covered, asked)
            asked.room.take(len(found.rows))
            yield from found.rows


@dataclass(frozen=True, slots=True)
class _Direct:
    """The result of reading a pack's own terms. `covered` is None if that failed, for `reason`."""

    name: str
    covered: Covered | None = None
    rows: Sequence[Row] = ()
    reason: Unsearched = Unsearched.NOT_MADE
    failures: Sequence[Failure] = ()


def _read_directly(store: ObjectStore, target: Target, name: str, asked: Asked) -> _Direct:
    try:
        covered, rows = read_pack_terms(
            store, target, name, lambda value, field_: asked.match(value, field_) is not None
        )
    except NotFound:
        return _Direct(name)
    except (BadTerms, StoreError) as error:
        where = f"s3://{target.bucket}/{target.root}{_PACKS}{name}"
        return _Direct(
            name, reason=Unsearched.UNREAD, failures=[Failure.of(f"terms of {where}", error)]
        )
    return _Direct(name, covered, rows)


def read_pack_terms(
    store: ObjectStore, target: Target, name: str, is_wanted: Callable[[str, str], bool]
) -> tuple[Covered, list[Row]]:
    """The wanted ones of a pack's own terms. Raises NotFound, BadTerms."""
    head, sightings = read_terms(store, target, f"{target.root}{_PACKS}{name}")
    rows = [
        (
            sighting.term.value,
            sighting.term.field.value,
            name,
            NO_TIME if sighting.first is None else sighting.first,
            NO_TIME if sighting.last is None else sighting.last,
            sighting.count,
        )
        for sighting in sightings
        if is_wanted(sighting.term.value, sighting.term.field.value)
    ]
    return Covered(name, head.members, head.unsearched, head.search_key), rows

"""Merging loses no row and counts none twice, however often, by however many, and wherever it is
interrupted.
"""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta

import pytest
from tests.support.term_tables import TermsShelf, sighting

from log_aggregator.core.query import Query
from log_aggregator.core.tables.wanted import parse_wanted
from log_aggregator.core.terms.model import Field
from log_aggregator.steps.search.look_up import Asked, look_up
from log_aggregator.steps.search.merge import TABLES_MAX
from log_aggregator.steps.workers import SerialWorkers

FIRST = date(2021, 3, 1)


def counts(shelf: TermsShelf) -> Counter[str]:
    """The number of sightings of the value, by day."""
    answer = look_up(
        shelf.store, SerialWorkers(), [shelf.target], Asked([parse_wanted("role")], Query())
    )
    assert answer.coverage.is_whole
    found: Counter[str] = Counter()
    for each in answer.sighted:
        found[str(each.pack.group.date)] += each.count
    return found


def add_days(shelf: TermsShelf, *days: int) -> None:
    for day in days:
        shelf.add_pack(
            FIRST + timedelta(days=day),
            sighting(Field.NAME, "role", day + 1),
            *(sighting(Field.NAME, f"other-{day}-{number}") for number in range(20)),
        )


def expected(*days: int) -> dict[str, int]:
    return {str(FIRST + timedelta(days=day)): day + 1 for day in days}


def test_a_second_merge_writes_nothing() -> None:
    shelf = TermsShelf()
    add_days(shelf, 0, 1)
    assert len(shelf.merge().tables) == 1
    again = shelf.merge()
    assert (again.tables, again.packs) == ([], 0)
    assert counts(shelf) == expected(0, 1)


def test_simultaneous_merges_count_no_pack_twice() -> None:
    """Each merge sees other packs, and both write: a reader takes every pack from one table."""
    one, both = TermsShelf(), TermsShelf()
    add_days(one, 0, 1)
    one.merge()
    add_days(both, 0, 1, 2)
    both.merge()
    add_days(one, 2)
    for key in both.tables:
        one.put(key, both.store.get_object(both.target.bucket, key).data)
    assert len(one.tables) == 2
    assert counts(one) == expected(0, 1, 2)


def test_many_tables_of_a_month_are_combined() -> None:
    shelf = TermsShelf()
    for day in range(TABLES_MAX):
        add_days(shelf, day)
        result = shelf.merge()
    assert result.compacted == TABLES_MAX
    assert len(shelf.tables) == TABLES_MAX + 1
    assert counts(shelf) == expected(*range(TABLES_MAX))


def test_a_past_month_has_a_single_table() -> None:
    shelf = TermsShelf()
    add_days(shelf, 0)
    shelf.merge()
    add_days(shelf, 1)
    shelf.today = date(2021, 4, 10)
    assert shelf.merge().compacted == 2
    assert counts(shelf) == expected(0, 1)
    assert shelf.merge().tables == []


def test_tables_replaced_by_a_compaction_may_be_missing() -> None:
    """The new table alone has every row."""
    shelf = TermsShelf()
    add_days(shelf, 0)
    shelf.merge()
    add_days(shelf, 1)
    shelf.today = date(2021, 4, 10)
    shelf.merge()
    newest = max(shelf.tables)
    alone = TermsShelf()
    add_days(alone, 0, 1)
    alone.put(newest, shelf.store.get_object(shelf.target.bucket, newest).data)
    assert counts(alone) == expected(0, 1)


@pytest.mark.parametrize("rows_max", [1, 50])
def test_too_many_rows_are_split_into_several_tables(rows_max: int) -> None:
    shelf = TermsShelf()
    add_days(shelf, *range(6))
    assert len(shelf.merge(rows_max=rows_max).tables) > 1
    assert counts(shelf) == expected(*range(6))


@pytest.mark.parametrize("rows_max", [50, 1_000_000])
def test_a_rebuild_makes_every_table_again(rows_max: int) -> None:
    """Terms that were made again count, and earlier merges do not."""
    shelf = TermsShelf()
    add_days(shelf, 0, 1, 2)
    shelf.merge()
    shelf.add_pack(FIRST, sighting(Field.NAME, "role", 100))
    assert counts(shelf) == expected(0, 1, 2)
    shelf.merge(is_rebuild=True, rows_max=rows_max)
    assert counts(shelf) == {**expected(1, 2), str(FIRST): 100}


def test_unreadable_terms_are_skipped_and_reported() -> None:
    shelf = TermsShelf()
    add_days(shelf, 0, 1)
    bad = shelf.add_pack(FIRST, sighting(Field.NAME, "role"), account="444455556666")
    shelf.put(shelf.target.terms_key(bad), b"none")
    result = shelf.merge()
    assert result.packs == 2
    assert [bad in failure.where for failure in result.failures] == [True]

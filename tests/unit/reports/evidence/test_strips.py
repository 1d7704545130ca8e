"""A calendar as strips of days: every day is drawn once, with its state."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from tests.support.reports import FIRST, make_calendar, make_year

from log_aggregator.core.evidence.calendar import DayState, Gap, GapKind, RowName
from log_aggregator.reports.evidence.strips import (
    GAPS_MAX,
    HEIGHT,
    MARKS,
    TABLE_ROWS_MAX,
    draw_legend,
    draw_strip,
    list_months,
    make_gaps,
    make_parts,
)

STROKE = re.compile(r"M(\d+) ([\d.]+)h(\d+)")
NAME = RowName("CloudTrail", "111122223333")


@given(st.lists(st.sampled_from(DayState), min_size=1, max_size=800))
def test_a_strip_shows_the_state_of_each_day(states: list[DayState]) -> None:
    """Read back, the strokes are the states; none lies outside the days and the height."""
    found: dict[int, set[int]] = {number: set() for number in range(len(states))}
    for state, path in draw_strip(bytes(states)):
        strokes = STROKE.findall(path)
        assert "".join(f"M{x} {y}h{length}" for x, y, length in strokes) == path
        for x, y, length in strokes:
            assert 0 <= float(y) <= HEIGHT
            assert float(y) in MARKS[DayState(state)].heights
            for day in range(int(x), int(x) + int(length)):
                found[day].add(state)
    assert [found[number] for number in range(len(states))] == [{state} for state in states]


def test_every_state_has_its_own_mark() -> None:
    """States differ without colours, by height, words and the legend."""
    assert set(MARKS) == set(DayState)
    assert len({mark.name for mark in MARKS.values()}) == len(DayState)
    assert len(list(draw_legend())) == len(DayState)
    drawn = {(mark.heights, state) for state, mark in MARKS.items()}
    assert len(drawn) == len(DayState)


def test_rows_with_something_missing_come_first() -> None:
    """They link to what is missing in them."""
    whole = RowName("CloudTrail", "000000000001")
    gap = Gap(GapKind.MISSING, NAME, FIRST + timedelta(days=1), 12, 3, samples=("k",))
    packed, missing = DayState.PACKED, DayState.MISSING
    calendar = make_calendar(
        [(whole, bytes([packed, packed])), (NAME, bytes([packed, missing]))], [gap]
    )
    [part] = make_parts(calendar)
    rows = [row for table in part.tables for row in table.rows]
    assert [row.account for row in rows] == [NAME.account, whole.account]
    assert rows[0].words == "1 missing, 1 packed"
    [found] = make_gaps(calendar)
    assert [link.anchor for link in rows[0].gaps] == [found.anchor]
    assert found.text == "3 of 12 log files that digests name are missing"
    assert rows[1].gaps == []


def test_a_hole_lists_its_hours() -> None:
    """The hours are named if the finding has no text."""
    begin = datetime(2025, 1, 1, 3, tzinfo=UTC)
    gap = Gap(GapKind.HOLE, NAME, FIRST, hours=((begin, begin + timedelta(hours=2)),))
    calendar = make_calendar([(NAME, bytes([DayState.HOLE]))], [gap])
    assert make_gaps(calendar)[0].text == "no digest covers 03:00 to 05:00"


def test_rows_link_only_to_listed_gaps() -> None:
    """There may be more gaps than a page can list."""
    calendar = make_year(GAPS_MAX // 4 + 100)
    anchors = {row.anchor for row in make_gaps(calendar)}
    assert len(anchors) == GAPS_MAX
    [part] = make_parts(calendar)
    rows = [row for table in part.tables for row in table.rows]
    linked = {link.anchor for row in rows for link in row.gaps}
    assert linked <= anchors
    assert any(not row.gaps for row in rows)


def test_month_labels_are_where_months_begin() -> None:
    """Positions are in per cent; over several years only years are marked."""
    months = list_months(make_year(1))
    assert [name for _, name in months][:3] == ["2025", "02", "03"]
    assert months[1][0] == round(100 * 31 / 365, 2)
    long = make_calendar([(NAME, bytes([DayState.PACKED]) * 1_000)])
    assert [name for _, name in list_months(long)] == ["2025", "2026", "2027"]


def test_long_tables_are_split() -> None:
    """Every row is in one table, and the labels say which."""
    [part] = make_parts(make_year(2 * TABLE_ROWS_MAX + 1))
    assert [len(table.rows) for table in part.tables] == [TABLE_ROWS_MAX, TABLE_ROWS_MAX, 1]
    assert [table.label for table in part.tables] == [
        "Coverage of CloudTrail, rows 1 to 50",
        "Coverage of CloudTrail, rows 51 to 100",
        "Coverage of CloudTrail, rows 101 to 101",
    ]
    assert len({row.account for table in part.tables for row in table.rows}) == 101

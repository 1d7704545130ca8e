"""The data type of the coverage calendar."""

from __future__ import annotations

from datetime import date

from log_aggregator.core.evidence.calendar import (
    By,
    Calendar,
    DayState,
    Gap,
    GapKind,
    Row,
    RowName,
)

NAME = RowName("CloudTrail", "111111111111")


def test_a_calendar_counts_days_of_all_rows() -> None:
    rows = (
        Row(NAME, bytes([DayState.PACKED, DayState.BOTH, DayState.PACKED])),
        Row(RowName("Config", "111111111111"), bytes([DayState.UNKNOWN] * 3)),
    )
    calendar = Calendar(date(2026, 2, 27), date(2026, 3, 1), By.ACCOUNT, rows)
    assert calendar.days == 3
    assert list(calendar.each_day()) == [date(2026, 2, 27), date(2026, 2, 28), date(2026, 3, 1)]
    assert calendar.count() == {DayState.PACKED: 2, DayState.BOTH: 1, DayState.UNKNOWN: 3}
    assert calendar.is_complete


def test_a_calendar_with_an_unlisted_gap_is_incomplete() -> None:
    day = date(2026, 3, 1)
    gap = Gap(GapKind.MISSING, NAME, day, named=12, missing=12)
    assert not Calendar(day, day, By.ACCOUNT, (), gaps=(gap,)).is_complete
    assert not Calendar(day, day, By.ACCOUNT, (), unlisted=1).is_complete


def test_the_worse_state_wins() -> None:
    assert max(DayState.PACKED, DayState.ORIGINALS, DayState.MISSING) is DayState.MISSING
    assert [state for state in DayState if state.is_bad] == [DayState.HOLE, DayState.MISSING]
    assert [state.name for state in DayState if state.is_there] == [
        "ARCHIVED",
        "PACKED",
        "BOTH",
        "ORIGINALS",
    ]

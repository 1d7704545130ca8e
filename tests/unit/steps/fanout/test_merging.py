"""The days of a run, month by month."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from log_aggregator.core.windows import DateWindow
from log_aggregator.steps.fanout.merging import split_months

DAYS = st.dates(date(2006, 3, 14), date(2040, 1, 1))


@given(DAYS, st.integers(0, 100))
def test_months_cover_the_window_without_overlap(first: date, days: int) -> None:
    """Each part lies in one month, and together they are the window."""
    window = DateWindow(first, first + timedelta(days=days))
    parts = list(split_months(window))
    assert [day for part in parts for day in part] == list(window)
    months = [{(day.year, day.month) for day in part} for part in parts]
    assert all(len(found) == 1 for found in months)
    assert len({*map(frozenset, months)}) == len(parts)

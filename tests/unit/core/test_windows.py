"""The days of a run: the requested ones, and the windows that a long range is split into."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from log_aggregator.core.windows import (
    WINDOW_DAYS_MAX,
    DateWindow,
    Days,
    make_window,
    split_window,
)
from log_aggregator.errors import SettingsError

TODAY = date(2026, 3, 2)
YESTERDAY = date(2026, 3, 1)


def days_before(day: date, count: int) -> date:
    return day - timedelta(days=count)


@pytest.mark.parametrize("days_kept", [0, 1, 7, 30])
@pytest.mark.parametrize("look_back_days", [0, 1, 2, 7])
def test_kept_logs_stay_in_the_window_until_they_may_go(
    look_back_days: int, days_kept: int
) -> None:
    """A log packed as late as the look-back allows may be deleted only `days_kept` days later: that
    day's window still has the log's date.
    """
    for lateness_days in range(look_back_days + 1):
        for log_date in (YESTERDAY, days_before(YESTERDAY, 40)):
            packed_on = log_date + timedelta(days=1 + lateness_days)
            allowed_on = packed_on + timedelta(days=days_kept)
            for today in (packed_on, allowed_on):
                assert log_date in make_window(Days(), today, look_back_days, days_kept)


@pytest.mark.parametrize(("look_back_days", "days_kept"), [(0, 0), (2, 0), (0, 7), (2, 7), (7, 2)])
def test_the_default_is_yesterday_and_the_days_before(look_back_days: int, days_kept: int) -> None:
    """Today is not over: its logs are still coming. The two numbers of days are added."""
    window = make_window(Days(), TODAY, look_back_days, days_kept)
    assert window == DateWindow(days_before(YESTERDAY, look_back_days + days_kept), YESTERDAY)


def test_a_named_day_stands_alone() -> None:
    """Look-back and retention do not matter; today may be named, also as either end of a range."""
    for day in (TODAY, YESTERDAY, date(2024, 2, 29)):
        assert make_window(Days(day=str(day)), TODAY, 2, 7) == DateWindow(day, day)
        asked = Days(first=str(day), last=str(day))
        assert make_window(asked, TODAY, 2, 7) == DateWindow(day, day)
    asked = Days(first="2025-12-30", last="2026-01-02")
    assert len(list(make_window(asked, TODAY, 2, 7))) == 4


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (Days(day="2026-03-01", first="2026-02-01"), "either"),
        (Days(day="2026-03-01", last="2026-03-01"), "either"),
        (Days(day="2026-03-01", first="2026-02-01", last="2026-03-01"), "either"),
        (Days(first="2026-02-01"), "expected both, or neither"),
        (Days(last="2026-02-01"), "expected both, or neither"),
        (Days(first="2026-02-02", last="2026-02-01"), "ends before it begins"),
        (Days(day="2026-03-03"), "date"),
        (Days(first="2026-03-01", last="2026-03-03"), "end_date"),
    ],
)
def test_a_wrong_range_of_days_is_refused(asked: Days, says: str) -> None:
    """Half a range, a day and a range together, a backward range and future days are refused."""
    with pytest.raises(SettingsError, match=says):
        make_window(asked, TODAY, 2)


@pytest.mark.parametrize("days_max", [1, 2, 3, WINDOW_DAYS_MAX])
@pytest.mark.parametrize("count", [*range(1, 16), 21, 22, 365])
def test_windows_cover_the_range_exactly(count: int, days_max: int) -> None:
    """Every day is in exactly one window, in order, and only the last may be shorter, even by all
    but one day; leap days and year ends are no exception.
    """
    for first in (date(2023, 12, 28), date(2024, 2, 27)):
        window = DateWindow(first, first + timedelta(days=count - 1))
        windows = list(split_window(window, days_max))
        assert [day for each in windows for day in each] == list(window)
        lengths = [len(list(each)) for each in windows]
        assert all(length == days_max for length in lengths[:-1])
        assert 1 <= lengths[-1] <= days_max


@pytest.mark.parametrize("length", [1, 2, 7])
def test_a_window_contains_both_its_ends(length: int) -> None:
    """A window's days are those that it iterates over."""
    window = DateWindow(TODAY, TODAY + timedelta(days=length - 1))
    around = [TODAY + timedelta(days=offset) for offset in range(-2, length + 2)]
    assert [day for day in around if day in window] == list(window)
    assert len(list(window)) == length

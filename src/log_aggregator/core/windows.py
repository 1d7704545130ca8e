"""The days that a run works on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from log_aggregator.core.times import check_date, parse_date
from log_aggregator.errors import SettingsError

WINDOW_DAYS_MAX = 7
"""A longer range is cut into windows of this many days, so that memory does not grow with it."""


@dataclass(frozen=True, slots=True)
class Days:
    """The days that were asked for: one day, a range, or nothing; and the names of these settings,
    for messages.
    """

    day: str | None = None
    first: str | None = None
    last: str | None = None
    names: tuple[str, str, str] = ("date", "start_date", "end_date")


def make_window(asked: Days, today: date, look_back_days: int, days_kept: int = 0) -> DateWindow:
    """The window to work on. If nothing was asked for, it ends yesterday (UTC) and reaches back as
    far as late logs are looked for and originals are kept.

    Raises SettingsError.
    """
    day_name, first_name, last_name = asked.names
    if asked.day is not None:
        if asked.first is not None or asked.last is not None:
            raise SettingsError(
                f"{day_name}: expected either {day_name}, or {first_name} and {last_name}"
            )
        day = _parse_day(day_name, asked.day, today)
        return DateWindow(day, day)
    if asked.first is None and asked.last is None:
        yesterday = today - timedelta(days=1)
        return DateWindow(yesterday - timedelta(days=look_back_days + days_kept), yesterday)
    if asked.first is None or asked.last is None:
        raise SettingsError(f"{first_name}, {last_name}: expected both, or neither")
    first, last = (
        _parse_day(first_name, asked.first, today),
        _parse_day(last_name, asked.last, today),
    )
    if first > last:
        raise SettingsError(
            f"{first_name} {first} {last_name} {last}: the range ends before it begins"
        )
    return DateWindow(first, last)


def split_window(window: DateWindow, days_max: int = WINDOW_DAYS_MAX) -> Iterator[DateWindow]:
    """Cuts a window into windows of at most `days_max` days, in order."""
    first = window.first
    while first <= window.last:
        last = min(window.last, first + timedelta(days=days_max - 1))
        yield DateWindow(first, last)
        first = last + timedelta(days=1)


def _parse_day(name: str, text: str, today: date) -> date:
    day = parse_date(name, text)
    check_date(name, day, day, today)
    return day


@dataclass(frozen=True, slots=True)
class DateWindow:
    """The wanted days, both ends included."""

    first: date
    last: date

    def __post_init__(self) -> None:
        if self.first > self.last:
            raise ValueError(f"the window ends before it begins: {self.first} to {self.last}")

    def __contains__(self, day: date) -> bool:
        return self.first <= day <= self.last

    def __iter__(self) -> Iterator[date]:
        return (
            self.first + timedelta(days=count) for count in range((self.last - self.first).days + 1)
        )

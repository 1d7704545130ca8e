"""Times as text: one form, in UTC, and back."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from log_aggregator.core.times import check_date, decode_time, encode_time, parse_date
from log_aggregator.errors import SettingsError

MOMENT = datetime(2026, 1, 31, 13, 5, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (MOMENT, "2026-01-31T13:05:07Z"),
        (MOMENT.replace(microsecond=120_000), "2026-01-31T13:05:07.120000Z"),
        (MOMENT.astimezone(timezone(timedelta(hours=5, minutes=30))), "2026-01-31T13:05:07Z"),
    ],
)
def test_a_time_survives_encoding_in_utc(moment: datetime, text: str) -> None:
    """Any zone is accepted, and a fraction of a second is not lost."""
    assert encode_time(moment) == text
    assert decode_time(text) == moment


@pytest.mark.parametrize(
    ("timespec", "text"),
    [
        ("minutes", "2026-01-31T13:05Z"),
        ("seconds", "2026-01-31T13:05:07Z"),
        ("milliseconds", "2026-01-31T13:05:07.123Z"),
    ],
)
def test_a_time_can_be_truncated(timespec: str, text: str) -> None:
    assert encode_time(MOMENT.replace(microsecond=123_999), timespec) == text


def test_an_invalid_time_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="yesterday"):
        decode_time("yesterday")


def test_an_invalid_date_is_reported_with_its_option() -> None:
    assert parse_date("--date", "2026-01-31") == date(2026, 1, 31)
    with pytest.raises(SettingsError) as wrong:
        parse_date("--date", "2026-13-01", "; try again")
    message = "--date '2026-13-01': expected a date such as 2026-01-31; try again"
    assert str(wrong.value) == message


@pytest.mark.parametrize(
    ("day", "is_right"), [("2005-12-31", False), ("2006-01-01", True), ("2026-02-02", False)]
)
def test_dates_must_be_between_2006_and_today(day: str, is_right: bool) -> None:
    today = date(2026, 2, 1)
    if is_right:
        check_date("start_date", day, date.fromisoformat(day), today)
        check_date("start_date", today, today, today)
        return
    message = f"start_date {day}: expected a date from 2006-01-01 to today \\(2026-02-01, UTC\\)"
    with pytest.raises(SettingsError, match=message):
        check_date("start_date", day, date.fromisoformat(day), today)

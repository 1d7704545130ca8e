"""Times as text: one form, in UTC, and back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from log_aggregator.core.times import decode_time, encode_time

MOMENT = datetime(2026, 1, 31, 13, 5, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (MOMENT, "2026-01-31T13:05:07Z"),
        (MOMENT.replace(microsecond=120_000), "2026-01-31T13:05:07.120000Z"),
        (MOMENT.astimezone(timezone(timedelta(hours=5, minutes=30))), "2026-01-31T13:05:07Z"),
    ],
)
def test_a_time_is_written_in_utc_and_read_again(moment: datetime, text: str) -> None:
    """Whatever its zone; a fraction of a second is not lost."""
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
def test_a_time_can_be_cut(timespec: str, text: str) -> None:
    assert encode_time(MOMENT.replace(microsecond=123_999), timespec) == text


def test_what_is_no_time_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="yesterday"):
        decode_time("yesterday")

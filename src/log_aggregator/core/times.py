"""Times and dates as text: in indexes, records and reports, and as users type them."""

from __future__ import annotations

from datetime import UTC, date, datetime

from log_aggregator.errors import SettingsError


def encode_time(moment: datetime, timespec: str = "auto") -> str:
    """`2026-01-31T13:00:00Z`, in UTC, with a fraction of a second only if there is one. `timespec`
    sets a fixed precision: "minutes", "seconds" or "milliseconds".
    """
    return moment.astimezone(UTC).isoformat(timespec=timespec).replace("+00:00", "Z")


def decode_time(text: str) -> datetime:
    """The inverse. Raises ValueError."""
    return datetime.fromisoformat(text)


def parse_date(name: str, text: str, hint: str = "") -> date:
    """The date in the setting or option `name`. Raises SettingsError."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise SettingsError(f"{name} {text!r}: expected a date such as 2026-01-31{hint}") from None


def check_date(name: str, text: object, day: date, today: date) -> None:
    """Raises SettingsError if there can be no log of this day."""
    if not _FIRST_DAY <= day <= today:
        raise SettingsError(
            f"{name} {text}: expected a date from {_FIRST_DAY} to today ({today}, UTC)"
        )


_FIRST_DAY = date(2006, 1, 1)
"""S3 opened in 2006."""

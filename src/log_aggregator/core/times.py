"""Times as text, as they stand in indexes, records and reports."""

from __future__ import annotations

from datetime import UTC, datetime


def encode_time(moment: datetime, timespec: str = "auto") -> str:
    """`2026-01-31T13:00:00Z`, in UTC; with a fraction of a second only where there is one. With
    `timespec` always as far as "minutes", "seconds" or "milliseconds".
    """
    return moment.astimezone(UTC).isoformat(timespec=timespec).replace("+00:00", "Z")


def decode_time(text: str) -> datetime:
    """The inverse. Raises ValueError."""
    return datetime.fromisoformat(text)

"""Parses times of events into seconds since 1970."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import TypeVar

from log_aggregator.core.terms.tally import Times

_Event = TypeVar("_Event")

TIME_MAX = 253_402_300_799
"""The last second of the year 9999."""


def seconds_of(text: str | None) -> int | None:
    """Parses `2026-03-14T01:59:26.5Z` and the like; None if it is not a time, or before 1970.
    Without a zone it is UTC.
    """
    return None if text is None or len(text) > TIME_CHARS_MAX else _parse(text)


TIME_CHARS_MAX = 64
"""Longer texts are not times. Without the limit, the cache's memory would have none either."""


@lru_cache(maxsize=8_192)
def _parse(text: str) -> int | None:
    try:
        moment = datetime.fromisoformat(text)
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return within(int(aware.timestamp()))
    except (ValueError, OverflowError):
        return None


def within(seconds: int) -> int | None:
    return seconds if 0 <= seconds <= TIME_MAX else None


def by_time(
    events: Sequence[_Event], times: Sequence[int | None]
) -> Iterator[tuple[Sequence[_Event], Times]]:
    """First the events with a time, and their times; then the others."""
    known = [time for time in times if time is not None]
    if len(known) == len(events):
        yield events, known
        return
    pairs = list(zip(events, times, strict=True))
    yield [event for event, time in pairs if time is not None], known
    yield [event for event, time in pairs if time is None], None

"""Times of events, as logs write them, in seconds since 1970."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import TypeVar

from log_aggregator.core.terms.tally import NO_TIME, Span, Times

_Key = TypeVar("_Key", bound=Hashable)
_Event = TypeVar("_Event")

TIME_MAX = 253_402_300_799
"""The last second of the year 9999."""


def seconds_of(text: str | None) -> int | None:
    """Of `2026-03-14T01:59:26.5Z` and the like; None where it is no time, or none since 1970. What
    names no zone is UTC.
    """
    return None if text is None or len(text) > TIME_CHARS_MAX else _parse(text)


TIME_CHARS_MAX = 64
"""Longer texts are none; a cache of them would have no bound."""


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
    """The events that have a time, with their times, and then the others."""
    known = [time for time in times if time is not None]
    if len(known) == len(events):
        yield events, known
        return
    pairs = list(zip(events, times, strict=True))
    yield [event for event, time in pairs if time is not None], known
    yield [event for event, time in pairs if time is None], None


def spans_of(keys: Sequence[_Key], times: Times) -> Iterator[tuple[_Key, Span]]:
    """Each different key once, with its count and times."""
    if times is None:
        yield from ((key, NO_TIME._replace(events=count)) for key, count in Counter(keys).items())
        return
    spans: dict[_Key, list[int]] = {}
    for key, time in zip(keys, times, strict=True):
        span = spans.get(key)
        if span is None:
            spans[key] = [1, time, time]
            continue
        span[0] += 1
        if time > span[2]:
            span[2] = time
        elif time < span[1]:
            span[1] = time
    for key, (count, first, last) in spans.items():
        yield key, Span(count, first, last)

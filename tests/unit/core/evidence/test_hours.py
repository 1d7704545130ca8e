"""Hours that digests cover, and the holes between them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from log_aggregator.core.evidence.hours import (
    Span,
    Spans,
    TrailHours,
    clip_spans,
    join_spans,
    subtract_spans,
)

DAY = datetime(2026, 3, 14, tzinfo=UTC)
SPANS = st.lists(
    st.tuples(st.integers(0, 48), st.integers(0, 48)).map(lambda ends: span(min(ends), max(ends))),
    max_size=8,
)


def at(hour: int) -> datetime:
    return DAY + timedelta(hours=hour)


def span(begin: int, end: int) -> Span:
    return at(begin), at(end)


def hours_of(spans: list[Span]) -> set[int]:
    return {hour for hour in range(48) if any(a <= at(hour) < b for a, b in spans)}


@given(SPANS, SPANS)
def test_spans_behave_like_sets_of_hours(first: list[Span], second: list[Span]) -> None:
    """Joined, subtracted and clipped spans hold exactly the hours that sets of hours would."""
    joined = join_spans(first)
    assert hours_of(joined) == hours_of(first)
    assert all(one[1] < other[0] for one, other in pairwise(joined))
    assert hours_of(subtract_spans(first, second)) == hours_of(first) - hours_of(second)
    assert hours_of(clip_spans(first, span(5, 9))) == hours_of(first) & set(range(5, 9))


@given(st.sets(st.integers(0, 47)))
def test_holes_are_exactly_the_hours_without_a_digest(present: set[int]) -> None:
    """This holds for any digests left, in any order."""
    hours = TrailHours()
    for hour in sorted(present, key=lambda hour: hour * 7 % 48):
        hours.valid.add(*span(hour, hour + 1))
    assert hours_of(hours.find_holes(span(0, 48))) == set(range(48)) - present


def test_many_spans_are_merged_into_few() -> None:
    spans = Spans()
    for hour in reversed(range(1000)):
        spans.add(*span(hour, hour + 1))
    assert len(spans._spans) < 70
    assert spans.joined == [span(0, 1000)]


def test_an_invalid_digest_leaves_a_hole_and_an_unread_one_does_not() -> None:
    hours = TrailHours()
    hours.valid.add(*span(0, 5))
    hours.invalid.add(*span(5, 6))
    hours.unchecked.add(*span(6, 7))
    hours.valid.add(*span(7, 24))
    assert hours.find_holes(span(0, 24)) == [span(5, 6)]
    assert hours.find_unproven(span(0, 24)) == [span(5, 7)]


def test_nothing_is_expected_before_the_first_digest() -> None:
    """No digest is due before the first, or while logging was off; the latter applies only if a
    later digest began a new chain.
    """
    hours = TrailHours()
    hours.valid.add(*span(3, 5))
    hours.valid.add(*span(9, 24))
    hours.begun += [at(3), at(9)]
    assert hours.find_holes(span(0, 24)) == []
    assert hours.find_unproven(span(0, 24)) == [span(5, 9)]
    hours.begun.remove(at(9))
    assert hours.find_holes(span(0, 24)) == [span(5, 9)]


def test_another_trail_fills_only_the_hours_before_and_after() -> None:
    """A new trail may replace an old one, but two trails do not log the same events."""
    old, new = TrailHours(), TrailHours()
    old.valid.add(*span(0, 4))
    old.valid.add(*span(6, 12))
    new.valid.add(*span(11, 24))
    assert old.find_holes(span(0, 24), [new]) == [span(4, 6)]
    assert new.find_holes(span(0, 24), [old]) == [span(4, 6)]
    new.valid.add(*span(0, 11))
    assert old.find_holes(span(0, 24), [new]) == [span(4, 6)]
    assert new.find_holes(span(0, 24), [old]) == []

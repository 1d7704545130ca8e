"""What was seen on each day, and which days of a trail must be looked up."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from log_aggregator.core.evidence.calendar import DayState, RowName
from log_aggregator.core.evidence.marks import Marks, Seen, plan_trail, state_of, states_of
from log_aggregator.core.windows import DateWindow

FIRST, LAST = date(2026, 2, 27), date(2026, 3, 2)
NAME = RowName("Config", "111122223333")
DAYS = st.lists(st.booleans(), min_size=12, max_size=12).map(bytes)


@pytest.mark.parametrize(
    ("seen", "state"),
    [
        (Seen(0), DayState.UNKNOWN),
        (Seen.ORIGINAL, DayState.ORIGINALS),
        (Seen.PACK, DayState.PACKED),
        (Seen.PACK | Seen.FROZEN, DayState.ARCHIVED),
        (Seen.PACK | Seen.FROZEN | Seen.ORIGINAL, DayState.BOTH),
        (Seen.LOST | Seen.PACK | Seen.ORIGINAL, DayState.MISSING),
    ],
    ids=["nothing", "originals", "packed", "archived", "both", "lost"],
)
def test_each_combination_has_a_state(seen: Seen, state: DayState) -> None:
    assert state_of(seen) is state
    assert states_of(bytearray([seen])) == bytes([state])


def test_marks_outside_the_window_are_ignored() -> None:
    first, second = Marks(DateWindow(FIRST, LAST)), Marks(DateWindow(FIRST, LAST))
    first.mark(NAME, FIRST, Seen.ORIGINAL)
    first.mark(NAME, date(2026, 2, 26), Seen.ORIGINAL)
    first.mark(NAME, date(2026, 3, 3), Seen.ORIGINAL)
    second.mark(NAME, FIRST, Seen.PACK)
    second.mark(NAME, LAST, Seen.PACK)
    first.merge(second)
    assert first.rows == {NAME: bytearray([Seen.ORIGINAL | Seen.PACK, 0, 0, Seen.PACK])}
    assert first.day(3) == LAST


@given(DAYS, DAYS, st.integers(0, 14))
def test_every_expected_day_is_looked_up(logs: bytes, digests: bytes, due: int) -> None:
    """Every due day without logs or digests is asked about in exactly one way, unless nothing is
    known of the trail.
    """
    plan = plan_trail(logs, digests, due)
    asked = [*plan.holes, *plan.silent, *plan.early]
    assert len(asked) == len(set(asked))
    for number in range(min(due, 12)):
        is_whole = logs[number] and digests[number]
        is_nothing = not logs[number] and not any(digests)
        assert (number in asked) == (not is_whole and not is_nothing)
    assert all(number < due for number in asked)
    assert all(not digests[number] for number in (*plan.holes, *plan.early))

"""The progress of a backfill, from its ledger."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from log_aggregator.core.backfill.entries import BackfillPlan, Entry, EntryPlace, Kind, Totals
from log_aggregator.core.backfill.states import (
    BEAT_SECONDS,
    EXPIRY,
    Seen,
    State,
    judge,
    judge_window,
)
from log_aggregator.core.windows import DateWindow, split_window

RANGE = DateWindow(date(2025, 4, 1), date(2025, 4, 21))
FIRST, SECOND, THIRD = split_window(RANGE)
NOW = datetime(2025, 5, 1, 12, tzinfo=UTC)
PLAN = BackfillPlan("history", RANGE, 7, ("logs",), NOW - timedelta(days=1))


def seen(
    kind: Kind,
    minutes_ago: float,
    attempt: int = 1,
    *,
    window: DateWindow = FIRST,
    number: int = 0,
    totals: Totals | None = None,
) -> Seen:
    place = EntryPlace(window, attempt, kind, number)
    entry = Entry(place, f"worker {attempt}", totals or Totals())
    return Seen(place, NOW - timedelta(minutes=minutes_ago), entry)


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([], State.TO_DO),
        ([seen(Kind.CLAIM, 9)], State.UNDER_WAY),
        ([seen(Kind.CLAIM, 10)], State.TO_DO),
        ([seen(Kind.CLAIM, 90), seen(Kind.BEAT, 9, number=40)], State.UNDER_WAY),
        ([seen(Kind.CLAIM, 90), seen(Kind.BEAT, 11, number=40)], State.TO_DO),
        ([seen(Kind.CLAIM, 9), seen(Kind.STOPPED, 1)], State.TO_DO),
        ([seen(Kind.CLAIM, 9), seen(Kind.FAILED, 1)], State.FAILED),
        ([seen(Kind.CLAIM, 9), seen(Kind.DONE, 1)], State.DONE),
        ([seen(Kind.FAILED, 9), seen(Kind.CLAIM, 1, 2)], State.UNDER_WAY),
        ([seen(Kind.FAILED, 9), seen(Kind.CLAIM, 90, 2)], State.TO_DO),
        ([seen(Kind.DONE, 9), seen(Kind.CLAIM, 8, 2), seen(Kind.FAILED, 1, 2)], State.DONE),
        ([seen(Kind.CLAIM, 9), seen(Kind.CLAIM, 8, 2), seen(Kind.DONE, 1, 1)], State.DONE),
    ],
)
def test_the_newest_attempt_decides_a_windows_state(entries: list[Seen], expected: State) -> None:
    """Once any attempt is done the window is done, whichever attempt came or failed later."""
    assert judge_window(FIRST, entries, NOW).state is expected
    assert judge_window(FIRST, reversed(entries), NOW).state is expected


def test_an_unreadable_end_is_ignored() -> None:
    """An object with an end's name alone cannot end a window."""
    claim = seen(Kind.CLAIM, 1)
    forged = Seen(EntryPlace(FIRST, 1, Kind.DONE), NOW)
    assert judge_window(FIRST, [claim, forged], NOW).state is State.UNDER_WAY
    assert judge_window(FIRST, [forged], NOW).state is State.TO_DO


def test_totals_add_up_all_attempts() -> None:
    """Totals add up each attempt's last report; a killed attempt's is its last beat."""
    state = judge_window(
        FIRST,
        [
            seen(Kind.BEAT, 60, 1, number=1, totals=Totals(objects=5)),
            seen(Kind.BEAT, 50, 1, number=2, totals=Totals(objects=7)),
            seen(Kind.CLAIM, 9, 2),
            seen(Kind.DONE, 1, 2, totals=Totals(objects=20, dollars=0.5)),
        ],
        NOW,
    )
    assert state.totals == Totals(objects=27, dollars=0.5)
    assert (state.worker, state.attempts) == ("worker 2", 2)
    assert state.current.objects == 20


def test_rate_and_remaining_time_follow_the_active_workers() -> None:
    """One window took 100 minutes, one has run for 40 and one is to do: 160 minutes of work for one
    worker, which has packed 2,400 log objects in 20 minutes.
    """
    beat = seen(Kind.BEAT, 20, 1, window=SECOND, number=1, totals=Totals(objects=2_400))
    done = seen(Kind.DONE, 500, totals=Totals(objects=9, seconds=6_000))
    early = judge(PLAN, [seen(Kind.CLAIM, 40, window=SECOND), beat], NOW - timedelta(minutes=15))
    assert early.seconds_left is None
    state = judge(
        PLAN, [done, seen(Kind.CLAIM, 40, window=SECOND), beat], NOW - timedelta(minutes=15)
    )
    assert [each.state for each in state.windows] == [State.DONE, State.UNDER_WAY, State.TO_DO]
    assert state.objects_per_second == pytest.approx(2.0)
    assert state.seconds_left == pytest.approx(12_000 - 25 * 60)
    assert not state.is_over


def test_entries_of_other_windows_are_ignored() -> None:
    """Only the windows of the plan exist."""
    other = DateWindow(FIRST.first, FIRST.first)
    state = judge(PLAN, [seen(Kind.DONE, 1, window=other)], NOW)
    assert [each.window for each in state.windows] == [FIRST, SECOND, THIRD]
    assert state.count(State.TO_DO) == 3


def test_a_claim_outlives_several_missed_beats() -> None:
    """Otherwise a live worker would lose its window now and then."""
    assert timedelta(seconds=4 * BEAT_SECONDS) < EXPIRY

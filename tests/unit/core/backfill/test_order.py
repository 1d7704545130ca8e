"""Which window comes next."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from log_aggregator.core.backfill.entries import BackfillPlan
from log_aggregator.core.backfill.order import Order, choose_window, find_deadlines
from log_aggregator.core.backfill.states import BackfillState, State, WindowState
from log_aggregator.core.windows import DateWindow, split_window

RANGE = DateWindow(date(2025, 1, 1), date(2025, 1, 28))
WINDOWS = list(split_window(RANGE))
NOW = datetime(2025, 6, 1, tzinfo=UTC)
PLAN = BackfillPlan("history", RANGE, 7, ("logs",), NOW)


def take_all(states: list[State], order: Order, deadlines: dict[DateWindow, date]) -> list[int]:
    """The order in which one worker takes the windows."""
    windows = tuple(
        WindowState(window, state, heard=NOW - timedelta(hours=1))
        for window, state in zip(WINDOWS, states, strict=True)
    )
    tried: list[DateWindow] = []
    state = BackfillState(PLAN, windows, NOW)
    while (chosen := choose_window(state, order, deadlines, tried, NOW)) is not None:
        tried.append(chosen.window)
    return [WINDOWS.index(window) for window in tried]


def test_windows_are_taken_oldest_or_newest_first() -> None:
    """The requested order is kept; done windows and other workers' windows are not taken."""
    free = [State.TO_DO] * 4
    assert take_all(free, Order.OLDEST, {}) == [0, 1, 2, 3]
    assert take_all(free, Order.NEWEST, {}) == [3, 2, 1, 0]
    some = [State.TO_DO, State.DONE, State.UNDER_WAY, State.TO_DO]
    assert take_all(some, Order.NEWEST, {}) == [3, 0]


def test_failed_windows_are_retried_last() -> None:
    """A window that failed since this worker began is not taken: another worker has just
    tried it.
    """
    states = [State.FAILED, State.TO_DO, State.TO_DO, State.DONE]
    assert take_all(states, Order.OLDEST, {}) == [1, 2, 0]
    later = NOW + timedelta(seconds=1)
    windows = (WindowState(WINDOWS[0], State.FAILED, heard=later),)
    state = BackfillState(PLAN, windows, NOW)
    assert choose_window(state, Order.OLDEST, {}, (), NOW) is None


@pytest.mark.parametrize("order", Order)
def test_windows_deleted_soon_come_first(order: Order) -> None:
    """The earliest expiry precedes all; for equal expiry the oldest window comes first, whatever
    the order.
    """
    deadlines = {WINDOWS[2]: date(2025, 6, 9), WINDOWS[1]: date(2025, 6, 2)}
    rest = [0, 3] if order is Order.OLDEST else [3, 0]
    assert take_all([State.TO_DO] * 4, order, deadlines) == [1, 2, *rest]
    same = dict.fromkeys(WINDOWS[1:3], date(2025, 6, 2))
    assert take_all([State.TO_DO] * 4, order, same) == [1, 2, *rest]


@pytest.mark.parametrize(
    ("today", "expected"),
    [
        (date(2025, 11, 1), {}),
        (date(2025, 12, 2), {0: date(2026, 1, 1)}),
        (date(2026, 1, 5), {0: 0, 1: date(2026, 1, 8), 2: date(2026, 1, 15), 3: date(2026, 1, 22)}),
        (date(2026, 1, 10), {0: 0, 1: 0, 2: date(2026, 1, 15), 3: date(2026, 1, 22)}),
        (date(2026, 1, 11), {1: 0, 2: date(2026, 1, 15), 3: date(2026, 1, 22)}),
        (date(2026, 3, 1), {}),
    ],
)
def test_a_deadline_follows_the_oldest_log_objects(
    today: date, expected: dict[int, date | int]
) -> None:
    """With a rule of 365 days neither distant nor long past deadlines count; 0 stands for today."""
    found = find_deadlines(WINDOWS, [365], today)
    assert found == {WINDOWS[at]: day or today for at, day in expected.items()}


def test_the_earliest_of_several_rules_counts() -> None:
    """The earliest of several rules counts, including one with a fixed date; a rule already over
    does not hide the others.
    """
    today = date(2025, 6, 1)
    found = find_deadlines(WINDOWS, [3, 160, date(2025, 6, 20)], today)
    assert found == {
        WINDOWS[0]: date(2025, 6, 10),
        WINDOWS[1]: date(2025, 6, 17),
        WINDOWS[2]: date(2025, 6, 20),
        WINDOWS[3]: date(2025, 6, 20),
    }

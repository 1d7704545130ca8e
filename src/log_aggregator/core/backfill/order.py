"""Which window comes next: first those that the sources' lifecycle rules are about to delete, then
the oldest or the newest.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime, timedelta
from enum import StrEnum

from log_aggregator.core.backfill.states import BackfillState, State, WindowState
from log_aggregator.core.windows import DateWindow

URGENT_DAYS = 30
"""Windows that expire within this time come first."""
LATE_DAYS = 3
"""S3 deletes what has expired once a day, and may take longer
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/lifecycle-expire-general-considerations.html).
"""


class Order(StrEnum):
    """The order of windows that are not urgent."""

    OLDEST = "oldest"
    NEWEST = "newest"


def find_deadlines(
    windows: Iterable[DateWindow], expiry: Iterable[int | date], today: date
) -> dict[DateWindow, date]:
    """The windows whose log objects expire soon, and the day of the first ones.

    `expiry` comes from lifecycle rules: an age in days, or a day on which everything expires. The
    age is counted from the log date. A log object is delivered on that day or the next, so the
    result is at most a day early.
    """
    rules = list(expiry)
    return {
        window: min(found)
        for window in windows
        if (found := [day for rule in rules if (day := _deadline(window, rule, today))])
    }


def _deadline(window: DateWindow, rule: int | date, today: date) -> date | None:
    """None if it is far off, or long past."""
    if isinstance(rule, int):
        first, last = (day + timedelta(days=rule) for day in (window.first, window.last))
    else:
        first = last = rule
    if last < today - timedelta(days=LATE_DAYS) or first > today + timedelta(days=URGENT_DAYS):
        return None
    return max(first, today)


def choose_window(
    state: BackfillState,
    order: Order,
    deadlines: Mapping[DateWindow, date],
    tried: Collection[DateWindow],
    since: datetime,
) -> WindowState | None:
    """The next window for a worker that began at `since`: one that is to do, or had failed by then,
    and that this worker has not `tried`. Failed windows come after those to do.
    """
    sign = 1 if order is Order.OLDEST else -1

    def rank(each: WindowState) -> tuple[date, bool, int]:
        deadline = deadlines.get(each.window, date.max)
        urgent_is_oldest_first = 1 if deadline < date.max else sign
        return (
            deadline,
            each.state is State.FAILED,
            urgent_is_oldest_first * each.window.first.toordinal(),
        )

    free = (each for each in state.windows if each.window not in tried and _is_free(each, since))
    return min(free, key=rank, default=None)


def _is_free(each: WindowState, since: datetime) -> bool:
    if each.state is State.FAILED:
        return each.heard is not None and each.heard <= since
    return each.state is State.TO_DO

"""The progress of a backfill, for people."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from log_aggregator.core.backfill.entries import BackfillPlan, Totals
from log_aggregator.core.backfill.states import BackfillState, State, WindowState
from log_aggregator.core.windows import DateWindow, split_window
from log_aggregator.model import Target
from log_aggregator.reports.backfill import describe_backfill, render_backfill, summarize

NOW = datetime(2025, 6, 1, 12, tzinfo=UTC)
RANGE = DateWindow(date(2025, 1, 1), date(2025, 1, 28))
PLAN = BackfillPlan("history", RANGE, 7, ("logs",), NOW - timedelta(days=1))
DID = Totals(1_000, 5_000_000, 1_000_000, 3, 900, 100, 0, 0.25, 3_600.0)


def state(*states: State, **more: Any) -> BackfillState:
    began = NOW - timedelta(minutes=30)
    windows = tuple(
        WindowState(
            window,
            each,
            attempts=2,
            worker="host-1",
            began=began,
            heard=NOW,
            totals=DID if each in (State.DONE, State.FAILED) else Totals(),
            current=Totals(objects=18_000),
            **more,
        )
        for window, each in zip(split_window(RANGE), states, strict=True)
    )
    return BackfillState(PLAN, windows, NOW)


def render(found: BackfillState) -> list[str]:
    return list(render_backfill(describe_backfill(found, Target("dest"))))


def test_the_status_shows_everything() -> None:
    """Windows, log objects, bytes, dollars, rate, time left, workers, failures and what to do about
    them are all there.
    """
    found = state(
        *(State.DONE, State.FAILED, State.UNDER_WAY, State.TO_DO),
        failures=("logs: AccessDenied: no",),
    )
    assert render(found) == [
        (
            "Backfill history: 2025-01-01 to 2025-01-28, "
            "4 windows: 1 done, 1 failed, 1 under way, 1 to do"
        ),
        "  packed     2,000 log objects, 10.0 MB, into 6 packs, 2.0 MB",
        "  deleted    1,800 originals, each after its pack was verified; 200 kept",
        (
            "             `log-aggregator delete --verified --older-than 30d --from 2025-01-01 "
            "--to 2025-01-28`"
        ),
        "             deletes those that are still there, after showing how many and asking",
        "  cost       $0.5 of requests, in 2.0 hours of work",
        "  left       2 windows, about 90 minutes, at 10 log objects per second",
        (
            "  under way  2025-01-15 to 2025-01-21: host-1, since 2025-06-01T11:30:00Z, "
            "last sign of life 2025-06-01T12:00:00Z; 18,000 log objects"
        ),
        "  failed     2025-01-08 to 2025-01-14, 2 attempts:",
        "               logs: AccessDenied: no",
        "             Start the same backfill again to retry what failed.",
        "  ledger     s3://dest/backfills/history/",
    ]


def test_a_finished_backfill_shows_no_remaining_work() -> None:
    """It shows no time, rate or worker."""
    lines = render(state(*[State.DONE] * 4))
    assert lines[0].endswith("4 windows: 4 done")
    assert not [line for line in lines if line.startswith(("  left", "  failed", "  under way"))]


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ([State.TO_DO] * 4, "0 of 4 windows done · 0 log objects, 0 bytes · $0"),
        (
            [State.DONE, State.FAILED, State.UNDER_WAY, State.TO_DO],
            (
                "1 of 4 windows done · 1 failed · 2,000 log objects, 10.0 MB · $0.5 · "
                "about 90 minutes left"
            ),
        ),
    ],
)
def test_the_whole_range_fits_one_line(states: list[State], expected: str) -> None:
    """The line goes below a bar."""
    assert summarize(state(*states)) == expected


def test_the_list_of_failures_is_limited() -> None:
    """A hundred windows may fail for one reason."""
    days = DateWindow(date(2022, 1, 1), date(2024, 12, 31))
    plan = BackfillPlan("history", days, 7, ("logs",), NOW)
    windows = tuple(
        WindowState(each, State.FAILED, 1, failures=("a: b: c",)) for each in split_window(days)
    )
    lines = render(BackfillState(plan, windows, NOW))
    assert sum(line.startswith("  failed") for line in lines) == 21
    assert "  failed     and 137 more windows" in lines

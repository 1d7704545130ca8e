"""Planted bugs: which windows of a backfill count as done, and which worker has them."""

from __future__ import annotations

from tests.mutants.planting import Mutant, Section, in_symbol

KILLS = "tests/simulation/test_backfill_kills.py"
WORK = "tests/unit/steps/backfill/test_work.py"

BACKFILLING = Section(
    "Backfilling",
    (
        Mutant(
            "stopped-window-is-done",
            "a window interrupted halfway counts as done, and its remaining logs are never packed",
            in_symbol(
                "log_aggregator.core.backfill.states:_state_of",
                (
                    "return State.FAILED if newest is Kind.FAILED else State.TO_DO",
                    "return State.FAILED if newest is Kind.FAILED else State.DONE",
                ),
            ),
            proof=f"{KILLS}::test_a_stopped_workers_window_is_free_immediately",
        ),
        Mutant(
            "killed-window-is-done",
            "a window is marked done before it runs",
            in_symbol(
                "log_aggregator.steps.backfill.work:Worker._run",
                (
                    "self.watcher.began(attempt.window)",
                    "self.watcher.began(attempt.window); attempt.end(Kind.DONE, Totals())",
                ),
            ),
            proof=f"{KILLS}::test_a_killed_backfill_is_finished_by_the_next_one",
        ),
        Mutant(
            "failed-window-is-done",
            "a window with failures is marked done and never tried again",
            in_symbol(
                "log_aggregator.steps.backfill.work:Worker._run",
                ("Kind.FAILED if outcome.failures else Kind.DONE", "Kind.DONE"),
            ),
            proof=f"{WORK}::test_a_failed_window_is_retried_by_the_next_worker",
        ),
        Mutant(
            "claims-never-expire",
            "the window of a killed worker is never given to another worker",
            in_symbol(
                "log_aggregator.core.backfill.states:_state_of",
                ("now - heard < EXPIRY", "True"),
            ),
            proof="tests/unit/core/backfill/test_states.py::test_the_newest_attempt_decides_a_windows_state",
        ),
        Mutant(
            "claims-by-our-own-clock",
            "a worker with a wrong clock takes windows from workers that are still running",
            in_symbol(
                "log_aggregator.steps.backfill.ledger:Reader.read",
                ("self.job.clock.now() + self.skew", "self.job.clock.now()"),
            ),
            proof=f"{KILLS}::test_a_wrong_clock_takes_no_window_from_a_running_worker",
        ),
        Mutant(
            "entries-of-other-windows",
            "a ledger entry copied to another window marks that window as done",
            in_symbol(
                "log_aggregator.core.backfill.entries:decode_entry",
                ('raise ValueError("it belongs to another key")', "pass"),
            ),
            proof="tests/unit/steps/backfill/test_backfill_ledger.py::test_a_forged_ledger_loses_nothing",
        ),
    ),
)

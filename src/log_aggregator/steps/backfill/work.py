"""A worker of a backfill: it claims a window, runs it, records the outcome, and continues with the
next, until nothing is left.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Protocol

from log_aggregator.core.backfill.entries import Kind, Totals
from log_aggregator.core.backfill.order import Order, choose_window, find_deadlines
from log_aggregator.core.backfill.states import BackfillState, State, WindowState
from log_aggregator.core.windows import DateWindow
from log_aggregator.errors import (
    CannotStart,
    Failure,
    Interrupted,
    LimitExceeded,
    LogAggregatorError,
)
from log_aggregator.steps.backfill.ledger import Attempt, Ledger

LOOK_SECONDS = 30.0
"""Seconds between two looks at windows that others work on."""
REFUSED_WINDOWS_MAX = 3
"""After this many windows in a row could not begin, the rest is not tried."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run did in a window."""

    totals: Totals = field(default_factory=Totals)
    failures: Sequence[Failure] = ()
    custody: Sequence[str] = ()
    is_stopped: bool = False


class WindowRunner(Protocol):
    """Runs a window as `run` does. It may call `beat`, so that others see that it is alive."""

    def __call__(self, attempt: Attempt) -> Outcome:
        """Raises CannotStart and LimitExceeded if nothing was touched."""


class Watcher:
    """Is told how far the whole backfill has come. This class shows nothing."""

    def looked(self, state: BackfillState) -> None: ...
    def waiting(self, state: BackfillState) -> None:
        """Called when only windows are left that others work on."""

    def began(self, window: DateWindow) -> None: ...
    def ended(self, window: DateWindow, outcome: Outcome) -> None: ...


@dataclass(slots=True)
class Worker:
    """One command that works on a backfill; several can do so at the same time."""

    ledger: Ledger
    run_window: WindowRunner
    order: Order = Order.OLDEST
    expiry: Iterable[int | date] = ()
    watcher: Watcher = field(default_factory=Watcher)
    takes_over: bool = False
    """Take windows that others have claimed, instead of waiting for them."""
    is_stopped: bool = False
    state: BackfillState | None = None
    """The state that was last seen."""
    _tried: set[DateWindow] = field(default_factory=set)
    _refused: int = 0

    def work(self) -> BackfillState:
        """Works until everything is done or has failed, or it is stopped. Raises CannotStart if no
        window can begin, and StoreError if the ledger cannot be read or written.
        """
        while True:
            state = self.state = self.ledger.reader.read()
            self.watcher.looked(state)
            chosen = self._choose(state)
            if chosen is not None:
                self._do(chosen)
                if self.is_stopped:
                    return self._read_again(state)
            elif state.count(State.UNDER_WAY):
                self._wait(state)
            else:
                return state

    def _choose(self, state: BackfillState) -> WindowState | None:
        deadlines = find_deadlines(
            (each.window for each in state.windows), self.expiry, state.now.date()
        )
        chosen = choose_window(state, self.order, deadlines, self._tried, self.ledger.since)
        if chosen is None and self.takes_over:
            others = state.of(State.UNDER_WAY)
            chosen = next((each for each in others if each.window not in self._tried), None)
        return chosen

    def _do(self, chosen: WindowState) -> None:
        """Claims and runs a window, unless another worker is faster."""
        attempt = self.ledger.claim(chosen)
        if attempt is not None:
            self._run(attempt)

    def _wait(self, state: BackfillState) -> None:
        """Waits a while for others to finish, or for their claims to expire."""
        workers = self.ledger.reader.job.workers
        self.watcher.waiting(state)
        workers.check_stop()
        workers.pause(LOOK_SECONDS)
        workers.check_stop()

    def _read_again(self, state: BackfillState) -> BackfillState:
        """Reads the state after a stop, if there is time for it."""
        with contextlib.suppress(LogAggregatorError):
            return self.ledger.reader.read()
        return state

    def _run(self, attempt: Attempt) -> None:
        self._tried.add(attempt.window)
        self.watcher.began(attempt.window)
        try:
            outcome = self.run_window(attempt)
        except (CannotStart, LimitExceeded) as error:
            self._refuse(attempt, error)
            return
        except (KeyboardInterrupt, Interrupted):
            with contextlib.suppress(LogAggregatorError):  # the claim expires by itself
                attempt.end(Kind.STOPPED, Totals())
            raise
        self._refused, self.is_stopped = 0, outcome.is_stopped
        kind = Kind.FAILED if outcome.failures else Kind.DONE
        attempt.end(
            Kind.STOPPED if outcome.is_stopped else kind,
            outcome.totals,
            outcome.failures,
            outcome.custody,
        )
        self.watcher.ended(attempt.window, outcome)

    def _refuse(self, attempt: Attempt, error: CannotStart | LimitExceeded) -> None:
        """Records that a window could not begin. Raises the error if it probably affects all
        windows.
        """
        window = attempt.window
        failure = Failure.of(f"{window.first} to {window.last}", error)
        attempt.end(Kind.FAILED, Totals(failures=1), [failure])
        self.watcher.ended(window, Outcome(failures=[failure]))
        self._refused += 1
        is_first = len(self._tried) == 1 and isinstance(error, CannotStart)
        if is_first or self._refused >= REFUSED_WINDOWS_MAX:
            raise error

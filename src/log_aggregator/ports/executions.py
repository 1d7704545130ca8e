"""What `status` asks of a deployed stack, as a Protocol. Every method only reads."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class PieceCounts:
    """The children of a distributed map: windows of a history, work items of a run."""

    total: int = 0
    pending: int = 0
    running: int = 0
    succeeded: int = 0
    failed: int = 0
    """Those that failed, timed out or were stopped."""


@dataclass(frozen=True, slots=True)
class MapCounts:
    """A distributed map of an execution. `state` is the name of the state it belongs to."""

    state: str
    counts: PieceCounts


@dataclass(frozen=True, slots=True)
class Execution:
    """An execution of one of the stack's state machines. `status` is Step Functions' own word:
    RUNNING, SUCCEEDED, FAILED, TIMED_OUT, ABORTED ...
    """

    state_machine: str
    name: str
    status: str
    began: datetime
    ended: datetime | None = None
    first_date: str | None = None
    last_date: str | None = None
    """The days that it was given, where it was and is still running."""
    maps: tuple[MapCounts, ...] = ()
    """Of a running one: those that have begun."""


class ExecutionViewer(Protocol):
    """The state machines of a stack, as far as `status` looks at them."""

    def list_executions(self, stack: str) -> list[Execution]:
        """The running ones, and the newest of the others; newest first. Raises NotFound where the
        stack has no state machine here, StoreError's branch, and Unreachable.
        """

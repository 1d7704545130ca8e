"""What `status` asks a deployed stack, as a Protocol. Every method only reads."""

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
    """Failed, timed out or stopped."""


@dataclass(frozen=True, slots=True)
class MapCounts:
    """A distributed map of an execution. `state` is the name of its state."""

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
    """The days in its input; only read while it is running."""
    maps: tuple[MapCounts, ...] = ()
    """The maps that have begun; only read while it is running."""


class ExecutionViewer(Protocol):
    """The state machines of a stack, as far as `status` looks at them."""

    def list_executions(self, stack: str) -> list[Execution]:
        """The running executions and the newest of the others, newest first. Raises NotFound if
        the stack has no state machine here, other errors of StoreError's branch, and Unreachable.
        """

"""Faults on purpose: a store that fails, lies or dies where a test says so."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from log_aggregator.adapters.forwarding import Call, ForwardingStore
from log_aggregator.ports.store import Body, ObjectStore

T = TypeVar("T")


class Killed(BaseException):
    """The process is dead. `except Exception` does not catch it, and a store that raised it once
    always raises it.
    """


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to one call.

    `before`: raised instead of the call; it had no effect. `after`: raised when the call had its
    effect, as when an answer is lost. `alter`: changes the bytes of a body that is read.
    """

    before: BaseException | None = None
    after: BaseException | None = None
    alter: Callable[[bytes], bytes] | None = None


Decide = Callable[[int, Call], Fault | None]
"""Asked before every call, with its number (from 0, in the order in which calls begin). Called
under a lock.
"""


class FaultyStore(ForwardingStore):
    """A decorator of any object store. Thread safe. `calls` holds every call, except those after
    death.
    """

    def __init__(self, inner: ObjectStore, decide: Decide) -> None:
        super().__init__(inner)
        self.calls: list[Call] = []
        self._decide = decide
        self._lock = threading.Lock()
        self._is_dead = False

    def _call(self, call: Call, run: Callable[[], T]) -> T:
        fault = self._find_fault(call)
        if fault.before is not None:
            self._fail(fault.before)
        try:
            result = run()
        finally:  # also where it is refused
            if fault.after is not None:
                self._fail(fault.after)
        if self._is_dead:  # another thread died in the meantime, so this answer is lost
            raise Killed
        return result if fault.alter is None else alter_body(result, fault.alter)

    def _find_fault(self, call: Call) -> Fault:
        with self._lock:
            if self._is_dead:
                raise Killed
            index = len(self.calls)
            self.calls.append(call)
            return self._decide(index, call) or Fault()

    def _fail(self, error: BaseException) -> None:
        if isinstance(error, Killed):
            self._is_dead = True
        raise error


def alter_body(result: Any, alter: Callable[[bytes], bytes]) -> Any:
    """Answers without a body stay as they are."""
    match result:
        case Body():
            return replace(result, data=alter(result.data))
        case (Body() as body, is_trusted):
            return replace(body, data=alter(body.data)), is_trusted
        case _:
            return result

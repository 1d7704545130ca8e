"""Simulates a killed process, in its object store: one call is the last that has an effect, and
neither it nor any later call returns.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from log_aggregator.adapters.forwarding import Call, ForwardingStore
from log_aggregator.errors import RequestFailed
from log_aggregator.ports.store import ObjectStore

T = TypeVar("T")


class MortalStore(ForwardingStore):
    """A decorator of any object store. Thread safe. `death` should be a BaseException that is not
    an Exception, so that no `except Exception` survives it.
    """

    def __init__(
        self, inner: ObjectStore, is_last: Callable[[Call], bool], death: type[BaseException]
    ) -> None:
        super().__init__(inner)
        self._is_last = is_last
        self._death = death
        self._is_dead = threading.Event()

    def _call(self, call: Call, run: Callable[[], T]) -> T:
        if self._is_dead.is_set():
            raise self._death
        if self._is_last(call):
            with suppress(RequestFailed):
                run()
            self._is_dead.set()
            raise self._death
        result = run()
        if self._is_dead.is_set():  # another thread died in the meantime
            raise self._death
        return result

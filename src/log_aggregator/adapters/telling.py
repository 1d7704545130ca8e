"""Reports every request: operation, key, outcome and time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TypeVar

from log_aggregator.adapters.forwarding import Call, ForwardingStore
from log_aggregator.errors import RequestFailed
from log_aggregator.model import LogObject
from log_aggregator.ports.store import Bodies, ObjectStore

T = TypeVar("T")


class TellingStore(ForwardingStore):
    """A decorator of any object store. `tell` is called by the thread that made the request."""

    def __init__(
        self,
        inner: ObjectStore,
        tell: Callable[[str], object],
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(inner)
        self._tell = tell
        self._seconds = seconds

    def _call(self, call: Call, run: Callable[[], T]) -> T:
        began = self._seconds()
        outcome = "failed"
        try:
            result = run()
            outcome = "done"
        except RequestFailed as error:
            outcome = error.code or error.state_name
            raise
        finally:
            took = round(1000 * (self._seconds() - began))
            self._tell(f"{call.operation} s3://{call.bucket}/{call.key} {outcome}, {took:,} ms")
        return result

    def get_objects(self, sources: Iterable[LogObject]) -> Bodies:
        """Several are under way at a time, so each is reported when it arrives, without a time."""
        for body in self.inner.get_objects(sources):
            failed = isinstance(body, RequestFailed)
            self._tell(f"GetObject, one of many: {str(body) if failed else 'done'}")
            yield body

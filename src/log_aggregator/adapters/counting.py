"""Counts the requests that S3 would bill, by operation."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from log_aggregator.adapters.forwarding import Call, ForwardingStore
from log_aggregator.adapters.patience import NOT_TRIED
from log_aggregator.errors import RequestFailed
from log_aggregator.limits import LIST_PAGE_COUNT_MAX
from log_aggregator.model import LogObject
from log_aggregator.ports.store import Bodies, ObjectStore, Page

T = TypeVar("T")
_READING = ("Get", "Head", "List")


class CountingStore(ForwardingStore):
    """A decorator of any object store. Thread safe. A request that failed is counted, because S3
    bills it; one that was not sent is not.

    Retries inside the client are not seen. Methods that read all pages of a listing count one
    request per 1,000 entries.
    """

    def __init__(self, inner: ObjectStore) -> None:
        super().__init__(inner)
        self._lock = threading.Lock()
        self._requests: Counter[str] = Counter()

    @property
    def requests(self) -> dict[str, int]:
        """Requests so far, by S3's name for the operation."""
        with self._lock:
            return dict(self._requests)

    @property
    def has_written(self) -> bool:
        """Whether a request was sent that may have changed something, whatever its outcome."""
        return any(
            count and not operation.startswith(_READING)
            for operation, count in self.requests.items()
        )

    def _call(self, call: Call, run: Callable[[], T]) -> T:
        self._count(call.operation, 1)
        try:
            result = run()
        except RequestFailed as error:
            if error.code == NOT_TRIED:
                self._count(call.operation, -1)
            raise
        self._count(call.operation, count_further_pages(call, result))
        return result

    def get_objects(self, sources: Iterable[LogObject]) -> Bodies:
        """Each one counts when it arrives."""
        for body in self.inner.get_objects(sources):
            if not (isinstance(body, RequestFailed) and body.code == NOT_TRIED):
                self._count("GetObject", 1)
            yield body

    def _count(self, operation: str, requests: int) -> None:
        with self._lock:
            self._requests[operation] += requests


def count_further_pages(call: Call, result: Any) -> int:
    """The pages after the first, of a listing that is returned as a whole."""
    if isinstance(result, Page) and "delimiter" in call.arguments:
        entries = len(result.objects) + len(result.prefixes)
    elif isinstance(result, list) and call.operation.startswith("List"):
        entries = len(result)
    else:
        return 0
    return max(0, entries - 1) // LIST_PAGE_COUNT_MAX

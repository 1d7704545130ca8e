"""Counts what S3 would bill: requests by operation, and bytes."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any, TypeVar

from log_aggregator.adapters.forwarding import Call, ForwardingStore
from log_aggregator.limits import LIST_PAGE_COUNT_MAX
from log_aggregator.ports.store import Body, ObjectStore, Page

T = TypeVar("T")


class CountingStore(ForwardingStore):
    """A decorator of any object store. Thread safe. A request that fails is counted: S3 bills it
    too.

    Retries inside of the client are not seen. Methods that read all pages of a listing count a
    request per 1,000 entries.
    """

    def __init__(self, inner: ObjectStore) -> None:
        super().__init__(inner)
        self._lock = threading.Lock()
        self._requests: Counter[str] = Counter()
        self._bytes: Counter[str] = Counter()

    @property
    def requests(self) -> dict[str, int]:
        """Requests so far, by S3's name of the operation."""
        with self._lock:
            return dict(self._requests)

    @property
    def bytes_read(self) -> int:
        """Bytes of bodies that were received."""
        return self._bytes["read"]

    @property
    def bytes_written(self) -> int:
        """Bytes of bodies that were sent, whether or not they became an object."""
        return self._bytes["written"]

    @property
    def bytes_copied(self) -> int:
        """Bytes that S3 copied on its own side."""
        return self._bytes["copied"]

    def _call(self, call: Call, run: Callable[[], T]) -> T:
        self._count(call.operation, 1, "written", call.arguments.get("size_bytes", 0))
        result = run()
        match result:
            case Body() | (Body(), _):
                body = result if isinstance(result, Body) else result[0]
                self._count(call.operation, 0, "read", len(body.data))
            case _ if call.operation == "UploadPartCopy":
                first, last = call.arguments["byte_range"]
                self._count(call.operation, 0, "copied", last - first)
            case _:
                self._count(call.operation, count_further_pages(call, result), "read", 0)
        return result

    def _count(self, operation: str, requests: int, direction: str, size_bytes: int) -> None:
        with self._lock:
            self._requests[operation] += requests
            self._bytes[direction] += size_bytes


def count_further_pages(call: Call, result: Any) -> int:
    """Pages behind the first of a listing that comes whole."""
    if isinstance(result, Page) and "delimiter" in call.arguments:
        entries = len(result.objects) + len(result.prefixes)
    elif isinstance(result, list) and call.operation.startswith("List"):
        entries = len(result)
    else:
        return 0
    return max(0, entries - 1) // LIST_PAGE_COUNT_MAX

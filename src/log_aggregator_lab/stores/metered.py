"""Counts bytes as well as requests."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable
from typing import TypeVar

from log_aggregator.adapters.counting import CountingStore
from log_aggregator.adapters.forwarding import Call
from log_aggregator.model import LogObject
from log_aggregator.ports.store import Bodies, Body, ObjectStore

T = TypeVar("T")


class MeteredStore(CountingStore):
    """A decorator of any object store. Thread safe."""

    def __init__(self, inner: ObjectStore) -> None:
        super().__init__(inner)
        self._bytes_lock = threading.Lock()
        self._bytes: Counter[str] = Counter()

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
        self._add("written", call.arguments.get("size_bytes", 0))
        result = super()._call(call, run)
        match result:
            case Body() | (Body(), _):
                body = result if isinstance(result, Body) else result[0]
                self._add("read", len(body.data))
            case _ if call.operation == "UploadPartCopy":
                first, last = call.arguments["byte_range"]
                self._add("copied", last - first)
        return result

    def get_objects(self, sources: Iterable[LogObject]) -> Bodies:
        for body in super().get_objects(sources):
            if isinstance(body, Body):
                self._add("read", len(body.data))
            yield body

    def _add(self, direction: str, size_bytes: int) -> None:
        with self._bytes_lock:
            self._bytes[direction] += size_bytes

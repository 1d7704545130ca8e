"""Pages of a bucket's listing, within a limit of requests."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass

from log_aggregator.limits import LIST_PAGE_COUNT_MAX
from log_aggregator.model import DeleteMarker, LogObject
from log_aggregator.ports.store import ListStart, ObjectStore, Page
from log_aggregator.steps.packing.buckets import SourceBucket

Entry = LogObject | DeleteMarker


class OutOfRequests(Exception):
    """The allowed number of requests is used up."""


class Allowance:
    """A limit of requests. Safe to use from several threads."""

    def __init__(self, requests_max: int) -> None:
        self._max = requests_max
        self._lock = threading.Lock()
        self.used = 0

    @property
    def left(self) -> int:
        return max(0, self._max - self.used)

    def take(self, requests: int = 1) -> None:
        """Raises OutOfRequests."""
        with self._lock:
            if self.used + requests > self._max:
                raise OutOfRequests
            self.used += requests

    def charge(self, requests: int) -> None:
        """Counts requests beyond those taken: the number of pages is known only after listing."""
        with self._lock:
            self.used += requests


@dataclass(frozen=True, slots=True)
class Lister:
    """Lists a bucket as a run does, with all versions if it has any. Every method raises
    OutOfRequests and StoreError.
    """

    store: ObjectStore
    bucket: SourceBucket
    allowance: Allowance

    def page(self, prefix: str, start: ListStart | None) -> Page:
        """One page of keys after `start`."""
        self.allowance.take()
        if self.bucket.versioning is None:
            return self.store.list_objects(self.bucket.name, prefix=prefix, start=start)
        return self.store.list_object_versions(self.bucket.name, prefix=prefix, start=start)

    def pages(self, prefix: str, start: ListStart | None) -> Iterator[Page]:
        """All pages from `start` on."""
        while True:
            page = self.page(prefix, start)
            yield page
            if page.next_start is None:
                return
            start = page.next_start

    def first_key(self, prefix: str, after: str) -> str | None:
        """The first key after a text, or None."""
        entries = entries_of(self.page(prefix, ListStart(after)))
        return entries[0].key if entries else None

    def folders(self, prefix: str) -> Page:
        """Folders and objects directly under a prefix, all pages together."""
        self.allowance.take()
        page = self.store.list_prefixes(self.bucket.name, prefix=prefix)
        self.allowance.charge((len(page.prefixes) + len(page.objects)) // LIST_PAGE_COUNT_MAX)
        return page


def entries_of(page: Page) -> list[Entry]:
    """Versions and delete markers together, in key order."""
    if not page.markers:
        return list(page.objects)
    return sorted([*page.objects, *page.markers], key=lambda entry: entry.key)

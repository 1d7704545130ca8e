"""Listings, page after page, as far as somebody wants to know."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from log_aggregator.model import LogObject
from log_aggregator.ports.store import ListStart, ObjectStore, Page


class ListPage(Protocol):
    """`list_objects` or `list_object_versions` of a store."""

    def __call__(self, bucket: str, *, prefix: str = "", start: ListStart | None = None) -> Page:
        """One page."""


def list_pages(
    list_page: ListPage, bucket: str, prefix: str, start: ListStart | None = None
) -> Iterator[Page]:
    """One request for each page that is taken."""
    while True:
        page = list_page(bucket, prefix=prefix, start=start)
        yield page
        if page.next_start is None:
            return
        start = page.next_start


def list_all(store: ObjectStore, bucket: str, prefix: str) -> Iterator[LogObject]:
    """All current objects under a prefix."""
    for page in list_pages(store.list_objects, bucket, prefix):
        yield from page.objects

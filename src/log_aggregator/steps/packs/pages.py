"""Listings, one page after another, requested only as they are consumed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from log_aggregator.errors import StoreError
from log_aggregator.model import LogObject
from log_aggregator.ports.store import ListStart, ObjectStore, Page


class ListPage(Protocol):
    """`list_objects` or `list_object_versions` of a store."""

    def __call__(self, bucket: str, *, prefix: str = "", start: ListStart | None = None) -> Page:
        """One page."""


def list_pages(
    list_page: ListPage, bucket: str, prefix: str, start: ListStart | None = None
) -> Iterator[Page]:
    """One request for each page that is taken. Raises StoreError if a page leads back to an earlier
    one: that listing would never end.
    """
    # The starts at the newest key only: a key with many versions takes several pages.
    begun = [] if start is None else [start]
    while True:
        page = list_page(bucket, prefix=prefix, start=start)
        yield page
        following = page.next_start
        if following is None:
            return
        if following in begun or (begun and following.key < begun[-1].key):
            raise StoreError(
                f"s3://{bucket}/{prefix}: the server's listing leads back to {following.key!r} "
                "and would never end",
                code="InvalidListing",
            )
        begun = [each for each in begun if each.key == following.key] + [following]
        start = following


def list_all(store: ObjectStore, bucket: str, prefix: str) -> Iterator[LogObject]:
    """All current objects under a prefix."""
    for page in list_pages(store.list_objects, bucket, prefix):
        yield from page.objects

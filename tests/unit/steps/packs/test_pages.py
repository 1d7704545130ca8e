"""Listings page by page: everything, and no unnecessary request."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from log_aggregator.adapters.counting import CountingStore
from log_aggregator.errors import StoreError
from log_aggregator.ports.store import ListStart, Page
from log_aggregator.steps.packs.pages import list_all, list_pages
from log_aggregator_lab.stores.memory import MemoryStore


def make_store(count: int) -> CountingStore:
    store = MemoryStore()
    store.create_bucket("b")
    for number in range(count):
        store.put("b", f"k/{number:05}", b"")
    return CountingStore(store)


def test_all_pages_give_all_keys() -> None:
    store = make_store(2500)
    assert [found.key for found in list_all(store, "b", "k/")] == [f"k/{n:05}" for n in range(2500)]
    assert store.requests == {"ListObjectsV2": 3}
    assert list(list_all(store, "b", "none/")) == []


def test_unneeded_pages_are_not_requested() -> None:
    store = make_store(2500)
    pages = list_pages(store.list_objects, "b", "k/", ListStart("k/00099"))
    assert next(pages).objects[0].key == "k/00100"
    assert store.requests == {"ListObjectsV2": 1}


A, A1, A2, B = ListStart("a"), ListStart("a", "1"), ListStart("a", "2"), ListStart("b")


class Leading:
    """Empty pages that lead to the given places in turn, the last one for ever."""

    def __init__(self, places: Sequence[ListStart | None]) -> None:
        self.places = list(places)
        self.asked = 0

    def __call__(self, bucket: str, *, prefix: str = "", start: ListStart | None = None) -> Page:
        self.asked += 1
        return Page((), next_start=self.places[min(self.asked, len(self.places)) - 1])


@pytest.mark.parametrize(
    ("start", "places"),
    [
        (None, [A, A]),
        (A, [A]),
        (B, [A]),
        (None, [B, A]),
        (None, [A1, A2, A1]),
        (A1, [A2, A1]),
        (None, [A1, A2, B, A2]),
    ],
)
def test_a_page_that_leads_back_is_an_error(
    start: ListStart | None, places: list[ListStart | None]
) -> None:
    """The loop is found immediately, because such a listing would never end."""
    pages = Leading(places)
    with pytest.raises(StoreError, match="would never end"):
        list(list_pages(pages, "b", "", start))
    assert pages.asked == len(places)


def test_several_pages_may_start_at_the_same_key() -> None:
    """A key may have more versions than a page holds."""
    pages = Leading([A1, A2, A, B, None])
    assert len(list(list_pages(pages, "b", ""))) == 5

"""Listings page by page: everything, and not a request more than somebody wants."""

from __future__ import annotations

from log_aggregator.adapters.counting import CountingStore
from log_aggregator.ports.store import ListStart
from log_aggregator.steps.packs.pages import list_all, list_pages
from log_aggregator_lab.stores.memory import MemoryStore


def make_store(count: int) -> CountingStore:
    store = MemoryStore()
    store.create_bucket("b")
    for number in range(count):
        store.put("b", f"k/{number:05}", b"")
    return CountingStore(store)


def test_all_pages_are_all_keys() -> None:
    store = make_store(2500)
    assert [found.key for found in list_all(store, "b", "k/")] == [f"k/{n:05}" for n in range(2500)]
    assert store.requests == {"ListObjectsV2": 3}
    assert list(list_all(store, "b", "none/")) == []


def test_a_page_that_nobody_takes_is_not_asked_for() -> None:
    store = make_store(2500)
    pages = list_pages(store.list_objects, "b", "k/", ListStart("k/00099"))
    assert next(pages).objects[0].key == "k/00100"
    assert store.requests == {"ListObjectsV2": 1}

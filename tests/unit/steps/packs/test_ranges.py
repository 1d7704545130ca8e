"""Reading objects by ranges: only complete answers, all from one object, or an error that says what
is wrong.
"""

from __future__ import annotations

import pytest

from log_aggregator.adapters.counting import CountingStore
from log_aggregator.errors import NotFound, PreconditionFailed, StoreError, VerificationError
from log_aggregator.steps.packs import ranges as module
from log_aggregator.steps.packs.ranges import PackReader, RangeReader
from log_aggregator_lab.stores.memory import MemoryStore

DATA = bytes(range(100))


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore()
    store.create_bucket("b", versioning="Enabled")
    store.put("b", "k", DATA, metadata={"signature": "x"})
    return store


@pytest.mark.parametrize("size", [1, 7, 50, 99, 100, 1000])
def test_pieces_cover_the_range(store: MemoryStore, size: int) -> None:
    """The pieces give each byte of [10, 90) once, in this size, the last one shorter."""
    bodies = list(RangeReader(store, "b", "k").read_pieces(10, 90, size))
    assert b"".join(body.data for body in bodies) == DATA[10:90]
    assert {len(body.data) for body in bodies[:-1]} <= {size}
    assert bodies[0].metadata == {"signature": "x"}
    assert list(RangeReader(store, "b", "k").read_pieces(10, 10, size)) == []


def test_a_small_object_is_read_without_a_range(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One request for what fits into one piece, whatever its present size."""
    monkeypatch.setattr(module, "READ_BYTES", 100)
    counting = CountingStore(store)
    (body,) = RangeReader(counting, "b", "k").read_all(99)
    assert body.data == DATA
    assert counting.requests == {"GetObject": 1}
    (body,) = RangeReader(counting, "b", "k").read_all(0)
    assert body.data == DATA
    with pytest.raises(VerificationError):
        list(RangeReader(counting, "b", "k").read_all(101))


def test_all_pieces_must_belong_to_one_object(store: MemoryStore) -> None:
    """A replacement in between is an error, even if no particular object was required."""
    for reader in (
        RangeReader(store, "b", "k"),
        RangeReader.of_stored(store, store.head_object("b", "k")),
    ):
        pieces = reader.read_pieces(0, 100, 50)
        next(pieces)
        store.put("b", "k", DATA[::-1])
        with pytest.raises(PreconditionFailed):
            next(pieces)
        store.put("b", "k", DATA)


def test_a_listed_version_is_read_as_that_version(store: MemoryStore) -> None:
    (listed,) = store.list_object_versions("b").objects
    store.put("b", "k", DATA[::-1])
    assert RangeReader.of_source(store, listed).read(0, 10).data == DATA[:10]


def test_a_range_beyond_the_end_is_an_error(store: MemoryStore) -> None:
    """A range that ends after the object comes back shorter; one that begins there is refused."""
    with pytest.raises(VerificationError, match="s3://b/k: S3 returned"):
        RangeReader(store, "b", "k").read(50, 101)
    with pytest.raises(VerificationError, match="s3://b/k: shorter than its index says"):
        PackReader(store, "b", "k").read(50, 101)
    with pytest.raises(StoreError, match="s3://b/k: shorter than its index says") as refused:
        PackReader(store, "b", "k").read(100, 101)
    assert refused.value.code == "InvalidRange"


def test_a_missing_pack_is_reported_with_its_index(store: MemoryStore) -> None:
    with pytest.raises(NotFound, match="s3://b/gone: the index exists, but the pack does not"):
        PackReader(store, "b", "gone").read(0, 1)
    with pytest.raises(NotFound, match=r"^(?!.*index)"):
        RangeReader(store, "b", "gone").read(0, 1)

"""Objects as streams: every byte once, and only from the intended object."""

from __future__ import annotations

import pytest

from log_aggregator.core.checksums import crc64nvme
from log_aggregator.errors import NotFound, PreconditionFailed, VerificationError
from log_aggregator.steps.packs import stream as module
from log_aggregator.steps.packs.stream import ObjectStream
from log_aggregator_lab.stores.memory import MemoryStore

DATA = bytes(range(100))


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> MemoryStore:
    monkeypatch.setattr(module, "READ_BYTES", 30)
    store = MemoryStore()
    store.create_bucket("b")
    store.put("b", "k", DATA)
    return store


def stream_of(store: MemoryStore) -> ObjectStream:
    return ObjectStream(store, store.head_object("b", "k"))


@pytest.mark.parametrize("size", [1, 7, 30, 31, 100])
def test_a_stream_returns_every_byte_once(store: MemoryStore, size: int) -> None:
    """In pieces of at most a range, however it is requested, with the checksum of the bytes
    so far.
    """
    stream = stream_of(store)
    pieces: list[bytes] = []
    while (done := stream.running.length_bytes) < len(DATA):
        pieces += stream.read(min(size, len(DATA) - done))
    assert b"".join(pieces) == DATA
    assert max(map(len, pieces)) <= 30
    assert stream.running.crc == crc64nvme(DATA)


def test_a_stream_only_skips_forward(store: MemoryStore) -> None:
    """Skipped bytes count for the checksum; there is no way back, and nothing after the end."""
    stream = stream_of(store)
    stream.skip_to(50)
    assert stream.running.crc == crc64nvme(DATA[:50])
    assert b"".join(stream.read(10)) == DATA[50:60]
    with pytest.raises(VerificationError, match="overlap"):
        stream.skip_to(59)
    with pytest.raises(VerificationError, match="past the end"):
        stream.skip_to(101)


def test_a_replaced_object_is_not_read(store: MemoryStore) -> None:
    """Replacement or deletion half-way is an error, never bytes of two objects."""
    stream = stream_of(store)
    list(stream.read(30))
    store.put("b", "k", bytes(100))
    with pytest.raises(PreconditionFailed):
        list(stream.read(1))
    store.delete("b", "k")
    with pytest.raises(NotFound):
        list(stream.read(1))

"""Reading log objects exactly as they were listed."""

from __future__ import annotations

import gzip
from dataclasses import replace

import pytest

from log_aggregator.adapters.counting import CountingStore
from log_aggregator.adapters.forwarding import Call
from log_aggregator.core.packformat.builder import Original
from log_aggregator.errors import StoreError
from log_aggregator.model import LogObject
from log_aggregator.ports.store import ObjectStore
from log_aggregator.steps.packing.read import Changed, Reader, ReadResult, Unreadable
from log_aggregator.steps.workers import SerialWorkers
from log_aggregator_lab.stores.faults import Decide, Fault, FaultyStore
from log_aggregator_lab.stores.memory import MemoryStore

DATA = b"a line\n"


def make_store(
    *, versioning: str | None = "Enabled", has_kms: bool = False
) -> tuple[MemoryStore, LogObject]:
    store = MemoryStore()
    store.create_bucket("logs", versioning=versioning, has_kms=has_kms)
    return store, store.put(
        "logs", "2025/04/03/a", DATA, metadata={"signature": "s"}, content_type="text/plain"
    )


def read_one(store: ObjectStore, source: LogObject) -> ReadResult:
    (found,) = Reader(store, SerialWorkers()).read_all([source])
    return found


def alter_reads(alter: dict[int, bytes]) -> Decide:
    """Replace the n-th read by these bytes."""

    def decide(number: int, call: Call) -> Fault | None:
        return Fault(alter=lambda _: alter[number]) if number in alter else None

    return decide


def test_an_intact_object_is_read_once() -> None:
    """One GET gives bytes, hash and headers."""
    store, source = make_store()
    counting = CountingStore(store)
    found = read_one(counting, source)
    assert isinstance(found, Original)
    assert (found.data, dict(found.headers.metadata), found.headers.content_type) == (
        DATA,
        {"signature": "s"},
        "text/plain",
    )
    assert counting.requests == {"GetObject": 1}


@pytest.mark.parametrize(
    "wrong", [DATA[:-1], DATA + b"x", b"", b"b line\n"], ids=["short", "long", "empty", "changed"]
)
def test_a_damaged_body_is_read_again(wrong: bytes) -> None:
    """A wrong length or MD5 is read once more; if that is right, nothing has happened."""
    store, source = make_store()
    found = read_one(FaultyStore(store, alter_reads({0: wrong})), source)
    assert isinstance(found, Original)
    assert found.data == DATA


@pytest.mark.parametrize(
    "wrong", [DATA[:-1], DATA + b"x", b"", b"b line\n"], ids=["short", "long", "empty", "changed"]
)
def test_a_body_damaged_twice_is_unreadable(wrong: bytes) -> None:
    """A body that is wrong twice is never packed."""
    store, source = make_store()
    assert isinstance(
        read_one(FaultyStore(store, alter_reads({0: wrong, 1: wrong})), source), Unreadable
    )


GZIP = gzip.compress(b"lines\n", mtime=0)


@pytest.mark.parametrize("at", [4, 8, 9], ids=["time", "extra flags", "system"])
def test_a_flipped_bit_in_a_gzip_header_is_noticed(at: int) -> None:
    """A flipped bit in a gzip header inflates to the same text, with the right CRC-32, and is still
    noticed.
    """
    store, _ = make_store()
    source = store.put("logs", "2025/04/03/b.gz", GZIP)
    wrong = GZIP[:at] + bytes([GZIP[at] ^ 1]) + GZIP[at + 1 :]
    found = read_one(FaultyStore(store, alter_reads({0: wrong})), source)
    assert isinstance(found, Original)
    assert found.data == GZIP
    assert isinstance(
        read_one(FaultyStore(store, alter_reads({0: wrong, 1: wrong})), source), Unreadable
    )


def test_with_kms_intact_gzip_is_read_once() -> None:
    """The answer itself shows that the ETag is not an MD5."""
    store, _ = make_store(has_kms=True)
    sources = [store.put("logs", f"2025/04/03/{number}.gz", GZIP) for number in range(5)]
    counting = CountingStore(store)
    reader = Reader(counting, SerialWorkers())
    assert all(isinstance(found, Original) for found in reader.read_all(sources))
    assert counting.requests == {"GetObject": 5}


def test_with_kms_damaged_gzip_is_found() -> None:
    """Gzip that is no longer whole is read twice, and refused if the reads differ."""
    store, _ = make_store(has_kms=True)
    source = store.put("logs", "2025/04/03/b.gz", GZIP)
    wrong = GZIP[:12] + bytes([GZIP[12] ^ 1]) + GZIP[13:]
    assert isinstance(read_one(FaultyStore(store, alter_reads({0: wrong})), source), Unreadable)


def test_with_kms_both_reads_must_match() -> None:
    """If no MD5 tells which of two bodies is right, neither is taken."""
    store, source = make_store(has_kms=True)
    assert isinstance(
        read_one(FaultyStore(store, alter_reads({1: b"b line\n"})), source), Unreadable
    )


@pytest.mark.parametrize("size", [0, 6, 8])
def test_with_kms_the_length_is_compared(size: int) -> None:
    """A body of another length is refused even if the ETag is not an MD5."""
    store, source = make_store(has_kms=True)
    wrong = (DATA * 2)[:size]
    assert isinstance(
        read_one(FaultyStore(store, alter_reads({0: wrong, 1: wrong})), source), Unreadable
    )


def test_kms_costs_at_most_one_extra_request() -> None:
    """An object whose ETag is not an MD5 is read at most twice, without any HEAD."""
    store, source = make_store(has_kms=True)
    counting = CountingStore(store)
    assert isinstance(read_one(counting, source), Original)
    assert counting.requests.keys() == {"GetObject"}
    assert counting.requests["GetObject"] <= 2


@pytest.mark.parametrize("versioning", ["Enabled", None])
def test_a_replaced_object_is_changed(versioning: str | None) -> None:
    """Without versions, another object under the key is not the listed one; with versions, the
    listed one still exists.
    """
    store, source = make_store(versioning=versioning)
    store.put("logs", source.key, b"another")
    found = read_one(store, source)
    assert isinstance(found, Changed if versioning is None else Original)


def test_a_deleted_object_is_changed() -> None:
    """An object that no longer exists is left to the next run, if any."""
    store, source = make_store(versioning=None)
    store.delete("logs", source.key)
    assert isinstance(read_one(store, source), Changed)
    versioned, listed = make_store()
    assert isinstance(read_one(versioned, replace(listed, version_id="other")), Changed)


def test_a_denied_object_is_unreadable() -> None:
    """A denied or frozen object is left to an operator."""
    store, source = make_store()
    store.deny_reading("logs", source.key)
    assert isinstance(read_one(store, source), Unreadable)
    frozen = store.put("logs", "b", DATA, storage_class="GLACIER")
    assert isinstance(read_one(store, frozen), Unreadable)


def test_general_errors_are_raised() -> None:
    """An error that is not about this object is not taken for one that is."""
    store, source = make_store()
    faulty = FaultyStore(
        store, lambda number, call: Fault(before=StoreError("500", code="InternalError"))
    )
    with pytest.raises(StoreError):
        read_one(faulty, source)

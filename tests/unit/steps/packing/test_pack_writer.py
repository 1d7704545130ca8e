"""Writing one pack: parts, bridges, and what happens when it fails."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from tests.support.world import fail_on, nothing

from log_aggregator.core.checksums import RunningChecksum
from log_aggregator.errors import PreconditionFailed, StoreError, VerificationError
from log_aggregator.limits import PART_SIZE_BYTES_MIN
from log_aggregator.ports.store import WriteOptions
from log_aggregator.steps.packing.pack_writer import (
    PackUpload,
    PackWriter,
    bridge_bytes,
    open_pack,
    split_evenly,
)
from log_aggregator.steps.workers import SerialWorkers, ThreadWorkers, Workers
from log_aggregator_lab.stores.faults import Decide, FaultyStore
from log_aggregator_lab.stores.memory import MemoryStore


def make_store(decide: Decide = nothing) -> FaultyStore:
    store = MemoryStore(part_size_bytes_min=10)
    for bucket in ("logs", "dest"):
        store.create_bucket(bucket)
    return FaultyStore(store, decide)


def checksum(data: bytes) -> RunningChecksum:
    running = RunningChecksum()
    running.take(data)
    return running


def write(
    store: FaultyStore,
    pieces: list[bytes],
    expected: RunningChecksum,
    workers: Workers | None = None,
    part_size: int = 50,
) -> PackWriter:
    with open_pack(store, workers or SerialWorkers(), make_upload(part_size)) as writer:
        for piece in pieces:
            writer.append(piece)
        writer.complete(expected)
    return writer


def make_upload(part_size_bytes: int) -> PackUpload:
    return PackUpload("dest", "packs/a", WriteOptions(), part_size_bytes)


def uploads_of(store: FaultyStore) -> list[object]:
    assert isinstance(store.inner, MemoryStore)
    return list(store.inner.open_uploads())


@pytest.mark.parametrize("size", [0, 1, 49, 50, 51, 99, 100, 101, 1000])
@pytest.mark.parametrize("piece", [1, 7, 50, 1000])
def test_an_object_is_the_same_however_it_is_written(size: int, piece: int) -> None:
    """Bytes are stored unchanged, in whatever pieces they come; less than a part is one PUT."""
    data = random.Random(size).randbytes(size)
    store = make_store()
    write(store, [data[first : first + piece] for first in range(0, size, piece)], checksum(data))
    assert store.get_object("dest", "packs/a").data == data
    operations = {call.operation for call in store.calls}
    assert ("PutObject" in operations) == (size < 50)


def test_parallel_parts_keep_their_order() -> None:
    """Parts that are uploaded in parallel are joined in their order."""
    data = random.Random(1).randbytes(5000)
    store = make_store()
    with ThreadWorkers(writers=4) as workers:
        write(
            store,
            [data[first : first + 10] for first in range(0, 5000, 10)],
            checksum(data),
            workers,
        )
    assert store.get_object("dest", "packs/a").data == data


@pytest.mark.parametrize("size", [10, 200])
def test_wrong_bytes_are_never_completed(size: int) -> None:
    """If the bytes sent do not add up to those built, neither an object nor an upload remains."""
    store = make_store()
    wrong = checksum(bytes(size))
    wrong.crc ^= 1
    with pytest.raises(VerificationError, match="what was sent differs from what was built"):
        write(store, [bytes(size)], wrong)
    assert (store.list_objects("dest").objects, uploads_of(store)) == ((), [])


@pytest.mark.parametrize("size", [10, 200])
def test_an_existing_pack_is_never_overwritten(size: int) -> None:
    """The first stays; the second is reported, and leaves no upload."""
    store = make_store()
    write(store, [b"first"], checksum(b"first"))
    with pytest.raises(PreconditionFailed):
        write(store, [bytes(size)], checksum(bytes(size)))
    assert (store.get_object("dest", "packs/a").data, uploads_of(store)) == (b"first", [])


@pytest.mark.parametrize("threads", [False, True])
@pytest.mark.parametrize(
    "operation", ["CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"]
)
def test_a_failure_aborts_the_upload(operation: str, *, threads: bool) -> None:
    """Any failure, in any thread, is raised, and no part remains."""
    store = make_store(fail_on(lambda call: call.operation == operation, StoreError("500")))
    workers = ThreadWorkers() if threads else SerialWorkers()
    with pytest.raises(StoreError, match="500"):
        write(store, [bytes(30)] * 20, checksum(bytes(600)), workers)
    assert uploads_of(store) == []


def test_a_failed_abort_does_not_hide_the_first_error() -> None:
    """If the abort fails too, the first error is reported."""
    store = make_store(
        fail_on(
            lambda call: call.operation in {"UploadPart", "AbortMultipartUpload"},
            StoreError("first"),
        )
    )
    with pytest.raises(StoreError, match="first"):
        write(store, [bytes(200)], checksum(bytes(200)))
    assert len(uploads_of(store)) == 1


@pytest.mark.parametrize("reports", [True, False])
@pytest.mark.parametrize("bridge", [0, 20])
def test_a_copied_range_counts_towards_the_checksum(bridge: int, *, reports: bool) -> None:
    """Written bytes, a bridge and a range copied by S3 add up to the object, even if the store
    reports no checksum of the copy; then none of ours passes as the store's.
    """
    inner = MemoryStore(part_size_bytes_min=10, reports_object_checksums=reports)
    for bucket in ("logs", "dest"):
        inner.create_bucket(bucket)
    data = random.Random(1).randbytes(200)
    source = inner.put("logs", "a", data)
    before, after = bytes(30 if bridge else 0), b"after"
    store = FaultyStore(inner, nothing)
    with open_pack(store, SerialWorkers(), make_upload(1000)) as writer:
        writer.append(before + data[:bridge])
        copied = writer.copy(source, bridge)
        assert copied == checksum(data[bridge:])
        writer.append(after)
        writer.complete(checksum(before + data + after))
    assert inner.get_object("dest", "packs/a").data == before + data + after
    (parts,) = [call.arguments["parts"] for call in store.calls if "parts" in call.arguments]
    assert [part.is_told for part in parts].count(False) == (0 if reports else 1)


@pytest.mark.parametrize(
    "buffered", [0, 1, 100, PART_SIZE_BYTES_MIN - 1, PART_SIZE_BYTES_MIN, PART_SIZE_BYTES_MIN + 1]
)
def test_a_bridge_fills_a_whole_part(buffered: int) -> None:
    """The bytes buffered before a copied range, with the bridge, are either none or enough for a
    part.
    """
    whole = buffered + bridge_bytes(buffered)
    assert whole == 0 or whole >= PART_SIZE_BYTES_MIN


@pytest.mark.parametrize(
    ("first", "end", "length_max"),
    [(0, 1, 5), (0, 5, 5), (0, 6, 5), (3, 104, 10), (7, 7 + 10**6, 999)],
)
def test_parts_are_split_evenly(first: int, end: int, length_max: int) -> None:
    """The pieces join, are as few as possible, and none is much smaller than the others."""
    pieces = list(split_evenly(first, end, length_max))
    assert (pieces[0][0], pieces[-1][1]) == (first, end)
    assert all(one[1] == two[0] for one, two in pairwise(pieces))
    lengths = [last - begin for begin, last in pieces]
    assert max(lengths) <= length_max
    assert max(lengths) - min(lengths) <= 1
    assert len(pieces) == -(-(end - first) // length_max)

"""Counting and fault injection around the store in memory."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from awscrt.checksums import crc64nvme

from log_aggregator.adapters.counting import CountingStore
from log_aggregator.adapters.forwarding import Call, ForwardingStore
from log_aggregator.errors import NotFound, StoreError
from log_aggregator.model import Restore
from log_aggregator.ports.store import Body, Deletion, ObjectStore, WriteOptions
from log_aggregator_lab.stores.faults import Fault, FaultyStore, Killed
from log_aggregator_lab.stores.memory import MemoryStore
from log_aggregator_lab.stores.metered import MeteredStore

OPTIONS = WriteOptions()


def make_store() -> MemoryStore:
    store = MemoryStore()
    store.create_bucket("b")
    store.put("b", "k", b"12345")
    return store


def make_store_with_archive() -> MemoryStore:
    store = make_store()
    store.put("b", "frozen", b"1", storage_class="GLACIER")
    return store


def use_everything(store: ObjectStore) -> None:
    (source,) = store.list_objects("b", prefix="k").objects
    store.list_object_versions("b")
    store.list_prefixes("b", prefix="")
    store.list_buckets()
    store.get_bucket_versioning("b")
    store.get_object("b", "k")
    store.get_object("b", "k", version_id="null", if_match=source.etag, byte_range=(1, 3))
    list(store.get_objects([source]))
    store.get_object_checked("b", "k")
    store.head_object("b", "k")
    store.put_object("b", "p", b"123", crc64nvme=crc64nvme(b"123"), options=OPTIONS)
    upload = store.create_multipart_upload("b", "m", options=OPTIONS)
    store.upload_part(upload, 2, b"12", crc64nvme=crc64nvme(b"12"))
    part = store.upload_part_copy(upload, 1, source, (0, 5))
    store.list_multipart_uploads("b", prefix="")
    store.complete_multipart_upload(upload, [part], size_bytes=5, crc64nvme=crc64nvme(b"12345"))
    store.abort_multipart_upload(upload)
    store.restore_object("b", "frozen", days=1, tier="Bulk")
    store.delete_objects("b", [Deletion("k", "null")])


def test_decorators_forward_every_method() -> None:
    """The decorators have every method of the port with its exact signature."""
    methods = {name for name in vars(ObjectStore) if not name.startswith("_")}
    assert methods == {name for name in vars(ForwardingStore) if not name.startswith("_")}
    for name in methods:
        assert inspect.signature(getattr(ForwardingStore, name)) == inspect.signature(
            getattr(ObjectStore, name)
        )


def test_a_decorated_store_behaves_the_same() -> None:
    """Calls through the decorators leave the same state as without them."""
    plain, decorated = make_store_with_archive(), make_store_with_archive()
    use_everything(plain)
    use_everything(CountingStore(FaultyStore(decorated, lambda *_: None)))
    assert plain.snapshot() == decorated.snapshot()
    assert plain.snapshot() != make_store_with_archive().snapshot()
    assert (
        plain.head_object("b", "frozen").restore
        == decorated.head_object("b", "frozen").restore
        == Restore(is_ongoing=True)
    )


class TestCounting:
    def test_every_request_is_counted(self) -> None:
        """Every call counts once, under S3's name."""
        store = CountingStore(make_store_with_archive())
        use_everything(store)
        assert store.requests == {
            "ListObjectsV2": 2,
            "ListObjectVersions": 1,
            "ListBuckets": 1,
            "GetBucketVersioning": 1,
            "GetObject": 4,
            "HeadObject": 1,
            "PutObject": 1,
            "CreateMultipartUpload": 1,
            "UploadPart": 1,
            "UploadPartCopy": 1,
            "ListMultipartUploads": 1,
            "CompleteMultipartUpload": 1,
            "AbortMultipartUpload": 1,
            "RestoreObject": 1,
            "DeleteObjects": 1,
        }

    def test_failed_requests_are_counted(self) -> None:
        """A failed request is billed, so it is counted."""
        store = CountingStore(make_store())
        with pytest.raises(NotFound):
            store.get_object("b", "missing")
        assert store.requests == {"GetObject": 1}

    def test_a_whole_listing_counts_its_pages(self) -> None:
        """A whole listing counts a request for every thousand entries."""
        inner = make_store()
        for number in range(1_001):
            inner.put("b", f"{number}/x", b"")
        store = CountingStore(inner)
        store.list_prefixes("b", prefix="")
        assert store.requests == {"ListObjectsV2": 2}

    def test_threads_lose_no_count(self) -> None:
        """Threads lose no count."""
        store = CountingStore(make_store())
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda _: store.get_object("b", "k"), range(2_000)))
        assert store.requests == {"GetObject": 2_000}


class TestMetering:
    def test_bytes_are_counted_by_direction(self) -> None:
        """Bytes are counted by direction, and requests as without the bytes."""
        plain, store = (
            CountingStore(make_store_with_archive()),
            MeteredStore(make_store_with_archive()),
        )
        use_everything(plain)
        use_everything(store)
        assert store.requests == plain.requests
        assert (store.bytes_read, store.bytes_written, store.bytes_copied) == (
            5 + 2 + 5 + 5,
            3 + 2,
            5,
        )

    def test_failed_reads_add_no_bytes(self) -> None:
        """A body that did not arrive was not read."""
        store = MeteredStore(make_store())
        with pytest.raises(NotFound):
            store.get_object("b", "missing")
        assert (store.requests, store.bytes_read) == ({"GetObject": 1}, 0)

    def test_threads_lose_no_bytes(self) -> None:
        """Threads lose no byte."""
        store = MeteredStore(make_store())
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda _: store.get_object("b", "k"), range(2_000)))
        assert store.bytes_read == 10_000


class TestFaults:
    def test_a_fault_before_a_call_changes_nothing(self) -> None:
        """A fault before a call leaves the store as it was."""
        inner = make_store()
        store = FaultyStore(
            inner, lambda index, _: Fault(before=StoreError("no")) if index == 0 else None
        )
        with pytest.raises(StoreError, match="no"):
            store.delete_objects("b", [Deletion("k", "null")])
        assert inner.snapshot() == make_store().snapshot()
        store.delete_objects("b", [Deletion("k", "null")])
        assert inner.snapshot() == ()

    def test_a_fault_after_a_call_loses_only_the_answer(self) -> None:
        """A fault after a call loses the answer, not the effect."""
        inner = make_store()
        store = FaultyStore(inner, lambda *_: Fault(after=StoreError("lost")))
        with pytest.raises(StoreError, match="lost"):
            store.delete_objects("b", [Deletion("k", "null")])
        assert inner.snapshot() == ()

    @pytest.mark.parametrize("when", ["before", "after"])
    def test_a_killed_store_stays_dead(self, when: str) -> None:
        """Once killed, no call reaches the store any more, and nothing that catches Exception stops
        it.
        """
        inner = make_store()

        def decide(index: int, call: Call) -> Fault | None:
            assert call.bucket in ("", "b")
            fault = Fault(before=Killed()) if when == "before" else Fault(after=Killed())
            return fault if index == 1 else None

        store = FaultyStore(inner, decide)
        store.head_object("b", "k")
        with pytest.raises(Killed):
            store.get_object("b", "k")
        for _ in range(3):
            with pytest.raises(Killed):
                store.delete_objects("b", [Deletion("k", "null")])
        assert inner.snapshot() == make_store().snapshot()
        assert [call.operation for call in store.calls] == ["HeadObject", "GetObject"]
        assert not issubclass(Killed, Exception)

    @pytest.mark.parametrize(
        "read",
        [
            lambda store: store.get_object("b", "k"),
            lambda store: store.get_object_checked("b", "k")[0],
        ],
    )
    def test_a_body_can_be_altered(self, read: Callable[[ObjectStore], Body]) -> None:
        """A body can be cut or changed on its way while all else stays."""
        store = FaultyStore(make_store(), lambda *_: Fault(alter=lambda data: data[:-1]))
        body = read(store)
        assert (body.data, body.etag) == (b"1234", make_store().get_object("b", "k").etag)
        assert store.head_object("b", "k").size_bytes == 5

    def test_calls_describe_the_request(self) -> None:
        """A test can choose its victim by operation, key and arguments."""
        store = FaultyStore(make_store(), lambda *_: None)
        store.get_object("b", "k", byte_range=(1, 2))
        (call,) = store.calls
        assert (call.operation, call.bucket, call.key, call.arguments["byte_range"]) == (
            "GetObject",
            "b",
            "k",
            (1, 2),
        )

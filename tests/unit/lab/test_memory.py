"""What the store in memory does beyond the conformance suite, for setting up tests."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from awscrt.checksums import crc64nvme

from log_aggregator.errors import AccessDenied, ObjectFrozen, StoreError
from log_aggregator.model import Restore
from log_aggregator.ports.store import Deletion, ListStart, WriteOptions
from log_aggregator_lab.stores.memory import MemoryStore


class FixedClock:
    def now(self) -> datetime:
        return datetime(2026, 3, 4, tzinfo=UTC)


def test_what_put_returns_is_also_listed() -> None:
    """An object that a test writes equals the one in a listing."""
    store = MemoryStore()
    store.create_bucket("plain")
    store.create_bucket("versioned", versioning="Enabled")
    assert (store.put("plain", "k", b"1"),) == store.list_objects("plain").objects
    first = store.put("versioned", "k", b"1")
    second = store.put("versioned", "k", b"2")
    assert store.list_object_versions("versioned").objects == (
        second,
        replace(first, is_latest=False),
    )


def test_two_runs_are_identical() -> None:
    """Version ids, upload ids and times depend on neither chance nor the time of day."""

    def run() -> tuple[object, ...]:
        store = MemoryStore()
        store.create_bucket("b", versioning="Enabled")
        store.put("b", "k", b"1")
        store.delete("b", "k")
        upload = store.create_multipart_upload("b", "k", options=WriteOptions())
        return (upload, store.list_object_versions("b"), store.open_uploads())

    assert run() == run()


def test_times_come_from_the_clock() -> None:
    """With a clock, times are the clock's."""
    store = MemoryStore(clock=FixedClock())
    store.create_bucket("b")
    assert store.put("b", "k", b"1").last_modified == datetime(2026, 3, 4, tzinfo=UTC)
    assert (
        store.put("b", "k", b"1", last_modified=datetime(2020, 1, 1, tzinfo=UTC)).last_modified.year
        == 2020
    )


def test_snapshots_compare_everything_stored() -> None:
    """Two stores are equal if they hold the same, and unequal if a byte, an object, a marker or
    metadata differ.
    """

    def make(
        *,
        data: bytes = b"1",
        metadata: dict[str, str] | None = None,
        is_deleted: bool = False,
        has_detour: bool = False,
    ) -> object:
        store = MemoryStore()
        store.create_bucket("b", versioning="Enabled")
        if has_detour:
            gone = store.put("b", "gone", b"x")
            store.delete_objects("b", [Deletion("gone", gone.version_id)])
        store.put("b", "k", data, metadata=metadata)
        if is_deleted:
            store.delete("b", "k")
        return store.snapshot()

    assert make() == make(has_detour=True)
    assert len({make(), make(data=b"2"), make(metadata={"a": "b"}), make(is_deleted=True)}) == 4
    assert hash(make())


def test_archive_classes_can_be_thawed() -> None:
    """A frozen object can be read once it was thawed."""
    store = MemoryStore()
    store.create_bucket("b")
    store.put("b", "k", b"1", storage_class="GLACIER")
    with pytest.raises(ObjectFrozen):
        store.get_object("b", "k")
    store.thaw("b", "k")
    assert store.get_object("b", "k").data == b"1"


def test_unreadable_objects_are_listed_but_not_read() -> None:
    """An object without a grant is listed, but neither read nor copied."""
    store = MemoryStore()
    store.create_bucket("b")
    source = store.put("b", "k", b"1")
    store.deny_reading("b", "k")
    upload = store.create_multipart_upload("b", "t", options=WriteOptions())
    with pytest.raises(AccessDenied):
        store.get_object("b", "k")
    with pytest.raises(AccessDenied):
        store.upload_part_copy(upload, 1, source, (0, 1))
    assert store.list_objects("b").objects == (source,)


def test_kms_hides_the_md5() -> None:
    """In a bucket with KMS no ETag is an MD5, and a checked read says that it need not be."""
    store = MemoryStore()
    store.create_bucket("kms", has_kms=True)
    store.create_bucket("plain")
    assert store.put("kms", "k", b"1").etag != store.put("plain", "k", b"1").etag
    assert store.get_object_checked("kms", "k")[1] is True
    assert store.get_object_checked("plain", "k")[1] is False


def test_a_store_without_checksums_reports_none() -> None:
    """Such a store reports none for an object in parts or for copied parts, only for a
    plain one.
    """
    store = MemoryStore(reports_object_checksums=False)
    store.create_bucket("b")
    source = store.put("b", "k", b"1")
    upload = store.create_multipart_upload("b", "t", options=WriteOptions())
    assert not upload.has_object_checksum
    part = store.upload_part_copy(upload, 1, source, (0, 1))
    assert part.crc64nvme is None
    store.complete_multipart_upload(upload, [part], size_bytes=1, crc64nvme=crc64nvme(b"1"))
    assert store.head_object("b", "t").crc64nvme is None
    store.put_object("b", "p", b"1", crc64nvme=crc64nvme(b"1"), options=WriteOptions())
    assert store.head_object("b", "p").crc64nvme == crc64nvme(b"1")


def test_a_listing_continues_after_deleted_versions() -> None:
    """A page that begins after a deleted version loses none of the older ones."""
    store = MemoryStore(page_size=2)
    store.create_bucket("b", versioning="Enabled")
    written = [store.put("b", "k", bytes([number])) for number in range(4)]
    page = store.list_object_versions("b")
    assert page.next_start == ListStart("k", written[2].version_id)
    store.delete_objects("b", [Deletion("k", written[2].version_id)])
    rest = store.list_object_versions("b", start=page.next_start)
    assert [each.version_id for each in rest.objects] == [
        written[1].version_id,
        written[0].version_id,
    ]


def test_s3s_limits_are_enforced() -> None:
    """Keys over 1,024 bytes and part numbers over 10,000 are refused."""
    store = MemoryStore()
    store.create_bucket("b")
    with pytest.raises(StoreError, match="KeyTooLongError"):
        store.put("b", "ü" * 513, b"")
    upload = store.create_multipart_upload("b", "k", options=WriteOptions())
    with pytest.raises(StoreError, match="InvalidArgument"):
        store.upload_part(upload, 10_001, b"", crc64nvme=0)
    with pytest.raises(StoreError, match="BucketAlreadyOwnedByYou"):
        store.create_bucket("b")


class MovingClock:
    def __init__(self) -> None:
        self.time = datetime(2026, 3, 4, 22, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time


def test_a_restore_takes_hours_and_lasts_days() -> None:
    """A thaw goes by the clock: under way, readable until a midnight, frozen again; a new request
    meanwhile extends it.
    """
    clock = MovingClock()
    store = MemoryStore(clock=clock)
    store.create_bucket("b")
    store.put("b", "k", b"1", storage_class="DEEP_ARCHIVE")
    store.restore_object("b", "k", days=2, tier="Standard")
    store.restore_object("b", "k", days=9, tier="Bulk")
    clock.time += timedelta(hours=11, minutes=59)
    assert store.head_object("b", "k").restore == Restore(is_ongoing=True)
    with pytest.raises(ObjectFrozen):
        store.get_object("b", "k")
    clock.time += timedelta(minutes=1)
    assert store.head_object("b", "k").restore == Restore(
        is_ongoing=False, expires=datetime(2026, 3, 8, tzinfo=UTC)
    )
    assert store.get_object("b", "k").data == b"1"
    clock.time += timedelta(days=2)
    store.restore_object("b", "k", days=1, tier="Standard")
    assert store.get_object("b", "k").data == b"1"
    assert store.head_object("b", "k").restore == Restore(
        is_ongoing=False, expires=datetime(2026, 3, 9, tzinfo=UTC)
    )
    clock.time = datetime(2026, 3, 9, tzinfo=UTC)
    assert store.head_object("b", "k").restore is None
    with pytest.raises(ObjectFrozen):
        store.get_object("b", "k")


def test_impossible_restores_are_refused() -> None:
    """A tier that the class does not have, and zero days, are refused."""
    store = MemoryStore()
    store.create_bucket("b")
    store.put("b", "k", b"1", storage_class="DEEP_ARCHIVE")
    for days, tier in ((1, "Expedited"), (0, "Bulk")):
        with pytest.raises(StoreError, match="InvalidArgument"):
            store.restore_object("b", "k", days=days, tier=tier)

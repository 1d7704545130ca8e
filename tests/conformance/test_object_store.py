"""One suite that every object store passes: the store in memory, and S3 servers over HTTP."""

from __future__ import annotations

import gzip
import hashlib
import os
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest
from awscrt.checksums import combine_crc64nvme, crc64nvme
from tests.conformance.harness import Harness

from log_aggregator.errors import (
    NoSuchBucket,
    NotFound,
    ObjectFrozen,
    PreconditionFailed,
    StoreError,
)
from log_aggregator.limits import MIB, PART_SIZE_BYTES_MIN
from log_aggregator.model import LogObject, Restore
from log_aggregator.ports.store import (
    Deletion,
    ListStart,
    ObjectStore,
    Page,
    Part,
    Upload,
    WriteOptions,
)

OPTIONS = WriteOptions()

KEYS = {
    "plain": "plain",
    "spaces": "with space/and  two",
    "unicode": "ünïcödé/日本語/🙂.gz",
    "combining": "e\u0301-and-\u00e9",
    "config": (
        "AWSLogs/1/Config/us-east-1/2024/6/7/ConfigHistory/1_Config_AWS::EC2::Instance_"
        "20240607T130841Z_1.json.gz"
    ),
    "percent": "%41/100%/%2F%2e%2e",
    "plus": "a+b c%2Bd",
    "xml": "a&b<c>d\"e'f&amp;",
    "query": "question?x=1#fragment",
    "marks": "tilde~star*(paren)!",
    "backslash": "back\\slash|pipe^caret`tick{brace}[bracket]",
    "signs": "year=2025/eq=1,comma;semi:colon@at$dollar",
    "dots": "dots/..hidden/...three/.x",
    "separators": "nonascii-control-\x85-\u2028",
    "longest-unicode": "ü" * 100 + "/" + "d/" * 411 + "k",
    "longest": "d/" * 511 + "kk",
    # obstore cannot handle these; they must come out as exactly as the others.
    "two-slashes": "a//b",
    "slash-first": "/leading",
    "only-slashes": "//",
    "dot": "a/./b",
    "two-dots": "a/../b",
    "newline": "new\nline",
    "tab": "tab\there",
    "bell": "bell\x07",
}


def put(
    store: ObjectStore,
    bucket: str,
    key: str,
    data: bytes | bytearray,
    options: WriteOptions = OPTIONS,
) -> None:
    store.put_object(bucket, key, data, crc64nvme=crc64nvme(bytes(data)), options=options)


def upload_part(store: ObjectStore, upload: Upload, number: int, data: bytes) -> Part:
    return store.upload_part(upload, number, data, crc64nvme=crc64nvme(data))


def write_at_once(store: ObjectStore, bucket: str, key: str, count: int) -> list[bytes]:
    """Writes different bytes to one key from this many threads; returns the bytes of those that
    succeeded.
    """
    put(store, bucket, "warm", b"")
    barrier = Barrier(count)

    def write(number: int) -> bytes | None:
        data = b"%d" % number * 1_000
        barrier.wait()
        try:
            put(store, bucket, key, data)
        except PreconditionFailed:
            return None
        return data

    with ThreadPoolExecutor(count) as threads:
        return [data for data in threads.map(write, range(count)) if data is not None]


def complete_at_once(store: ObjectStore, bucket: str, key: str, count: int) -> list[bytes]:
    """Completes this many uploads of different bytes to one key; returns the bytes of those that
    succeeded.
    """
    uploads = [store.create_multipart_upload(bucket, key, options=OPTIONS) for _ in range(count)]
    parts = [upload_part(store, upload, 1, b"%d" % n) for n, upload in enumerate(uploads)]
    barrier = Barrier(count)

    def complete(number: int) -> bytes | None:
        data = b"%d" % number
        barrier.wait()
        try:
            store.complete_multipart_upload(
                uploads[number], [parts[number]], size_bytes=1, crc64nvme=crc64nvme(data)
            )
        except PreconditionFailed:
            return None
        return data

    with ThreadPoolExecutor(count) as threads:
        return [data for data in threads.map(complete, range(count)) if data is not None]


def data_of_versions(store: ObjectStore, bucket: str, key: str) -> list[bytes]:
    """The data of each version in a page."""
    return [
        store.get_object(bucket, key, version_id=each.version_id).data
        for each in store.list_object_versions(bucket, prefix=key).objects
    ]


def list_all(
    list_page: Callable[[ListStart | None], Page], start: ListStart | None = None
) -> list[Page]:
    pages = [list_page(start)]
    while (start := pages[-1].next_start) is not None:
        pages.append(list_page(start))
        assert len(pages) < 1_000
    return pages


def current(lab: Harness, bucket: str, prefix: str = "") -> list[LogObject]:
    return [
        each
        for page in list_all(
            lambda start: lab.store.list_objects(bucket, prefix=prefix, start=start)
        )
        for each in page.objects
    ]


def all_versions(lab: Harness, bucket: str, prefix: str = "") -> list[tuple[str, str | None]]:
    """(key, version id) of every version and every delete marker, page by page."""
    pages = list_all(
        lambda start: lab.store.list_object_versions(bucket, prefix=prefix, start=start)
    )
    return [entry for page in pages for entry in identities(page)]


def identities(page: Page) -> list[tuple[str, str | None]]:
    return [(each.key, each.version_id) for each in page.objects] + [
        (each.key, each.version_id) for each in page.markers
    ]


def incompressible(size_bytes: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(size_bytes)


class TestKeys:
    @pytest.mark.parametrize("key", KEYS.values(), ids=KEYS.keys())
    def test_a_key_survives(self, lab: Harness, key: str) -> None:
        """Every key that S3 allows comes back from every listing; reads, copies and deletes affect
        exactly its own object.
        """
        bucket = lab.create_bucket(versioning="Enabled")
        data = key.encode() * 3
        put(lab.store, bucket, key, data)
        assert [each.key for each in lab.store.list_objects(bucket).objects] == [key]
        (source,) = lab.store.list_object_versions(bucket, prefix=key[:7]).objects
        assert (source.key, source.size_bytes, source.etag) == (
            key,
            len(data),
            hashlib.md5(data).hexdigest(),
        )
        assert lab.store.list_object_versions(bucket, start=ListStart(key)).objects == ()
        assert lab.store.list_objects(bucket, start=ListStart(key)).objects == ()
        assert (
            lab.store.get_object(
                bucket, key, version_id=source.version_id, if_match=source.etag
            ).data
            == data
        )
        assert (
            lab.store.get_object_checked(
                bucket, key, version_id=source.version_id, if_match=source.etag
            )[0].data
            == data
        )
        assert lab.store.head_object(bucket, key).size_bytes == len(data)
        upload = lab.store.create_multipart_upload(bucket, "copy", options=OPTIONS)
        part = lab.store.upload_part_copy(upload, 1, source, (0, len(data)))
        lab.store.complete_multipart_upload(
            upload, [part], size_bytes=len(data), crc64nvme=crc64nvme(data)
        )
        assert lab.store.get_object(bucket, "copy").data == data
        assert lab.store.delete_objects(bucket, [Deletion(key, source.version_id)]) == []
        assert [each.key for each in lab.store.list_object_versions(bucket).objects] == ["copy"]

    @pytest.mark.parametrize(
        "key", ["/a", "a/", "/a/", "a//", "./a", "a/.", "x/../a", "a\n", "a ", "A", "%61"]
    )
    def test_another_key_is_never_read(self, lab: Harness, key: str) -> None:
        """A key that differs from an object's key only by what some clients normalise reads
        nothing.
        """
        bucket = lab.create_bucket()
        lab.put(bucket, "a", b"somebody else's")
        with pytest.raises(StoreError):
            lab.store.get_object(bucket, key)
        with pytest.raises(StoreError):
            lab.store.get_object_checked(bucket, key)

    def test_listings_are_in_the_order_of_utf8_bytes(self, lab: Harness) -> None:
        """Keys are listed in the order of their UTF-8 bytes, which differs from the order of UTF-16
        and of any language.
        """
        plain, versioned = lab.create_bucket(), lab.create_bucket(versioning="Enabled")
        keys = ["a", "B", "ä", "z", "\uff5e", "\U0001f600", "a0", "~"]
        for key in keys:
            lab.put(plain, key)
            lab.put(versioned, key)
        expected = sorted(keys, key=str.encode)
        assert [each.key for each in lab.store.list_objects(plain).objects] == expected
        assert [each.key for each in lab.store.list_object_versions(plain).objects] == expected
        assert [each.key for each in lab.store.list_object_versions(versioned).objects] == expected

    @pytest.mark.parametrize("versioning", [None, "Enabled"])
    def test_a_slash_is_a_character_like_any_other(
        self, lab: Harness, versioning: str | None
    ) -> None:
        """Names next to a "folder" of the same name are listed in byte order, and a listing can
        continue after each of them.
        """
        bucket = lab.create_bucket(versioning=versioning)
        keys = sorted(
            [
                "a",
                "a!",
                "a-b",
                "a.b",
                "a/b",
                "a/b/c",
                "a0",
                "x/2025-01-01",
                "x/2025/1/a",
                "x/2025/10/a",
            ],
            key=str.encode,
        )
        for key in keys:
            lab.put(bucket, key)
        for position, start in enumerate(["", *keys]):
            assert [
                each.key for each in lab.store.list_objects(bucket, start=ListStart(start)).objects
            ] == keys[position:]
            assert [
                each.key
                for each in lab.store.list_object_versions(bucket, start=ListStart(start)).objects
            ] == keys[position:]


class TestListing:
    def test_an_empty_bucket_lists_nothing(self, lab: Harness) -> None:
        """An empty bucket lists nothing and promises no further page."""
        bucket = lab.create_bucket()
        assert lab.store.list_objects(bucket) == Page(objects=())
        assert lab.store.list_object_versions(bucket) == Page(objects=())
        assert lab.store.list_prefixes(bucket, prefix="") == Page(objects=())

    def test_fields_of_a_listed_object(self, lab: Harness) -> None:
        """A listing gives size, ETag without quotes, class and a UTC time; a version only if
        versions are listed.
        """
        bucket = lab.create_bucket()
        before = datetime.now(UTC)
        lab.put(bucket, "k", b"abc")
        (listed,) = lab.store.list_objects(bucket).objects
        (version,) = lab.store.list_object_versions(bucket).objects
        for each, version_id in ((listed, None), (version, "null")):
            assert each == LogObject(
                bucket, "k", version_id, hashlib.md5(b"abc").hexdigest(), 3, each.last_modified
            )
            assert each.last_modified.utcoffset() == timedelta(0)
            if lab.name != "memory":  # its times come from a counter
                assert abs(each.last_modified - before) < timedelta(minutes=1)

    @pytest.mark.parametrize("page_size", [1, 2, 3, 4, 6, 7, 8])
    def test_pages_of_objects_join(self, lab: Harness, page_size: int) -> None:
        """However pages are cut, every key is listed once and in order, and no page is empty or too
        long.
        """
        lab.set_page_size(page_size)
        bucket = lab.create_bucket()
        keys = ["a", "b/1", "b/2", "c+ %", "zz", "ü", "日本"]
        for key in keys:
            lab.put(bucket, key)
        pages = list_all(lambda start: lab.store.list_objects(bucket, start=start))
        assert [each.key for page in pages for each in page.objects] == keys
        assert all(1 <= len(page.objects) <= page_size for page in pages)
        assert len(pages) == -(-len(keys) // page_size)

    def test_a_listing_starts_after_any_key(self, lab: Harness) -> None:
        """`start` is exclusive, need not exist, and may lie before, inside or after the prefix."""
        bucket = lab.create_bucket(versioning="Enabled")
        for key in ("a", "p/1", "p/2", "p/3", "q"):
            lab.put(bucket, key)
        expected = {
            "a": ["p/1", "p/2", "p/3"],
            "p/1": ["p/2", "p/3"],
            "p/1x": ["p/2", "p/3"],
            "p/3": [],
            "q": [],
            "": ["p/1", "p/2", "p/3"],
        }
        for start, keys in expected.items():
            assert [
                each.key
                for each in lab.store.list_objects(
                    bucket, prefix="p/", start=ListStart(start)
                ).objects
            ] == keys
        for start, keys in expected.items():
            assert [
                each.key
                for each in lab.store.list_object_versions(
                    bucket, prefix="p/", start=ListStart(start)
                ).objects
            ] == keys

    @pytest.mark.parametrize("page_size", [1, 2, 3, 4, 5, 8, 9, 10])
    def test_pages_of_versions_join(self, lab: Harness, page_size: int) -> None:
        """Pages of versions may end between two versions of one key, or at a delete marker, and
        nothing is lost or doubled.
        """
        bucket = lab.create_bucket(versioning="Enabled")
        for key in ("a", "b b", "ü"):
            for number in range(2):
                lab.put(bucket, key, bytes([number]))
        lab.delete(bucket, "b b")
        lab.put(bucket, "b b", b"again")
        lab.delete(bucket, "ü")
        whole = lab.store.list_object_versions(bucket)
        expected = sorted(identities(whole))
        assert (len(whole.objects), len(whole.markers), whole.next_start) == (7, 2, None)
        lab.set_page_size(page_size)
        pages = list_all(lambda start: lab.store.list_object_versions(bucket, start=start))
        assert sorted(entry for page in pages for entry in identities(page)) == expected
        assert tuple(each for page in pages for each in page.objects) == whole.objects
        assert tuple(each for page in pages for each in page.markers) == whole.markers
        assert all(1 <= len(page.objects) + len(page.markers) <= page_size for page in pages)

    def test_a_thousand_and_one(self, lab: Harness) -> None:
        """Without a page size, S3's own applies: a thousand entries. moto takes three seconds for
        this many.
        """
        bucket = lab.create_bucket()
        lab.put_empty(bucket, (f"k{number:04d}" for number in range(1_001)))
        for list_page in (lab.store.list_objects, lab.store.list_object_versions):
            first = list_page(bucket)
            assert (len(first.objects), first.objects[-1].key) == (1_000, "k0999")
            assert [each.key for each in list_page(bucket, start=first.next_start).objects] == [
                "k1000"
            ]

    @pytest.mark.parametrize("page_size", [1, 2, 1_000])
    def test_prefixes_and_objects_beside_them_are_listed_once(
        self, lab: Harness, page_size: int
    ) -> None:
        """All "folders" under a prefix are listed, each once, together with the objects directly
        there.
        """
        lab.set_page_size(page_size)
        bucket = lab.create_bucket()
        for key in ("p/a+b/1", "p/a+b/2", "p/b/x/y", "p/c", "p/é/1", "q/z", "p"):
            lab.put(bucket, key)
        page = lab.store.list_prefixes(bucket, prefix="p/")
        assert (page.prefixes, [each.key for each in page.objects], page.next_start) == (
            ("p/a+b/", "p/b/", "p/é/"),
            ["p/c"],
            None,
        )
        assert lab.store.list_prefixes(bucket, prefix="").prefixes == ("p/", "q/")
        assert lab.store.list_prefixes(bucket, prefix="nothing/") == Page(objects=())

    def test_a_missing_bucket_is_an_error(self, lab: Harness) -> None:
        """Every listing of a missing bucket raises NoSuchBucket."""
        for list_page in (lab.store.list_objects, lab.store.list_object_versions):
            with pytest.raises(NoSuchBucket, match="no-such-bucket"):
                list_page("no-such-bucket")
        with pytest.raises(NoSuchBucket):
            lab.store.list_prefixes("no-such-bucket", prefix="")
        with pytest.raises(NoSuchBucket):
            lab.store.list_multipart_uploads("no-such-bucket", prefix="")
        with pytest.raises(NoSuchBucket):
            lab.store.get_bucket_versioning("no-such-bucket")


class TestVersions:
    def test_newest_first(self, lab: Harness) -> None:
        """Versions of a key come newest first, and only the first one is the latest."""
        bucket = lab.create_bucket(versioning="Enabled")
        for data in (b"1", b"22", b"333"):
            lab.put(bucket, "k", data)
        listed = lab.store.list_object_versions(bucket).objects
        assert [(each.size_bytes, each.is_latest) for each in listed] == [
            (3, True),
            (2, False),
            (1, False),
        ]
        assert len({each.version_id for each in listed}) == 3
        for each in listed:
            body = lab.store.get_object(bucket, "k", version_id=each.version_id, if_match=each.etag)
            assert (len(body.data), body.version_id, body.etag) == (
                each.size_bytes,
                each.version_id,
                each.etag,
            )

    def test_a_delete_marker_hides(self, lab: Harness) -> None:
        """A deleted key is in no listing of objects; its versions stay, and only removing the
        marker brings it back.
        """
        bucket = lab.create_bucket(versioning="Enabled")
        lab.put(bucket, "k", b"1")
        lab.delete(bucket, "k")
        assert lab.store.list_objects(bucket).objects == ()
        page = lab.store.list_object_versions(bucket)
        (version,), (marker,) = page.objects, page.markers
        assert (version.is_latest, marker.is_latest, marker.key, marker.bucket) == (
            False,
            True,
            "k",
            bucket,
        )
        assert marker.last_modified.utcoffset() == timedelta(0)
        for read in (lab.store.get_object, lab.store.get_object_checked, lab.store.head_object):
            with pytest.raises(NotFound):
                read(bucket, "k")
        with pytest.raises(NotFound):
            lab.store.get_object(bucket, "k", version_id=marker.version_id)
        assert lab.store.get_object(bucket, "k", version_id=version.version_id).data == b"1"
        assert lab.store.delete_objects(bucket, [Deletion("k", marker.version_id)]) == []
        assert lab.store.get_object(bucket, "k").data == b"1"

    def test_the_null_version(self, lab: Harness) -> None:
        """An object written before versioning has the version id "null", and can be read and
        deleted by it.
        """
        bucket = lab.create_bucket()
        lab.put(bucket, "k", b"old")
        lab.set_versioning(bucket, "Enabled")
        lab.put(bucket, "k", b"newer")
        newer, old = lab.store.list_object_versions(bucket).objects
        assert (old.version_id, old.is_latest, old.size_bytes, newer.size_bytes) == (
            "null",
            False,
            3,
            5,
        )
        assert newer.version_id not in (None, "null")
        assert (
            lab.store.get_object(bucket, "k", version_id="null", if_match=old.etag).data == b"old"
        )
        assert lab.store.delete_objects(bucket, [Deletion("k", "null")]) == []
        assert [each.version_id for each in lab.store.list_object_versions(bucket).objects] == [
            newer.version_id
        ]

    def test_suspended_versioning(self, lab: Harness) -> None:
        """While versioning is suspended only the null version is overwritten; older versions
        stay.
        """
        bucket = lab.create_bucket(versioning="Enabled")
        lab.put(bucket, "k", b"1")
        lab.set_versioning(bucket, "Suspended")
        lab.put(bucket, "k", b"22")
        lab.put(bucket, "k", b"333")
        assert [
            (each.version_id == "null", each.size_bytes, each.is_latest)
            for each in lab.store.list_object_versions(bucket).objects
        ] == [
            (True, 3, True),
            (False, 1, False),
        ]

    def test_states(self, lab: Harness) -> None:
        """A bucket's versioning is None, Enabled or Suspended."""
        bucket = lab.create_bucket()
        assert lab.store.get_bucket_versioning(bucket) is None
        lab.set_versioning(bucket, "Enabled")
        assert lab.store.get_bucket_versioning(bucket) == "Enabled"
        lab.set_versioning(bucket, "Suspended")
        assert lab.store.get_bucket_versioning(bucket) == "Suspended"
        assert bucket in lab.store.list_buckets()


class TestReading:
    def test_a_read_requires_the_expected_etag(self, lab: Harness) -> None:
        """An object is read only if it has the given ETag."""
        bucket = lab.create_bucket()
        lab.put(bucket, "k", b"1")
        (listed,) = lab.store.list_objects(bucket).objects
        lab.put(bucket, "k", b"2")
        for read in (lab.store.get_object, lab.store.get_object_checked):
            with pytest.raises(PreconditionFailed) as caught:
                read(bucket, "k", if_match=listed.etag)
            assert caught.value.operation == "GetObject"
        assert (
            lab.store.get_object(bucket, "k", if_match=hashlib.md5(b"2").hexdigest()).data == b"2"
        )

    def test_head_describes_exactly_the_requested_version(self, lab: Harness) -> None:
        """HeadObject describes exactly the requested version, and only if it has the given ETag."""
        bucket = lab.create_bucket(versioning="Enabled")
        lab.put(bucket, "k", b"1")
        lab.put(bucket, "k", b"22")
        new, old = lab.store.list_object_versions(bucket).objects
        for each in (new, old):
            stored = lab.store.head_object(
                bucket, "k", version_id=each.version_id, if_match=each.etag
            )
            assert (stored.version_id, stored.etag, stored.size_bytes) == (
                each.version_id,
                each.etag,
                each.size_bytes,
            )
        assert lab.store.head_object(bucket, "k").version_id == new.version_id
        with pytest.raises(PreconditionFailed):
            lab.store.head_object(bucket, "k", version_id=old.version_id, if_match=new.etag)
        lab.store.delete_objects(bucket, [Deletion("k", old.version_id)])
        with pytest.raises(NotFound):
            lab.store.head_object(bucket, "k", version_id=old.version_id)

    def test_missing_objects_and_missing_buckets_differ(self, lab: Harness) -> None:
        """A missing object or version is NotFound, and the error names it; a missing bucket is
        another error.
        """
        bucket = lab.create_bucket(versioning="Enabled")
        lab.put(bucket, "k", b"1")
        (version,) = lab.store.list_object_versions(bucket).objects
        lab.put(bucket, "k", b"2")
        lab.store.delete_objects(bucket, [Deletion("k", version.version_id)])
        for read in (lab.store.get_object, lab.store.get_object_checked):
            with pytest.raises(NotFound, match=f"s3://{bucket}/missing") as caught:
                read(bucket, "missing")
            assert caught.value.code == "NoSuchKey"
            with pytest.raises(NotFound):
                read(bucket, "k", version_id=version.version_id)
            with pytest.raises(NoSuchBucket, match="NoSuchBucket"):
                read("no-such-bucket", "k")
        with pytest.raises(NotFound):
            lab.store.head_object(bucket, "missing")

    def test_ranges_may_end_after_the_object_but_not_begin_there(self, lab: Harness) -> None:
        """A range is [first, last), may end after the object's end, and must not begin there."""
        bucket = lab.create_bucket()
        lab.put(bucket, "k", b"0123456789")
        for byte_range in ((0, 1), (0, 10), (3, 7), (9, 10), (5, 99)):
            body = lab.store.get_object(bucket, "k", byte_range=byte_range)
            assert (body.data, body.etag) == (
                b"0123456789"[slice(*byte_range)],
                hashlib.md5(b"0123456789").hexdigest(),
            )
        with pytest.raises(StoreError) as caught:
            lab.store.get_object(bucket, "k", byte_range=(10, 12))
        assert caught.value.code == "InvalidRange"
        with pytest.raises(ValueError, match="empty range"):
            lab.store.get_object(bucket, "k", byte_range=(3, 3))

    @pytest.mark.parametrize("key", ["k", "k\tk"])
    def test_bytes_are_never_decoded(self, lab: Harness, key: str) -> None:
        """An object with Content-Encoding gzip is read as the stored gzip bytes, with all its
        metadata.
        """
        bucket = lab.create_bucket()
        data = gzip.compress(b'{"Records":[]}', mtime=0)
        metadata = {
            "signature": "ab" * 64,
            "signature-algorithm": "SHA256withRSA",
            "content-type": "mine",
        }
        lab.put(
            bucket,
            key,
            data,
            metadata=metadata,
            content_type="application/json",
            content_encoding="gzip",
        )
        checked, _ = lab.store.get_object_checked(bucket, key)
        for body in (lab.store.get_object(bucket, key), checked):
            assert body.data == data
            assert type(body.data) is bytes
            assert (dict(body.metadata), body.content_type, body.content_encoding) == (
                metadata,
                "application/json",
                "gzip",
            )
            assert body.version_id is None

    def test_parallel_reads_give_the_same_as_single_reads(self, lab: Harness) -> None:
        """Each answer is in its place and complete, or has the error that a single read
        would have.
        """
        bucket = lab.create_bucket(versioning="Enabled")
        for number in range(120):
            lab.put(bucket, f"k{number % 100:03}", b"%d" % number, metadata={"number": str(number)})
        wanted = list(lab.store.list_object_versions(bucket).objects)
        assert len(wanted) == 120
        wanted[50] = replace(wanted[50], key="not there")
        wanted[60] = replace(wanted[60], etag=hashlib.md5(b"another").hexdigest())
        found = list(lab.store.get_objects(wanted))
        assert (type(found[50]), type(found[60])) == (NotFound, PreconditionFailed)
        for number, (source, body) in enumerate(zip(wanted, found, strict=True)):
            if number not in (50, 60):
                assert body == lab.store.get_object(
                    bucket, source.key, version_id=source.version_id, if_match=source.etag
                )

    @pytest.mark.parametrize("size_bytes", [0, 1, 20 * MIB + 1])
    def test_objects_of_any_size_come_back_exactly(self, lab: Harness, size_bytes: int) -> None:
        """Empty, tiny and large objects come back exact."""
        bucket = lab.create_bucket()
        data = incompressible(size_bytes)
        put(lab.store, bucket, "k", data)
        assert lab.store.get_object(bucket, "k").data == data
        assert lab.store.get_object_checked(bucket, "k")[0].data == data

    def test_a_stored_checksum_vouches_for_the_body(self, lab: Harness) -> None:
        """If S3 stores a checksum, a checked read compares it and says so; otherwise it does not
        claim to have done so.
        """
        bucket = lab.create_bucket()
        put(lab.store, bucket, "with", b"abc")
        lab.put(bucket, "without", b"abc")
        assert lab.store.get_object_checked(bucket, "with")[1] is True
        assert lab.store.get_object_checked(bucket, "without")[1] is False

    def test_frozen_objects_cannot_be_read(self, lab: Harness) -> None:
        """An object in an archive class is listed as such, and cannot be read: ObjectFrozen, not
        AccessDenied.
        """
        bucket = lab.create_bucket()
        lab.put(bucket, "k", b"1", storage_class="DEEP_ARCHIVE")
        assert [each.storage_class for each in lab.store.list_objects(bucket).objects] == [
            "DEEP_ARCHIVE"
        ]
        for read in (lab.store.get_object, lab.store.get_object_checked):
            with pytest.raises(ObjectFrozen):
                read(bucket, "k")
        assert lab.store.head_object(bucket, "k").storage_class == "DEEP_ARCHIVE"


class TestRestoring:
    @pytest.mark.parametrize("storage_class", ["GLACIER", "DEEP_ARCHIVE"])
    def test_a_restore_is_reported(self, lab: Harness, storage_class: str) -> None:
        """HeadObject shows a restore once it was requested, and not before; the object itself does
        not change.
        """
        bucket = lab.create_bucket(versioning="Enabled")
        lab.put(bucket, "a b+ü", b"frozen", storage_class=storage_class)
        before = lab.store.head_object(bucket, "a b+ü")
        lab.store.restore_object(bucket, "a b+ü", days=2, tier="Bulk")
        after = lab.store.head_object(bucket, "a b+ü")
        assert (before.restore, before == after, after.storage_class) == (None, True, storage_class)
        assert after.restore is not None

    def test_a_restore_takes_its_time(self, lab: Harness) -> None:
        """A restore of hours is in progress at first, and the object cannot be read until it is
        done.
        """
        bucket = lab.create_bucket()
        lab.put(bucket, "k", b"frozen", storage_class="DEEP_ARCHIVE")
        lab.store.restore_object(bucket, "k", days=1, tier="Standard")
        assert lab.store.head_object(bucket, "k").restore == Restore(is_ongoing=True)
        with pytest.raises(ObjectFrozen):
            lab.store.get_object(bucket, "k")

    def test_requesting_a_restore_again_is_not_an_error(self, lab: Harness) -> None:
        """A restore that is in progress or done may be requested again."""
        bucket = lab.create_bucket()
        lab.put(bucket, "k", b"frozen", storage_class="GLACIER")
        for _ in range(3):
            lab.store.restore_object(bucket, "k", days=1, tier="Bulk")
        assert lab.store.head_object(bucket, "k").restore is not None

    def test_objects_that_need_no_thawing_are_refused(self, lab: Harness) -> None:
        """Restoring a readable or a missing object fails, and the error is not ObjectFrozen."""
        bucket = lab.create_bucket()
        lab.put(bucket, "k", b"warm")
        with pytest.raises(StoreError) as caught:
            lab.store.restore_object(bucket, "k", days=1, tier="Bulk")
        assert not isinstance(caught.value, (ObjectFrozen, NotFound))
        with pytest.raises(NotFound):
            lab.store.restore_object(bucket, "missing", days=1, tier="Bulk")
        assert lab.store.head_object(bucket, "k").restore is None


class TestPut:
    def test_a_written_object_keeps_its_size_checksum_and_metadata(self, lab: Harness) -> None:
        """A written object keeps its size, checksum, class, type and metadata."""
        bucket = lab.create_bucket(versioning="Enabled")
        data = bytearray(incompressible(100_000))
        options = WriteOptions(
            "STANDARD_IA",
            content_type="application/gzip",
            content_encoding="gzip",
            metadata={"tool": "x/1"},
        )
        put(lab.store, bucket, "k", data, options)
        stored = lab.store.head_object(bucket, "k")
        assert (stored.bucket, stored.key, stored.size_bytes, stored.etag) == (
            bucket,
            "k",
            100_000,
            hashlib.md5(data).hexdigest(),
        )
        assert (stored.crc64nvme, stored.storage_class) == (crc64nvme(bytes(data)), "STANDARD_IA")
        assert [each.version_id for each in lab.store.list_object_versions(bucket).objects] == [
            stored.version_id
        ]
        body = lab.store.get_object(bucket, "k")
        assert (body.data, dict(body.metadata)) == (bytes(data), {"tool": "x/1"})
        assert (body.content_type, body.content_encoding) == ("application/gzip", "gzip")

    def test_no_object_is_overwritten(self, lab: Harness) -> None:
        """An existing key is left as it is; a key whose newest entry is a delete marker counts as
        missing.
        """
        bucket = lab.create_bucket(versioning="Enabled")
        put(lab.store, bucket, "k", b"first")
        with pytest.raises(PreconditionFailed):
            put(lab.store, bucket, "k", b"second")
        assert lab.store.get_object(bucket, "k").data == b"first"
        assert len(lab.store.list_object_versions(bucket).objects) == 1
        lab.delete(bucket, "k")
        put(lab.store, bucket, "k", b"third")
        assert lab.store.get_object(bucket, "k").data == b"third"

    def test_objects_are_replaced_only_where_allowed(self, lab: Harness) -> None:
        """Objects are replaced if the options say so, and only then."""
        bucket, replacing = lab.create_bucket(), WriteOptions(may_replace=True)
        for data in (b"first", b"second"):
            lab.store.put_object(bucket, "k", data, crc64nvme=crc64nvme(data), options=replacing)
        assert lab.store.get_object(bucket, "k").data == b"second"

    def test_wrong_bytes_are_refused(self, lab: Harness) -> None:
        """Bytes that do not match their checksum are not stored."""
        bucket = lab.create_bucket()
        with pytest.raises(StoreError) as caught:
            lab.store.put_object(
                bucket, "k", b"damaged", crc64nvme=crc64nvme(b"intended"), options=OPTIONS
            )
        assert not isinstance(caught.value, PreconditionFailed)
        assert lab.store.list_objects(bucket).objects == ()

    def test_one_of_sixteen_writers_wins(self, lab: Harness) -> None:
        """However many write the same key at the same time, one succeeds, all others are told, and
        the winner's bytes are stored. SeaweedFS takes some seconds to let them in one by one.
        """
        bucket = lab.create_bucket(versioning="Enabled")
        winners = write_at_once(lab.store, bucket, "k", 16)
        assert winners == [lab.store.get_object(bucket, "k").data]
        assert len(lab.store.list_object_versions(bucket, prefix="k").objects) == 1

    def test_parallel_writers_get_true_answers(self, lab: Harness) -> None:
        """However many succeed, the stored versions are theirs and no one else's."""
        bucket = lab.create_bucket(versioning="Enabled")
        winners = write_at_once(lab.store, bucket, "k", 16)
        assert sorted(data_of_versions(lab.store, bucket, "k")) == sorted(winners)
        assert lab.store.get_object(bucket, "k").data in winners

    def test_writing_to_a_missing_bucket_fails(self, lab: Harness) -> None:
        """Nothing is written to a missing bucket, and none is created."""
        with pytest.raises(NoSuchBucket):
            put(lab.store, "no-such-bucket", "k", b"1")
        with pytest.raises(NoSuchBucket):
            lab.store.create_multipart_upload("no-such-bucket", "k", options=OPTIONS)


class TestMultipart:
    def test_parts_sent_and_copied(self, lab: Harness) -> None:
        """Sent and copied parts join to exactly their bytes, and the store knows the CRC64NVME of
        the whole or says that it does not.
        """
        bucket = lab.create_bucket(versioning="Enabled")
        target = lab.create_bucket()
        data = incompressible(12 * MIB)
        lab.put(bucket, "source ü+%", data)
        (source,) = lab.store.list_object_versions(bucket).objects
        lab.put(bucket, "source ü+%", b"a newer version")
        head, tail = incompressible(5 * MIB, 1), b"tail"
        options = WriteOptions(
            "STANDARD_IA",
            content_type="application/gzip",
            content_encoding="gzip",
            metadata={"tool": "x"},
        )
        upload = lab.store.create_multipart_upload(target, "pack", options=options)
        parts = [
            upload_part(lab.store, upload, 1, head),
            lab.store.upload_part_copy(upload, 2, source, (0, 6 * MIB)),
            lab.store.upload_part_copy(upload, 4, source, (6 * MIB, 12 * MIB)),
            lab.store.upload_part_copy(upload, 5, source, (0, 12 * MIB)),
            lab.store.upload_part(upload, 9_000, bytearray(tail), crc64nvme=crc64nvme(tail)),
        ]
        pieces = [head, data[: 6 * MIB], data[6 * MIB :], data, tail]
        assert [part.size_bytes for part in parts] == [len(piece) for piece in pieces]
        assert all(
            part.crc64nvme in (None, crc64nvme(piece))
            for part, piece in zip(parts, pieces, strict=True)
        )
        crc = 0
        for piece in pieces:
            crc = combine_crc64nvme(crc, crc64nvme(piece), len(piece))
        lab.store.complete_multipart_upload(
            upload, parts, size_bytes=sum(map(len, pieces)), crc64nvme=crc
        )
        stored = lab.store.head_object(target, "pack")
        assert lab.store.get_object(target, "pack").data == b"".join(pieces)
        assert (stored.size_bytes, stored.storage_class) == (sum(map(len, pieces)), "STANDARD_IA")
        assert stored.etag.endswith("-5")
        assert stored.crc64nvme in (None, crc)
        body = lab.store.get_object(target, "pack", byte_range=(0, 1))
        assert (dict(body.metadata), body.content_type, body.content_encoding) == (
            {"tool": "x"},
            "application/gzip",
            "gzip",
        )

    def test_the_checksum_of_the_whole_is_known(self, lab: Harness) -> None:
        """HeadObject reports the CRC64NVME of an object written in parts."""
        bucket = lab.create_bucket()
        data = incompressible(5 * MIB + 1)
        upload = lab.store.create_multipart_upload(bucket, "k", options=OPTIONS)
        parts = [
            upload_part(lab.store, upload, 1, data[: 5 * MIB]),
            upload_part(lab.store, upload, 2, data[5 * MIB :]),
        ]
        lab.store.complete_multipart_upload(
            upload, parts, size_bytes=len(data), crc64nvme=crc64nvme(data)
        )
        assert lab.store.head_object(bucket, "k").crc64nvme == crc64nvme(data)

    def test_a_source_that_changed_is_not_copied(self, lab: Harness) -> None:
        """A part is copied only from the listed version and ETag."""
        bucket = lab.create_bucket(versioning="Enabled")
        lab.put(bucket, "k", b"1")
        (source,) = lab.store.list_object_versions(bucket).objects
        upload = lab.store.create_multipart_upload(bucket, "pack", options=OPTIONS)
        stale = LogObject(bucket, "k", None, "0" * 32, 1, source.last_modified)
        with pytest.raises(PreconditionFailed):
            lab.store.upload_part_copy(upload, 1, stale, (0, 1))
        lab.store.delete_objects(bucket, [Deletion("k", source.version_id)])
        with pytest.raises(NotFound):
            lab.store.upload_part_copy(upload, 1, source, (0, 1))
        lab.store.abort_multipart_upload(upload)

    def test_small_parts_are_refused(self, lab: Harness) -> None:
        """Only the last part may be smaller than 5 MiB; the upload stays open until it is
        aborted.
        """
        bucket = lab.create_bucket()
        upload = lab.store.create_multipart_upload(bucket, "k", options=OPTIONS)
        data = incompressible(PART_SIZE_BYTES_MIN - 1)
        parts = [upload_part(lab.store, upload, 1, data), upload_part(lab.store, upload, 2, b"x")]
        with pytest.raises(StoreError) as caught:
            lab.store.complete_multipart_upload(
                upload, parts, size_bytes=len(data) + 1, crc64nvme=crc64nvme(data + b"x")
            )
        assert caught.value.code == "EntityTooSmall"
        assert [each.upload_id for each in lab.store.list_multipart_uploads(bucket, prefix="")] == [
            upload.upload_id
        ]
        assert lab.store.list_objects(bucket).objects == ()

    def test_wrong_parts_are_refused(self, lab: Harness) -> None:
        """Damaged bytes, another part's ETag and parts out of order never become an object."""
        bucket = lab.create_bucket()
        upload = lab.store.create_multipart_upload(bucket, "k", options=OPTIONS)
        with pytest.raises(StoreError):
            lab.store.upload_part(upload, 1, b"damaged", crc64nvme=crc64nvme(b"intended"))
        part = upload_part(lab.store, upload, 1, b"intended")
        with pytest.raises(StoreError):
            lab.store.complete_multipart_upload(
                upload, [Part(1, "0" * 32, 8, None)], size_bytes=8, crc64nvme=crc64nvme(b"intended")
            )
        with pytest.raises(StoreError):
            lab.store.complete_multipart_upload(
                upload, [part, Part(2, part.etag, 8, None)], size_bytes=16, crc64nvme=0
            )
        assert lab.store.list_objects(bucket).objects == ()

    def test_parts_out_of_order_are_refused(self, lab: Harness) -> None:
        """Parts must be given in the order of their numbers, so that the object is what was
        meant.
        """
        bucket = lab.create_bucket()
        upload = lab.store.create_multipart_upload(bucket, "k", options=OPTIONS)
        first, second = incompressible(5 * MIB, 1), incompressible(5 * MIB, 2)
        parts = [
            upload_part(lab.store, upload, 1, first),
            upload_part(lab.store, upload, 2, second),
        ]
        with pytest.raises(StoreError):
            lab.store.complete_multipart_upload(
                upload, parts[::-1], size_bytes=10 * MIB, crc64nvme=crc64nvme(second + first)
            )
        assert lab.store.list_objects(bucket).objects == ()

    @pytest.mark.parametrize(
        ("size_bytes", "crc"),
        [(7, crc64nvme(b"content!")), (8, crc64nvme(b"other"))],
        ids=["size", "crc"],
    )
    def test_a_wrong_whole_is_refused(self, lab: Harness, size_bytes: int, crc: int) -> None:
        """An upload with an unexpected total size or checksum never becomes an object."""
        bucket = lab.create_bucket()
        upload = lab.store.create_multipart_upload(bucket, "k", options=OPTIONS)
        part = upload_part(lab.store, upload, 1, b"content!")
        with pytest.raises(StoreError):
            lab.store.complete_multipart_upload(
                upload, [part], size_bytes=size_bytes, crc64nvme=crc
            )
        assert lab.store.list_objects(bucket).objects == ()

    def test_a_part_sent_again_replaces(self, lab: Harness) -> None:
        """The last bytes sent under a part's number are the part."""
        bucket = lab.create_bucket()
        upload = lab.store.create_multipart_upload(bucket, "k", options=OPTIONS)
        upload_part(lab.store, upload, 1, b"first")
        part = upload_part(lab.store, upload, 1, b"second")
        lab.store.complete_multipart_upload(
            upload, [part], size_bytes=6, crc64nvme=crc64nvme(b"second")
        )
        assert lab.store.get_object(bucket, "k").data == b"second"

    def test_completing_overwrites_nothing(self, lab: Harness) -> None:
        """If the key exists by the time of completing, it is left as it is, and the upload stays
        open until it is aborted.
        """
        bucket = lab.create_bucket(versioning="Enabled")
        upload = lab.store.create_multipart_upload(bucket, "k", options=OPTIONS)
        part = upload_part(lab.store, upload, 1, b"late")
        put(lab.store, bucket, "k", b"early")
        with pytest.raises(PreconditionFailed):
            lab.store.complete_multipart_upload(
                upload, [part], size_bytes=4, crc64nvme=crc64nvme(b"late")
            )
        assert lab.store.get_object(bucket, "k").data == b"early"
        assert [
            each.upload_id for each in lab.store.list_multipart_uploads(bucket, prefix="k")
        ] == [upload.upload_id]
        lab.store.abort_multipart_upload(upload)
        assert lab.store.list_multipart_uploads(bucket, prefix="") == []
        assert len(lab.store.list_object_versions(bucket).objects) == 1

    def test_one_of_eight_completions_wins(self, lab: Harness) -> None:
        """Of several uploads of one key that are completed at the same time, one becomes the
        object.
        """
        bucket = lab.create_bucket(versioning="Enabled")
        winners = complete_at_once(lab.store, bucket, "k", 8)
        assert winners == [lab.store.get_object(bucket, "k").data]

    def test_parallel_completions_get_true_answers(self, lab: Harness) -> None:
        """However many succeed, the stored versions are theirs and no one else's."""
        bucket = lab.create_bucket(versioning="Enabled")
        winners = complete_at_once(lab.store, bucket, "k", 8)
        assert sorted(data_of_versions(lab.store, bucket, "k")) == sorted(winners)
        assert lab.store.get_object(bucket, "k").data in winners

    def test_aborting(self, lab: Harness) -> None:
        """An aborted upload is gone; aborting it again is not an error, using it again is
        NotFound.
        """
        bucket = lab.create_bucket()
        upload = lab.store.create_multipart_upload(bucket, "k", options=OPTIONS)
        part = upload_part(lab.store, upload, 1, b"x")
        lab.store.abort_multipart_upload(upload)
        lab.store.abort_multipart_upload(upload)
        assert lab.store.list_multipart_uploads(bucket, prefix="") == []
        with pytest.raises(NotFound):
            upload_part(lab.store, upload, 1, b"x")
        with pytest.raises(NotFound):
            lab.store.complete_multipart_upload(
                upload, [part], size_bytes=1, crc64nvme=crc64nvme(b"x")
            )

    def test_open_uploads_are_listed(self, lab: Harness) -> None:
        """Open uploads are listed by prefix, with their exact keys and a UTC time; completed ones
        are not.
        """
        bucket = lab.create_bucket()
        uploads = [
            lab.store.create_multipart_upload(bucket, key, options=OPTIONS)
            for key in ("p/a b+ü", "p/a b+ü", "p/%41", "q")
        ]
        part = upload_part(lab.store, uploads[2], 1, b"x")
        lab.store.complete_multipart_upload(
            uploads[2], [part], size_bytes=1, crc64nvme=crc64nvme(b"x")
        )
        listed = lab.store.list_multipart_uploads(bucket, prefix="p/")
        assert {(each.bucket, each.key, each.upload_id) for each in listed} == {
            (bucket, "p/a b+ü", each.upload_id) for each in uploads[:2]
        }
        assert all(
            each.initiated is not None and each.initiated.utcoffset() == timedelta(0)
            for each in listed
        )


class TestDeleting:
    def test_exactly_the_named_versions_are_deleted(self, lab: Harness) -> None:
        """Exactly the named versions of all keys are gone afterwards, and no delete marker
        is left.
        """
        bucket = lab.create_bucket(versioning="Enabled")
        for key in ("a", "b c+%41", "<&>"):
            for number in range(3):
                lab.put(bucket, key, bytes([number]))
        before = lab.store.list_object_versions(bucket).objects
        doomed = before[::2]
        assert (
            lab.store.delete_objects(
                bucket, [Deletion(each.key, each.version_id) for each in doomed]
            )
            == []
        )
        after = lab.store.list_object_versions(bucket)
        kept = [(each.key, each.version_id) for each in before if each not in doomed]
        assert [(each.key, each.version_id) for each in after.objects] == kept
        assert after.markers == ()

    def test_deleting_by_etag_spares_changed_objects(self, lab: Harness) -> None:
        """In a bucket without versions, deleting an object that was overwritten since it was listed
        is refused.
        """
        bucket = lab.create_bucket()
        lab.put(bucket, "same", b"1")
        lab.put(bucket, "changed", b"1")
        listed = lab.store.list_objects(bucket).objects
        lab.put(bucket, "changed", b"2")
        deletions = [Deletion(each.key, etag=each.etag) for each in listed]
        (failure,) = lab.store.delete_objects(bucket, deletions)
        assert (failure.deletion, failure.code) == (deletions[0], "PreconditionFailed")
        assert [each.key for each in lab.store.list_objects(bucket).objects] == ["changed"]
        assert lab.store.get_object(bucket, "changed").data == b"2"

    def test_a_null_version_that_was_overwritten_stays(self, lab: Harness) -> None:
        """While versioning is suspended, a null version is deleted only if its ETag is still the
        listed one.
        """
        bucket = lab.create_bucket(versioning="Enabled")
        lab.set_versioning(bucket, "Suspended")
        lab.put(bucket, "same", b"1")
        lab.put(bucket, "changed", b"1")
        listed = lab.store.list_object_versions(bucket).objects
        lab.put(bucket, "changed", b"2")
        deletions = [Deletion(each.key, each.version_id, each.etag) for each in listed]
        (failure,) = lab.store.delete_objects(bucket, deletions)
        assert (failure.deletion, failure.code) == (deletions[0], "PreconditionFailed")
        assert [each.key for each in lab.store.list_object_versions(bucket).objects] == ["changed"]
        assert lab.store.get_object(bucket, "changed").data == b"2"

    def test_deleting_twice_is_not_a_failure(self, lab: Harness) -> None:
        """Repeating a deletion, by version or by ETag, refuses nothing."""
        versioned, plain = lab.create_bucket(versioning="Enabled"), lab.create_bucket()
        lab.put(versioned, "k", b"1")
        lab.put(plain, "k", b"1")
        (version,) = lab.store.list_object_versions(versioned).objects
        (listed,) = lab.store.list_objects(plain).objects
        for _ in range(2):
            assert lab.store.delete_objects(versioned, [Deletion("k", version.version_id)]) == []
            assert lab.store.delete_objects(plain, [Deletion("k", etag=listed.etag)]) == []
        assert lab.store.list_object_versions(versioned) == Page(objects=())

    def test_retained_versions_are_reported(self, lab: Harness) -> None:
        """Each version retained by Object Lock is reported and stays; the others in the batch are
        deleted.
        """
        bucket = lab.create_bucket(versioning="Enabled", has_lock=True)
        for key in ("free", "locked"):
            lab.put(bucket, key, b"1")
        lab.retain(bucket, "locked")
        free, locked = lab.store.list_object_versions(bucket).objects
        deletions = [Deletion(each.key, each.version_id) for each in (free, locked)]
        (failure,) = lab.store.delete_objects(bucket, deletions)
        assert (failure.deletion, failure.code) == (deletions[1], "AccessDenied")
        assert lab.store.list_object_versions(bucket).objects == (locked,)

    def test_a_batch_takes_a_thousand_entries(self, lab: Harness) -> None:
        """A call deletes up to a thousand entries; more are refused before anything is touched, and
        an empty call does nothing. moto takes three seconds for this many.
        """
        bucket = lab.create_bucket(versioning="Enabled")
        lab.put_empty(bucket, (f"k/{number:04d}" for number in range(1_000)))
        deletions = [
            Deletion(each.key, each.version_id)
            for each in lab.store.list_object_versions(bucket).objects
        ]
        with pytest.raises(ValueError, match="1001 deletions"):
            lab.store.delete_objects(bucket, [*deletions, Deletion("k", "v")])
        assert len(deletions) == len(all_versions(lab, bucket)) == 1_000
        assert lab.store.delete_objects(bucket, []) == []
        assert lab.store.delete_objects(bucket, deletions) == []
        assert all_versions(lab, bucket) == []

    def test_deleting_in_a_missing_bucket_is_an_error(self, lab: Harness) -> None:
        """Deleting in a missing bucket is an error, not a success."""
        with pytest.raises(NoSuchBucket):
            lab.store.delete_objects("no-such-bucket", [Deletion("k", "v")])


def test_errors_hold_no_contents(lab: Harness) -> None:
    """No error's text contains an object's contents, and each is one line that names operation,
    bucket and key.
    """
    bucket = lab.create_bucket()
    secret = os.urandom(20).hex()
    put(lab.store, bucket, "k\u2028", secret.encode())
    attempts: list[Callable[[], object]] = [
        lambda: put(lab.store, bucket, "k\u2028", secret.encode()),
        lambda: lab.store.get_object(bucket, "k\u2028", if_match="0" * 32),
        lambda: lab.store.get_object(bucket, "k\u2028", byte_range=(99, 100)),
    ]
    for attempt in attempts:
        with pytest.raises(StoreError) as caught:
            attempt()
        text = str(caught.value)
        assert secret not in text
        assert text.isprintable()
        assert bucket in text
        assert caught.value.operation in text
    assert [each.key for each in current(lab, bucket)] == ["k\u2028"]

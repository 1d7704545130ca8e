"""Promises about writing: nothing is overwritten, and what is stored is what was sent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from log_aggregator.core.checksums import crc64nvme
from log_aggregator.errors import PreconditionFailed, RequestFailed
from log_aggregator.limits import PART_SIZE_BYTES_MIN
from log_aggregator.model import LogObject
from log_aggregator.ports.store import Part, Upload, WriteOptions
from log_aggregator.steps.promises.asking import WRONG_ETAG, Broken, Ground, Needs, Promise, Rests

METADATA = {"signature": "0a" * 256, "x-y_z": "Two  spaces, 100%; +=&", "empty-not": "0"}


@contextmanager
def open_upload(ground: Ground, name: str) -> Iterator[Upload]:
    """An upload that is aborted at the end, unless it was completed."""
    upload = ground.store.create_multipart_upload(
        ground.bucket, ground.key(name), options=WriteOptions()
    )
    try:
        yield upload
    finally:
        with suppress(RequestFailed):
            ground.store.abort_multipart_upload(upload)


def send_part(ground: Ground, upload: Upload, number: int, data: bytes) -> Part:
    return ground.store.upload_part(upload, number, data, crc64nvme=crc64nvme(data))


def complete(ground: Ground, upload: Upload, parts: Sequence[Part], data: bytes) -> None:
    ground.store.complete_multipart_upload(
        upload, parts, size_bytes=len(data), crc64nvme=crc64nvme(data)
    )


def probe_put_if_none_match(ground: Ground) -> None:
    key = ground.write("k", b"first")
    try:
        ground.write("k", b"second")
    except PreconditionFailed:
        pass
    else:
        raise Broken("it overwrote an object")
    if ground.read(key) != b"first":
        raise Broken("it answered with an error, but overwrote the object")


def probe_complete_if_none_match(ground: Ground) -> None:
    with open_upload(ground, "k") as upload:
        part = send_part(ground, upload, 1, b"late")
        key = ground.write("k", b"early")
        try:
            complete(ground, upload, [part], b"late")
        except PreconditionFailed:
            pass
        else:
            raise Broken("it overwrote an object")
    if ground.read(key) != b"early":
        raise Broken("it answered with an error, but overwrote the object")


def probe_wrong_bytes(ground: Ground) -> None:
    ground.write("right", b"sent")
    with suppress(RequestFailed):
        ground.store.put_object(
            ground.bucket,
            ground.key("wrong"),
            b"damaged",
            crc64nvme=crc64nvme(b"sent"),
            options=WriteOptions(),
        )
        raise Broken("it stored bytes with a different CRC64NVME")


def probe_put_checksum(ground: Ground) -> None:
    check_checksum(ground, ground.write("k", b"data"), b"data")


def probe_multipart_checksum(ground: Ground) -> None:
    first, second = bytes(PART_SIZE_BYTES_MIN), b"end"
    with open_upload(ground, "k") as upload:
        parts = [send_part(ground, upload, 1, first), send_part(ground, upload, 2, second)]
        complete(ground, upload, parts, first + second)
    check_checksum(ground, ground.key("k"), first + second)


def check_checksum(ground: Ground, key: str, data: bytes) -> None:
    stored = ground.store.head_object(ground.bucket, key)
    if stored.size_bytes != len(data):
        raise Broken("HeadObject reports a wrong size")
    if stored.crc64nvme is None:
        raise Broken("HeadObject reports no checksum of the whole object")
    if stored.crc64nvme != crc64nvme(data):
        raise Broken("HeadObject reports a wrong checksum")


def probe_copy_if_match(ground: Ground) -> None:
    source = ground.find(ground.write("source", b"now"))
    stale = LogObject(ground.bucket, source.key, None, WRONG_ETAG, 3, source.last_modified)
    with open_upload(ground, "copy") as upload:
        try:
            ground.store.upload_part_copy(upload, 1, stale, (0, 3))
        except PreconditionFailed:
            return
    raise Broken("it copied an object despite a different ETag")


def probe_copy_range(ground: Ground) -> None:
    # S3 refuses to copy a range of a source of 5 MB or less.
    data = b"0123456789" + bytes(PART_SIZE_BYTES_MIN)
    source = ground.find(ground.write("source", data))
    with open_upload(ground, "copy") as upload:
        part = ground.store.upload_part_copy(upload, 1, source, (2, 6))
        complete(ground, upload, [part], b"2345")
    if ground.read(ground.key("copy")) != b"2345":
        raise Broken("it copied different bytes")


def probe_copy_checksum(ground: Ground) -> None:
    data = b"0123456789" + bytes(PART_SIZE_BYTES_MIN)
    source = ground.find(ground.write("source", data))
    with open_upload(ground, "copy") as upload:
        part = ground.store.upload_part_copy(upload, 1, source, (2, 6))
    if part.crc64nvme is None:
        raise Broken("UploadPartCopy returns no checksum")
    if part.crc64nvme != crc64nvme(b"2345"):
        raise Broken("UploadPartCopy returns the checksum of different bytes")


def probe_copy_version(ground: Ground) -> None:
    key = ground.write_versions("source", b"old", b"newer")
    versions = ground.store.list_object_versions(ground.bucket, prefix=key).objects
    old = next((each for each in versions if each.size_bytes == len(b"old")), None)
    if old is None:
        raise Broken("the older version is not listed")
    with open_upload(ground, "copy") as upload:
        part = ground.store.upload_part_copy(upload, 1, old, (0, 3))
        complete(ground, upload, [part], b"old")
    if ground.read(ground.key("copy")) != b"old":
        raise Broken("it copied another version")


def probe_metadata(ground: Ground) -> None:
    options = WriteOptions(
        content_type="application/json", content_encoding="gzip", metadata=METADATA
    )
    key = ground.write("k", b"data", options)
    for body in (
        ground.store.get_object(ground.bucket, key),
        ground.store.get_object_checked(ground.bucket, key)[0],
    ):
        if dict(body.metadata) != METADATA:
            raise Broken("GetObject returns different metadata")
        if body.content_type != "application/json":
            raise Broken("GetObject returns another Content-Type")
        if body.content_encoding != "gzip":
            raise Broken("GetObject returns another Content-Encoding")


def probe_uploads_listed(ground: Ground) -> None:
    with open_upload(ground, "k") as upload:
        listed = ground.store.list_multipart_uploads(ground.bucket, prefix=ground.prefix)
    if [each.upload_id for each in listed] != [upload.upload_id]:
        raise Broken("it lists other uploads")
    if listed[0].initiated is None:
        raise Broken("it does not show when an upload began")
    if ground.store.list_multipart_uploads(ground.bucket, prefix=ground.prefix):
        raise Broken("it lists an upload that was aborted")


WRITING = (
    Promise(
        "put-if-none-match",
        "PutObject with If-None-Match never overwrites",
        "indexes, small packs and custody records are never overwritten",
        "originals in buckets without versions are kept: before it deletes by ETag, the run tests "
        "the server, and reports that; two concurrent runs may overwrite each other's records",
        Rests.SAFETY,
        probe_put_if_none_match,
    ),
    Promise(
        "complete-if-none-match",
        "CompleteMultipartUpload with If-None-Match never overwrites",
        "packs are never overwritten",
        "a pack that two concurrent runs make is written twice, with the same bytes",
        Rests.SAFETY,
        probe_complete_if_none_match,
    ),
    Promise(
        "wrong-bytes",
        "bytes that do not match the CRC64NVME sent with them are refused",
        "data that was damaged in transit is not stored",
        "the checksum of the stored pack is compared, or the pack is read back, before anything is "
        "deleted",
        Rests.COST,
        probe_wrong_bytes,
    ),
    Promise(
        "put-checksum",
        "HeadObject returns the CRC64NVME of an object",
        "an object is verified without being read",
        "the pack is read back",
        Rests.COST,
        probe_put_checksum,
    ),
    Promise(
        "multipart-checksum",
        "HeadObject returns the CRC64NVME of a whole multipart object",
        "a pack is verified without being read",
        "the pack is read back",
        Rests.COST,
        probe_multipart_checksum,
    ),
    Promise(
        "copy-range",
        "UploadPartCopy copies a range",
        "large log objects are packed without being downloaded",
        "the pack has wrong bytes, so it fails verification, and the originals are kept",
        Rests.COMMAND,
        probe_copy_range,
    ),
    Promise(
        "copy-checksum",
        "UploadPartCopy returns the CRC64NVME of the range that it copied",
        "a large log object is packed without being read",
        "without one the range is read; with a wrong one the pack fails verification, and the "
        "originals are kept",
        Rests.COST,
        probe_copy_checksum,
    ),
    Promise(
        "copy-if-match",
        "UploadPartCopy with CopySourceIfMatch copies only the object with the given ETag",
        "what is copied is what was listed and examined",
        "the program checks the source's ETag again after the copy, and keeps the originals if it "
        "changed",
        Rests.SAFETY,
        probe_copy_if_match,
    ),
    Promise(
        "copy-version",
        "UploadPartCopy copies the given version",
        "older versions are packed too",
        "the copy is refused, or the pack fails verification; the originals are kept",
        Rests.SAFETY,
        probe_copy_version,
        needs=Needs.VERSIONS,
    ),
    Promise(
        "metadata",
        "metadata, Content-Type and Content-Encoding are returned unchanged",
        "packs describe themselves in their metadata, and put-back restores that of originals",
        "put-back cannot restore the metadata of originals, and reports differences",
        Rests.COMMAND,
        probe_metadata,
    ),
    Promise(
        "uploads-listed",
        "open multipart uploads are listed, with their times",
        "unfinished uploads of dead runs are removed",
        "they stay, and cost storage",
        Rests.COST,
        probe_uploads_listed,
    ),
)

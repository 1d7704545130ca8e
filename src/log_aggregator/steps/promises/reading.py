"""Promises about reading: exactly what was listed, as it is stored."""

from __future__ import annotations

import gzip
from collections.abc import Callable

from log_aggregator.errors import NotFound, ObjectFrozen, PreconditionFailed
from log_aggregator.ports.store import WriteOptions
from log_aggregator.steps.promises.asking import WRONG_ETAG, Broken, Ground, Needs, Promise, Rests


def probe_get_if_match(ground: Ground) -> None:
    key = ground.write("k", b"now")
    etag = ground.find(key).etag
    if ground.store.get_object(ground.bucket, key, if_match=etag).data != b"now":
        raise Broken("GetObject returns different bytes")
    reads: dict[str, Callable[[], object]] = {
        "GetObject": lambda: ground.store.get_object(ground.bucket, key, if_match=WRONG_ETAG),
        "GetObject with its checksum": lambda: ground.store.get_object_checked(
            ground.bucket, key, if_match=WRONG_ETAG
        ),
        "HeadObject": lambda: ground.store.head_object(ground.bucket, key, if_match=WRONG_ETAG),
    }
    for name, read in reads.items():
        try:
            read()
        except PreconditionFailed:
            continue
        raise Broken(f"{name} answers despite a different ETag")


def probe_get_range(ground: Ground) -> None:
    key = ground.write("k", b"0123456789")
    for first, last in ((0, 1), (3, 7), (9, 10), (5, 99)):
        body = ground.store.get_object(ground.bucket, key, byte_range=(first, last))
        if body.data != b"0123456789"[first:last]:
            raise Broken(f"bytes {first} to {last} are wrong")


def probe_version_range(ground: Ground) -> None:
    key = ground.write_versions("k", b"0123456789", b"newer")
    versions = ground.store.list_object_versions(ground.bucket, prefix=key).objects
    old = next((each for each in versions if each.size_bytes == 10), None)
    if old is None:
        raise Broken("the older version is not listed")
    body = ground.store.get_object(ground.bucket, key, version_id=old.version_id, byte_range=(3, 7))
    if body.data != b"3456":
        raise Broken("bytes 3 to 7 are wrong")


def probe_stored_bytes(ground: Ground) -> None:
    data = gzip.compress(b'{"Records":[]}', mtime=0)
    options = WriteOptions(content_type="application/json", content_encoding="gzip")
    key = ground.write("k", data, options)
    body = ground.store.get_object(ground.bucket, key)
    if body.data != data:
        raise Broken("GetObject does not return the stored bytes")


def probe_get_version(ground: Ground) -> None:
    key = ground.write_versions("k", b"1", b"22")
    listed = ground.store.list_object_versions(ground.bucket, prefix=key).objects
    if len(listed) != 2:
        raise Broken(f"it lists {len(listed)} versions of 2")
    for each in listed:
        body = ground.store.get_object(ground.bucket, key, version_id=each.version_id)
        if len(body.data) != each.size_bytes:
            raise Broken("GetObject returns another version")
        stored = ground.store.head_object(ground.bucket, key, version_id=each.version_id)
        if (stored.etag, stored.version_id) != (each.etag, each.version_id):
            raise Broken("HeadObject describes another version")


def probe_missing(ground: Ground) -> None:
    ground.write("a", b"data")
    for name in ("b", "a/", "A"):
        try:
            ground.store.get_object(ground.bucket, ground.key(name))
        except NotFound:
            continue
        raise Broken(f"{name!r} can be read, although only 'a' was written")


def probe_frozen(ground: Ground) -> None:
    key = ground.write("k", b"data", WriteOptions(storage_class=ARCHIVE_CLASS))
    try:
        ground.read(key)
    except ObjectFrozen:
        pass
    else:
        raise Broken("it reads an object of an archive class")
    if ground.store.head_object(ground.bucket, key).storage_class != ARCHIVE_CLASS:
        raise Broken("HeadObject reports another storage class")
    ground.store.restore_object(ground.bucket, key, days=1, tier="Standard")
    if ground.store.head_object(ground.bucket, key).restore is None:
        raise Broken("HeadObject does not show that a restore was requested")


ARCHIVE_CLASS = "GLACIER"

READING = (
    Promise(
        "get-if-match",
        "GetObject and HeadObject with If-Match answer only for the given ETag",
        "what is read is what was listed",
        "if bytes and ETag differ the object is left alone, and the run reports that",
        Rests.SAFETY,
        probe_get_if_match,
    ),
    Promise(
        "get-version",
        "GetObject and HeadObject answer for the given version",
        "every version is packed as itself",
        "if bytes and ETag differ the object is left alone, and the run reports that",
        Rests.SAFETY,
        probe_get_version,
        needs=Needs.VERSIONS,
    ),
    Promise(
        "get-range",
        "GetObject returns the requested range",
        "a log is read from a pack without the rest of it",
        "what is read does not match the index, so the command ends with an error",
        Rests.COMMAND,
        probe_get_range,
    ),
    Promise(
        "version-range",
        "GetObject returns a range of the given version",
        "a large log object with versions is compared with its copy, if the server does not return "
        "the copy's checksum",
        "these log objects are not packed, and the run reports that",
        Rests.COMMAND,
        probe_version_range,
        needs=Needs.VERSIONS,
    ),
    Promise(
        "stored-bytes",
        "GetObject returns the stored bytes, whatever the Content-Encoding",
        "originals are packed byte for byte",
        "bytes and ETag differ, so the object is left alone, and the run reports that",
        Rests.SAFETY,
        probe_stored_bytes,
    ),
    Promise(
        "missing",
        "a key that does not exist is NotFound, however similar another one is",
        "no other object is read, and a deleted object counts as deleted",
        "if bytes and ETag differ the object is left alone, and the run reports that",
        Rests.SAFETY,
        probe_missing,
    ),
    Promise(
        "frozen",
        "an object in an archive class cannot be read until it is restored, and HeadObject shows "
        "whether that was requested",
        "`thaw` reports what is frozen, requests it once, and waits",
        "there is nothing to thaw: packs can be read immediately",
        Rests.COMMAND,
        probe_frozen,
    ),
)

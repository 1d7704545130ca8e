"""Each promise is seen as kept, broken or refused, whichever is true, and nothing is left
behind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from log_aggregator.errors import AccessDenied, NotFound, PreconditionFailed, StoreError
from log_aggregator.model import NULL_VERSION, LogObject, StoredObject
from log_aggregator.ports.store import (
    Body,
    Deletion,
    DeletionFailure,
    ListStart,
    Page,
    Part,
    Upload,
    WriteOptions,
)
from log_aggregator.steps.promises.asking import Answer, Ground, Needs, Promise, Rests, Seen, ask
from log_aggregator.steps.promises.table import PROMISES
from log_aggregator_lab.stores.memory import MemoryStore
from log_aggregator_lab.stores.memory_hands import MemoryHands


def make_ground(
    store: MemoryStore | None = None, hands: Callable[[MemoryStore], MemoryHands] = MemoryHands
) -> Ground:
    store = MemoryStore() if store is None else store
    store.create_bucket("plain")
    store.create_bucket("versioned", versioning="Enabled")
    return Ground(store, hands(store), "plain", "versioned", "versioned")


def promise(name: str) -> Promise:
    (found,) = [each for each in PROMISES if each.name == name]
    return found


class UnconditionalWrites(MemoryStore):
    def put_object(
        self, bucket: str, key: str, data: bytes | bytearray, *, crc64nvme: int, options: Any
    ) -> None:
        MemoryStore.put(self, bucket, key, bytes(data), with_checksum=True)

    def complete_multipart_upload(
        self, upload: Upload, parts: Sequence[Part], *, size_bytes: int, crc64nvme: int
    ) -> None:
        self.delete(upload.bucket, upload.key)
        super().complete_multipart_upload(upload, parts, size_bytes=size_bytes, crc64nvme=crc64nvme)


class SilentOverwrites(MemoryStore):
    """Refuses, but still writes."""

    def put_object(
        self, bucket: str, key: str, data: bytes | bytearray, *, crc64nvme: int, options: Any
    ) -> None:
        try:
            super().put_object(bucket, key, data, crc64nvme=crc64nvme, options=options)
        except PreconditionFailed:
            self.put(bucket, key, bytes(data))
            raise


class NoEtags(MemoryStore):
    """Ignores every ETag in a request."""

    def delete_objects(self, bucket: str, deletions: Sequence[Deletion]) -> list[DeletionFailure]:
        for each in deletions:
            self.delete(bucket, each.key)
        return []

    def get_object(
        self, bucket: str, key: str, *, if_match: str | None = None, **rest: Any
    ) -> Body:
        return super().get_object(bucket, key, **rest)

    def upload_part_copy(
        self, upload: Upload, number: int, source: LogObject, byte_range: tuple[int, int]
    ) -> Part:
        etag = self.head_object(source.bucket, source.key, version_id=source.version_id).etag
        return super().upload_part_copy(upload, number, replace(source, etag=etag), byte_range)


class SilentKeeping(MemoryStore):
    """Keeps what it does not delete, without reporting it."""

    def delete_objects(self, bucket: str, deletions: Sequence[Deletion]) -> list[DeletionFailure]:
        super().delete_objects(bucket, deletions)
        return []


class DeniedDeletions(MemoryStore):
    """Refuses every conditional delete."""

    def delete_objects(self, bucket: str, deletions: Sequence[Deletion]) -> list[DeletionFailure]:
        return [DeletionFailure(each, "AccessDenied") for each in deletions]


class NoVersionIds(MemoryStore):
    """Ignores the version in a request."""

    def get_object(
        self, bucket: str, key: str, *, version_id: str | None = None, **rest: Any
    ) -> Body:
        return super().get_object(bucket, key, **rest)

    def delete_objects(self, bucket: str, deletions: Sequence[Deletion]) -> list[DeletionFailure]:
        for each in deletions:
            self.delete(bucket, each.key)
        return []


class OddBodies(MemoryStore):
    """Ignores ranges, undoes encodings, confuses keys, puts metadata in capitals."""

    def get_object(
        self,
        bucket: str,
        key: str,
        *,
        version_id: str | None = None,
        if_match: str | None = None,
        byte_range: tuple[int, int] | None = None,
    ) -> Body:
        with suppress(NotFound):
            body = super().get_object(bucket, key, version_id=version_id, if_match=if_match)
            metadata = {name.upper(): value for name, value in body.metadata.items()}
            data = b"inflated" if body.content_encoding else body.data
            return replace(body, metadata=metadata, data=data)
        return super().get_object(bucket, key.rstrip("/").rpartition("/")[0] + "/a")


class NoChecksums(MemoryStore):
    def put_object(
        self,
        bucket: str,
        key: str,
        data: bytes | bytearray,
        *,
        crc64nvme: int,
        options: WriteOptions,
    ) -> None:
        MemoryStore.put(self, bucket, key, bytes(data))

    def head_object(self, *arguments: Any, **options: Any) -> StoredObject:
        return replace(super().head_object(*arguments, **options), crc64nvme=None)


class OddListings(MemoryStore):
    """Lists in another order, with the first key again, without folders and times."""

    def list_objects(self, bucket: str, *, prefix: str = "", start: Any = None) -> Page:
        page = super().list_objects(bucket, prefix=prefix)
        self._sequence += 1
        later = timedelta(seconds=self._sequence)
        return Page(
            tuple(
                replace(each, last_modified=each.last_modified + later)
                for each in reversed(page.objects)
            )
        )

    def list_object_versions(self, bucket: str, *, prefix: str = "", start: Any = None) -> Page:
        page = super().list_object_versions(bucket, prefix=prefix)
        return Page(
            tuple(
                replace(each, version_id="null", is_latest=True) for each in reversed(page.objects)
            )
        )

    def list_prefixes(self, bucket: str, *, prefix: str, start: Any = None) -> Page:
        return replace(super().list_prefixes(bucket, prefix=prefix), prefixes=())

    def get_bucket_versioning(self, bucket: str) -> str | None:
        return "Suspended"


class NoNull(MemoryStore):
    """Gives objects without versions some other id."""

    def list_object_versions(
        self, bucket: str, *, prefix: str = "", start: ListStart | None = None
    ) -> Page:
        page = super().list_object_versions(bucket, prefix=prefix, start=start)
        ids = {NULL_VERSION: "0"}
        return replace(
            page,
            objects=tuple(
                replace(each, version_id=ids.get(str(each.version_id), each.version_id))
                for each in page.objects
            ),
        )


class PathKeys(MemoryStore):
    """Keeps files under paths of printable letters, and a folder in place of a file."""

    def put_object(
        self, bucket: str, key: str, data: bytes | bytearray, *, crc64nvme: int, options: Any
    ) -> None:
        path = "/".join(part for part in key.split("/") if part not in ("", ".", ".."))
        path = "".join(letter for letter in path if " " < letter <= "~").replace("%41", "A")
        folder = path.rpartition("/")[0]
        if folder.endswith("/a"):
            self.put(bucket, folder, b"")
        self.put(bucket, path, bytes(data))


class NoUploads(MemoryStore):
    def list_multipart_uploads(self, bucket: str, *, prefix: str) -> list[Upload]:
        return []


class OddCopies(MemoryStore):
    """Copies other bytes without reporting it."""

    def complete_multipart_upload(
        self, upload: Upload, parts: Sequence[Part], *, size_bytes: int, crc64nvme: int
    ) -> None:
        self.put(upload.bucket, upload.key, b"0123")


class OddCopyChecksums(MemoryStore):
    def upload_part_copy(
        self, upload: Upload, number: int, source: LogObject, byte_range: tuple[int, int]
    ) -> Part:
        return replace(super().upload_part_copy(upload, number, source, byte_range), crc64nvme=1)


class NoLocks(MemoryStore):
    """Accepts locks, but ignores them."""

    def retain(self, bucket: str, key: str) -> None:
        """Report success without retaining anything."""


class SilentRefusals(MemoryStore):
    """Keeps what it refuses to delete, without reporting it."""

    def delete_objects(self, bucket: str, deletions: Sequence[Deletion]) -> list[DeletionFailure]:
        super().delete_objects(bucket, deletions)
        return []


class NothingFreezes(MemoryStore):
    """Accepts a storage class, but ignores it."""

    def put_object(
        self,
        bucket: str,
        key: str,
        data: bytes | bytearray,
        *,
        crc64nvme: int,
        options: WriteOptions,
    ) -> None:
        plain = replace(options, storage_class="STANDARD")
        super().put_object(bucket, key, data, crc64nvme=crc64nvme, options=plain)


class SilentRestores(MemoryStore):
    def restore_object(self, bucket: str, key: str, *, days: int, tier: str) -> None:
        """Report success without retaining anything."""


class RudeHands(MemoryHands):
    """A server that ignores what DeleteObject and an owner's number ask for."""

    def delete(self, bucket: str, key: str, *, if_match: str | None = None) -> None:
        self._store.delete(bucket, key)

    def list_of_owner(self, bucket: str, prefix: str, owner: str) -> None:
        """List for any owner."""


BREAKING: Mapping[str, Sequence[type[MemoryStore]]] = {
    "delete-if-etag": (NoEtags, SilentKeeping, DeniedDeletions),
    "delete-null-if-etag": (NoEtags, SilentKeeping, DeniedDeletions),
    "errors-by-key": (NoEtags, SilentKeeping, DeniedDeletions),
    "delete-again": (DeniedDeletions,),
    "put-if-none-match": (UnconditionalWrites, SilentOverwrites),
    "complete-if-none-match": (UnconditionalWrites,),
    "wrong-bytes": (NoChecksums,),
    "put-checksum": (NoChecksums,),
    "multipart-checksum": (NoChecksums,),
    "copy-range": (OddCopies,),
    "copy-checksum": (OddCopyChecksums,),
    "copy-if-match": (NoEtags,),
    "copy-version": (OddCopies,),
    "metadata": (OddBodies,),
    "uploads-listed": (NoUploads,),
    "get-if-match": (NoEtags,),
    "get-version": (NoVersionIds,),
    "get-range": (OddBodies,),
    "version-range": (NoVersionIds, OddBodies),
    "stored-bytes": (OddBodies,),
    "missing": (OddBodies,),
    "frozen": (NothingFreezes, SilentRestores),
    "legal-hold": (NoLocks, SilentRefusals),
    "retention": (NoLocks, SilentRefusals),
    "versioning-told": (OddListings,),
    "versions-listed": (OddListings,),
    "marker-listed": (OddListings,),
    "null-version": (NoNull,),
    "delete-version": (NoVersionIds, DeniedDeletions),
    "list-order": (OddListings,),
    "versions-order": (OddListings,),
    "start-after": (OddListings,),
    "key-marker": (OddListings,),
    "common-prefixes": (OddListings,),
    "key-and-folder": (PathKeys,),
    "keys-unicode": (PathKeys,),
    "keys-signs": (PathKeys,),
    "keys-slashes": (PathKeys,),
    "keys-control": (PathKeys,),
    "version-keys": (PathKeys,),
    "time-stable": (OddListings,),
}
"""Stores that break a promise, by its name. Two more promises are the hands' alone."""


@pytest.mark.parametrize("each", PROMISES, ids=lambda each: each.name)
def test_a_store_that_keeps_the_promise_passes(each: Promise) -> None:
    """Our own store keeps all promises, and no probe leaves anything behind."""
    ground = make_ground()
    assert ask(each, ground) == Answer(Seen.KEPT)
    assert isinstance(ground.store, MemoryStore)
    assert (ground.store.snapshot(), ground.store.open_uploads()) == ((), [])


@pytest.mark.parametrize(
    ("name", "kind"),
    [(name, kind) for name, kinds in BREAKING.items() for kind in kinds],
)
def test_a_store_that_breaks_the_promise_is_found(name: str, kind: type[MemoryStore]) -> None:
    """The promise is seen as broken, with one line that says how."""
    answer = ask(promise(name), make_ground(kind()))
    assert answer.seen is Seen.BROKEN
    assert len(answer.what.splitlines()) == 1


@pytest.mark.parametrize("name", ["delete-one-if-match", "expected-owner"])
def test_hands_that_break_the_promise_are_found(name: str) -> None:
    assert ask(promise(name), make_ground(hands=RudeHands)).seen is Seen.BROKEN


def test_every_probe_can_fail() -> None:
    """No probe passes everything."""
    names = {each.name for each in PROMISES}
    assert names == {*BREAKING, "delete-one-if-match", "expected-owner"}
    assert len(names) == len(PROMISES)


def test_a_refused_request_does_not_break_the_promise() -> None:
    """An error of the server has its code, and an unusable answer is not a refusal."""

    def refuse(ground: Ground) -> None:
        raise StoreError("PutObject: no", code="NotImplemented", operation="PutObject")

    def confuse(ground: Ground) -> None:
        place = f"s3://{ground.bucket}/{ground.prefix}"
        raise StoreError(f"ListObjectsV2 {place}: out of order", code="InvalidListing")

    one = Promise("one", "", "", "", Rests.SAFETY, refuse)
    other = Promise("other", "", "", "", Rests.SAFETY, confuse)
    assert ask(one, make_ground()) == Answer(Seen.REFUSED, "PutObject: NotImplemented")
    assert ask(other, make_ground()) == Answer(Seen.BROKEN, "ListObjectsV2: out of order")


class PoorHands(MemoryHands):
    """A caller without permission to lock."""

    def hold(self, bucket: str, key: str, version_id: str, *, is_held: bool) -> None:
        raise AccessDenied("", code="AccessDenied")

    def retain(self, bucket: str, key: str, version_id: str, until: datetime) -> None:
        raise AccessDenied("", code="AccessDenied")


@pytest.mark.parametrize("name", ["legal-hold", "retention"])
def test_a_missing_permission_is_not_blamed_on_the_server(name: str) -> None:
    answer = ask(promise(name), make_ground(hands=PoorHands))
    assert answer.seen is Seen.NOT_ASKED
    assert answer.what.startswith("it needs s3:PutObject")


def test_promises_about_versions_need_versions() -> None:
    """A server without versions would only repeat that it has none."""
    ground = replace(make_ground(), versioned_bucket=None)
    seen = {each.name: ask(each, ground).seen for each in PROMISES}
    assert {name for name, each in seen.items() if each is Seen.NOT_ASKED} == {
        each.name for each in PROMISES if each.needs is Needs.VERSIONS
    }


def test_promises_without_versions_are_not_tested_with_them() -> None:
    """A conditional delete would leave a marker, which the program never wants."""
    ground = replace(make_ground(), bucket="versioned", is_plain=False, locked_bucket=None)
    answers = {each.name: ask(each, ground) for each in PROMISES}
    not_asked = {name for name, each in answers.items() if each.seen is Seen.NOT_ASKED}
    assert not_asked == {each.name for each in PROMISES if each.needs in (Needs.PLAIN, Needs.LOCK)}
    assert {each.seen for name, each in answers.items() if name not in not_asked} == {Seen.KEPT}

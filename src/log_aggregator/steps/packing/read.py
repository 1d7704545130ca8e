"""Reads log objects exactly as they were listed, and checks what came."""

from __future__ import annotations

import hashlib
import re
import threading
from dataclasses import dataclass

from log_aggregator.core.packformat.builder import Headers, Original, inspect_original
from log_aggregator.core.packformat.contents import Shape
from log_aggregator.errors import (
    AccessDenied,
    NotFound,
    ObjectFrozen,
    PreconditionFailed,
    SourceChanged,
    VerificationError,
)
from log_aggregator.model import LogObject
from log_aggregator.ports.store import Body, ObjectStore

_MD5 = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Changed:
    """The object is no longer what was listed: replaced or gone. It is the next run's."""

    source: LogObject


@dataclass(frozen=True, slots=True)
class Unreadable:
    """The object cannot be read, now or ever, for a reason of its own."""

    source: LogObject
    error: AccessDenied | ObjectFrozen | VerificationError


ReadResult = Original | Changed | Unreadable


class Reader:
    """Reads the log objects of one pack. Thread safe.

    A log object's bytes are right where their MD5 is the ETag. Where the ETag is another, either
    they were damaged on their way, or the ETag is no MD5 (encryption with KMS), which only a
    second, checked read tells. Text is then always read twice. Whole gzip has a CRC-32 of its own
    over all but its header, so once one such read has shown that ETags are no MD5s here, it is
    taken as it is.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._has_opaque_etags = False
        self._learning = threading.Lock()

    def read(self, source: LogObject) -> ReadResult:
        """One GET, pinned to the version or the ETag, and a check of what came.

        Raises StoreError where S3 itself is the trouble and not this object.
        """
        try:
            body = self._store.get_object(
                source.bucket, source.key, version_id=source.version_id, if_match=source.etag
            )
            original = inspect_original(source, body.data, headers_of(body))
            return original if self._is_sound(original) else self._read_again(original)
        except (NotFound, PreconditionFailed):
            return Changed(source)
        except (AccessDenied, ObjectFrozen, VerificationError) as error:
            return Unreadable(source, error)

    def _is_sound(self, original: Original) -> bool:
        data, source = original.data, original.source
        if len(data) != source.size_bytes:
            return False
        if _has_md5(original):
            return True
        is_opaque = self._has_opaque_etags or not _MD5.fullmatch(source.etag)
        return is_opaque and original.contents.shape is Shape.GZIP

    def _read_again(self, first: Original) -> Original:
        """Of gzip one at a time: what it teaches spares the others their second read."""
        if first.contents.shape is not Shape.GZIP:
            return self._read_checked(first)
        with self._learning:
            return first if self._is_sound(first) else self._read_checked(first)

    def _read_checked(self, first: Original) -> Original:
        """A second read, in which S3 also compares its stored checksum and says whether the ETag
        has to be an MD5.
        """
        source = first.source
        body, is_trusted = self._store.get_object_checked(
            source.bucket, source.key, version_id=source.version_id, if_match=source.etag
        )
        second = inspect_original(source, body.data, headers_of(body))
        if len(body.data) == source.size_bytes and _has_md5(second):
            return second
        is_same = len(body.data) == source.size_bytes and body.data == first.data
        if is_same and (is_trusted or not _MD5.fullmatch(source.etag)):
            self._has_opaque_etags = self._has_opaque_etags or is_trusted
            return second
        raise VerificationError(
            f"s3://{source.bucket}/{source.key}: what was read twice is not what its length "
            "and ETag say"
        )


def headers_of(body: Body) -> Headers:
    return Headers(dict(body.metadata), body.content_type, body.content_encoding)


def _has_md5(original: Original) -> bool:
    return hashlib.md5(original.data, usedforsecurity=False).hexdigest() == original.source.etag


class UnfitSources(SourceChanged):
    """Some sources changed or cannot be read: plan anew without them."""

    def __init__(self, changed: list[LogObject], unreadable: list[Unreadable]) -> None:
        super().__init__(
            f"{len(changed)} log objects changed since they were listed, {len(unreadable)} "
            "cannot be read"
        )
        self.changed = tuple(changed)
        self.unreadable = tuple(unreadable)

    @property
    def sources(self) -> tuple[LogObject, ...]:
        return (*self.changed, *(result.source for result in self.unreadable))

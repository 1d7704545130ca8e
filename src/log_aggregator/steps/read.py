"""Reads log objects exactly as they were listed, and checks what came."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from log_aggregator.core.packformat.builder import Headers, Original, inspect_original
from log_aggregator.core.packformat.contents import Shape
from log_aggregator.errors import AccessDenied, NotFound, ObjectFrozen, PreconditionFailed, VerificationError
from log_aggregator.model import LogObject
from log_aggregator.ports import Body, ObjectStore

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


def read_original(store: ObjectStore, source: LogObject) -> ReadResult:
    """One GET, pinned to the version or the ETag, and a check of what came.

    The bytes are right where their MD5 is the ETag, or where they are whole gzip members, whose own CRC-32 fits. Only where
    neither holds (text in a bucket with KMS, where ETags are no MD5; a damaged gzip) is the object read a second time.
    Raises StoreError where S3 itself is the trouble and not this object.
    """
    try:
        body = store.get_object(source.bucket, source.key, version_id=source.version_id, if_match=source.etag)
        original = inspect_original(source, body.data, headers_of(body))
        return original if _is_sound(original) else _read_again(store, original)
    except (NotFound, PreconditionFailed):
        return Changed(source)
    except (AccessDenied, ObjectFrozen, VerificationError) as error:
        return Unreadable(source, error)


def headers_of(body: Body) -> Headers:
    return Headers(dict(body.metadata), body.content_type, body.content_encoding)


def _is_sound(original: Original) -> bool:
    data, source = original.data, original.source
    if len(data) != source.size_bytes:
        return False
    return original.contents.shape is Shape.GZIP or hashlib.md5(data, usedforsecurity=False).hexdigest() == source.etag


def _read_again(store: ObjectStore, first: Original) -> Original:
    """A second read, in which S3 also compares its stored checksum and says whether the ETag has to be an MD5."""
    source = first.source
    body, is_trusted = store.get_object_checked(source.bucket, source.key, version_id=source.version_id, if_match=source.etag)
    second = inspect_original(source, body.data, headers_of(body))
    is_same = len(body.data) == source.size_bytes and body.data == first.data
    if _is_sound(second) or (is_same and (is_trusted or not _MD5.fullmatch(source.etag))):
        return second
    raise VerificationError(f"s3://{source.bucket}/{source.key}: what was read twice is not what its length and ETag say")

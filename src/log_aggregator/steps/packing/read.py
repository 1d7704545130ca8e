"""Reads log objects exactly as they were listed, and checks the bytes."""

from __future__ import annotations

import hashlib
import re
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass
from functools import partial

from log_aggregator.core.packformat.builder import Headers, Original, inspect_original
from log_aggregator.core.packformat.contents import Shape
from log_aggregator.errors import (
    AccessDenied,
    GroupFailed,
    NotFound,
    ObjectFrozen,
    ObjectRefused,
    PreconditionFailed,
    RequestFailed,
    SourceChanged,
    VerificationError,
    WrongSignature,
)
from log_aggregator.limits import MIB
from log_aggregator.model import LogObject
from log_aggregator.ports.store import Body, ObjectStore
from log_aggregator.steps.workers import Workers

_MD5 = re.compile(r"[0-9a-f]{32}")

UNREADABLE = (AccessDenied, ObjectFrozen, ObjectRefused, VerificationError, WrongSignature)
"""Errors of reading one object that do not affect the others of its group."""


@dataclass(frozen=True, slots=True)
class Changed:
    """The object is no longer what was listed: replaced or gone. The next run takes it."""

    source: LogObject


@dataclass(frozen=True, slots=True)
class Unreadable:
    """The object cannot be read, for a reason that concerns this object only."""

    source: LogObject
    error: GroupFailed


ReadResult = Original | Changed | Unreadable
_Begun = ReadResult | Future[ReadResult]
"""A future: the object is being read again."""

_NO_METADATA: dict[str, str] = {}
_WAITING_BYTES_MAX = 8 * MIB
"""Bytes of objects that wait while one before them is read again."""


class Reader:
    """Reads the log objects of one pack.

    A log object's bytes are right if their MD5 equals the ETag. If not, either they were damaged on
    the way, or the ETag is not an MD5, as with SSE-KMS, with SSE-C and after a multipart
    upload (https://docs.aws.amazon.com/AmazonS3/latest/API/RESTCommonResponseHeaders.html). Only
    the headers of this object's own response tell which. Complete gzip, which has its own CRC-32
    over all but its header, is accepted then; anything else is read once more and compared with
    S3's stored checksum.
    """

    def __init__(self, store: ObjectStore, workers: Workers) -> None:
        self._store, self._workers = store, workers

    def read_all(self, sources: Sequence[LogObject]) -> Iterator[ReadResult]:
        """Reads each with one GET, pinned to its version or ETag, and checks the bytes. Results
        keep the order of the sources.

        Raises StoreError for errors that concern S3 as a whole, not one of these objects.
        """
        waiting: deque[_Begun] = deque()
        waiting_bytes = 0
        with closing(self._store.get_objects(sources)) as bodies:
            for source, body in zip(sources, bodies, strict=True):
                self._workers.check_stop()
                begun = self._begin(source, body)
                waiting.append(_keep(begun) if waiting else begun)
                waiting_bytes += source.size_bytes
                while waiting and (_is_there(waiting[0]) or waiting_bytes > _WAITING_BYTES_MAX):
                    result = _take(waiting.popleft())
                    waiting_bytes -= result.source.size_bytes
                    yield result
        yield from map(_take, waiting)

    def _begin(self, source: LogObject, body: Body | RequestFailed) -> _Begun:
        if isinstance(body, RequestFailed):
            return _judge(source, body)
        first = inspect_original(source, body.data, headers_of(body))
        if _is_sound(first, is_opaque=body.has_opaque_etag):
            return first
        return self._workers.start_read(partial(self._read_again, first))

    def _read_again(self, first: Original) -> ReadResult:
        try:
            return self._compare_reads(first)
        except (RequestFailed, VerificationError) as error:
            return _judge(first.source, error)

    def _compare_reads(self, first: Original) -> Original:
        """Raises VerificationError if two reads do not settle which bytes are right."""
        source = first.source
        body, is_trusted = self._store.get_object_checked(
            source.bucket, source.key, version_id=source.version_id, if_match=source.etag
        )
        second = inspect_original(source, body.data, headers_of(body))
        if len(second.data) == source.size_bytes:
            is_same = second.data == first.data
            if _has_md5(second) or (is_same and (is_trusted or not _MD5.fullmatch(source.etag))):
                return second.without_inflated()
        raise VerificationError(
            f"s3://{source.bucket}/{source.key}: its bytes were read twice and match neither its "
            "length nor its ETag"
        )


def _judge(source: LogObject, error: RequestFailed | VerificationError) -> Changed | Unreadable:
    """The result for an error that concerns this object only. Raises any other error."""
    if isinstance(error, NotFound | PreconditionFailed):
        return Changed(source)
    if isinstance(error, UNREADABLE):
        return Unreadable(source, error)
    raise error


def _keep(begun: _Begun) -> _Begun:
    """Drops the inflated bytes of an object that waits: many of them would need too much memory."""
    return begun.without_inflated() if isinstance(begun, Original) else begun


def _is_there(begun: _Begun) -> bool:
    return not isinstance(begun, Future) or begun.done()


def _take(begun: _Begun) -> ReadResult:
    return begun.result() if isinstance(begun, Future) else begun


def _is_sound(original: Original, *, is_opaque: bool) -> bool:
    """Whether one read is enough. `is_opaque`: the headers of the response say that this ETag is
    not an MD5.
    """
    if len(original.data) != original.source.size_bytes:
        return False
    if _has_md5(original):
        return True
    has_no_md5 = is_opaque or not _MD5.fullmatch(original.source.etag)
    return has_no_md5 and original.contents.shape is Shape.GZIP


def headers_of(body: Body) -> Headers:
    """The headers of a response. Equal texts are shared: a hundred thousand log objects have few
    different content types, and mostly no metadata.
    """
    metadata = dict(body.metadata) if body.metadata else _NO_METADATA
    return Headers(metadata, _share(body.content_type), _share(body.content_encoding))


def _share(text: str | None) -> str | None:
    return None if text is None else sys.intern(text)


def _has_md5(original: Original) -> bool:
    return hashlib.md5(original.data, usedforsecurity=False).hexdigest() == original.source.etag


class UnfitSources(SourceChanged):
    """Some sources changed or cannot be read: plan again without them."""

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

"""Puts originals back: their bytes, user metadata, content type and encoding, under their own keys.
Nothing is ever overwritten. What S3 itself assigns cannot be restored: the version id, the time of
the last change, and the ETag of an object that was uploaded in parts.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from enum import StrEnum

from log_aggregator.core.adopted import FLAG
from log_aggregator.core.checksums import RunningChecksum
from log_aggregator.core.packformat.unpack import MemberCheck
from log_aggregator.core.planning import may_be_of
from log_aggregator.errors import (
    AccessDenied,
    BadPack,
    CannotStart,
    GroupFailed,
    KeyTaken,
    LimitExceeded,
    NoSuchBucket,
    NotFound,
    PreconditionFailed,
    SettingsError,
    StoreError,
    VerificationError,
)
from log_aggregator.limits import PART_COUNT_MAX, PART_SIZE_BYTES
from log_aggregator.model import Member, Target
from log_aggregator.ports.store import Body, ObjectStore, Part, WriteOptions
from log_aggregator.steps.packs.ranges import RangeReader
from log_aggregator.steps.retrieval.fetch import (
    Fetched,
    FetchProgress,
    Losses,
    Wanted,
    alternatives,
    fetch,
)
from log_aggregator.steps.workers import Workers

_PENDING_MAX = 64
_CONTENT_TYPE_DEFAULT = "binary/octet-stream"
"""What S3 stores if none is given."""


@dataclass(frozen=True, slots=True)
class ReturnAddress:
    """Where originals go: to their own buckets, or all to one; and a prefix for their keys."""

    bucket: str | None = None
    prefix: str = ""

    def of(self, original: Fetched | Wanted, member: Member) -> tuple[str, str]:
        """(bucket, key)."""
        return self.bucket or original.pack.group.bucket, f"{self.prefix}{member.key}"


class Outcome(StrEnum):
    """The outcome for an original."""

    WRITTEN = "written"
    THERE = "there"  # an equal object existed already


@dataclass(slots=True)
class PutBackResult(Losses):
    """What was put back, what existed already, and what failed."""

    written: int = 0
    written_bytes: int = 0
    there: int = 0


def limit_originals(wanted: Iterable[Wanted], originals_max: int) -> list[Wanted]:
    """Everything that is wanted. Raises LimitExceeded, before anything is touched, as soon as there
    is more than allowed.
    """
    taken: list[Wanted] = []
    count = 0
    for each in wanted:
        count += len(each.pack.members)
        if count > originals_max:
            raise LimitExceeded(
                f"more than {originals_max:,} originals would be put back; narrow the request, or "
                "raise --objects-max"
            )
        taken.append(each)
    return taken


def check_keys(wanted: Iterable[Wanted], address: ReturnAddress, targets: Iterable[Target]) -> None:
    """Raises SettingsError in two cases: members of an adopted aggregate would go among the logs,
    where a run would pack them under their made-up keys; or an original would go among packs and
    indexes, where it would be read as one.
    """
    own = tuple(f"{target.bucket}/{prefix}" for target in targets for prefix in target.own_prefixes)
    for each in wanted:
        taken = next(
            (
                where
                for member in each.pack.members
                if (where := "/".join(address.of(each, member))).startswith(own)
            ),
            None,
        )
        if taken is not None:
            raise SettingsError(
                f"s3://{taken} lies among packs and indexes; choose another --to-bucket or --prefix"
            )
        if address.bucket is None and any(FLAG in member.flags for member in each.pack.members):
            raise SettingsError(
                f"{each.pack.where} was adopted, and its members' own keys are lost; put them back "
                "with --to-bucket, into a bucket that no logs are taken from"
            )


def check_buckets(
    store: ObjectStore, wanted: Iterable[Wanted], address: ReturnAddress
) -> list[str]:
    """Warnings about the buckets, from one listing of each. Raises CannotStart if a bucket does not
    exist.
    """
    places = dict(address.of(each, member) for each in wanted for member in each.pack.members[:1])
    warnings = []
    for bucket, key in sorted(places.items()):
        try:
            store.list_objects(bucket, prefix=key)
        except NoSuchBucket as error:
            raise CannotStart.because(error) from error
        except AccessDenied as error:
            warnings.append(
                f"bucket {bucket} cannot be listed, and perhaps not written to: {error}"
            )
    return warnings


def put_back(
    store: ObjectStore,
    workers: Workers,
    wanted: Iterable[Wanted],
    address: ReturnAddress,
    progress: FetchProgress,
) -> PutBackResult:
    """Writes what is wanted. Failures are collected, and the rest continues. Raises Unreachable."""
    result = PutBackResult()
    for original, future in _start_all(store, workers, wanted, address):
        try:
            outcome = future.result()
        except GroupFailed as error:
            result.add(original, error)
            continue
        result.there += outcome is Outcome.THERE
        if outcome is Outcome.WRITTEN:
            result.written += 1
            result.written_bytes += original.member.size_bytes
        progress.fetched(result.written + result.there, result.written_bytes)
    return result


def _start_all(
    store: ObjectStore, workers: Workers, wanted: Iterable[Wanted], address: ReturnAddress
) -> Iterator[tuple[Fetched, Future[Outcome]]]:
    """Starts the writes. Small ones run concurrently, as the workers allow; large ones in this
    thread, as they are read.
    """
    pending: deque[tuple[Fetched, Future[Outcome]]] = deque()
    given_up: set[str] = set()
    for original in fetch(store, workers, wanted):
        pending.append((original, _start(store, workers, original, address, given_up)))
        while len(pending) > _PENDING_MAX:
            yield pending.popleft()
    yield from pending


def _start(
    store: ObjectStore,
    workers: Workers,
    original: Fetched,
    address: ReturnAddress,
    given_up: set[str],
) -> Future[Outcome]:
    """Starts one write. If the first pack cannot be read, takes another pack that holds it too."""
    bucket, key = address.of(original, original.member)
    done: Future[Outcome] = Future()
    if address.bucket is None and not may_be_of(original.pack.group, original.member.key):
        group, member = original.pack.group, original.member
        done.set_exception(
            BadPack(f"{original.pack.where} is of {group}, but its index lists {member.key}")
        )
        return done
    first: GroupFailed | None = None
    for each in alternatives(store, workers, original, given_up):
        try:
            if each.member.size_bytes > PART_SIZE_BYTES:
                done.set_result(_put_large(store, each, bucket, key))
                return done
            data = b"".join(each.pieces)
        except GroupFailed as error:
            first = first or error
            if isinstance(error, StoreError):
                given_up.add(each.pack.pack_key)
        else:
            return _start_small(store, workers, each.member, data, (bucket, key))
    done.set_exception(first or KeyTaken(f"s3://{bucket}/{key}"))
    return done


def _start_small(
    store: ObjectStore, workers: Workers, member: Member, data: bytes, where: tuple[str, str]
) -> Future[Outcome]:
    failed: Future[Outcome] = Future()
    try:
        return workers.start_write(lambda: _put_small(store, member, data, *where))
    except GroupFailed as error:  # from workers that write in the same thread
        failed.set_exception(error)
        return failed


def _put_small(store: ObjectStore, member: Member, data: bytes, bucket: str, key: str) -> Outcome:
    running = RunningChecksum()
    running.take(data)
    try:
        store.put_object(bucket, key, data, crc64nvme=running.crc, options=_options_of(member))
    except PreconditionFailed as error:
        if _is_there(store, member, bucket, key):
            return Outcome.THERE
        # 409 ConditionalRequestConflict with no object: another writer is at work on the key.
        raise error from None
    return Outcome.WRITTEN


def _put_large(store: ObjectStore, original: Fetched, bucket: str, key: str) -> Outcome:
    """Writes in parts, so that the original is never in memory as a whole. It becomes an object
    only after all of it was checked.
    """
    member = original.member
    if _is_there(store, member, bucket, key):
        return Outcome.THERE
    upload = store.create_multipart_upload(bucket, key, options=_options_of(member))
    try:
        parts: list[Part] = []
        whole = RunningChecksum()
        for data in _regroup(
            original.pieces, max(PART_SIZE_BYTES, -(-member.size_bytes // PART_COUNT_MAX))
        ):
            running = RunningChecksum()
            running.take(data)
            whole.take_piece(len(data), running.crc)
            parts.append(store.upload_part(upload, len(parts) + 1, data, crc64nvme=running.crc))
        store.complete_multipart_upload(
            upload, parts, size_bytes=whole.length_bytes, crc64nvme=whole.crc
        )
    except (PreconditionFailed, NotFound) as error:
        # NotFound (NoSuchUpload) also if the answer to our own completion was lost: its retry finds
        # no upload any more. A 409 ConditionalRequestConflict needs a new upload
        # (https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html).
        store.abort_multipart_upload(upload)
        if _is_there(store, member, bucket, key):
            return Outcome.THERE
        raise error from None
    except BaseException:
        store.abort_multipart_upload(upload)
        raise
    return Outcome.WRITTEN


def _regroup(pieces: Iterable[bytes], size_bytes: int) -> Iterator[bytes]:
    """Pieces of this size; the last one may be shorter."""
    held = bytearray()
    for piece in pieces:
        held += piece
        while len(held) >= size_bytes:
            yield bytes(held[:size_bytes])
            del held[:size_bytes]
    if held:
        yield bytes(held)


def _options_of(member: Member) -> WriteOptions:
    return WriteOptions(
        content_type=member.content_type or _CONTENT_TYPE_DEFAULT,
        metadata=member.metadata,
        content_encoding=member.content_encoding,
    )


def _is_there(store: ObjectStore, member: Member, bucket: str, key: str) -> bool:
    """Whether an equal object exists. Raises KeyTaken if a different one does."""
    try:
        stored = store.head_object(bucket, key)
    except NotFound:
        return False
    taken = KeyTaken(f"s3://{bucket}/{key}: a different object exists there")
    if stored.size_bytes != member.size_bytes:
        raise taken
    check = MemberCheck(member)
    for body in RangeReader.of_stored(store, stored).read_all(stored.size_bytes):
        check.take(body.data)
        if not _is_alike(body, member):
            raise taken
    try:
        check.finish()
    except VerificationError:
        raise taken from None
    return True


def _is_alike(body: Body, member: Member) -> bool:
    return (
        dict(body.metadata) == dict(member.metadata)
        and (member.content_type is None or body.content_type == member.content_type)
        and (body.content_encoding or None) == (member.content_encoding or None)
    )

"""Combines log objects into a pack: the pack first, then its index, then its terms. Nothing here
deletes anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from log_aggregator.core.checksums import RunningChecksum
from log_aggregator.core.packformat import expected_pack
from log_aggregator.core.packformat.builder import Original, PackBuilder, make_builder
from log_aggregator.core.packformat.index import TOOL, encode_index
from log_aggregator.core.packformat.tail import encode_tail
from log_aggregator.core.planning import PackLimits
from log_aggregator.core.terms.model import Unsearched
from log_aggregator.errors import NotFound, PreconditionFailed, VerificationError
from log_aggregator.limits import PART_COUNT_MAX, UNREADABLE_COUNT_MAX
from log_aggregator.model import (
    Index,
    LogObject,
    Member,
    PackFormat,
    PackPlan,
    StoredObject,
    WrittenPack,
)
from log_aggregator.ports.store import Body, ObjectStore, WriteOptions
from log_aggregator.steps.packing.compare import compare_original
from log_aggregator.steps.packing.large import (
    PieceReader,
    check_bridged,
    read_head,
    unfit_where_changed,
)
from log_aggregator.steps.packing.pack_writer import PackUpload, PackWriter, bridge_bytes, open_pack
from log_aggregator.steps.packing.read import Changed, Reader, UnfitSources, Unreadable, headers_of
from log_aggregator.steps.packing.terms import PackTerms
from log_aggregator.steps.packs.index import read_index, restore_index, write_index
from log_aggregator.steps.packs.ranges import RangeReader
from log_aggregator.steps.rules import CombineOptions
from log_aggregator.steps.workers import Workers

_HEAD_BYTES = 1024
TOLD_AT_ONCE = 32
"""Progress is reported for this many small members at a time: for each it would cost 3 %."""


def combine(
    store: ObjectStore,
    workers: Workers,
    plan: PackPlan,
    options: CombineOptions,
    took: Callable[[int, int], None] | None = None,
) -> WrittenPack:
    """Writes the pack of a plan, then its index; both are durable when this returns. Its terms come
    last; if they could not be written, the result says why.

    `took` gets the numbers of members and their bytes as they are packed. If the pack already
    exists (from a run that died, or from a concurrent run), it is adopted if it holds the plan's
    sources. Raises UnfitSources if sources are no longer what was listed; nothing was written then.
    """
    # At most 10,000 parts an upload; the factor 2 leaves room, as parts differ in size
    # (https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html).
    part_size = max(options.limits.part_size_bytes, -(-plan.size_bytes * 2 // PART_COUNT_MAX))
    builder = make_builder(plan)
    upload = PackUpload(plan.target.bucket, plan.key, options.pack, part_size)
    terms = PackTerms(plan, options.terms)
    with open_pack(store, workers, upload) as writer:
        into = _Members(store, workers, builder, writer, terms, options.limits, took or _ignore)
        into.write(plan)
        index = builder.index(TOOL)
        index_data = encode_index(index)
        size, crc = expected_pack(index, index_data)
        writer.append(encode_tail(index.format, index_data, index.content_length_bytes))
        sha256: str | None = None
        try:
            writer.complete(RunningChecksum(size, crc))
        except (PreconditionFailed, NotFound):
            # Not only another run can have written the pack. If the answer to our own completion
            # was lost, its retry fails too: with 412, since the pack exists now, or with
            # NoSuchUpload, since a completed upload no longer exists
            # (https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html).
            size = _take_over(store, plan, index, index_data, options.index)
        else:
            sha256 = writer.sha256
            write_index(store, plan.target, plan.key, index_data, options.index, sha256)
    terms.write(store)
    return _written(plan, size, terms, sha256)


def _ignore(_objects: int, _size_bytes: int) -> None:
    """No one watches."""


@dataclass(frozen=True, slots=True)
class _Members:
    """Takes the members of one pack from the store through the builder to the writer."""

    store: ObjectStore
    workers: Workers
    builder: PackBuilder
    writer: PackWriter
    terms: PackTerms
    limits: PackLimits
    took: Callable[[int, int], None]

    def write(self, plan: PackPlan) -> None:
        """Small members first, in their order, then the large ones: S3 copies these without our
        reading them, and a damaged one must not make the small ones unreadable.
        """
        large = [each for each in enumerate(plan.sources) if self._is_large(each[1], plan)]
        small = [each for each in enumerate(plan.sources) if not self._is_large(each[1], plan)]
        told = count = size_bytes = 0
        originals = self._read_all([source for _, source in small])
        for count, (original, (number, _)) in enumerate(zip(originals, small, strict=True), 1):
            self.terms.take(number, original)
            for piece in self.builder.add(original):
                self.writer.append(piece)
            size_bytes += original.source.size_bytes
            if count - told == TOLD_AT_ONCE:
                self.took(TOLD_AT_ONCE, size_bytes)
                told, size_bytes = count, 0
        self.took(count - told, size_bytes)
        for piece in self.builder.finish():
            self.writer.append(piece)
        for position, (number, source) in enumerate(large, 1):
            self.workers.check_stop()
            try:
                self.terms.skip(number, self._write_large(source))
                self.took(1, source.size_bytes)
            except UnfitSources as unfit:
                others = [other for _, other in large[position:]]
                raise self._with_other_unfit(unfit, others) from unfit

    def _is_large(self, source: LogObject, plan: PackPlan) -> bool:
        is_copy = plan.format is PackFormat.COPY
        return is_copy or source.size_bytes >= self.limits.copy_size_bytes_min

    def _read_all(self, sources: list[LogObject]) -> Iterator[Original]:
        """Reads all sources. Once one is unfit this pack cannot be written, and the rest are read
        only to find all unfit ones in one attempt.
        """
        changed: list[LogObject] = []
        unreadable: list[Unreadable] = []
        for result in Reader(self.store, self.workers).read_all(sources):
            if isinstance(result, Changed):
                changed.append(result.source)
            elif isinstance(result, Unreadable):
                unreadable.append(result)
                if len(unreadable) > UNREADABLE_COUNT_MAX:
                    raise result.error
            elif not changed and not unreadable:
                yield result
        if changed or unreadable:
            raise UnfitSources(changed, unreadable)

    def _write_large(self, source: LogObject) -> Unsearched:
        """Has S3 copy a large member, except for its first bytes if they are needed to fill the
        part before it: only the last part of an upload may be smaller than 5 MiB
        (https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html). Returns why the member
        is not searched for terms.
        """
        opening = self.builder.begin_copied(source)
        bridge = bridge_bytes(self.writer.buffered_bytes + len(opening))
        head = read_head(self.store, source, max(bridge, _HEAD_BYTES))
        with unfit_where_changed(source):
            if self.builder.copies(source, head.data):
                self.writer.append(opening)
                self._write_copied(source, head, bridge)
                return Unsearched.COPIED
            self._write_streamed(source, head)
            return Unsearched.TOO_LARGE

    def _write_copied(self, source: LogObject, head: Body, bridge: int) -> None:
        whole = RunningChecksum()
        if bridge:
            whole.take(head.data[:bridge])
            self.writer.append(head.data[:bridge])
        copied = self.writer.copy(source, bridge)
        whole.take_piece(copied.length_bytes, copied.crc)
        if bridge:
            check_bridged(self.store, source, whole, head.data)
        self.builder.take_copied(whole.length_bytes, whole.crc)
        self.writer.append(self.builder.end_copied(source, whole, headers_of(head)))

    def _write_streamed(self, source: LogObject, head: Body) -> None:
        reader = PieceReader(self.store, source, self.limits.part_size_bytes)
        for piece in self.builder.stream(source, reader.pieces(), headers_of(head)):
            self.writer.append(piece)
        reader.check()

    def _with_other_unfit(self, unfit: UnfitSources, others: list[LogObject]) -> UnfitSources:
        """Finds all unfit large members in one attempt: one per attempt would use up the attempts
        to plan anew.
        """
        changed, unreadable = list(unfit.changed), list(unfit.unreadable)
        for source in others:
            try:
                read_head(self.store, source, 1)
            except UnfitSources as other:
                changed += other.changed
                unreadable += other.unreadable
        return UnfitSources(changed, unreadable)


def _take_over(
    store: ObjectStore, plan: PackPlan, index: Index, index_data: bytes, options: WriteOptions
) -> int:
    """Adopts a pack that already exists, and returns its size. Its name is not trusted: it must
    contain exactly the bytes that were read now.
    """
    stored = store.head_object(plan.target.bucket, plan.key)
    size, crc = expected_pack(index, index_data)
    if stored.size_bytes == size and _crc_of(store, stored, plan.format) == crc:
        # The run that wrote the pack may have died before its index, and a copy has no tail to
        # restore an index from.
        write_index(store, plan.target, plan.key, index_data, options)
        return size
    theirs = _read_or_restore(store, plan, options)
    _check_same_members(store, plan, index.members, theirs.members)
    return stored.size_bytes


def _crc_of(store: ObjectStore, stored: StoredObject, pack_format: PackFormat) -> int | None:
    """The pack's checksum. A copy is read if the store has no checksum of it; for other packs the
    hashes of their members are compared instead.
    """
    if stored.crc64nvme is not None or pack_format is not PackFormat.COPY:
        return stored.crc64nvme
    running = RunningChecksum()
    for body in RangeReader.of_stored(store, stored).read_all(stored.size_bytes):
        running.take(body.data)
    return running.crc


def _check_same_members(
    store: ObjectStore, plan: PackPlan, ours: Iterable[Member], theirs: Sequence[Member]
) -> None:
    """Raises VerificationError unless both packs have the same members with the same bytes."""
    where = f"s3://{plan.target.bucket}/{plan.key}: a pack of this name already exists and has"
    own = {member.identity: member for member in ours}
    if {member.identity for member in theirs} != own.keys():
        raise VerificationError(f"{where} other members")
    for member in theirs:
        if not _has_same_bytes(store, plan.group.bucket, own[member.identity], member):
            raise VerificationError(f"{where} other bytes of {member.key}")


def _has_same_bytes(store: ObjectStore, bucket: str, own: Member, other: Member) -> bool:
    """Compares a hash that both have. If only one of them was copied unread, they share no hash,
    and the original is read once more.
    """
    if own.sha256 is not None and other.sha256 is not None:
        return own.sha256 == other.sha256
    if own.crc64nvme is not None and other.crc64nvme is not None:
        return own.crc64nvme == other.crc64nvme
    return compare_original(store, bucket, other) is None


def _read_or_restore(store: ObjectStore, plan: PackPlan, options: WriteOptions) -> Index:
    try:
        return read_index(store, plan.target, plan.key).decode()
    except NotFound:
        return restore_index(store, plan.target, plan.key, options)


def _written(plan: PackPlan, size_bytes: int, terms: PackTerms, sha256: str | None) -> WrittenPack:
    return WrittenPack(
        plan.target, plan.key, len(plan.sources), plan.size_bytes, size_bytes, terms.error, sha256
    )

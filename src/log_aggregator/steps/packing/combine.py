"""Combines log objects into a pack: the pack first, then its index. Nothing here deletes
anything.
"""

from __future__ import annotations

from collections.abc import Iterator

from log_aggregator.core.checksums import RunningChecksum
from log_aggregator.core.packformat import expected_pack
from log_aggregator.core.packformat.builder import Original, PackBuilder, make_builder
from log_aggregator.core.packformat.index import TOOL, encode_index
from log_aggregator.core.packformat.tail import encode_tail
from log_aggregator.core.planning import PackLimits
from log_aggregator.errors import NotFound, PreconditionFailed, VerificationError
from log_aggregator.limits import PART_COUNT_MAX, UNREADABLE_COUNT_MAX
from log_aggregator.model import Index, LogObject, PackFormat, PackPlan, WrittenPack
from log_aggregator.ports.store import Body, ObjectStore, WriteOptions
from log_aggregator.steps.packing.large import (
    PieceReader,
    check_bridged,
    read_head,
    unfit_where_changed,
)
from log_aggregator.steps.packing.pack_writer import PackWriter, bridge_bytes, open_pack
from log_aggregator.steps.packing.read import Changed, Reader, UnfitSources, Unreadable, headers_of
from log_aggregator.steps.packing.rules import CombineOptions
from log_aggregator.steps.packs.index import read_index, restore_index, write_index
from log_aggregator.steps.workers import Workers

_HEAD_BYTES = 1024


def combine(
    store: ObjectStore, workers: Workers, plan: PackPlan, options: CombineOptions
) -> WrittenPack:
    """Writes the pack of a plan, then its index, both durable when this returns.

    Where the pack exists already (a run that died, another run at the same time) it is taken over
    if it holds the plan's sources. Raises UnfitSources where sources are no longer what was listed;
    then nothing was written.
    """
    part_size = max(options.limits.part_size_bytes, -(-plan.size_bytes * 2 // PART_COUNT_MAX))
    builder = make_builder(plan)
    with open_pack(store, workers, plan.target.bucket, plan.key, options.pack, part_size) as writer:
        _write_members(store, workers, plan, builder, writer, options.limits)
        index = builder.index(TOOL)
        index_data = encode_index(index)
        size, crc = expected_pack(index, index_data)
        writer.append(encode_tail(index.format, index_data, index.content_length_bytes))
        try:
            writer.complete(RunningChecksum(size, crc))
        except (PreconditionFailed, NotFound):
            return _take_over(store, plan, index, index_data, options.index)
    write_index(store, plan.target, plan.key, index_data, options.index)
    return _written(plan, size)


def _write_members(
    store: ObjectStore,
    workers: Workers,
    plan: PackPlan,
    builder: PackBuilder,
    writer: PackWriter,
    limits: PackLimits,
) -> None:
    """Small members first, in their order, then the large ones, so that a large one that S3 copies
    unread can spoil no small one.
    """
    large = [source for source in plan.sources if _is_large(source, plan, limits)]
    small = [source for source in plan.sources if not _is_large(source, plan, limits)]
    for original in _read_all(store, workers, small):
        for piece in builder.add(original):
            writer.append(piece)
    for piece in builder.finish():
        writer.append(piece)
    for position, source in enumerate(large, 1):
        workers.check_stop()
        try:
            _write_large(store, source, builder, writer, limits)
        except UnfitSources as unfit:
            raise _with_other_unfit(store, unfit, large[position:]) from unfit


def _is_large(source: LogObject, plan: PackPlan, limits: PackLimits) -> bool:
    return plan.format is PackFormat.COPY or source.size_bytes >= limits.copy_size_bytes_min


def _read_all(store: ObjectStore, workers: Workers, sources: list[LogObject]) -> Iterator[Original]:
    """Reads all; once one is unfit the pack is lost, and the others are read only to find all that
    are unfit at once.
    """
    changed: list[LogObject] = []
    unreadable: list[Unreadable] = []
    for result in workers.read_ahead(Reader(store).read, sources, lambda source: source.size_bytes):
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


def _write_large(
    store: ObjectStore,
    source: LogObject,
    builder: PackBuilder,
    writer: PackWriter,
    limits: PackLimits,
) -> None:
    """Lets S3 copy a large member, but for its first bytes where the part before it would be too
    small.
    """
    opening = builder.begin_copied(source)
    bridge = bridge_bytes(writer.buffered_bytes + len(opening))
    head = read_head(store, source, max(bridge, _HEAD_BYTES))
    with unfit_where_changed(source):
        if builder.copies(source, head.data):
            _write_copied(store, source, head, bridge, opening, builder, writer)
        else:
            _write_streamed(store, source, head, builder, writer, limits)


def _write_copied(
    store: ObjectStore,
    source: LogObject,
    head: Body,
    bridge: int,
    opening: bytes,
    builder: PackBuilder,
    writer: PackWriter,
) -> None:
    writer.append(opening)
    whole = RunningChecksum()
    if bridge:
        whole.take(head.data[:bridge])
        writer.append(head.data[:bridge])
    copied = writer.copy(source, bridge)
    whole.take_piece(copied.length_bytes, copied.crc)
    if bridge:
        check_bridged(store, source, whole, head.data)
    builder.take_copied(whole.length_bytes, whole.crc)
    writer.append(builder.end_copied(source, whole, headers_of(head)))


def _write_streamed(
    store: ObjectStore,
    source: LogObject,
    head: Body,
    builder: PackBuilder,
    writer: PackWriter,
    limits: PackLimits,
) -> None:
    reader = PieceReader(store, source, limits.part_size_bytes)
    for piece in builder.stream(source, reader.pieces(), headers_of(head)):
        writer.append(piece)
    reader.check()


def _with_other_unfit(
    store: ObjectStore, unfit: UnfitSources, others: list[LogObject]
) -> UnfitSources:
    """Finds all large members that are unfit at once; one by one they would use up the attempts to
    plan anew.
    """
    changed, unreadable = list(unfit.changed), list(unfit.unreadable)
    for source in others:
        try:
            read_head(store, source, 1)
        except UnfitSources as other:
            changed += other.changed
            unreadable += other.unreadable
    return UnfitSources(changed, unreadable)


def _take_over(
    store: ObjectStore, plan: PackPlan, index: Index, index_data: bytes, options: WriteOptions
) -> WrittenPack:
    """The pack is there already. Its name says that it has the same members; here it is looked at
    whether it does.
    """
    stored = store.head_object(plan.target.bucket, plan.key)
    size, crc = expected_pack(index, index_data)
    is_copy_unchecked = (
        plan.format is PackFormat.COPY and stored.size_bytes == size and stored.crc64nvme is None
    )
    if is_copy_unchecked or (stored.size_bytes, stored.crc64nvme) == (
        size,
        crc,
    ):  # a copy's index has no other source; it is read back
        write_index(store, plan.target, plan.key, index_data, options)
        return _written(plan, size)
    theirs = _read_or_restore(store, plan, options)
    if {member.identity for member in theirs.members} != {
        source.identity for source in plan.sources
    }:
        raise VerificationError(
            f"s3://{plan.target.bucket}/{plan.key}: a pack of this name exists and has other "
            "members"
        )
    return _written(plan, stored.size_bytes)


def _read_or_restore(store: ObjectStore, plan: PackPlan, options: WriteOptions) -> Index:
    try:
        return read_index(store, plan.target, plan.key).decode()
    except NotFound:
        return restore_index(store, plan.target, plan.key, options)


def _written(plan: PackPlan, size_bytes: int) -> WrittenPack:
    return WrittenPack(plan.target, plan.key, len(plan.sources), plan.size_bytes, size_bytes)

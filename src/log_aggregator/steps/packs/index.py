"""The index of a stored pack: read, written beside it, and restored from the pack's own tail."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from log_aggregator.core.checksums import crc64nvme
from log_aggregator.core.packformat.index import decode_index
from log_aggregator.core.packformat.tail import decode_locator, decode_tail, tail_end_bytes
from log_aggregator.errors import BadPack, PreconditionFailed
from log_aggregator.model import Group, Index, LogObject, PackFormat, Target
from log_aggregator.ports.store import ListStart, ObjectStore, WriteOptions


def read_index(store: ObjectStore, target: Target, pack_key: str) -> tuple[Index, bytes]:
    """A pack's index, and the bytes that it was read from. Raises NotFound, BadPack."""
    data = store.get_object(target.bucket, target.index_key(pack_key)).data
    with naming(target.bucket, target.index_key(pack_key)):
        index = decode_index(data)
    if index.pack_key != pack_key:
        raise BadPack(
            f"s3://{target.bucket}/{target.index_key(pack_key)} is the index of another "
            f"pack, {index.pack_key}"
        )
    return index, data


def write_index(
    store: ObjectStore, target: Target, pack_key: str, data: bytes, options: WriteOptions
) -> None:
    """Stores an index beside its pack. One that is there already stays: verification compares it
    with the pack.
    """
    try:
        store.put_object(
            target.bucket,
            target.index_key(pack_key),
            data,
            crc64nvme=crc64nvme(data),
            options=options,
        )
    except PreconditionFailed:
        read_index(store, target, pack_key)


def restore_index(
    store: ObjectStore, target: Target, pack_key: str, options: WriteOptions
) -> Index:
    """Writes the index of a pack anew, out of the pack's tail. Raises BadPack, ObjectFrozen."""
    data = read_tail(store, target, pack_key)
    with naming(target.bucket, pack_key):
        index = decode_index(data)
    if index.pack_key != pack_key:
        raise BadPack(
            f"s3://{target.bucket}/{pack_key} carries the index of another pack, {index.pack_key}"
        )
    write_index(store, target, pack_key, data, options)
    return index


def read_tail(store: ObjectStore, target: Target, pack_key: str) -> bytes:
    """The encoded index out of a pack's own tail."""
    pack_format = PackFormat.TAR if pack_key.endswith(".tar") else PackFormat.GZIP
    size = store.head_object(target.bucket, pack_key).size_bytes
    if size < tail_end_bytes(pack_format):
        raise BadPack(
            f"s3://{target.bucket}/{pack_key} is shorter than a pack's last member: it is no pack"
        )
    end = store.get_object(
        target.bucket, pack_key, byte_range=(size - tail_end_bytes(pack_format), size)
    ).data
    with naming(target.bucket, pack_key):
        locator = decode_locator(pack_format, end)
    if locator.content_length_bytes >= size:
        raise BadPack(f"s3://{target.bucket}/{pack_key}: its last member points behind its end")
    tail = store.get_object(
        target.bucket, pack_key, byte_range=(locator.content_length_bytes, size)
    ).data
    with naming(target.bucket, pack_key):
        return decode_tail(pack_format, tail)


@contextlib.contextmanager
def naming(bucket: str, key: str) -> Iterator[None]:
    """The pack format's own errors do not know which object they are about."""
    try:
        yield
    except BadPack as error:
        raise BadPack(f"s3://{bucket}/{key}: {error}") from error


def format_of(group: Group, target: Target, pack_key: str) -> PackFormat:
    """A pack's format, from its key: a copy lies in a folder of its own."""
    if "/" in pack_key.removeprefix(target.packs_prefix(group)):
        return PackFormat.COPY
    return PackFormat.TAR if pack_key.endswith(".tar") else PackFormat.GZIP


def list_all(store: ObjectStore, bucket: str, prefix: str) -> Iterator[LogObject]:
    """All current objects under a prefix."""
    start: ListStart | None = ListStart()
    while start is not None:
        page = store.list_objects(bucket, prefix=prefix, start=start if start.key else None)
        yield from page.objects
        start = page.next_start

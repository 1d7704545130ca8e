"""The packs are the ledger: which packs a group has, and which log objects are members of them
already.

There is no database. A pack whose run died before its index was written gets the index back from
its own tail.
"""

from __future__ import annotations

import contextlib
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from log_aggregator.core.checksums import crc64nvme
from log_aggregator.core.packformat.index import decode_index, find_identities
from log_aggregator.core.packformat.tail import decode_locator, decode_tail, tail_end_bytes
from log_aggregator.errors import BadPack, ObjectFrozen, PreconditionFailed
from log_aggregator.model import Group, Identity, Index, LogObject, PackFormat, Target
from log_aggregator.ports import ListStart, ObjectStore, WriteOptions


@dataclass(frozen=True, slots=True)
class Ledger:
    """What a group's packs hold. `unindexed` packs have no index and cannot give it back now
    (frozen, or copied alone).
    """

    pack_of: Mapping[Identity, str]
    """From a log object's identity to the key of a pack that it is a member of; of those that were
    asked for.
    """
    unindexed: tuple[str, ...] = ()
    written: Mapping[str, datetime] = field(default_factory=dict)
    """When each pack was written, by its key."""


def read_ledger(
    store: ObjectStore,
    target: Target,
    group: Group,
    wanted: Container[Identity],
    options: WriteOptions,
    *,
    restore: bool = True,
) -> Ledger:
    """Looks for some log objects in the indexes of all packs of a group; restores indexes that are
    missing, unless told not to.

    Of each index only what is wanted is kept: a busy group's packs have a million members.
    """
    # What ends in a slash is the folder that a console shows, not a pack.
    stored = list_all(store, target.bucket, target.packs_prefix(group))
    written = {found.key: found.last_modified for found in stored if not found.key.endswith("/")}
    index_keys = {
        found.key for found in list_all(store, target.bucket, target.indexes_prefix(group))
    }
    pack_of: dict[Identity, str] = {}
    unindexed = []
    for key in written:
        if target.index_key(key) not in index_keys and not (
            restore and _restore_index(store, target, group, key, options)
        ):
            unindexed.append(key)
        else:
            pack_of |= dict.fromkeys(_find_members(store, target, key, wanted), key)
    return Ledger(pack_of, tuple(unindexed), written)


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


def _restore_index(
    store: ObjectStore, target: Target, group: Group, pack_key: str, options: WriteOptions
) -> bool:
    """False where the pack cannot give its index back now."""
    if format_of(group, target, pack_key) is PackFormat.COPY:
        return False
    try:
        restore_index(store, target, pack_key, options)
    except ObjectFrozen:
        return False
    return True


def _find_members(
    store: ObjectStore, target: Target, pack_key: str, wanted: Container[Identity]
) -> list[Identity]:
    index_key = target.index_key(pack_key)
    data = store.get_object(target.bucket, index_key).data
    with naming(target.bucket, index_key):
        named, found = find_identities(data, wanted)
    if named != pack_key:
        raise BadPack(f"s3://{target.bucket}/{index_key} is the index of another pack, {named}")
    return found


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

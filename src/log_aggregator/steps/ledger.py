"""The packs are the ledger: which packs a group has, and which log objects are members of them already.

There is no database. A pack whose run died before its index was written gets the index back from its own tail.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from log_aggregator.core.checksums import crc64nvme
from log_aggregator.core.packformat.index import decode_index
from log_aggregator.core.packformat.tail import decode_locator, decode_tail, tail_end_bytes
from log_aggregator.errors import BadPack, ObjectFrozen, PreconditionFailed
from log_aggregator.model import Group, Identity, Index, LogObject, PackFormat, Target
from log_aggregator.ports import ListStart, ObjectStore, WriteOptions


@dataclass(frozen=True, slots=True)
class Ledger:
    """What a group's packs hold. `unindexed` packs have no index and cannot give it back now (frozen, or copied alone)."""

    packs: dict[str, Index]
    unindexed: tuple[str, ...] = ()
    written: Mapping[str, datetime] = field(default_factory=dict)
    """When each pack was written, by its key."""

    def pack_of(self) -> dict[Identity, str]:
        """From a log object's identity to the key of a pack that it is a member of."""
        return {member.identity: key for key, index in self.packs.items() for member in index.members}


def read_ledger(store: ObjectStore, target: Target, group: Group, options: WriteOptions, *, restore: bool = True) -> Ledger:
    """Reads the indexes of all packs of a group; restores those that are missing, unless told not to."""
    # What ends in a slash is the folder that a console shows, not a pack.
    stored = list_all(store, target.bucket, target.packs_prefix(group))
    written = {found.key: found.last_modified for found in stored if not found.key.endswith("/")}
    index_keys = {found.key for found in list_all(store, target.bucket, target.indexes_prefix(group))}
    packs: dict[str, Index] = {}
    unindexed = []
    for key in written:
        if target.index_key(key) in index_keys:
            packs[key] = read_index(store, target, key)[0]
        elif restore and format_of(group, target, key) is not PackFormat.COPY:
            try:
                packs[key] = restore_index(store, target, key, options)
            except ObjectFrozen:
                unindexed.append(key)
        else:
            unindexed.append(key)
    return Ledger(packs, tuple(unindexed), written)


def read_index(store: ObjectStore, target: Target, pack_key: str) -> tuple[Index, bytes]:
    """A pack's index, and the bytes that it was read from. Raises NotFound, BadPack."""
    data = store.get_object(target.bucket, target.index_key(pack_key)).data
    with naming(target.bucket, target.index_key(pack_key)):
        index = decode_index(data)
    if index.pack_key != pack_key:
        raise BadPack(f"s3://{target.bucket}/{target.index_key(pack_key)} is the index of another pack, {index.pack_key}")
    return index, data


def write_index(store: ObjectStore, target: Target, pack_key: str, data: bytes, options: WriteOptions) -> None:
    """Stores an index beside its pack. One that is there already stays: verification compares it with the pack."""
    try:
        store.put_object(target.bucket, target.index_key(pack_key), data, crc64nvme=crc64nvme(data), options=options)
    except PreconditionFailed:
        read_index(store, target, pack_key)


def restore_index(store: ObjectStore, target: Target, pack_key: str, options: WriteOptions) -> Index:
    """Writes the index of a pack anew, out of the pack's tail. Raises BadPack, ObjectFrozen."""
    data = read_tail(store, target, pack_key)
    with naming(target.bucket, pack_key):
        index = decode_index(data)
    if index.pack_key != pack_key:
        raise BadPack(f"s3://{target.bucket}/{pack_key} carries the index of another pack, {index.pack_key}")
    write_index(store, target, pack_key, data, options)
    return index


def read_tail(store: ObjectStore, target: Target, pack_key: str) -> bytes:
    """The encoded index out of a pack's own tail."""
    pack_format = PackFormat.TAR if pack_key.endswith(".tar") else PackFormat.GZIP
    size = store.head_object(target.bucket, pack_key).size_bytes
    if size < tail_end_bytes(pack_format):
        raise BadPack(f"s3://{target.bucket}/{pack_key} is shorter than a pack's last member: it is no pack")
    end = store.get_object(target.bucket, pack_key, byte_range=(size - tail_end_bytes(pack_format), size)).data
    with naming(target.bucket, pack_key):
        locator = decode_locator(pack_format, end)
    if locator.content_length_bytes >= size:
        raise BadPack(f"s3://{target.bucket}/{pack_key}: its last member points behind its end")
    tail = store.get_object(target.bucket, pack_key, byte_range=(locator.content_length_bytes, size)).data
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

"""The index of a stored pack: read, written, and restored from the pack's own tail."""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass, replace

from log_aggregator.core.checksums import crc64nvme
from log_aggregator.core.packformat.index import (
    decode_index,
    find_identities,
    find_members,
    scan_index,
)
from log_aggregator.core.packformat.tail import decode_locator, decode_tail, tail_end_bytes
from log_aggregator.errors import BadPack, PreconditionFailed
from log_aggregator.limits import KIB
from log_aggregator.model import Group, Identity, Index, Member, PackFormat, Target
from log_aggregator.ports.store import ObjectStore, WriteOptions
from log_aggregator.steps.packs.ranges import RangeReader

PACK_SHA256 = "pack-sha256"
"""User metadata of an index: the SHA-256 of its whole pack, in hex."""


@dataclass(frozen=True, slots=True)
class StoredIndex:
    """A pack's index as it is stored, in its own object or in the pack's tail.

    Anyone who can write to the target must not be able to mislead a reader: every method raises
    BadPack if the index names another pack, or a group whose folder does not contain the pack.
    """

    target: Target
    pack_key: str
    where: str
    data: bytes
    pack_sha256: str | None = None
    """Hex SHA-256 of the whole pack, if the index's metadata has it. The index itself cannot: its
    bytes are part of the pack.
    """

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    def decode(self) -> Index:
        """The whole index."""
        with naming(self.where):
            index = decode_index(self.data)
        self._check(index)
        return index

    def scan(self) -> Index:
        """The whole index in little memory: members are parsed each time they are asked for."""
        with naming(self.where):
            index = scan_index(self.data)
        self._check(index)
        return index

    def find_members(self, wants: Callable[[str], bool]) -> tuple[Index, list[Member]]:
        """The index without its members, and the members whose keys are wanted; the rest is not
        kept.
        """
        with naming(self.where):
            head, members = find_members(self.data, wants)
        self._check(head)
        return head, members

    def find_identities(self, wanted: Container[Identity]) -> list[Identity]:
        """The wanted identities that are members; the rest is not kept: a busy group's packs have a
        million members.
        """
        with naming(self.where):
            head, identities = find_identities(self.data, wanted)
        self._check(head)
        return identities

    def _check(self, head: Index) -> None:
        if head.pack_key != self.pack_key:
            raise BadPack(f"{self.where} is the index of another pack, {head.pack_key}")
        if not self.pack_key.startswith(self.target.packs_prefix(head.group)):
            raise BadPack(f"{self.where} is the index of another group, {head.group}")


def estimate_index_memory(stored_bytes: int | None) -> int:
    """Roughly how much memory reading an index takes, by its listed size; None if unknown."""
    return _BYTES_TYPICAL if stored_bytes is None else _BYTES_PER_STORED_BYTE * stored_bytes


_BYTES_TYPICAL = 64 * KIB
_BYTES_PER_STORED_BYTE = 8
"""A CloudTrail log takes 774 bytes as a member in memory and 100 in its stored index; measured with
20,000 of them.
"""


def read_index(store: ObjectStore, target: Target, pack_key: str) -> StoredIndex:
    """The stored index of a pack. Raises NotFound."""
    key = target.index_key(pack_key)
    body = store.get_object(target.bucket, key)
    where = f"s3://{target.bucket}/{key}"
    return StoredIndex(target, pack_key, where, body.data, _find_sha256(body.metadata))


def _find_sha256(metadata: Mapping[str, str]) -> str | None:
    text = metadata.get(PACK_SHA256, "")
    return text if re.fullmatch("[0-9a-f]{64}", text) else None


def write_index(
    store: ObjectStore,
    target: Target,
    pack_key: str,
    data: bytes,
    options: WriteOptions,
    pack_sha256: str | None = None,
) -> None:
    """Stores the index of a pack. An existing one stays: verification compares it with the pack.
    `pack_sha256` goes into its metadata.
    """
    if pack_sha256 is not None:
        options = replace(options, metadata={**options.metadata, PACK_SHA256: pack_sha256})
    try:
        store.put_object(
            target.bucket,
            target.index_key(pack_key),
            data,
            crc64nvme=crc64nvme(data),
            options=options,
        )
    except PreconditionFailed:
        read_index(store, target, pack_key).decode()


def restore_index(
    store: ObjectStore, target: Target, pack_key: str, options: WriteOptions
) -> Index:
    """Writes the index of a pack again, from the pack's tail. Raises BadPack, ObjectFrozen."""
    tail = read_tail(store, target, pack_key)
    index = tail.decode()
    write_index(store, target, pack_key, tail.data, options)
    return index


def read_tail(store: ObjectStore, target: Target, pack_key: str) -> StoredIndex:
    """The index in a pack's own tail. Raises BadPack, NotFound, ObjectFrozen."""
    pack_format = PackFormat.TAR if pack_key.endswith(".tar") else PackFormat.GZIP
    where = f"s3://{target.bucket}/{pack_key}"
    stored = store.head_object(target.bucket, pack_key)
    data = read_tail_data(RangeReader.of_stored(store, stored), stored.size_bytes, pack_format)
    return StoredIndex(target, pack_key, f"the tail of {where}", data)


def read_tail_data(reader: RangeReader, size: int, pack_format: PackFormat) -> bytes:
    """The encoded index in a pack's own tail; whose it is, is not asked. Raises BadPack,
    VerificationError, and what reading raises.
    """
    where = reader.where
    if size < tail_end_bytes(pack_format):
        raise BadPack(f"{where} is shorter than a pack's last member: it is not a pack")
    end = reader.read(size - tail_end_bytes(pack_format), size).data
    with naming(where):
        locator = decode_locator(pack_format, end)
    if locator.content_length_bytes >= size:
        raise BadPack(f"{where}: its last member points past its end")
    tail = reader.read(locator.content_length_bytes, size).data
    with naming(where):
        return decode_tail(pack_format, tail)


@contextlib.contextmanager
def naming(where: str) -> Iterator[None]:
    """Adds the object to errors of the pack format, which do not know it."""
    try:
        yield
    except BadPack as error:
        raise type(error)(f"{where}: {error}") from error


def format_of(group: Group, target: Target, pack_key: str) -> PackFormat:
    """A pack's format, from its key: a copy lies in a folder below the group's."""
    if "/" in pack_key.removeprefix(target.packs_prefix(group)):
        return PackFormat.COPY
    return PackFormat.TAR if pack_key.endswith(".tar") else PackFormat.GZIP

"""The index of a pack: JSON Lines in gzip; one line for the pack, then one for each member."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, islice
from typing import Any, overload

from log_aggregator import __version__
from log_aggregator.core.checksums import decode_crc64nvme, encode_crc64nvme
from log_aggregator.core.formats import check_format
from log_aggregator.core.jsontext import (
    decode_json,
    decoding,
    encode_json_line,
    inflate_lines,
    record_bytes_max,
)
from log_aggregator.core.listed import decode_group, encode_group
from log_aggregator.core.packformat.deflate import GzipEncoder
from log_aggregator.core.packformat.inflate import GZIP_WBITS
from log_aggregator.core.times import decode_time, encode_time
from log_aggregator.errors import BadPack
from log_aggregator.model import Encoding, Identity, Index, Member, PackFormat, is_fixed

FORMAT = "log-aggregator-index"
VERSION = 1
_NO_METADATA: Mapping[str, str] = {}
_LINES_AT_ONCE = 256


def encode_index(index: Index) -> bytes:
    """The index as it is stored in the pack's tail and in an object of its own. The same index
    gives the same bytes (with the same zlib).
    """
    encoder = GzipEncoder()
    pieces = [encoder.begin()]
    lines = map(encode_json_line, chain([_pack_line(index)], map(_member_line, index.members)))
    # A few at a time, so that neither all lines nor the whole text are in memory.
    while text := b"".join(islice(lines, _LINES_AT_ONCE)):
        pieces.append(encoder.take(text))
    return b"".join((*pieces, encoder.finish()))


def decode_index(data: bytes) -> Index:
    """The inverse of `encode_index`. Raises BadPack if it is not an index, is cut short, or has
    another version or a wrong count of members.
    """
    with decoding("the index"):
        head, lines = _open(data)
        # One line at a time: a hundred thousand members as dictionaries take three times the
        # memory of the members.
        return replace(head, members=tuple(map(_parse_member, lines)))


class StoredMembers(Sequence[Member]):
    """The members of a stored index, which are parsed each time that they are iterated: a member
    takes 774 bytes of memory, but only 130 compressed.

    `lines` are those of its members. If one cannot be parsed, raises an error that `decoding` turns
    into BadPack.
    """

    __slots__ = ("_count", "_data", "source_bytes")

    def __init__(self, data: bytes, lines: Iterable[dict[str, Any]]) -> None:
        self._data = data
        self._count = self.source_bytes = 0
        for member in map(_parse_member, lines):
            self._count += 1
            self.source_bytes += member.size_bytes

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Member]:
        return map(_parse_member, _open(self._data)[1])

    @overload
    def __getitem__(self, place: int) -> Member: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Member]: ...
    def __getitem__(self, place: int | slice) -> Member | Sequence[Member]:
        return tuple(self)[place]


def source_bytes_of(members: Sequence[Member]) -> int:
    """The size of all originals."""
    if isinstance(members, StoredMembers):
        return members.source_bytes
    return sum(member.size_bytes for member in members)


def scan_index(data: bytes) -> Index:
    """Like `decode_index`, but with StoredMembers. Every line is parsed once, to check it."""
    with decoding("the index"):
        head, lines = _open(data)
        return replace(head, members=StoredMembers(data, lines))


def find_identities(data: bytes, wanted: Container[Identity]) -> tuple[Index, list[Identity]]:
    """(the index without its members, the `wanted` identities that are among its members). Raises
    BadPack like `decode_index`.
    """
    with decoding("the index"):
        head, lines = _open(data)
        return head, [identity for identity in map(_parse_identity, lines) if identity in wanted]


def find_members(data: bytes, wants: Callable[[str], bool]) -> tuple[Index, list[Member]]:
    """(the index without its members, the members whose keys are wanted), in the index's order.
    Raises BadPack like `decode_index`.
    """
    with decoding("the index"):
        head, lines = _open(data)
        return head, [_parse_member(line) for line in lines if wants(line["key"])]


def decode_beginning(data: bytes) -> tuple[Index, int] | None:
    """(the index without its members, the number of members), from the first bytes of a stored
    index. None if its first line is longer than that. Raises BadPack.
    """
    with decoding("the index"):
        inflater = zlib.decompressobj(GZIP_WBITS)
        text = inflater.decompress(data, record_bytes_max(len(data)))
        line, end, _ = text.partition(b"\n")
        if not end:
            return None
        first = decode_json(line)
        check_format("the index", first, FORMAT, VERSION)
        if type(first["members"]) is not int or first["members"] < 0:
            raise BadPack("the index does not say how many members it has")
        return _parse_head(first), first["members"]


def encode_member(member: Member) -> bytes:
    """A member's line in an index."""
    return encode_json_line(_member_line(member))


def decode_member(line: bytes) -> Member:
    """The inverse. Raises errors that `decoding` turns into BadPack."""
    return _parse_member(decode_json(line))


def _pack_line(index: Index) -> dict[str, object]:
    return {
        "format": FORMAT,
        "version": VERSION,
        "pack": index.pack_key,
        "pack_format": index.format.value,
        **encode_group(index.group),
        "members": len(index.members),
        "content_length": index.content_length_bytes,
        "content_crc64nvme": encode_crc64nvme(index.content_crc64nvme),
        "delete_markers": [list(marker) for marker in index.markers],
        "tool": index.tool,
    }


def _member_line(member: Member) -> dict[str, object]:
    return dict(_member_fields(member))


def _member_fields(member: Member) -> Iterator[tuple[str, object]]:
    yield "key", member.key
    yield "version_id", member.version_id
    yield "etag", member.etag
    yield "size", member.size_bytes
    yield "last_modified", encode_time(member.last_modified)
    yield "offset", member.offset
    yield "length", member.length_bytes
    if member.encoding is not Encoding.RAW:
        yield "encoding", member.encoding.value
    if member.encoding is Encoding.BLOCK:
        yield "inner_offset", member.inner_offset
    if member.sha256 is not None:
        yield "sha256", member.sha256
    if member.crc64nvme is not None:
        yield "crc64nvme", encode_crc64nvme(member.crc64nvme)
    if member.metadata:
        yield "metadata", dict(sorted(member.metadata.items()))
    if member.content_type is not None:
        yield "content_type", member.content_type
    if member.content_encoding is not None:
        yield "content_encoding", member.content_encoding
    if not member.is_latest:
        yield "is_latest", False
    if member.flags:
        yield "flags", list(member.flags)


def _open(data: bytes) -> tuple[Index, Iterator[dict[str, Any]]]:
    """The index without its members, and their lines, one by one."""
    lines = inflate_lines(data)
    first = decode_json(next(lines, b""))
    check_format("the index", first, FORMAT, VERSION)
    return _parse_head(first), _parse_lines(lines, first["members"])


def _parse_lines(lines: Iterable[bytes], expected: int) -> Iterator[dict[str, Any]]:
    # JSON of a damaged index can hold anything, and the number is printed below.
    if type(expected) is not int:
        raise BadPack("the index does not say how many members it has")
    count = 0
    for count, line in enumerate(lines, 1):  # noqa: B007 - it is used after the loop
        yield decode_json(line)
    if count != expected:
        raise BadPack(f"the index announces {expected} members and lists {count}")


def _parse_head(first: Mapping[str, Any]) -> Index:
    return Index(
        pack_key=first["pack"],
        format=PackFormat(first["pack_format"]),
        group=decode_group(first),
        content_length_bytes=int(first["content_length"]),
        content_crc64nvme=decode_crc64nvme(first["content_crc64nvme"]),
        members=(),
        markers=tuple((key, version) for key, version in first["delete_markers"]),
        tool=first["tool"],
    )


def _parse_identity(line: Mapping[str, Any]) -> Identity:
    version_id = line["version_id"]
    written = None if is_fixed(version_id) else decode_time(line["last_modified"])
    return (line["key"], version_id, line["etag"], int(line["size"]), written)


def _share(text: str | None) -> str | None:
    """Interned, because a hundred thousand members have few different texts."""
    return None if text is None else sys.intern(text)


def _parse_member(line: dict[str, Any]) -> Member:
    crc = line.get("crc64nvme")
    return Member(
        key=line["key"],
        version_id=line["version_id"],
        etag=line["etag"],
        size_bytes=int(line["size"]),
        last_modified=decode_time(line["last_modified"]),
        offset=int(line["offset"]),
        length_bytes=int(line["length"]),
        encoding=Encoding(line.get("encoding", Encoding.RAW)),
        inner_offset=int(line.get("inner_offset", 0)),
        sha256=line.get("sha256"),
        crc64nvme=None if crc is None else decode_crc64nvme(crc),
        metadata=line.get("metadata", _NO_METADATA),
        content_type=_share(line.get("content_type")),
        content_encoding=_share(line.get("content_encoding")),
        is_latest=bool(line.get("is_latest", True)),
        flags=tuple(line.get("flags", ())),
    )


TOOL = f"log-aggregator {__version__}"

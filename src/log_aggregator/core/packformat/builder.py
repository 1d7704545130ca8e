"""Turns log objects, in their order, into the bytes of a pack and its index.

A builder holds no more than one text block in memory. It yields pieces of bytes, which the caller
appends to the pack in that order. Large members are either copied by S3 (only their length and
checksum pass through here) or streamed.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from log_aggregator.core.checksums import RunningChecksum
from log_aggregator.core.packformat.contents import (
    Contents,
    Shape,
    inspect,
    looks_like_gzip,
    looks_like_text,
)
from log_aggregator.core.packformat.deflate import GzipEncoder, encode_gzip
from log_aggregator.core.packformat.extra import NEWLINE, SEALED_PIECE, encode_pieces
from log_aggregator.core.packformat.tarheader import encode_tar_header, padding
from log_aggregator.limits import TEXT_BLOCK_BYTES
from log_aggregator.model import Encoding, Index, LogObject, Member, PackFormat, PackPlan


@dataclass(frozen=True, slots=True)
class Original:
    """A log object with its bytes and headers."""

    source: LogObject
    data: bytes
    sha256: str
    contents: Contents
    headers: Headers

    def without_inflated(self) -> Original:
        """The same without the inflated bytes, to be kept for longer."""
        if self.contents.inflated is None:
            return self
        return replace(self, contents=replace(self.contents, inflated=None))


@dataclass(frozen=True, slots=True)
class Headers:
    """The headers of an object that an index keeps."""

    metadata: dict[str, str] = field(default_factory=dict)
    content_type: str | None = None
    content_encoding: str | None = None


def inspect_original(source: LogObject, data: bytes, headers: Headers) -> Original:
    """Hashes and inspects the bytes of a small member. Called by the readers, in their threads."""
    return Original(
        source,
        data,
        hashlib.sha256(data).hexdigest(),
        inspect(data, promises_gzip=promises_gzip(source.key)),
        headers,
    )


def promises_gzip(key: str) -> bool:
    return key.endswith((".gz", ".gzip"))


def make_builder(plan: PackPlan) -> PackBuilder:
    """The builder for the plan's format."""
    makers: dict[PackFormat, Callable[[PackPlan], PackBuilder]] = {
        PackFormat.GZIP: GzipPackBuilder,
        PackFormat.TAR: TarPackBuilder,
        PackFormat.COPY: CopyPackBuilder,
    }
    return makers[plan.format](plan)


class PackBuilder(ABC):
    """Common to all formats: the position of the next byte, and the members so far."""

    def __init__(self, plan: PackPlan) -> None:
        self._plan = plan
        self._members: list[Member] = []
        self.content = RunningChecksum()

    @abstractmethod
    def add(self, original: Original) -> Iterator[bytes]:
        """Adds a member whose bytes are in memory."""

    @abstractmethod
    def copies(self, source: LogObject, head: bytes) -> bool:
        """Whether S3 may copy a large member that begins with `head`; otherwise it is streamed."""

    @abstractmethod
    def begin_copied(self, source: LogObject) -> bytes:
        """The bytes before a copied member."""

    @abstractmethod
    def end_copied(self, source: LogObject, copied: RunningChecksum, headers: Headers) -> bytes:
        """The bytes after a copied member, whose `copied` bytes were counted by `take_copied`."""

    @abstractmethod
    def stream(
        self, source: LogObject, pieces: Iterable[bytes], headers: Headers
    ) -> Iterator[bytes]:
        """Adds a large member that cannot be copied, piece by piece."""

    def finish(self) -> Iterator[bytes]:
        """The bytes that are still held back."""
        yield from ()

    def take_copied(self, length_bytes: int, crc: int) -> None:
        """Counts bytes of the pack that S3 copied."""
        self.content.take_piece(length_bytes, crc)

    def index(self, tool: str) -> Index:
        """The index of everything that was added. Raises ValueError if that is not what was
        planned.
        """
        # One by one, because sets of all identities would take as much memory as the index.
        members = tuple(sorted(self._members, key=_place))
        planned = sorted(self._plan.sources, key=_place)
        if len(members) != len(planned) or any(
            member.identity != source.identity
            for member, source in zip(members, planned, strict=True)
        ):
            raise ValueError("the members of the pack are not the sources of its plan")
        markers = tuple(sorted((marker.key, marker.version_id) for marker in self._plan.markers))
        return Index(
            self._plan.key,
            self._plan.format,
            self._plan.group,
            self.content.length_bytes,
            self.content.crc,
            members,
            markers,
            tool,
        )

    def _emit(self, piece: bytes) -> bytes:
        self.content.take(piece)
        return piece

    def _add_member(
        self,
        original: Original,
        offset: int,
        encoding: Encoding,
        flags: tuple[str, ...],
        inner_offset: int = 0,
    ) -> None:
        self._members.append(
            _member(
                original.source,
                original.headers,
                offset,
                self.content.length_bytes - offset,
                original.sha256,
                encoding,
                flags,
                inner_offset,
            )
        )


class GzipPackBuilder(PackBuilder):
    """Gzip members are kept as they are, text is put into blocks, and anything else is sealed in
    extra fields, where no reader that inflates the pack sees it. See
    docs/internals/pack-format.md.
    """

    def __init__(self, plan: PackPlan) -> None:
        super().__init__(plan)
        self._block: list[tuple[Original, int]] = []
        self._block_text = bytearray()

    def add(self, original: Original) -> Iterator[bytes]:
        if original.contents.shape is Shape.TEXT:
            yield from self._add_text(original)
            return
        offset = self.content.length_bytes
        if original.contents.shape is Shape.GZIP:
            yield self._emit(original.data)
            self._add_member(original, offset, Encoding.RAW, original.contents.flags)
            # Without it, the first line of the next member would join the last line of this one.
            if original.contents.lacks_newline:
                yield self._emit(NEWLINE)
            return
        for piece in encode_pieces(SEALED_PIECE, original.data):
            yield self._emit(piece)
        self._add_member(original, offset, Encoding.SEALED, original.contents.flags)

    def copies(self, source: LogObject, head: bytes) -> bool:
        return looks_like_gzip(head)

    def begin_copied(self, source: LogObject) -> bytes:
        return b""

    def end_copied(self, source: LogObject, copied: RunningChecksum, headers: Headers) -> bytes:
        offset = self.content.length_bytes - copied.length_bytes
        self._members.append(_copied_member(source, headers, offset, copied))
        # Its bytes were not read. One JSON document has no newline at its end; lines have.
        return self._emit(NEWLINE) if source.key in self._plan.document_keys else b""

    def stream(
        self, source: LogObject, pieces: Iterable[bytes], headers: Headers
    ) -> Iterator[bytes]:
        offset, digest, is_text, last = self.content.length_bytes, hashlib.sha256(), None, b""
        encoder = GzipEncoder()
        for piece in pieces:
            digest.update(piece)
            last = piece[-1:]
            if is_text is None:
                is_text = looks_like_text(piece)
                yield self._emit(encoder.begin() if is_text else b"")
            if is_text:
                yield self._emit(encoder.take(piece))
            else:
                for sealed in encode_pieces(SEALED_PIECE, piece):
                    yield self._emit(sealed)
        if is_text:
            yield self._emit(encoder.finish())
        flags = ("not-gzip",) if promises_gzip(source.key) else ()
        encoding = Encoding.BLOCK if is_text else Encoding.SEALED
        length = self.content.length_bytes - offset
        self._members.append(
            _member(source, headers, offset, length, digest.hexdigest(), encoding, flags)
        )
        if is_text and last != b"\n":
            yield self._emit(NEWLINE)

    def finish(self) -> Iterator[bytes]:
        yield from self._flush_block()

    def _add_text(self, original: Original) -> Iterator[bytes]:
        self._block.append((original, len(self._block_text)))
        self._block_text += original.data
        if original.contents.lacks_newline:
            self._block_text += b"\n"
        if len(self._block_text) >= TEXT_BLOCK_BYTES:
            yield from self._flush_block()

    def _flush_block(self) -> Iterator[bytes]:
        if not self._block:
            return
        offset = self.content.length_bytes
        yield self._emit(encode_gzip(self._block_text))
        for original, inner_offset in self._block:
            self._add_member(
                original, offset, Encoding.BLOCK, original.contents.flags, inner_offset
            )
        self._block.clear()
        self._block_text.clear()


class TarPackBuilder(PackBuilder):
    """An uncompressed tar with the original keys as names."""

    def add(self, original: Original) -> Iterator[bytes]:
        yield self._emit(_header_of(original.source))
        offset = self.content.length_bytes
        yield self._emit(original.data)
        self._add_member(original, offset, Encoding.RAW, ())
        yield self._emit(padding(len(original.data)))

    def copies(self, source: LogObject, head: bytes) -> bool:
        return True

    def begin_copied(self, source: LogObject) -> bytes:
        return self._emit(_header_of(source))

    def end_copied(self, source: LogObject, copied: RunningChecksum, headers: Headers) -> bytes:
        offset = self.content.length_bytes - copied.length_bytes
        self._members.append(_copied_member(source, headers, offset, copied))
        return self._emit(padding(copied.length_bytes))

    def stream(
        self, source: LogObject, pieces: Iterable[bytes], headers: Headers
    ) -> Iterator[bytes]:
        raise NotImplementedError("every large member of a tar pack can be copied")


class CopyPackBuilder(TarPackBuilder):
    """One object and nothing else."""

    def begin_copied(self, source: LogObject) -> bytes:
        return b""

    def end_copied(self, source: LogObject, copied: RunningChecksum, headers: Headers) -> bytes:
        self._members.append(_copied_member(source, headers, 0, copied))
        return b""


def order_in_index(sources: Sequence[LogObject]) -> list[int]:
    """For each of a pack's sources, its place in the index."""
    places = [0] * len(sources)
    ordered = sorted(range(len(sources)), key=lambda number: _place(sources[number]))
    for place, number in enumerate(ordered):
        places[number] = place
    return places


def _place(each: Member | LogObject) -> tuple[str, str]:
    """The sort key of an index: key, then version."""
    return each.key, each.version_id or ""


def _header_of(source: LogObject) -> bytes:
    return encode_tar_header(source.key, source.size_bytes, int(source.last_modified.timestamp()))


def _copied_member(
    source: LogObject, headers: Headers, offset: int, copied: RunningChecksum
) -> Member:
    return _member(
        source, headers, offset, copied.length_bytes, None, Encoding.RAW, (), crc=copied.crc
    )


def _member(
    source: LogObject,
    headers: Headers,
    offset: int,
    length_bytes: int,
    sha256: str | None,
    encoding: Encoding,
    flags: tuple[str, ...],
    inner_offset: int = 0,
    crc: int | None = None,
) -> Member:
    return Member(
        key=source.key,
        version_id=source.version_id,
        etag=source.etag,
        size_bytes=source.size_bytes,
        last_modified=source.last_modified,
        offset=offset,
        length_bytes=length_bytes,
        encoding=encoding,
        inner_offset=inner_offset,
        sha256=sha256,
        crc64nvme=crc,
        metadata=headers.metadata,
        content_type=headers.content_type,
        content_encoding=headers.content_encoding,
        is_latest=source.is_latest,
        flags=flags,
    )

"""The bytes of a pack, encoding by encoding."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from datetime import UTC, date, datetime
from typing import Any

import pytest

from log_aggregator.core.checksums import RunningChecksum, crc64nvme
from log_aggregator.core.packformat.builder import (
    Headers,
    PackBuilder,
    inspect_original,
    make_builder,
)
from log_aggregator.core.packformat.extra import NEWLINE
from log_aggregator.limits import EXTRA_PIECE_BYTES_MAX, TEXT_BLOCK_BYTES
from log_aggregator.model import Encoding, Group, Index, LogObject, PackFormat, PackPlan, Target
from log_aggregator_lab.unpacking import unpack_member

GROUP = Group("logs", "Other", "all", date(2025, 4, 3))
TIME = datetime(2025, 4, 3, tzinfo=UTC)
DOCUMENT = gzip.compress(b'{"a":1}', mtime=0)


def make_source(key: str, data: bytes, version_id: str | None = None) -> LogObject:
    return LogObject("logs", key, version_id, hashlib.md5(data).hexdigest(), len(data), TIME)


def make_plan(
    objects: dict[str, bytes], pack_format: PackFormat = PackFormat.GZIP, **more: Any
) -> PackPlan:
    sources = tuple(make_source(key, data) for key, data in objects.items())
    return PackPlan(
        GROUP, Target("dest"), "packs/logs/Other/all/2025/04/03/x", pack_format, sources, **more
    )


def build(
    objects: dict[str, bytes], pack_format: PackFormat = PackFormat.GZIP
) -> tuple[bytes, Index]:
    """A pack of small members: its content and its index."""
    plan = make_plan(objects, pack_format)
    builder = make_builder(plan)
    pieces = [
        piece
        for source in plan.sources
        for piece in builder.add(inspect_original(source, objects[source.key], Headers()))
    ]
    pieces += builder.finish()
    content, index = b"".join(pieces), builder.index("test")
    assert (index.content_length_bytes, index.content_crc64nvme) == (
        len(content),
        crc64nvme(content),
    )
    for member in index.members:
        assert (
            unpack_member(member, content[member.offset : member.offset + member.length_bytes])
            == objects[member.key]
        )
    return content, index


def encodings(index: Index) -> list[Encoding]:
    return [member.encoding for member in index.members]


def test_gzip_is_stored_as_it_is() -> None:
    """Whole gzip is stored unchanged; if its last newline is missing, one is added as a separate
    member outside the original's extent.
    """
    content, index = build({"a.gz": DOCUMENT, "b.gz": gzip.compress(b"x\n", mtime=0)})
    assert content == DOCUMENT + NEWLINE + gzip.compress(b"x\n", mtime=0)
    assert [(member.offset, member.length_bytes) for member in index.members] == [
        (0, len(DOCUMENT)),
        (len(DOCUMENT) + len(NEWLINE), 22),
    ]
    assert encodings(index) == [Encoding.RAW, Encoding.RAW]


def test_texts_share_a_block() -> None:
    """Texts share a gzip block; a missing final newline is added there, but not to the extracted
    text.
    """
    content, index = build({"a": b"one", "b": b"", "c": b"two\n"})
    assert gzip.decompress(content) == b"one\ntwo\n"
    assert encodings(index) == [Encoding.BLOCK] * 3
    assert [member.inner_offset for member in index.members] == [0, 4, 4]
    assert len({(member.offset, member.length_bytes) for member in index.members}) == 1


def test_blocks_are_limited_in_size() -> None:
    """A block is closed at one mebibyte, so that reading one original inflates no more."""
    text = b"x" * (TEXT_BLOCK_BYTES // 2) + b"\n"
    _, index = build(dict.fromkeys("abcde", text))
    assert len({member.offset for member in index.members}) == 3


def test_damaged_and_binary_data_is_sealed() -> None:
    """Damaged gzip and binary data are invisible to readers of the pack, and can be extracted."""
    damaged, binary = DOCUMENT[:-1], bytes(3 * EXTRA_PIECE_BYTES_MAX)
    content, index = build({"a.gz": damaged, "b.log": binary, "c.log": b"text\n"})
    assert gzip.decompress(content) == b"text\n"
    assert encodings(index) == [Encoding.SEALED, Encoding.SEALED, Encoding.BLOCK]
    assert [member.flags for member in index.members] == [("damaged-gzip",), ("binary",), ()]


def stream(key: str, pieces: list[bytes]) -> tuple[bytes, Index]:
    data = b"".join(pieces)
    plan = make_plan({key: data})
    builder = make_builder(plan)
    content = b"".join([*builder.stream(plan.sources[0], pieces, Headers()), *builder.finish()])
    index = builder.index("test")
    member = index.members[0]
    assert (
        unpack_member(member, content[member.offset : member.offset + member.length_bytes]) == data
    )
    return content, index


def test_large_text_is_streamed_into_one_block() -> None:
    """Large text is one gzip block, written while it is read, with its final newline."""
    content, index = stream("a.log", [b"one\n" * 100, b"two"])
    assert gzip.decompress(content) == b"one\n" * 100 + b"two\n"
    assert encodings(index) == [Encoding.BLOCK]


def test_large_binary_data_is_streamed_and_sealed() -> None:
    """Large binary data is sealed, even if its pieces are not multiples of an extra field."""
    content, index = stream(
        "a.log.gz", [b"\x00" * (EXTRA_PIECE_BYTES_MAX + 1), b"\x00" * 5, b"end"]
    )
    assert gzip.decompress(content) == b""
    assert encodings(index) == [Encoding.SEALED]
    assert index.members[0].flags == ("not-gzip",)


def add_copied(builder: PackBuilder, source: LogObject, data: bytes, bridge: int) -> bytes:
    """As in the writer, `bridge` bytes are read and appended, and S3 copies the rest."""
    opening = builder.begin_copied(source)
    whole = RunningChecksum()
    whole.take(data[:bridge])
    whole.take_piece(len(data) - bridge, crc64nvme(data[bridge:]))
    builder.take_copied(whole.length_bytes, whole.crc)
    return (
        opening
        + data
        + builder.end_copied(source, whole, Headers({"a": "b"}, "text/plain", "gzip"))
    )


@pytest.mark.parametrize("bridge", [0, 5])
@pytest.mark.parametrize("pack_format", [PackFormat.GZIP, PackFormat.TAR])
def test_a_copied_member_is_in_the_index(pack_format: PackFormat, bridge: int) -> None:
    """A member that S3 copies has its place, checksum and headers in the index, with and without a
    bridge.
    """
    plan = make_plan(
        {"a.gz": DOCUMENT, "b.gz": DOCUMENT}, pack_format, document_keys=frozenset({"b.gz"})
    )
    builder = make_builder(plan)
    content = b"".join(builder.add(inspect_original(plan.sources[0], DOCUMENT, Headers())))
    content += add_copied(builder, plan.sources[1], DOCUMENT, bridge) + b"".join(builder.finish())
    index = builder.index("test")
    assert (index.content_length_bytes, index.content_crc64nvme) == (
        len(content),
        crc64nvme(content),
    )
    member = index.members[1]
    assert content[member.offset : member.offset + member.length_bytes] == DOCUMENT
    assert (member.sha256, member.crc64nvme) == (None, crc64nvme(DOCUMENT))
    assert (dict(member.metadata), member.content_type, member.content_encoding) == (
        {"a": "b"},
        "text/plain",
        "gzip",
    )
    assert content.endswith(NEWLINE) == (pack_format is PackFormat.GZIP)


def test_copied_lines_get_no_newline() -> None:
    """Only a key whose layout promises a document gets a newline without being read."""
    plan = make_plan({"b.gz": DOCUMENT})
    assert add_copied(make_builder(plan), plan.sources[0], DOCUMENT, 0) == DOCUMENT


def test_a_pack_of_format_copy_is_the_original() -> None:
    """A pack of format copy is the original and nothing else."""
    plan = make_plan({"a": DOCUMENT}, PackFormat.COPY)
    builder = make_builder(plan)
    assert builder.copies(plan.sources[0], b"anything")
    assert add_copied(builder, plan.sources[0], DOCUMENT, 0) == DOCUMENT
    assert (builder.index("test").members[0].offset, builder.index("test").content_crc64nvme) == (
        0,
        crc64nvme(DOCUMENT),
    )


@pytest.mark.parametrize("head", [b"text", b"\x00", b"", b"PAR1"])
def test_only_gzip_is_copied_into_a_gzip_pack(head: bytes) -> None:
    """Anything that does not begin as gzip would end the reading of the pack, so it is streamed."""
    builder = make_builder(make_plan({"a": b"x"}))
    assert not builder.copies(make_source("a", b"x"), head)
    assert builder.copies(make_source("a", b"x"), b"\x1f\x8b\x08")


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 70_000])
@pytest.mark.parametrize("key", ["a", "a/" * 60 + "b", "k" * 300, "日本/é.parquet", "a b:c::d"])
def test_a_tar_pack_has_an_entry_for_each_key(key: str, size: int) -> None:
    """tarfile reads every key and every size as its own entry."""
    objects = {key: bytes(range(256)) * 300, "z": b"behind"}
    objects[key] = objects[key][:size]
    content, _ = build(objects, PackFormat.TAR)
    with tarfile.open(fileobj=io.BytesIO(content + bytes(1024))) as tar:
        found = {info.name: member.read() for info in tar if (member := tar.extractfile(info))}
    assert found == objects


@pytest.mark.parametrize("pack_format", list(PackFormat))
def test_an_index_needs_the_planned_members(pack_format: PackFormat) -> None:
    """A builder that was not given the planned members makes no index."""
    with pytest.raises(ValueError, match="not the sources"):
        make_builder(make_plan({"a": b"x"}, pack_format)).index("test")


def test_the_same_members_give_the_same_bytes() -> None:
    """A pack does not depend on the machine, the time or the run."""
    objects = {"a.gz": DOCUMENT, "b": b"text", "c.gz": b"\x1f\x8bdamaged"}
    assert build(objects) == build(objects)
    assert build(objects, PackFormat.TAR) == build(objects, PackFormat.TAR)

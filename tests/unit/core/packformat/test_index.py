"""The index: JSON Lines in gzip."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from log_aggregator.core.packformat.index import decode_index, encode_index
from log_aggregator.errors import BadPack
from log_aggregator.model import Encoding, Group, Index, Member, PackFormat

MEMBER = Member(
    "a/é\u2028\n",
    "v1",
    "e1",
    5,
    datetime(2025, 4, 3, 1, 2, 3, 4000, tzinfo=UTC),
    0,
    25,
    sha256="ab" * 32,
)
INDEX = Index(
    pack_key="packs/logs/Other/all/2025/04/03/Other_20250403-0123456789ab.log.gz",
    format=PackFormat.GZIP,
    group=Group("logs", "Other", "all", date(2025, 4, 3)),
    content_length_bytes=1234,
    content_crc64nvme=2**64 - 1,
    members=(
        MEMBER,
        replace(
            MEMBER,
            version_id=None,
            encoding=Encoding.BLOCK,
            inner_offset=7,
            metadata={"b": "2", "a": "1"},
        ),
        replace(
            MEMBER,
            version_id="null",
            sha256=None,
            crc64nvme=0,
            content_type="text/plain",
            content_encoding="gzip",
            flags=("x", "y"),
        ),
        replace(MEMBER, key="b", encoding=Encoding.SEALED),
    ),
    markers=(("a", "m1"),),
    tool="test 1",
)


def test_every_field_of_an_index_comes_back() -> None:
    """Decoding gives back the same index, whichever fields are set."""
    assert decode_index(encode_index(INDEX)) == INDEX


def test_the_same_index_gives_the_same_bytes() -> None:
    """The bytes depend neither on the time nor on the order of metadata."""
    other = replace(
        INDEX,
        members=(
            INDEX.members[0],
            replace(INDEX.members[1], metadata={"a": "1", "b": "2"}),
            *INDEX.members[2:],
        ),
    )
    assert encode_index(other) == encode_index(INDEX)


def test_an_index_has_one_line_per_member() -> None:
    """The inflated index is JSON lines, one for the pack and one per member, even where a key has
    line breaks.
    """
    lines = gzip.decompress(encode_index(INDEX)).decode().split("\n")
    assert lines.pop() == ""
    assert [json.loads(line).get("key") for line in lines] == [
        None,
        MEMBER.key,
        MEMBER.key,
        MEMBER.key,
        "b",
    ]


@pytest.mark.parametrize("position", range(len(encode_index(INDEX))))
def test_a_changed_byte_never_gives_another_index(position: int) -> None:
    """A stored index with any byte changed is a BadPack or decodes to the same index."""
    data = encode_index(INDEX)
    for bit in (1, 0x80):
        damaged = data[:position] + bytes([data[position] ^ bit]) + data[position + 1 :]
        try:
            assert decode_index(damaged) == INDEX
        except BadPack:
            continue


def test_a_truncated_index_is_a_bad_pack() -> None:
    """An index cut short at any byte is a BadPack."""
    data = encode_index(INDEX)
    for cut in range(len(data)):
        with pytest.raises(BadPack):
            decode_index(data[:cut])


def edit(changes: dict[str, Any], line: int) -> bytes:
    lines = [json.loads(text) for text in gzip.decompress(encode_index(INDEX)).splitlines()]
    lines[line] |= changes
    return gzip.compress("\n".join(json.dumps(each) for each in lines).encode())


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"format": "other"}, 0),
        ({"version": 2}, 0),
        ({"members": 5}, 0),
        ({"pack_format": "zip"}, 0),
        ({"bucket": "a/b"}, 0),
        ({"date": "2025-02-30"}, 0),
        ({"content_crc64nvme": "AAAA"}, 0),
        ({"content_crc64nvme": "!"}, 0),
        ({"content_crc64nvme": None}, 0),
        ({"content_length": None}, 0),
        ({"content_length": float("inf")}, 0),
        ({"delete_markers": [["a"]]}, 0),
        ({"delete_markers": None}, 0),
        ({"pack": "packs/\ud800"}, 0),
        ({"size": "x"}, 1),
        ({"key": "a\udfffb"}, 1),
        ({"last_modified": "yesterday"}, 1),
        ({"encoding": "zip"}, 1),
        ({"sha256": None}, 1),
        ({"crc64nvme": 5}, 3),
    ],
)
def test_wrong_values_are_a_bad_pack(changes: dict[str, Any], line: int) -> None:
    """Valid gzip and JSON that is not an index of this format is a BadPack, not a crash."""
    with pytest.raises(BadPack):
        decode_index(edit(changes, line))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"x",
        gzip.compress(b"", mtime=0),
        gzip.compress(b"[]", mtime=0),
        gzip.compress(b"{}\n3", mtime=0),
        gzip.compress(b"\xff\xff", mtime=0),
    ],
)
def test_anything_else_is_a_bad_pack(data: bytes) -> None:
    """Any other bytes are a BadPack, too."""
    with pytest.raises(BadPack):
        decode_index(data)

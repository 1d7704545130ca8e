"""The end of a pack: its index, and a last member of fixed size that says where the index begins.

    gzip pack:  content | index in LI extra members | locator
    tar pack:   content | header of .log-aggregator/index.jsonl.gz | index | filler | locator
                | end of archive (1,024 zero bytes)

The filler and the locator are empty gzip members, so the tar entry is a plain gzip file, and a gzip
pack inflates to its content.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from log_aggregator.core.checksums import crc64nvme
from log_aggregator.core.formats import check_version
from log_aggregator.core.packformat.extra import (
    FILLER,
    INDEX_PIECE,
    LOCATOR,
    OVERHEAD_BYTES,
    decode_extra,
    decode_pieces,
    encode_extra,
    encode_pieces,
)
from log_aggregator.core.packformat.tarheader import BLOCK_BYTES, END_OF_ARCHIVE, encode_tar_header
from log_aggregator.errors import BadPack
from log_aggregator.model import PackFormat

VERSION = 1
_MAGIC = b"LAGGPK"
_LOCATOR = struct.Struct("<6s2sQQQ")
LOCATOR_BYTES = _LOCATOR.size + OVERHEAD_BYTES
INDEX_NAME = ".log-aggregator/index.jsonl.gz"


@dataclass(frozen=True, slots=True)
class Locator:
    """The content of a pack's last member."""

    content_length_bytes: int
    index_length_bytes: int
    index_crc64nvme: int


def encode_tail(pack_format: PackFormat, index_data: bytes, content_length_bytes: int) -> bytes:
    """The tail of a pack, which depends only on its encoded index. A copy has no tail: it has the
    original's bytes.
    """
    if pack_format is PackFormat.COPY:
        return b""
    locator = _encode_locator(Locator(content_length_bytes, len(index_data), crc64nvme(index_data)))
    if pack_format is PackFormat.GZIP:
        return b"".join(encode_pieces(INDEX_PIECE, index_data)) + locator
    filler = encode_extra(
        FILLER, bytes(-(len(index_data) + OVERHEAD_BYTES + len(locator)) % BLOCK_BYTES)
    )
    entry = index_data + filler + locator
    return encode_tar_header(INDEX_NAME, len(entry), 0) + entry + END_OF_ARCHIVE


def decode_locator(pack_format: PackFormat, end: bytes) -> Locator:
    """The locator, from the last bytes of a pack (LOCATOR_BYTES, and in a tar pack the end of the
    archive). Raises BadPack.
    """
    if pack_format is PackFormat.TAR:
        if not end.endswith(END_OF_ARCHIVE):
            raise BadPack(
                "the pack does not end like a tar archive: it is cut short or is not a pack"
            )
        end = end.removesuffix(END_OF_ARCHIVE)
    if len(end) < LOCATOR_BYTES:
        raise BadPack("the pack is shorter than a locator: it is cut short or is not a pack")
    try:
        payload = decode_extra(LOCATOR, end, len(end) - LOCATOR_BYTES)
    except BadPack:
        raise BadPack(
            "the pack does not end in the member that says where its index is: it is cut "
            "short or is not a pack"
        ) from None
    if not payload.startswith(_MAGIC) or not payload[6:8].isdigit():
        raise BadPack("the pack's last member is of another format")
    check_version("the pack", int(payload[6:8]), VERSION)
    if len(payload) != _LOCATOR.size:
        raise BadPack("the pack's last member has a wrong length")
    _, _, content, length, crc = _LOCATOR.unpack(payload)
    return Locator(content, length, crc)


def decode_tail(pack_format: PackFormat, tail: bytes) -> bytes:
    """The encoded index in a pack's tail. Raises BadPack if it is not whole."""
    locator = decode_locator(pack_format, tail)
    if pack_format is PackFormat.GZIP:
        data = decode_pieces(INDEX_PIECE, tail[:-LOCATOR_BYTES])
    else:
        header = len(encode_tar_header(INDEX_NAME, 0, 0))
        data = tail[header : header + locator.index_length_bytes]
    if len(data) != locator.index_length_bytes or crc64nvme(data) != locator.index_crc64nvme:
        raise BadPack("the index in the pack's tail is damaged")
    return data


def tail_end_bytes(pack_format: PackFormat) -> int:
    """The number of bytes at a pack's end that `decode_locator` needs."""
    return LOCATOR_BYTES + (len(END_OF_ARCHIVE) if pack_format is PackFormat.TAR else 0)


def _encode_locator(locator: Locator) -> bytes:
    payload = _LOCATOR.pack(
        _MAGIC,
        f"{VERSION:02}".encode(),
        locator.content_length_bytes,
        locator.index_length_bytes,
        locator.index_crc64nvme,
    )
    return encode_extra(LOCATOR, payload)

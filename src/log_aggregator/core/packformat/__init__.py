"""The pack: its bytes, its index, its tail. docs/internals/pack-format.md specifies the format."""

from __future__ import annotations

from log_aggregator.core.checksums import combine_crc64nvme, crc64nvme
from log_aggregator.core.packformat.tail import encode_tail
from log_aggregator.model import Index


def expected_pack(index: Index, index_data: bytes) -> tuple[int, int]:
    """Size and CRC64NVME that the whole pack must have: those of the content are in the index, and
    the tail follows from the index. So a pack can be verified against S3's checksum without reading
    it.
    """
    tail = encode_tail(index.format, index_data, index.content_length_bytes)
    crc = combine_crc64nvme(index.content_crc64nvme, crc64nvme(tail), len(tail))
    return index.content_length_bytes + len(tail), crc

"""CRC64NVME, the checksum that S3 computes over whole objects, and how to combine those of pieces.

A CRC is linear, so the checksum of a multipart upload follows from those of its parts. That is why
S3 can compute it for a whole object without reading the parts again, and we can check it.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass


def crc64nvme(data: bytes | bytearray | memoryview, previous: int = 0) -> int:
    """The CRC64NVME of the bytes that gave `previous`, followed by `data`."""
    from awscrt import checksums  # noqa: PLC0415 - it takes 40 ms, and most commands do not need it

    return int(checksums.crc64nvme(data, previous))


def combine_crc64nvme(first: int, second: int, second_length_bytes: int) -> int:
    """The CRC64NVME of two pieces one after the other, from the CRC of each and the length of the
    second.
    """
    from awscrt import checksums  # noqa: PLC0415 - see above

    if not second_length_bytes:
        return first
    return int(checksums.combine_crc64nvme(first, second, second_length_bytes))


def encode_crc64nvme(crc: int) -> str:
    """In S3's notation: base64 of 8 bytes, big endian."""
    return base64.b64encode(crc.to_bytes(8, "big")).decode()


def decode_crc64nvme(text: str) -> int:
    """The inverse. Raises ValueError."""
    try:
        raw = base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError("expected a CRC64NVME in base64") from None
    if len(raw) != 8:
        raise ValueError(f"expected a CRC64NVME of 8 bytes, not {len(raw)}")
    return int.from_bytes(raw, "big")


@dataclass(slots=True)
class RunningChecksum:
    """Length and CRC64NVME of everything taken so far."""

    length_bytes: int = 0
    crc: int = 0

    def take(self, data: bytes | bytearray) -> None:
        self.crc = crc64nvme(data, self.crc)
        self.length_bytes += len(data)

    def take_piece(self, length_bytes: int, crc: int) -> None:
        """Takes bytes of which only length and CRC are known: a part that S3 copied."""
        self.crc = combine_crc64nvme(self.crc, crc, length_bytes)
        self.length_bytes += length_bytes

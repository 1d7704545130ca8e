"""The end of a pack: its own index, found from the last bytes."""

from __future__ import annotations

import gzip
import io
import tarfile

import pytest

from log_aggregator.core.checksums import crc64nvme
from log_aggregator.core.packformat.tail import (
    INDEX_NAME,
    Locator,
    decode_locator,
    decode_tail,
    encode_tail,
    tail_end_bytes,
)
from log_aggregator.errors import BadPack
from log_aggregator.model import PackFormat

BOTH = (PackFormat.GZIP, PackFormat.TAR)
SIZES = (1, 400, 511, 512, 513, 15_999, 16_000, 16_001, 100_000)


def noise(size: int) -> bytes:
    return (bytes(range(251)) * (size // 251 + 1))[:size]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("pack_format", BOTH)
def test_the_index_is_found_from_the_tail(pack_format: PackFormat, size: int) -> None:
    """An index of any length comes back, and the locator in the last bytes says where it begins."""
    data = noise(size)
    tail = encode_tail(pack_format, data, 12_345)
    assert decode_tail(pack_format, tail) == data
    end = tail[-tail_end_bytes(pack_format) :]
    assert decode_locator(pack_format, end) == Locator(12_345, size, crc64nvme(data))


@pytest.mark.parametrize("size", SIZES)
def test_a_gzip_tail_is_invisible_when_inflated(size: int) -> None:
    """Readers of the inflated pack never see the tail."""
    assert gzip.decompress(encode_tail(PackFormat.GZIP, noise(size), 1)) == b""


@pytest.mark.parametrize("size", SIZES)
def test_a_tar_tail_is_a_complete_entry(size: int) -> None:
    """The tail alone is a tar file whose only entry has whole blocks and inflates to the index."""
    index = gzip.compress(noise(size), mtime=0)
    tail = encode_tail(PackFormat.TAR, index, 0)
    assert len(tail) % 512 == 0
    with tarfile.open(fileobj=io.BytesIO(tail)) as tar:
        entry = tar.extractfile(INDEX_NAME)
        assert tar.getnames() == [INDEX_NAME]
        assert entry is not None
        assert gzip.decompress(entry.read()) == noise(size)


def test_a_copied_object_has_no_tail() -> None:
    """An object copied alone stays unchanged."""
    assert encode_tail(PackFormat.COPY, b"index", 5) == b""


@pytest.mark.parametrize("pack_format", BOTH)
def test_damage_to_a_tail_is_found_or_harmless(pack_format: PackFormat) -> None:
    """A tail with any byte changed or cut off gives the same index or a BadPack, never another
    index.
    """
    data = noise(300)
    tail = encode_tail(pack_format, data, 7)
    for position in range(len(tail)):
        damaged = tail[:position] + bytes([tail[position] ^ 0x10]) + tail[position + 1 :]
        for attempt in (damaged, tail[:position]):
            try:
                assert decode_tail(pack_format, attempt) == data, position
            except BadPack:
                continue
    with pytest.raises(BadPack):
        decode_tail(pack_format, tail[:-1])

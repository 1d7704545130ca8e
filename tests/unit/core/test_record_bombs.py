"""Anyone who can write to the target can store something small there that is huge once inflated.
Readers must refuse it.

The tests pad each record with spaces, which JSON allows, so only the size tells it from ours.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable
from unittest import mock

import pytest
from tests.unit.core.packformat.test_index import INDEX
from tests.unit.core.test_adopted import make_index
from tests.unit.core.test_custody_record import make_record
from tests.unit.steps.fanout.test_workitems import LAYOUTS

from log_aggregator.core import jsontext
from log_aggregator.core.adopted import decode_adopted
from log_aggregator.core.custody import decode_record, encode_record
from log_aggregator.core.jsontext import inflate_lines
from log_aggregator.core.packformat.deflate import encode_gzip
from log_aggregator.core.packformat.index import (
    decode_index,
    encode_index,
    find_identities,
    find_members,
)
from log_aggregator.errors import BadPack
from log_aggregator.limits import BOMB_RATIO_MIN, KIB, MIB, RECORD_BYTES_MIN
from log_aggregator.steps.fanout.workitems import WorkItem, decode_item, encode_item

ITEM = WorkItem("logs", "Enabled", [])
READERS: dict[str, tuple[bytes, Callable[[bytes], object]]] = {
    "index": (encode_index(INDEX), decode_index),
    "members": (encode_index(INDEX), lambda data: find_members(data, lambda _: True)),
    "identities": (encode_index(INDEX), lambda data: find_identities(data, ())),
    "adopted index": (make_index()[1], lambda data: list(decode_adopted(data)[1])),
    "custody record": (encode_record(make_record()), decode_record),
    "work item": (encode_item(ITEM), lambda data: decode_item(data, LAYOUTS.of)),
}


def blow_up(data: bytes, extra_bytes: int) -> bytes:
    """Add spaces at the end of the last line."""
    return encode_gzip(gzip.decompress(data).rstrip(b"\n") + b" " * extra_bytes + b"\n")


@pytest.mark.parametrize("name", READERS)
def test_an_oversized_record_is_not_read(name: str) -> None:
    data, read = READERS[name]
    with mock.patch.object(jsontext, "RECORD_BYTES_MIN", 64 * KIB):
        read(blow_up(data, 32 * KIB))
        with pytest.raises(BadPack):
            read(blow_up(data, 512 * KIB))


def test_the_limit_is_far_above_our_records() -> None:
    """It is 16 MiB, or a hundred times the size."""
    assert (RECORD_BYTES_MIN, BOMB_RATIO_MIN) == (16 * MIB, 100)
    for size_bytes, expected in ((0, 16 * MIB), (160 * KIB, 16 * MIB), (MIB, 100 * MIB)):
        assert jsontext.record_bytes_max(size_bytes) == expected


@pytest.mark.parametrize("length", [0, 1, 99, 100])
def test_lines_within_the_limit_are_complete(length: int) -> None:
    """They arrive complete, whether one line or many."""
    for text in (b"x" * length, b"x\n" * (length // 2) + b"x" * (length % 2)):
        with mock.patch.object(jsontext, "record_bytes_max", return_value=100):
            assert b"".join(inflate_lines(gzip.compress(text))) == text
            assert list(inflate_lines(gzip.compress(text))) == text.splitlines(keepends=True)
            with pytest.raises(ValueError, match="inflates to more"):
                list(inflate_lines(gzip.compress(text + b"y" * (101 - length))))

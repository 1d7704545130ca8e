"""Compact JSON in UTF-8, as in indexes, records and lists, and in gzip."""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterator
from typing import Any

from log_aggregator.errors import BadPack
from log_aggregator.limits import BOMB_RATIO_MIN, RECORD_BYTES_MIN


def encode_json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def encode_json_line(value: object) -> bytes:
    """The same as a line of JSON Lines."""
    return encode_json(value) + b"\n"


def decode_json(data: bytes) -> Any:
    """The inverse. Raises ValueError, also if a text is not valid Unicode: JSON can escape half of
    a surrogate pair, which can be neither printed nor encoded again.
    """
    text = data.decode()
    value = json.loads(text)
    if "\\u" in text:
        encode_json(value)
    return value


def inflate_lines(data: bytes) -> Iterator[bytes]:
    """The lines of a gzip file, one at a time. Raises errors that `decoding` turns into BadPack,
    and ValueError if they have more than `record_bytes_max`; at most one byte more is inflated.
    """
    lines = gzip.GzipFile(fileobj=io.BytesIO(data))
    left_bytes = record_bytes_max(len(data))
    while line := lines.readline(left_bytes + 1):
        left_bytes -= len(line)
        if left_bytes < 0:
            raise ValueError("it inflates to more than any file of ours")
        yield line


def record_bytes_max(size_bytes: int) -> int:
    """The size to which a file of ours that is stored in `size_bytes` may inflate."""
    return max(RECORD_BYTES_MIN, BOMB_RATIO_MIN * size_bytes)


@contextlib.contextmanager
def decoding(what: str) -> Iterator[None]:
    """Any error of decoding becomes BadPack."""
    try:
        yield
    except (
        OSError,
        EOFError,
        zlib.error,
        csv.Error,
        ValueError,
        KeyError,
        IndexError,
        TypeError,
        AttributeError,
        OverflowError,
        RecursionError,  # JSON that is nested too deep
    ) as error:
        raise BadPack(f"{what} cannot be read: {type(error).__name__}") from error

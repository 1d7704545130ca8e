"""Compact JSON in UTF-8, as it stands in indexes, records and lists, and these in gzip."""

from __future__ import annotations

import contextlib
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
    """The inverse. Raises ValueError, also where a text is no Unicode: JSON can write half of a
    surrogate pair, and nobody could print it, or write it down again.
    """
    text = data.decode()
    value = json.loads(text)
    if "\\u" in text:
        encode_json(value)
    return value


def inflate_lines(data: bytes) -> Iterator[bytes]:
    """The lines of a gzip file, one at a time. Raises what `decoding` knows; ValueError where they
    are more than `record_bytes_max`, no more than one byte beyond which is ever inflated.
    """
    lines = gzip.GzipFile(fileobj=io.BytesIO(data))
    left_bytes = record_bytes_max(len(data))
    while line := lines.readline(left_bytes + 1):
        left_bytes -= len(line)
        if left_bytes < 0:
            raise ValueError("it inflates to more than anything of ours")
        yield line


def record_bytes_max(size_bytes: int) -> int:
    """What anything of ours that is stored in `size_bytes` may inflate to."""
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
        ValueError,
        KeyError,
        IndexError,
        TypeError,
        AttributeError,
        OverflowError,
        RecursionError,  # JSON that is nested too deep
    ) as error:
        raise BadPack(f"{what} cannot be read: {type(error).__name__}") from error

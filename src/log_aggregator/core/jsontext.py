"""Compact JSON in UTF-8, as it stands in indexes, records and lists."""

from __future__ import annotations

import contextlib
import json
import zlib
from collections.abc import Iterator

from log_aggregator.errors import BadPack


def encode_json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def encode_json_line(value: object) -> bytes:
    """The same as a line of JSON Lines."""
    return encode_json(value) + b"\n"


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

"""JSON without spaces, in UTF-8: as it stands in indexes, records and lists."""

from __future__ import annotations

import json


def encode_json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def encode_json_line(value: object) -> bytes:
    """The same as a line of JSON Lines."""
    return encode_json(value) + b"\n"

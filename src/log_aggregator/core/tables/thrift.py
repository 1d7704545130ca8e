"""Thrift's compact protocol, as far as a Parquet footer needs it: it is decoded into plain values,
changed, and encoded again, without knowing what most of it means.

https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Struct = dict[int, tuple[int, Any]]
"""Field -> (type, value): int, bool, bytes, a Struct, or a list as (type of elements, [...])."""

TRUE, FALSE, I8, I16, I32, I64, DOUBLE, BINARY, LIST, STRUCT = 1, 2, 3, 4, 5, 6, 7, 8, 9, 12
_INTS = {I16, I32, I64}
_LONG_LIST = 15


def decode_struct(data: bytes) -> Struct:
    """Raises ValueError, IndexError if it is not a struct."""
    return _Reader(data).read_struct()


def encode_struct(struct: Struct) -> bytes:
    out = bytearray()
    _write_struct(out, struct)
    return bytes(out)


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._readers: dict[int, Callable[[], Any]] = {
            **dict.fromkeys(_INTS, lambda: _unzigzag(self._varint())),
            I8: self._byte,
            DOUBLE: lambda: self._take(8),
            BINARY: lambda: self._take(self._varint()),
            LIST: self._read_list,
            STRUCT: self.read_struct,
        }

    def read_struct(self) -> Struct:
        struct: Struct = {}
        field = 0
        while (head := self._byte()) != 0:
            field = field + (head >> 4) if head >> 4 else _unzigzag(self._varint())
            struct[field] = (head & 15, self._read(head & 15))
        return struct

    def _read(self, kind: int) -> Any:
        if kind in (TRUE, FALSE):
            return kind == TRUE
        if kind not in self._readers:
            raise ValueError(f"type {kind} is unknown")
        return self._readers[kind]()

    def _read_list(self) -> tuple[int, list[Any]]:
        head = self._byte()
        count = self._varint() if head >> 4 == _LONG_LIST else head >> 4
        kind = head & 15
        if kind in (TRUE, FALSE):  # booleans are bytes in a list, but part of the type in a struct
            return kind, [self._byte() == TRUE for _ in range(count)]
        return kind, [self._read(kind) for _ in range(count)]

    def _byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1]

    def _take(self, count: int) -> bytes:
        self._at += count
        if self._at > len(self._data):
            raise ValueError("cut short")
        return self._data[self._at - count : self._at]

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7


def _write_struct(out: bytearray, struct: Struct) -> None:
    before = 0
    for field, (kind, value) in sorted(struct.items()):
        kind = (TRUE if value else FALSE) if kind in (TRUE, FALSE) else kind  # noqa: PLW2901
        if 0 < field - before < 16:
            out.append((field - before) << 4 | kind)
        else:
            out.append(kind)
            _write_varint(out, _zigzag(field))
        if kind not in (TRUE, FALSE):
            _write(out, kind, value)
        before = field
    out.append(0)


def _write(out: bytearray, kind: int, value: Any) -> None:
    if kind in _INTS:
        _write_varint(out, _zigzag(value))
    elif kind == BINARY:
        _write_varint(out, len(value))
        out += value
    elif kind == LIST:
        _write_list(out, *value)
    elif kind == STRUCT:
        _write_struct(out, value)
    elif kind == I8:
        out.append(value)
    else:  # a double, whose bytes were kept
        out += value


def _write_list(out: bytearray, kind: int, values: list[Any]) -> None:
    if len(values) < _LONG_LIST:
        out.append(len(values) << 4 | kind)
    else:
        out.append(_LONG_LIST << 4 | kind)
        _write_varint(out, len(values))
    for value in values:
        if kind in (TRUE, FALSE):
            out.append(TRUE if value else FALSE)
        else:
            _write(out, kind, value)


def _write_varint(out: bytearray, value: int) -> None:
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)


def _zigzag(value: int) -> int:
    return value << 1 if value >= 0 else (-value << 1) - 1


def _unzigzag(value: int) -> int:
    return value >> 1 if value & 1 == 0 else -(value >> 1) - 1

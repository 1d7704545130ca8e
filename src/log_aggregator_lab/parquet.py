"""Files of Apache Parquet, written with arro3. Apart from the rest, because arro3 is installed by
name only.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

from arro3.core import Array, DataType, Table
from arro3.io import write_parquet

_INT64, _MILLIS = DataType.int64(), DataType.timestamp("ms")
_TYPES = {
    "binary {} (UTF8)": DataType.string(),
    "boolean {}": DataType.bool(),
    "int64 {}": _INT64,
    "int64 {} (TIMESTAMP_MILLIS)": _MILLIS,
}
"""By the type that follows `required` or `optional` in a schema."""


def encode_columns(columns: Mapping[str, tuple[str, Sequence[Any]]]) -> bytes:
    """A file of these columns: name -> how the schema writes it, and its cells."""
    arrays = [_make_array(shape, cells) for shape, cells in columns.values()]
    out = io.BytesIO()
    write_parquet(Table.from_arrays(arrays, names=list(columns)), out, compression="gzip(6)")
    return out.getvalue()


def _make_array(shape: str, cells: Sequence[Any]) -> Array:
    kind = _TYPES[shape.partition(" ")[2]]
    return Array(cells, _INT64).cast(kind) if kind is _MILLIS else Array(cells, kind)

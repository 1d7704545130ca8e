"""Files of rows in Apache Parquet, read with arro3. A module of its own, because arro3 is large and
few users need it.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence

import arro3.io

from log_aggregator.core.inventory.rows import Columns
from log_aggregator.errors import BadInventory


def read_batches(data: bytes, names: Sequence[str]) -> Iterator[Columns]:
    """The columns `names` of a whole file, some thousand rows at a time. Raises BadInventory."""
    batches = _decode(data, names)
    while True:
        try:
            columns = next(batches, None)
        # arro3 raises plain Exceptions, and for bugs in its Rust code a PanicException, which is a
        # BaseException.
        except BaseException as error:
            if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
                raise
            raise BadInventory(
                f"it is not a Parquet file, or is damaged: {type(error).__name__}"
            ) from error
        if columns is None:
            return
        yield columns


def _decode(data: bytes, names: Sequence[str]) -> Iterator[Columns]:
    for batch in arro3.io.read_parquet(io.BytesIO(data)):
        yield {name: batch.column(name).to_pylist() for name in names if name in batch.column_names}

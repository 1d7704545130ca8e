"""The rows of an inventory, as log objects and delete markers."""

from __future__ import annotations

import csv
import io
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from gzip import BadGzipFile, GzipFile
from typing import Any
from urllib.parse import unquote_plus

from log_aggregator.core.inventory.manifest import Column, Manifest
from log_aggregator.errors import BadInventory
from log_aggregator.limits import MIB
from log_aggregator.model import NULL_VERSION, DeleteMarker, LogObject

Entry = LogObject | DeleteMarker
Columns = Mapping[str, Sequence[Any]]
"""Rows in columns, by the columns' names in the file."""


@dataclass(frozen=True, slots=True)
class RowReader:
    """Reads the rows of one inventory. `versioning` is that of the source bucket: Enabled,
    Suspended or None.
    """

    manifest: Manifest
    versioning: str | None

    def read_csv(self, pieces: Iterable[bytes]) -> Iterator[Entry]:
        """The rows of a gzip-compressed CSV file, which comes in pieces. Raises BadInventory."""
        positions = {
            column: self.manifest.columns.index(column)
            for column in Column
            if column in self.manifest.columns
        }
        count = len(self.manifest.columns)
        row_number = 0
        try:
            with _open_text(pieces) as lines:
                for row_number, row in enumerate(csv.reader(lines), 1):
                    if len(row) != count:
                        raise BadInventory(
                            f"row {row_number} has {len(row)} columns; the schema has {count}"
                        )
                    values = {column: row[position] for column, position in positions.items()}
                    # In CSV, keys are URL-encoded, with a space as "+"
                    # (https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory.html).
                    values[Column.KEY] = unquote_plus(values[Column.KEY], errors="strict")
                    yield self._read_row(values, row_number)
        except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error) as error:
            what = "not gzip" if isinstance(error, BadGzipFile) else type(error).__name__
            raise BadInventory(f"it cannot be read after row {row_number}: {what}") from error

    def read_columns(self, columns: Columns) -> Iterator[Entry]:
        """The rows of columns of the same length, by their names in the file. Raises
        BadInventory.
        """
        names = [
            (column, columns[column.in_parquet])
            for column in Column
            if column.in_parquet in columns
        ]
        for number, cells in enumerate(zip(*(values for _, values in names), strict=True), 1):
            yield self._read_row(
                dict(zip((column for column, _ in names), cells, strict=True)), number
            )

    def _read_row(self, values: Mapping[Column, Any], number: int) -> Entry:
        try:
            return self._make_entry(values)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise BadInventory(f"row {number} cannot be read: {type(error).__name__}") from error

    def _make_entry(self, values: Mapping[Column, Any]) -> Entry:
        bucket, key = self.manifest.source_bucket, values[Column.KEY]
        if not isinstance(key, str) or not key:
            raise ValueError("key")
        version_id = self._version_of(values.get(Column.VERSION_ID))
        is_latest = _truth(values.get(Column.IS_LATEST, True))
        modified = _time(values[Column.LAST_MODIFIED])
        if _truth(values.get(Column.IS_DELETE_MARKER, False)):
            return DeleteMarker(bucket, key, version_id or NULL_VERSION, modified, is_latest)
        etag, size = values[Column.ETAG].strip('"'), int(values[Column.SIZE])
        if not etag or size < 0:
            raise ValueError("ETag, size")
        return LogObject(
            bucket,
            key,
            version_id,
            etag,
            size,
            modified,
            values[Column.STORAGE_CLASS] or "STANDARD",
            is_latest,
        )

    def _version_of(self, text: str | None) -> str | None:
        """S3 leaves the id of a "null" version empty, that is of an object from before the bucket
        had versions.

        https://docs.aws.amazon.com/AmazonS3/latest/userguide/inventory-configure-bops.html
        """
        if self.versioning is not None:
            return text or NULL_VERSION
        if text and text != NULL_VERSION:
            raise ValueError("a version id in a bucket that never had versions")
        return None


class _Pieces(io.RawIOBase):
    """A file over an iterator of bytes."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._held = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._held:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._held = memoryview(piece)
        count = min(len(buffer), len(self._held))
        buffer[:count] = self._held[:count]
        self._held = self._held[count:]
        return count


def _open_text(pieces: Iterable[bytes]) -> io.TextIOWrapper:
    return io.TextIOWrapper(
        io.BufferedReader(GzipFile(fileobj=io.BufferedReader(_Pieces(pieces), MIB)), MIB),
        encoding="utf-8",
        newline="",
    )


def _truth(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}[value.lower()]


def _time(value: Any) -> datetime:
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)

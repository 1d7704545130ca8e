"""Writes an S3 Inventory of a bucket as S3 does: files of rows, a manifest, and last its checksum.

S3 guarantees no order of rows, so they are shuffled.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any
from urllib.parse import quote_plus

from log_aggregator.core.inventory.manifest import CHECKSUM, MANIFEST, Format
from log_aggregator.core.inventory.rows import Entry
from log_aggregator.model import DeleteMarker

Put = Callable[[str, bytes], None]
"""Stores an object of the destination bucket: its key, its bytes."""

VERSION_COLUMNS = ("VersionId", "IsLatest", "IsDeleteMarker")
COLUMNS = (
    "Bucket",
    "Key",
    *VERSION_COLUMNS,
    "Size",
    "LastModifiedDate",
    "ETag",
    "StorageClass",
    "IsMultipartUploaded",
    "EncryptionStatus",
)
_PARQUET: Mapping[str, tuple[str, str]] = {
    "Bucket": ("bucket", "required binary {} (UTF8)"),
    "Key": ("key", "required binary {} (UTF8)"),
    "VersionId": ("version_id", "optional binary {} (UTF8)"),
    "IsLatest": ("is_latest", "optional boolean {}"),
    "IsDeleteMarker": ("is_delete_marker", "optional boolean {}"),
    "Size": ("size", "optional int64 {}"),
    "LastModifiedDate": ("last_modified_date", "optional int64 {} (TIMESTAMP_MILLIS)"),
    "ETag": ("e_tag", "optional binary {} (UTF8)"),
    "StorageClass": ("storage_class", "optional binary {} (UTF8)"),
    "IsMultipartUploaded": ("is_multipart_uploaded", "optional boolean {}"),
    "EncryptionStatus": ("encryption_status", "optional binary {} (UTF8)"),
}
"""What S3 calls a column in Parquet, and how its schema writes it."""


@dataclass(frozen=True, slots=True)
class InventorySpec:
    """How an inventory is written."""

    source_bucket: str
    destination_bucket: str
    format: Format = Format.CSV
    has_versions: bool = True
    """All versions; otherwise only the current ones, without the columns about versions."""
    rows_per_file: int = 100_000
    prefix: str = "inventories"
    name: str = "daily"
    made: datetime = datetime(2026, 3, 15, 1, tzinfo=UTC)
    seed: int = 1
    left_out: frozenset[str] = frozenset()
    """Columns that its configuration does not ask for."""

    @property
    def columns(self) -> tuple[str, ...]:
        unwanted = self.left_out if self.has_versions else self.left_out.union(VERSION_COLUMNS)
        return tuple(column for column in COLUMNS if column not in unwanted)

    @property
    def folder(self) -> str:
        return f"{self.prefix}/{self.source_bucket}/{self.name}/"


def write_inventory(entries: Iterable[Entry], spec: InventorySpec, put: Put) -> str:
    """Writes an inventory of all entries; gives where it is. Memory: a file of rows."""
    files = [
        _write_file(rows, number, spec, put) for number, rows in enumerate(_shuffle(entries, spec))
    ]
    manifest = {
        "sourceBucket": spec.source_bucket,
        "destinationBucket": f"arn:aws:s3:::{spec.destination_bucket}",
        "version": "2016-11-30",
        "creationTimestamp": str(round(spec.made.timestamp() * 1000)),
        "fileFormat": spec.format.value,
        "fileSchema": _schema(spec),
        "files": files,
    }
    data = json.dumps(manifest, indent=2).encode()
    folder = f"{spec.folder}{spec.made:%Y-%m-%dT%H-%MZ}/"
    put(f"{folder}{MANIFEST}", data)
    put(
        f"{folder}{CHECKSUM}", hashlib.md5(data, usedforsecurity=False).hexdigest().encode() + b"\n"
    )
    return f"s3://{spec.destination_bucket}/{folder}{MANIFEST}"


def _shuffle(entries: Iterable[Entry], spec: InventorySpec) -> Iterator[list[Entry]]:
    """Files of rows in random order; if all fit into a few files, shuffled over all of them."""
    random, held = Random(spec.seed), list[Entry]()
    for entry in entries:
        if spec.has_versions or (entry.is_latest and not isinstance(entry, DeleteMarker)):
            held.append(entry)
        if len(held) >= 4 * spec.rows_per_file:
            random.shuffle(held)
            yield held[: spec.rows_per_file]
            held = held[spec.rows_per_file :]
    random.shuffle(held)
    for start in range(0, len(held), spec.rows_per_file):
        yield held[start : start + spec.rows_per_file]


def _write_file(
    rows: Sequence[Entry], number: int, spec: InventorySpec, put: Put
) -> dict[str, Any]:
    name = hashlib.sha256(f"{spec.seed}/{spec.made}/{number}".encode()).hexdigest()[:32]
    data, ending = (
        (_encode_csv(rows, spec), "csv.gz")
        if spec.format is Format.CSV
        else (_encode_parquet(rows, spec), "parquet")
    )
    key = f"{spec.folder}data/{name}.{ending}"
    put(key, data)
    return {
        "key": key,
        "size": len(data),
        "MD5checksum": hashlib.md5(data, usedforsecurity=False).hexdigest(),
    }


def _schema(spec: InventorySpec) -> str:
    if spec.format is Format.CSV:
        return ", ".join(spec.columns)
    columns = (_PARQUET[column] for column in spec.columns)
    return (
        f"message s3.inventory {{ "
        f"{' '.join(f'{shape.format(name)};' for name, shape in columns)} }}"
    )


def _encode_csv(rows: Sequence[Entry], spec: InventorySpec) -> bytes:
    """Keys are URL-encoded, every value is in quotes, and there is no header line."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    for entry in rows:
        values = _values(entry)
        values |= {
            "Key": quote_plus(entry.key, safe="/"),
            "LastModifiedDate": _zulu(entry.last_modified),
        }
        writer.writerow([_in_csv(values[column]) for column in spec.columns])
    return gzip.compress(text.getvalue().encode(), compresslevel=6, mtime=0)


def _encode_parquet(rows: Sequence[Entry], spec: InventorySpec) -> bytes:
    """Keys are as they are, times are milliseconds."""
    from log_aggregator_lab.parquet import encode_columns  # noqa: PLC0415 - see there

    values = [
        _values(entry) | {"LastModifiedDate": round(entry.last_modified.timestamp() * 1000)}
        for entry in rows
    ]
    columns = (_PARQUET[column] for column in spec.columns)
    return encode_columns(
        {
            name: (shape, [row[column] for row in values])
            for column, (name, shape) in zip(spec.columns, columns, strict=True)
        }
    )


def _values(entry: Entry) -> dict[str, Any]:
    """A row, by column. S3 leaves the version id of a "null" version empty."""
    is_marker = isinstance(entry, DeleteMarker)
    return {
        "Bucket": entry.bucket,
        "Key": entry.key,
        "VersionId": None if entry.version_id in (None, "null") else entry.version_id,
        "IsLatest": entry.is_latest,
        "IsDeleteMarker": is_marker,
        "Size": None if isinstance(entry, DeleteMarker) else entry.size_bytes,
        "LastModifiedDate": entry.last_modified,
        "ETag": None if isinstance(entry, DeleteMarker) else entry.etag,
        "StorageClass": None if isinstance(entry, DeleteMarker) else entry.storage_class,
        "IsMultipartUploaded": None if is_marker else False,
        "EncryptionStatus": None if is_marker else "SSE-S3",
    }


def _in_csv(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _zulu(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"

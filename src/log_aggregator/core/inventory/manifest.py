"""The manifest of an inventory: its source bucket, its time, its files, and their columns.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory-location.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from log_aggregator.errors import BadInventory

MANIFEST = "manifest.json"
CHECKSUM = "manifest.checksum"
"""S3 writes it last: an inventory without it is not complete yet."""

_VERSION = "2016-11-30"
_BUCKET_NAME = re.compile(r"[A-Za-z0-9._-]{3,255}")
_BUCKET_ARN = re.compile(r"arn:[a-z-]+:s3:::(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])")
_PARQUET_COLUMN = re.compile(r"\b(?:required|optional)\s+\w+\s+(\w+)")
_MD5 = re.compile(r"[0-9a-f]{32}")


class Format(StrEnum):
    """The format of the rows. S3 can also write ORC, which is not supported here."""

    CSV = "CSV"
    PARQUET = "Parquet"


class Column(StrEnum):
    """The columns that are read, by their names in CSV's schema."""

    KEY = "Key"
    VERSION_ID = "VersionId"
    IS_LATEST = "IsLatest"
    IS_DELETE_MARKER = "IsDeleteMarker"
    SIZE = "Size"
    LAST_MODIFIED = "LastModifiedDate"
    ETAG = "ETag"
    STORAGE_CLASS = "StorageClass"

    @property
    def in_parquet(self) -> str:
        """Its name in Parquet's schema: `last_modified_date`, `e_tag`."""
        return re.sub(r"(?<!^)(?=[A-Z])", "_", self.value).lower()


OF_VERSIONS = frozenset({Column.VERSION_ID, Column.IS_LATEST, Column.IS_DELETE_MARKER})
"""Columns that only an inventory of all versions has."""
OPTIONAL_FIELDS = frozenset({Column.SIZE, Column.LAST_MODIFIED, Column.ETAG, Column.STORAGE_CLASS})
"""Columns that are only there if the inventory's configuration asks for them."""


@dataclass(frozen=True, slots=True)
class InventoryFile:
    """A file of rows."""

    key: str
    size_bytes: int
    md5: str
    """Hex, from the manifest."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """An inventory."""

    source_bucket: str
    bucket: str
    """The bucket of the files."""
    created: datetime
    format: Format
    columns: tuple[str, ...]
    """Names of all columns, in the order of a CSV row."""
    files: tuple[InventoryFile, ...]

    @property
    def has_versions(self) -> bool:
        """Whether it lists all versions and delete markers, not only current versions."""
        return all(self.name_of(column) in self.columns for column in OF_VERSIONS)

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)

    def name_of(self, column: Column) -> str:
        """A column's name in the files of this inventory."""
        return column.in_parquet if self.format is Format.PARQUET else column.value


def parse_manifest(data: bytes) -> Manifest:
    """Raises BadInventory, which says what is wrong with it."""
    try:
        value = json.loads(data)
        if value["version"] != _VERSION:
            raise BadInventory(f"the manifest has another version: expected {_VERSION}")
        manifest = Manifest(
            source_bucket=_parse_name(value["sourceBucket"]),
            bucket=_parse_bucket(value["destinationBucket"]),
            created=datetime.fromtimestamp(int(value["creationTimestamp"]) / 1000, UTC),
            format=_parse_format(value["fileFormat"]),
            columns=_parse_columns(value["fileFormat"], _text(value["fileSchema"])),
            files=tuple(_parse_file(file) for file in value["files"]),
        )
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        OverflowError,
        OSError,
        RecursionError,
    ) as error:
        raise BadInventory(
            f"it is not the manifest of an S3 Inventory: {type(error).__name__}"
        ) from error
    check_columns(manifest)
    return manifest


def check_columns(manifest: Manifest) -> None:
    """Raises BadInventory if a column is missing that is needed to identify an object."""
    missing = sorted(
        column.value
        for column in OPTIONAL_FIELDS | {Column.KEY}
        if manifest.name_of(column) not in manifest.columns
    )
    if missing:
        raise BadInventory(
            f"the inventory lacks {', '.join(missing)}: add these optional fields to its "
            "configuration, and wait for the next inventory"
        )


def check_versions(manifest: Manifest, versioning: str | None) -> None:
    """Raises BadInventory if the bucket has versions but the inventory does not list them: then its
    rows do not say which version they are about.
    """
    if versioning is not None and not manifest.has_versions:
        raise BadInventory(
            f"the inventory lists only current versions, but {manifest.source_bucket!r} "
            "keeps versions: configure one of all versions"
        )


def _parse_format(text: Any) -> Format:
    try:
        return Format(text)
    except ValueError:
        named = "ORC" if text == "ORC" else "unknown"
        raise BadInventory(
            f"the inventory's format is {named}: expected {' or '.join(Format)}"
        ) from None


def _parse_columns(text: Any, schema: str) -> tuple[str, ...]:
    if _parse_format(text) is Format.PARQUET:
        return tuple(_PARQUET_COLUMN.findall(schema))
    return tuple(name.strip() for name in schema.split(","))


def _parse_name(name: Any) -> str:
    """Messages name the bucket, so the name must be harmless. Names from before 2018 may have
    capitals and underscores.
    """
    if not _BUCKET_NAME.fullmatch(_text(name)):
        raise ValueError(name)
    return str(name)


def _parse_bucket(arn: Any) -> str:
    found = _BUCKET_ARN.fullmatch(_text(arn))
    if found is None:
        raise BadInventory("the manifest's destinationBucket is not the ARN of a bucket")
    return found["bucket"]


def _parse_file(value: Mapping[str, Any]) -> InventoryFile:
    size, md5 = value["size"], _text(value["MD5checksum"]).lower()
    if type(size) is not int or size < 0 or not _MD5.fullmatch(md5):
        raise ValueError(size)
    return InventoryFile(_text(value["key"]), size, md5)


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(value)
    return value

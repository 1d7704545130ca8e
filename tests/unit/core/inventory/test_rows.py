"""Rows give the objects that they describe, in CSV and in Parquet, and an invalid row ends the
reading.
"""

from __future__ import annotations

import gzip
import hashlib
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from log_aggregator.core.inventory.manifest import Column, Format, Manifest, parse_manifest
from log_aggregator.core.inventory.parquet import read_batches
from log_aggregator.core.inventory.rows import Entry, RowReader
from log_aggregator.errors import BadInventory
from log_aggregator.model import DeleteMarker, LogObject
from log_aggregator_lab.inventory import InventorySpec, write_inventory

NOW = datetime(2025, 4, 3, 1, 2, 3, 450_000, tzinfo=UTC)
KEYS = [
    "2025/04/03/a.gz",
    "a b+c%20",
    'quote"comma,',
    "é/ü//",
    "line\nfeed\ttab",
    "~!*'()&$@=;:?",
    "\U0001f9f6" * 10,
    " ",
]


def entries(*, is_versioned: bool) -> list[Entry]:
    found: list[Entry] = []
    for number, key in enumerate(KEYS):
        if not is_versioned:
            found.append(LogObject("logs", key, None, f"{number:032x}", number, NOW, "GLACIER_IR"))
            continue
        found.append(
            LogObject(
                "logs",
                key,
                f"v{number}",
                f"{number:032x}-2",
                2**40 + number,
                NOW,
                "STANDARD",
                is_latest=True,
            )
        )
        found.append(
            LogObject(
                "logs",
                key,
                "null",
                f"{number:032x}",
                number,
                NOW - timedelta(days=1),
                "DEEP_ARCHIVE",
                is_latest=False,
            )
        )
        found.append(
            DeleteMarker("logs", key, f"m{number}", NOW - timedelta(days=2), is_latest=False)
        )
    return found


def read(manifest: Manifest, data: bytes, versioning: str | None) -> Iterator[Entry]:
    reader = RowReader(manifest, versioning)
    if manifest.format is Format.CSV:
        return reader.read_csv(data[start : start + 7] for start in range(0, len(data), 7))
    return (
        entry
        for columns in read_batches(data, [column.in_parquet for column in Column])
        for entry in reader.read_columns(columns)
    )


def write(found: list[Entry], **options: Any) -> tuple[Manifest, list[bytes]]:
    """Returns the manifest and the files that it names."""
    kept: dict[str, bytes] = {}
    location = write_inventory(
        found, InventorySpec("logs", "inventories", **options), kept.__setitem__
    )
    manifest = parse_manifest(kept[location.removeprefix("s3://inventories/")])
    assert [
        hashlib.md5(kept[file.key], usedforsecurity=False).hexdigest() for file in manifest.files
    ] == [f.md5 for f in manifest.files]
    return manifest, [kept[file.key] for file in manifest.files]


@pytest.mark.parametrize("file_format", list(Format))
@pytest.mark.parametrize("is_versioned", [True, False])
def test_rows_come_back(file_format: Format, *, is_versioned: bool) -> None:
    """Every key that S3 allows comes back with all its versions and markers, and no field of an
    inventory is lost.
    """
    wanted = entries(is_versioned=is_versioned)
    manifest, files = write(wanted, format=file_format, has_versions=is_versioned, rows_per_file=5)
    assert len(files) > 1
    found = [
        entry
        for data in files
        for entry in read(manifest, data, "Enabled" if is_versioned else None)
    ]
    assert sorted(found, key=repr) == sorted(wanted, key=repr)


def test_without_versioning_the_version_id_is_empty() -> None:
    """S3 leaves the version id empty there as well; the objects have none."""
    wanted = entries(is_versioned=False)
    manifest, (data,) = write(wanted, has_versions=True)
    assert sorted(read(manifest, data, None), key=repr) == sorted(wanted, key=repr)


def csv_of(*rows: str) -> bytes:
    return gzip.compress("".join(f"{row}\n" for row in rows).encode(), mtime=0)


GOOD = (
    '"logs","key","v","true","false","5","2025-04-03T01:02:03.000Z","etag","STANDARD",'
    '"false","SSE-S3"'
)


@pytest.mark.parametrize(
    ("row", "versioning"),
    [
        (GOOD.replace('"5"', '"five"'), "Enabled"),
        (GOOD.replace('"5"', '""'), "Enabled"),
        (GOOD.replace('"5"', '"-1"'), "Enabled"),
        (GOOD.replace('"true"', '"maybe"'), "Enabled"),
        (GOOD.replace("2025-04-03T", "2025-13-03T"), "Enabled"),
        (GOOD.replace('"etag"', '""'), "Enabled"),
        (GOOD.replace('"key"', '""'), "Enabled"),
        (GOOD.replace('"key"', '"%FF"'), "Enabled"),
        (GOOD + ',"more"', "Enabled"),
        (GOOD.removesuffix(',"SSE-S3"'), "Enabled"),
        ("", "Enabled"),
        ('"' + "x" * 200_000, "Enabled"),
        (
            GOOD,
            None,
        ),  # a version id where there were never versions: of another bucket of this name
    ],
    ids=range(13),
)
def test_a_bad_row_is_an_error(row: str, versioning: str | None) -> None:
    """No bad row is left out silently."""
    manifest, _ = write(entries(is_versioned=True))
    with pytest.raises(BadInventory) as refused:
        list(read(manifest, csv_of(GOOD if versioning else row, row), versioning))
    for cell in ("five", "maybe", "2025-13", "more"):  # it may be a line of a log
        assert cell not in str(refused.value)


@pytest.mark.parametrize(
    "data",
    [b"plain text", gzip.compress(b"\xff\xfe\n", mtime=0), csv_of(GOOD)[:-9], csv_of(GOOD)[:30]],
    ids=range(4),
)
def test_a_damaged_file_is_an_error(data: bytes) -> None:
    """A file that is not gzip, is cut short or is not text is an error."""
    manifest, _ = write(entries(is_versioned=True))
    with pytest.raises(BadInventory):
        list(read(manifest, data, "Enabled"))


def test_several_gzip_members_count_as_one_file() -> None:
    """gzip allows several members."""
    manifest, _ = write(entries(is_versioned=True))
    assert len(list(read(manifest, csv_of(GOOD) + csv_of(GOOD, GOOD), "Enabled"))) == 3


@pytest.mark.parametrize("seed", range(30))
def test_damaged_parquet_is_an_error(seed: int) -> None:
    """A file cut short or with changed bytes gives an error, or the same rows where the change has
    no meaning.
    """
    random, wanted = Random(seed), entries(is_versioned=True)
    manifest, (data,) = write(wanted, format=Format.PARQUET)
    damaged = bytearray(data)
    if seed % 2:
        damaged[random.randrange(len(damaged))] ^= 1 << random.randrange(8)
    else:
        del damaged[random.randrange(len(damaged)) :]
    try:
        found = list(read(manifest, bytes(damaged), "Enabled"))
    except BadInventory:
        return
    assert len(found) == len(wanted)


@pytest.mark.parametrize("compression", ["none", "snappy", "gzip", "zstd"])
@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_parquet_of_other_writers_is_read(compression: str, version: str) -> None:
    """Every form of Parquet that S3 may write is read: both page versions, dictionaries, row
    groups, compression.
    """
    wanted = entries(is_versioned=True) * 100
    manifest, _ = write(wanted, format=Format.PARQUET)
    schema = pa.schema(
        [
            pa.field("bucket", pa.string(), nullable=False),
            pa.field("key", pa.string(), nullable=False),
            ("version_id", pa.string()),
            ("is_latest", pa.bool_()),
            ("is_delete_marker", pa.bool_()),
            ("size", pa.int64()),
            ("last_modified_date", pa.timestamp("ms")),
            ("e_tag", pa.string()),
            ("storage_class", pa.string()),
        ]
    )
    rows = [
        {
            "bucket": "logs",
            "key": entry.key,
            "version_id": None if entry.version_id == "null" else entry.version_id,
            "is_latest": entry.is_latest,
            "is_delete_marker": isinstance(entry, DeleteMarker),
            "size": entry.size_bytes if isinstance(entry, LogObject) else None,
            "last_modified_date": entry.last_modified.replace(tzinfo=None),
            "e_tag": entry.etag if isinstance(entry, LogObject) else None,
            "storage_class": entry.storage_class if isinstance(entry, LogObject) else None,
        }
        for entry in wanted
    ]
    out = io.BytesIO()
    pq.write_table(
        pa.Table.from_pylist(rows, schema),
        out,
        compression=compression,
        data_page_version=version,
        row_group_size=333,
    )
    assert list(read(manifest, out.getvalue(), "Enabled")) == wanted

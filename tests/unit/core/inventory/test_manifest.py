"""A manifest is read as S3 documents it, and refused with a reason if it cannot tell objects
apart.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from log_aggregator.core.inventory.manifest import Column, Format, check_versions, parse_manifest
from log_aggregator.errors import BadInventory

CSV_SCHEMA = (
    "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag, "
    "StorageClass, IsMultipartUploaded,"
    " ReplicationStatus, EncryptionStatus, ObjectLockRetainUntilDate, ObjectLockMode, "
    "ObjectLockLegalHoldStatus,"
    " IntelligentTieringAccessTier, BucketKeyStatus, ChecksumAlgorithm, "
    "ObjectAccessControlList, ObjectOwner"
)
PARQUET_SCHEMA = (
    "message s3.inventory { required binary bucket (UTF8); required binary key (UTF8); "
    "optional binary version_id (UTF8);"
    " optional boolean is_latest; optional boolean is_delete_marker; optional int64 size;"
    " optional int64 last_modified_date (TIMESTAMP_MILLIS); optional binary e_tag (UTF8); "
    "optional binary storage_class (UTF8);"
    " optional boolean is_multipart_uploaded; optional binary replication_status (UTF8); "
    "optional binary encryption_status (UTF8);"
    " optional int64 object_lock_retain_until_date (TIMESTAMP_MILLIS); optional binary "
    "object_lock_mode (UTF8); }"
)
"""Both as in https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory-location.html.
"""


SECRET = "what a log says"


def manifest(**changes: Any) -> bytes:
    value = {
        "sourceBucket": "example-source-bucket",
        "destinationBucket": "arn:aws:s3:::example-inventory-destination-bucket",
        "version": "2016-11-30",
        "creationTimestamp": "1514944800000",
        "fileFormat": "CSV",
        "fileSchema": CSV_SCHEMA,
        "files": [
            {
                "key": "Inventory/data/939c.csv.gz",
                "size": 2147483647,
                "MD5checksum": "f11166069f1990abeb9c97ace9cdfabc",
            }
        ],
    }
    return json.dumps(
        {name: each for name, each in (value | changes).items() if each is not None}
    ).encode()


def test_a_csv_manifest_is_read() -> None:
    """It describes itself and its files."""
    found = parse_manifest(manifest())
    assert (found.source_bucket, found.bucket) == (
        "example-source-bucket",
        "example-inventory-destination-bucket",
    )
    assert found.created == datetime(2018, 1, 3, 2, 0, tzinfo=UTC)
    assert found.format is Format.CSV
    assert found.columns[:3] == ("Bucket", "Key", "VersionId")
    assert found.has_versions
    assert [(file.key, file.size_bytes, file.md5) for file in found.files] == [
        ("Inventory/data/939c.csv.gz", 2147483647, "f11166069f1990abeb9c97ace9cdfabc")
    ]
    assert found.size_bytes == 2147483647


def test_a_parquet_manifest_is_read() -> None:
    """Parquet's columns have other names, and each is known."""
    found = parse_manifest(manifest(fileFormat="Parquet", fileSchema=PARQUET_SCHEMA))
    assert found.columns[:9] == ("bucket", *(found.name_of(column) for column in Column))
    assert found.has_versions


def test_an_inventory_of_current_versions_needs_a_bucket_without_versions() -> None:
    """It is enough only for a bucket that never had versions."""
    schema = "Bucket, Key, Size, LastModifiedDate, ETag, StorageClass"
    found = parse_manifest(manifest(fileSchema=schema))
    assert not found.has_versions
    check_versions(found, None)
    for versioning in ("Enabled", "Suspended"):
        with pytest.raises(BadInventory, match="all versions"):
            check_versions(found, versioning)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"version": "2030-01-01"}, "another version: expected 2016-11-30"),
        (
            {"fileFormat": "ORC", "fileSchema": "struct<bucket:string>"},
            "ORC: expected CSV or Parquet",
        ),
        ({"fileSchema": "Bucket, Key, Size, LastModifiedDate, StorageClass"}, "lacks ETag"),
        ({"fileSchema": "Bucket, Key"}, "lacks ETag, LastModifiedDate, Size, StorageClass"),
        (
            {"fileFormat": "Parquet", "fileSchema": PARQUET_SCHEMA.replace("e_tag", "tag")},
            "lacks ETag",
        ),
        ({"destinationBucket": "example"}, "destinationBucket"),
        ({"sourceBucket": None}, "KeyError"),
        ({"sourceBucket": ""}, "ValueError"),
        ({"creationTimestamp": "yesterday"}, "ValueError"),
        ({"creationTimestamp": "9" * 30}, "not the manifest"),
        ({"files": [{"key": "a", "size": "1", "MD5checksum": "0" * 32}]}, "not the manifest"),
        ({"files": [{"key": "a", "size": 1, "MD5checksum": "short"}]}, "not the manifest"),
        ({"files": {"key": "a"}}, "not the manifest"),
    ],
)
def test_unsuitable_manifests_are_refused(changes: dict[str, Any], said: str) -> None:
    """The message says what is wrong."""
    with pytest.raises(BadInventory, match=said):
        parse_manifest(manifest(**changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"version": SECRET},
        {"sourceBucket": SECRET},
        {"destinationBucket": SECRET},
        {"creationTimestamp": SECRET},
        {"fileFormat": SECRET},
        {"fileSchema": SECRET},
        {"files": SECRET},
        {"files": [SECRET]},
        {"files": [{"key": "a", "size": SECRET, "MD5checksum": "0" * 32}]},
        {"files": [{"key": "a", "size": 1, "MD5checksum": SECRET}]},
    ],
    ids=str,
)
def test_a_refused_manifest_is_not_quoted(changes: dict[str, Any]) -> None:
    """The refused file may be a log in a manifest's place."""
    with pytest.raises(BadInventory) as refused:
        parse_manifest(manifest(**changes))
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000])
def test_other_files_are_refused(data: bytes) -> None:
    """Any other content under that name is refused."""
    with pytest.raises(BadInventory):
        parse_manifest(data)

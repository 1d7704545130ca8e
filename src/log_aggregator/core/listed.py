"""Log objects and delete markers, as they were listed, as plain values for JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from log_aggregator.model import DeleteMarker, LogObject

Fields = list[Any]


def encode_log_object(found: LogObject) -> Fields:
    """[key, version id, ETag, size, last modified, storage class, is latest]: all but the bucket,
    which they have in common.
    """
    modified = found.last_modified.isoformat()
    return [
        found.key,
        found.version_id,
        found.etag,
        found.size_bytes,
        modified,
        found.storage_class,
        found.is_latest,
    ]


def decode_log_object(bucket: str, fields: Fields) -> LogObject:
    """The inverse. Raises ValueError, TypeError."""
    key, version_id, etag, size_bytes, modified, storage_class, is_latest = fields
    return LogObject(
        bucket,
        key,
        version_id,
        etag,
        size_bytes,
        datetime.fromisoformat(modified),
        storage_class,
        is_latest,
    )


def encode_marker(marker: DeleteMarker) -> Fields:
    """[key, version id, last modified, is latest]."""
    return [marker.key, marker.version_id, marker.last_modified.isoformat(), marker.is_latest]


def decode_marker(bucket: str, fields: Fields) -> DeleteMarker:
    """The inverse. Raises ValueError, TypeError."""
    key, version_id, modified, is_latest = fields
    return DeleteMarker(bucket, key, version_id, datetime.fromisoformat(modified), is_latest)

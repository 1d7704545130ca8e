"""Groups, log objects and delete markers as plain values for JSON."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from log_aggregator.model import DeleteMarker, Group, LogObject

Fields = list[Any]


def encode_group(group: Group) -> dict[str, str]:
    return {
        "bucket": group.bucket,
        "log_type": group.log_type,
        "account": group.account,
        "date": group.date.isoformat(),
    }


def decode_group(fields: Mapping[str, Any]) -> Group:
    """The inverse; other fields are ignored. Raises ValueError, KeyError, TypeError."""
    return Group(
        fields["bucket"], fields["log_type"], fields["account"], date.fromisoformat(fields["date"])
    )


def encode_log_object(found: LogObject) -> Fields:
    """[key, version id, ETag, size, last modified, storage class, is latest]: everything but the
    bucket, which all objects of a list share.
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

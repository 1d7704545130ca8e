"""What was listed of a group, as lines of plain values: for a work item in S3, and for a listing that is held in little memory.

["object", key, version id, ETag, size, last modified, storage class, is latest, region, hour, kind]
["discard", ... the same up to "is latest"]
["marker", key, version id, last modified, is latest]
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from functools import cache
from typing import Any

from log_aggregator.core.planning import Source
from log_aggregator.model import NO_ACCOUNT, ContentKind, DeleteMarker, Group, KeyFacts, LogObject
from log_aggregator.steps.selection import GroupSources

Line = list[Any]


def encode_entries(found: GroupSources) -> Iterator[Line]:
    """A line for every log object, discard and old delete marker."""
    for source in found.sources:
        facts = source.facts
        yield ["object", *encode_log_object(source.log_object), facts.region, facts.hour, facts.kind.value]
    for log_object in found.discards:
        yield ["discard", *encode_log_object(log_object)]
    for markers in found.markers.values():
        yield from (["marker", *encode_marker(marker)] for marker in markers)


def decode_entries(group: Group, lines: Iterable[Line]) -> GroupSources:
    """The inverse of `encode_entries`. Raises ValueError, TypeError, KeyError where a line is not one of ours."""
    found = GroupSources()
    facts_of = _facts_of(group)
    for tag, *fields in lines:
        if tag == "object":
            *identity, region, hour, kind = fields
            found.sources.append(Source(decode_log_object(group.bucket, identity), facts_of(region, hour, kind)))
        elif tag == "discard":
            found.discards.append(decode_log_object(group.bucket, fields))
        elif tag == "marker":
            marker = decode_marker(group.bucket, fields)
            found.markers[marker.key] = (*found.markers.get(marker.key, ()), marker)
        else:
            raise ValueError(tag)
    return found


def encode_log_object(found: LogObject) -> Line:
    modified = found.last_modified.isoformat()
    return [found.key, found.version_id, found.etag, found.size_bytes, modified, found.storage_class, found.is_latest]


def decode_log_object(bucket: str, fields: Line) -> LogObject:
    key, version_id, etag, size_bytes, modified, storage_class, is_latest = fields
    return LogObject(bucket, key, version_id, etag, size_bytes, datetime.fromisoformat(modified), storage_class, is_latest)


def encode_marker(marker: DeleteMarker) -> Line:
    return [marker.key, marker.version_id, marker.last_modified.isoformat(), marker.is_latest]


def decode_marker(bucket: str, fields: Line) -> DeleteMarker:
    key, version_id, modified, is_latest = fields
    return DeleteMarker(bucket, key, version_id, datetime.fromisoformat(modified), is_latest)


def _facts_of(group: Group) -> Callable[[str | None, int | None, str], KeyFacts]:
    """One object for all log objects of a group whose keys say the same."""
    account = None if group.account == NO_ACCOUNT else group.account

    @cache
    def make(region: str | None, hour: int | None, kind: str) -> KeyFacts:
        return KeyFacts(group.log_type, group.date, account, region, hour, ContentKind(kind))

    return make

"""A group's listed entries as lines of plain values: for work items in S3, and for a listing that
is held in little memory.

["object", key, version id, ETag, size, last modified, storage class, is latest, region, hour, kind]
["discard", ... the same up to "is latest"]
["marker", key, version id, last modified, is latest]
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cache

from log_aggregator.core.listed import (
    Fields,
    decode_log_object,
    decode_marker,
    encode_log_object,
    encode_marker,
)
from log_aggregator.core.planning import Source
from log_aggregator.model import NO_ACCOUNT, ContentKind, Group, KeyFacts
from log_aggregator.steps.packing.selection import GroupSources


def encode_entries(found: GroupSources) -> Iterator[Fields]:
    """A line for every log object, discard and old delete marker."""
    for source in found.sources:
        facts = source.facts
        yield [
            "object",
            *encode_log_object(source.log_object),
            facts.region,
            facts.hour,
            facts.kind.value,
        ]
    for log_object in found.discards:
        yield ["discard", *encode_log_object(log_object)]
    for markers in found.markers.values():
        yield from (["marker", *encode_marker(marker)] for marker in markers)


def decode_entries(group: Group, lines: Iterable[Fields]) -> GroupSources:
    """The inverse of `encode_entries`. Raises ValueError, TypeError, KeyError if a line is not one
    of ours.
    """
    found = GroupSources()
    facts_of = _facts_of(group)
    for tag, *fields in lines:
        if tag == "object":
            *identity, region, hour, kind = fields
            found.sources.append(
                Source(decode_log_object(group.bucket, identity), facts_of(region, hour, kind))
            )
        elif tag == "discard":
            found.discards.append(decode_log_object(group.bucket, fields))
        elif tag == "marker":
            marker = decode_marker(group.bucket, fields)
            found.markers[marker.key] = (*found.markers.get(marker.key, ()), marker)
        else:
            raise ValueError(tag)
    return found


def _facts_of(group: Group) -> Callable[[str | None, int | None, str], KeyFacts]:
    """Makes facts, sharing one object between log objects whose keys say the same."""
    account = None if group.account == NO_ACCOUNT else group.account

    @cache
    def make(region: str | None, hour: int | None, kind: str) -> KeyFacts:
        return KeyFacts(group.log_type, group.date, account, region, hour, ContentKind(kind))

    return make

"""Work items: as many log objects of one bucket as one call of a function can combine within its
time limit.

Stored in S3 as JSON Lines, gzip: a line with the format, then for each group a line that names it,
followed by a line for each of its log objects, old delete markers and discards.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import groupby
from typing import Any

from log_aggregator.core.jsontext import decode_json, inflate_lines
from log_aggregator.core.layouts import Dated
from log_aggregator.core.layouts.declared import BucketLayouts
from log_aggregator.core.packformat.deflate import encode_gzip
from log_aggregator.core.planning import PackLimits, cut_sources, group_of
from log_aggregator.errors import BadPack
from log_aggregator.limits import GIB
from log_aggregator.model import Group, LogObject
from log_aggregator.steps.packing.buckets import SourceBucket
from log_aggregator.steps.packing.group_lines import decode_entries, encode_entries
from log_aggregator.steps.packing.selection import GroupSources

FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class ItemLimits:
    """How much one call can do in its 840 seconds, even if 50 calls share the request rate of one
    S3 partition: 5,500 GETs or 3,500 deletes a second
    (https://docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance.html).

    That leaves 110 GETs or 70 deletes a second for each; docs/internals/lambda-sizes.md has the
    numbers.
    """

    objects_max: int = 50_000
    bytes_max: int = 4 * GIB
    groups_max: int = 200


@dataclass(slots=True)
class WorkItem:
    """Groups of one bucket, or parts of groups; a group may have several parts."""

    bucket: str
    versioning: str | None
    groups: list[tuple[Group, GroupSources]] = field(default_factory=list)

    @property
    def objects(self) -> int:
        return sum(found.count for _, found in self.groups)


def cut_items(
    bucket: SourceBucket,
    groups: Mapping[Group, GroupSources],
    limits: ItemLimits,
    pack_limits: PackLimits,
) -> Iterator[WorkItem]:
    """Puts every log object into exactly one item. Versions of a key stay together; a group that is
    too large is divided into parts.
    """
    item, objects, size_bytes = WorkItem(bucket.name, bucket.versioning), 0, 0
    for group in sorted(groups):
        for part in _cut_group(groups[group], limits, pack_limits):
            more, more_bytes = (
                part.count,
                sum(source.log_object.size_bytes for source in part.sources),
            )
            is_full = (
                len(item.groups) >= limits.groups_max
                or objects + more > limits.objects_max
                or size_bytes + more_bytes > limits.bytes_max
            )
            if item.groups and is_full:
                yield item
                item, objects, size_bytes = WorkItem(bucket.name, bucket.versioning), 0, 0
            item.groups.append((group, part))
            objects, size_bytes = objects + more, size_bytes + more_bytes
    if item.groups:
        yield item


def encode_item(item: WorkItem) -> bytes:
    """The item as an object in S3."""
    return encode_gzip(
        b"".join(json.dumps(line, ensure_ascii=False).encode() + b"\n" for line in _lines(item))
    )


def decode_item(data: bytes, layouts_of: Callable[[str], BucketLayouts]) -> WorkItem:
    """The inverse of `encode_item`. `layouts_of(bucket)` says how its keys are read. Raises BadPack
    if the data is not a work item, or not a complete one.
    """
    try:
        lines = map(decode_json, inflate_lines(data))
        head = next(lines)
        item = WorkItem(
            head["bucket"],
            head["versioning"],
            list(_read_groups(head["bucket"], lines, layouts_of(head["bucket"]))),
        )
        if (head["format"], head["objects"]) != (FORMAT_VERSION, item.objects):
            raise BadPack(
                f"a work item of a format other than {FORMAT_VERSION}, or an incomplete one: "
                f"{item.objects} log objects"
            )
    except (
        OSError,
        EOFError,
        zlib.error,
        StopIteration,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        RecursionError,
    ) as error:
        raise BadPack(f"not a work item: {type(error).__name__}") from error
    return item


def _cut_group(
    found: GroupSources, limits: ItemLimits, pack_limits: PackLimits
) -> Iterator[GroupSources]:
    ordered = sorted(
        found.sources,
        key=lambda source: (source.log_object.key, source.log_object.version_id or ""),
    )
    cut = PackLimits(
        pack_size_bytes_max=limits.bytes_max,
        members_max=min(limits.objects_max, pack_limits.members_max),
    )
    discards = list(_cut_discards(found.discards, limits.objects_max))
    for batch in cut_sources(ordered, cut):
        keys = {source.log_object.key for source in batch}
        # Together with log objects to pack, if there is room.
        going = (
            discards.pop()
            if discards and len(batch) + len(discards[-1]) <= limits.objects_max
            else []
        )
        yield GroupSources(
            batch, {key: markers for key, markers in found.markers.items() if key in keys}, going
        )
    yield from (GroupSources(discards=going) for going in discards)


def _cut_discards(discards: Iterable[LogObject], count_max: int) -> Iterator[list[LogObject]]:
    """Cuts discards into batches. Versions of a key stay together, as for log objects to pack."""
    batch: list[LogObject] = []
    for log_object in sorted(discards, key=lambda found: found.key):
        if len(batch) >= count_max and batch[-1].key != log_object.key:
            yield batch
            batch = []
        batch.append(log_object)
    if batch:
        yield batch


def _lines(item: WorkItem) -> Iterator[Any]:
    yield {
        "format": FORMAT_VERSION,
        "bucket": item.bucket,
        "versioning": item.versioning,
        "objects": item.objects,
    }
    for group, found in item.groups:
        yield {"log_type": group.log_type, "account": group.account, "date": group.date.isoformat()}
        yield from encode_entries(found)


def _read_groups(
    bucket: str, lines: Iterable[Any], layouts: BucketLayouts
) -> Iterator[tuple[Group, GroupSources]]:
    group: Group | None = None
    for is_head, run in groupby(lines, key=lambda line: isinstance(line, dict)):
        if is_head:
            for head in run:
                group = Group(
                    bucket, head["log_type"], head["account"], date.fromisoformat(head["date"])
                )
        elif group is not None:
            found = decode_entries(group, run)
            _check_keys(layouts, group, found)
            yield group, found


def _check_keys(layouts: BucketLayouts, group: Group, found: GroupSources) -> None:
    """An item is input from a bucket, and its log objects will be deleted, so it is not trusted.
    Raises ValueError if a key does not belong to its group.
    """
    written: dict[str, datetime] = {}
    for source in found.sources:
        key, when = source.log_object.key, source.log_object.last_modified
        written[key] = max(when, written.get(key, when))
    for source in found.sources:
        parsed = layouts.read(source.log_object.key, written[source.log_object.key])
        if (
            not isinstance(parsed, Dated)
            or parsed.facts != source.facts
            or group_of(group.bucket, parsed.facts) != group
        ):
            raise ValueError(source.log_object.key)

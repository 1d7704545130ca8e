"""Plans the packs for the log objects of a group. Pure: the same objects give the same plan and the
same keys.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from log_aggregator.core.layouts import Dated, parse_key
from log_aggregator.core.layouts.table import BUILT_IN_TYPES
from log_aggregator.core.times import encode_time
from log_aggregator.limits import (
    COPY_RANGE_BYTES_MAX,
    COPY_SIZE_BYTES_MIN,
    GIB,
    KEY_BYTES_MAX,
    PART_SIZE_BYTES,
)
from log_aggregator.model import (
    NO_ACCOUNT,
    ContentKind,
    DeleteMarker,
    Group,
    KeyFacts,
    LogObject,
    PackFormat,
    PackPlan,
    Target,
)

ID_LENGTH = 32
"""128 bits as hex digits: with fewer, someone could construct two lists of members with the same
name.
"""


@dataclass(frozen=True, slots=True)
class PackLimits:
    """When a pack is full, and when an object is large enough for a pack of its own or a copy by
    S3.
    """

    pack_size_bytes_max: int = GIB
    members_max: int = 200_000
    copy_alone_bytes_min: int = GIB
    copy_size_bytes_min: int = COPY_SIZE_BYTES_MIN
    part_size_bytes: int = PART_SIZE_BYTES


@dataclass(frozen=True, slots=True)
class Source:
    """A log object, and the facts in its key."""

    log_object: LogObject
    facts: KeyFacts


def plan_packs(
    group: Group,
    sources: Iterable[Source],
    target: Target,
    limits: PackLimits,
    markers: Mapping[str, Sequence[DeleteMarker]] | None = None,
) -> tuple[PackPlan, ...]:
    """The packs for a group's log objects. Each object is in exactly one of them, ordered by key,
    then version.

    All versions of a key go into the same pack, so that one deletion decides about their order.
    """
    ordered = list(_each_once(sorted(sources, key=_place)))
    large = {each.log_object.key for each in ordered if _is_large(each, limits)}
    versions = Counter(each.log_object.key for each in ordered if each.log_object.key in large)
    by_format: dict[PackFormat, list[Source]] = {
        PackFormat.GZIP: [],
        PackFormat.TAR: [],
        PackFormat.COPY: [],
    }
    for source in ordered:
        is_alone = (
            _is_large(source, limits)
            and versions[source.log_object.key] == 1
            and _copy_key_fits(group, source.log_object, target)
        )
        by_format[PackFormat.COPY if is_alone else source.facts.kind.pack_format].append(source)
    batches = [
        *((PackFormat.GZIP, batch) for batch in cut_sources(by_format[PackFormat.GZIP], limits)),
        *((PackFormat.TAR, batch) for batch in cut_sources(by_format[PackFormat.TAR], limits)),
        *((PackFormat.COPY, [source]) for source in by_format[PackFormat.COPY]),
    ]
    return tuple(
        _plan_pack(group, pack_format, batch, target, markers or {})
        for pack_format, batch in batches
    )


def _place(source: Source) -> tuple[str, str]:
    return source.log_object.key, source.log_object.version_id or ""


def _is_large(source: Source, limits: PackLimits) -> bool:
    return source.log_object.size_bytes >= limits.copy_alone_bytes_min


def _each_once(ordered: Iterable[Source]) -> Iterator[Source]:
    """Drops duplicates: S3 may list an object on two pages."""
    for _, same in groupby(ordered, key=_place):
        yield from {source.log_object.identity: source for source in same}.values()


def cut_sources(sources: Sequence[Source], limits: PackLimits) -> Iterator[list[Source]]:
    """Cuts ordered sources when a pack is full: at the last change of hour or region if that leaves
    it at least half full, otherwise right there.

    Versions of one key are never separated, not even by the limits.
    """
    batch: list[Source] = []
    size, boundary = 0, 0
    for source in sources:
        is_other_key = bool(batch) and batch[-1].log_object.key != source.log_object.key
        if is_other_key and _hour_of(batch[-1]) != _hour_of(source):
            boundary = len(batch)
        # A loop, because what remains after a cut at the hour may still be too large together with
        # this source.
        while (
            batch
            and is_other_key
            and (
                size + source.log_object.size_bytes > limits.pack_size_bytes_max
                or len(batch) >= limits.members_max
            )
        ):
            cut = boundary if boundary >= len(batch) / 2 else len(batch)
            yield batch[:cut]
            batch = batch[cut:]
            size, boundary = sum(kept.log_object.size_bytes for kept in batch), 0
        batch.append(source)
        size += source.log_object.size_bytes
    if batch:
        yield batch


def group_of(bucket: str, facts: KeyFacts) -> Group:
    """The group of a bucket's log object, by the facts in its key."""
    return Group(bucket, facts.log_type, facts.account or NO_ACCOUNT, facts.date)


def may_be_of(group: Group, key: str) -> bool:
    """Whether a log with that key can be a member of the group's packs. If a built-in layout
    matches, it determines the group. Any other key can belong to groups of declared layouts, but to
    none of a built-in log type.
    """
    parsed = parse_key(key)
    if isinstance(parsed, Dated):
        return group_of(group.bucket, parsed.facts) == group
    return group.log_type not in BUILT_IN_TYPES


def pack_id(objects: Iterable[LogObject]) -> str:
    """The first 32 hex digits of the SHA-256 over the members' identities, each as a line of JSON.
    Different members give a different name, so a pack is never overwritten by another one.
    """
    digest = hashlib.sha256()
    for log_object in objects:
        *fields, written = log_object.identity
        line = [*fields, None if written is None else encode_time(written)]
        digest.update(json.dumps(line).encode() + b"\n")
    return digest.hexdigest()[:ID_LENGTH]


def estimate_requests(packs: Iterable[PackPlan], limits: PackLimits) -> Counter[str]:
    """Requests by S3 operation to write, verify and settle these packs, without listings."""
    requests: Counter[str] = Counter()
    for pack in packs:
        large = [
            source
            for source in pack.sources
            if source.size_bytes >= limits.copy_size_bytes_min or pack.format is PackFormat.COPY
        ]
        parts = -(-pack.size_bytes // limits.part_size_bytes)
        requests["GetObject"] += len(pack.sources) + 1
        requests["HeadObject"] += 2
        requests["PutObject"] += 1 if large or parts > 1 else 2
        requests["DeleteObjects"] += -(-len(pack.sources) // 1000)
        if large or parts > 1:
            requests.update({"CreateMultipartUpload": 1, "CompleteMultipartUpload": 1})
            requests["UploadPartCopy"] += sum(
                -(-source.size_bytes // COPY_RANGE_BYTES_MAX) for source in large
            )
            small_bytes = pack.size_bytes - sum(source.size_bytes for source in large)
            requests["UploadPart"] += max(1, -(-small_bytes // limits.part_size_bytes)) + len(large)
    return requests


def _copy_key_fits(group: Group, log_object: LogObject, target: Target) -> bool:
    key = _copy_key(group, log_object, target)
    return len(target.index_key(key).encode()) <= KEY_BYTES_MAX


def _copy_key(group: Group, log_object: LogObject, target: Target) -> str:
    return f"{target.packs_prefix(group)}{pack_id([log_object])}/{log_object.key}"


def _hour_of(source: Source) -> tuple[str | None, int | None]:
    return (source.facts.region, source.facts.hour)


def _plan_pack(
    group: Group,
    pack_format: PackFormat,
    batch: Sequence[Source],
    target: Target,
    markers: Mapping[str, Sequence[DeleteMarker]],
) -> PackPlan:
    objects = tuple(source.log_object for source in batch)
    documents = frozenset(
        source.log_object.key for source in batch if source.facts.kind is ContentKind.GZIP_DOCUMENT
    )
    going = tuple(
        marker
        for log_object in objects
        if log_object.is_latest
        for marker in markers.get(log_object.key, ())
    )
    key = (
        _copy_key(group, objects[0], target)
        if pack_format is PackFormat.COPY
        else _pack_key(group, pack_format, objects, documents, target)
    )
    return PackPlan(group, target, key, pack_format, objects, documents, going)


def _pack_key(
    group: Group,
    pack_format: PackFormat,
    objects: Sequence[LogObject],
    documents: frozenset[str],
    target: Target,
) -> str:
    account = "" if group.account == NO_ACCOUNT else f"{group.account}_"
    extension = "tar" if pack_format is PackFormat.TAR else "json.gz" if documents else "log.gz"
    return (
        f"{target.packs_prefix(group)}{account}{group.log_type}_"
        f"{group.date:%Y%m%d}-{pack_id(objects)}.{extension}"
    )

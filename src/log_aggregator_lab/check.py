"""Checks that every original of a synthetic organisation is still there, or in a pack, byte for
byte. It compares with the organisation's manifest, not with what our own indexes say.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date

from log_aggregator.core.query import Query
from log_aggregator.errors import GroupFailed
from log_aggregator.model import LogObject, PackedMember, Target
from log_aggregator.ports.store import ObjectStore
from log_aggregator.steps.packs.index import read_index
from log_aggregator.steps.packs.pages import list_pages
from log_aggregator.steps.packs.ranges import PackReader
from log_aggregator.steps.retrieval.catalog import list_packs
from log_aggregator.steps.workers import Workers
from log_aggregator_lab.organisation.synthetic import ManifestEntry, Purpose, Step
from log_aggregator_lab.unpacking import unpack_pieces

PACKED = frozenset({Purpose.LOG, Purpose.LATE})

Identity = tuple[str, str, str | None]
"""(bucket, key, version id)"""


@dataclass(slots=True)
class CheckResult:
    """What was compared, and what was wrong."""

    found_in_packs: int = 0
    found_bytes: int = 0
    still_there: int = 0
    problems: list[str] = field(default_factory=list)


def check_originals(
    store: ObjectStore,
    workers: Workers,
    targets: Iterable[Target],
    entries: Iterable[ManifestEntry],
    first: date,
    last: date,
) -> CheckResult:
    """Every log of the manifest must come back from a pack with its bytes and metadata; everything
    else must be where it was.
    """
    entries = list(entries)
    places = {
        identity: place
        for target in targets
        for identity, place in _list_places(store, workers, target, first, last)
    }
    remaining = {
        (bucket, found.key)
        for bucket in {entry.bucket for entry in entries}
        for found in list_current(store, bucket)
    }
    result = CheckResult()

    def check(entry: ManifestEntry) -> tuple[ManifestEntry, str | None]:
        if entry.purpose in PACKED:
            return entry, _check_packed(store, entry, places, remaining)
        is_there = (entry.bucket, entry.key) in remaining or entry.purpose is Purpose.DELETED
        return entry, None if is_there else "is gone, but had to stay"

    for entry, problem in workers.read_ahead(
        check,
        (entry for entry in entries if entry.step is Step.PUT),
        lambda entry: entry.size_bytes,
    ):
        if problem:
            result.problems.append(f"s3://{entry.bucket}/{entry.key}: {problem}")
        elif entry.purpose in PACKED:
            result.found_in_packs += 1
            result.found_bytes += entry.size_bytes
        else:
            result.still_there += 1
    return result


def list_current(store: ObjectStore, bucket: str) -> Iterator[LogObject]:
    """All current objects of a bucket. It lists versions, because only those come in S3's order
    from SeaweedFS: other listings are sorted page by page, or by directory.
    """
    for page in list_pages(store.list_object_versions, bucket, ""):
        yield from (found for found in page.objects if found.is_latest)


def _list_places(
    store: ObjectStore, workers: Workers, target: Target, first: date, last: date
) -> Iterator[tuple[Identity, PackedMember]]:
    for entry in list_packs(store, workers, target, Query.of_days(first, last)):
        index = read_index(store, target, entry.pack_key).decode()
        for member in index.members:
            yield (
                (index.group.bucket, member.key, member.version_id),
                PackedMember(target, entry.pack_key, member),
            )


def _check_packed(
    store: ObjectStore,
    entry: ManifestEntry,
    places: dict[Identity, PackedMember],
    remaining: set[tuple[str, str]],
) -> str | None:
    place = places.get((entry.bucket, entry.key, entry.version_id))
    if place is None:
        return "is in no pack"
    if (entry.bucket, entry.key) in remaining:
        return "is packed, but was not deleted"
    digest = hashlib.sha256()
    try:
        for piece in read_original_back(store, place):
            digest.update(piece)
    except GroupFailed as error:
        return str(error)
    if digest.hexdigest() != entry.sha256:
        return "came back with other bytes"
    if dict(place.member.metadata) != dict(entry.metadata):
        return "came back with other metadata"
    return None


def read_original_back(store: ObjectStore, place: PackedMember) -> Iterator[bytes]:
    """The original's bytes, piece by piece. They are proven right only once the iterator ends
    without an error.

    Raises VerificationError, BadPack, NotFound, ObjectFrozen.
    """
    return unpack_pieces(place.member, _read_extent(store, place))


def _read_extent(store: ObjectStore, place: PackedMember) -> Iterator[bytes]:
    first, end = place.member.offset, place.member.offset + place.member.length_bytes
    reader = PackReader(store, place.target.bucket, place.pack_key)
    return (body.data for body in reader.read_pieces(first, end))

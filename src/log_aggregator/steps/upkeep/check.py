"""Checks many packs and adopted aggregates: which are sound, which are not, and which cannot be
read now.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from log_aggregator.core.query import Query
from log_aggregator.errors import (
    AccessDenied,
    Failure,
    GroupFailed,
    NewerFormat,
    NotFound,
    ObjectFrozen,
    Unsound,
    WrongSignature,
)
from log_aggregator.model import Target
from log_aggregator.ports.store import ObjectStore
from log_aggregator.steps.packs.index import estimate_index_memory
from log_aggregator.steps.packs.verify import verify_pack
from log_aggregator.steps.retrieval.adopted import check_adopted, list_adopted
from log_aggregator.steps.retrieval.catalog import iter_packs
from log_aggregator.steps.rules import Level
from log_aggregator.steps.workers import Workers


@dataclass(frozen=True, slots=True, order=True)
class PackPlace:
    """A pack by its key, or an adopted aggregate by the key of its index."""

    target: Target
    key: str
    is_adopted: bool = False
    index_bytes: int | None = field(default=None, compare=False)
    """The listed size of the index; None if it was not listed."""

    @property
    def name(self) -> str:
        return f"s3://{self.target.bucket}/{self.key}"


@dataclass(frozen=True, slots=True)
class Sound:
    """It matches its index, as far as it was checked."""

    place: PackPlace
    member_count: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Frozen:
    """It should have been read, but is in an archive class. If S3 has a checksum of it, that was
    compared and matches.
    """

    place: PackPlace
    has_checksum: bool


@dataclass(frozen=True, slots=True)
class Broken:
    """It does not match its index, or is missing."""

    place: PackPlace
    failure: Failure


@dataclass(frozen=True, slots=True)
class Unchecked:
    """S3 refused access, so nothing is known about it."""

    place: PackPlace
    failure: Failure


Finding = Sound | Frozen | Broken | Unchecked

_ADVICE = (
    (AccessDenied, AccessDenied.remedy),
    (WrongSignature, WrongSignature.remedy),
    (NewerFormat, NewerFormat.advice),
    (
        Unsound,
        (
            "Nothing was changed. Keep both the pack and its index, and follow "
            "docs/how-to/check-packs.md."
        ),
    ),
)


def list_places(
    store: ObjectStore, workers: Workers, targets: Iterable[Target], query: Query
) -> Iterator[PackPlace]:
    """All packs that a query covers, including packs without an index and indexes without a pack,
    and adopted aggregates.
    """
    for target in targets:
        yield from (
            PackPlace(target, entry.pack_key, index_bytes=entry.index_bytes)
            for entry in iter_packs(store, workers, target, query)
        )
        yield from (
            PackPlace(target, entry.index_key, is_adopted=True)
            for entry in list_adopted(store, workers, target, query)
        )


def check_places(
    store: ObjectStore, workers: Workers, places: Sequence[PackPlace], level: Level
) -> Iterator[Finding]:
    """The result for each of them, as it comes: a few at a time if packs are read, otherwise as
    many as have indexes that fit in memory.

    Raises Unreachable: without S3 nothing is known about any of them.
    """

    def check(place: PackPlace) -> Finding:
        return _check(store, place, level)

    return (
        workers.each(check, places)
        if level is Level.READ_BACK
        else workers.read_ahead(
            check, places, lambda place: estimate_index_memory(place.index_bytes)
        )
    )


def _check(store: ObjectStore, place: PackPlace, level: Level) -> Finding:
    try:
        return _look(store, place, level)
    except ObjectFrozen:
        return _check_frozen(store, place)
    except GroupFailed as error:
        return _blame(place, error)


def _check_frozen(store: ObjectStore, place: PackPlace) -> Finding:
    """Checks what is possible without reading it."""
    try:
        _look(store, place, Level.CHECKSUM)
    except ObjectFrozen:
        return Frozen(place, has_checksum=False)
    except GroupFailed as error:
        return _blame(place, error)
    return Frozen(place, has_checksum=True)


def _blame(place: PackPlace, error: GroupFailed) -> Broken | Unchecked:
    """The result for an error. Only an error that shows damage or absence makes a pack Broken."""
    advice = next((text for kind, text in _ADVICE if isinstance(error, kind)), "")
    failure = Failure(place.name, error.state_name, str(error), advice)
    if isinstance(error, (Unsound, NotFound)) and not isinstance(error, NewerFormat):
        return Broken(place, failure)
    return Unchecked(place, failure)


def _look(store: ObjectStore, place: PackPlace, level: Level) -> Sound:
    if place.is_adopted:
        adopted = check_adopted(store, place.target, place.key, read_back=level is Level.READ_BACK)
        return Sound(place, adopted.member_count, adopted.aggregate.size_bytes)
    pack = verify_pack(store, place.target, place.key, level)
    return Sound(place, len(pack.index.members), pack.stored.size_bytes)

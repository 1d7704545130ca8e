"""Many packs and adopted aggregates, looked at one by one: which are right, which are not, and
which cannot be read now.
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
    """As it was listed; None where it was not."""

    @property
    def name(self) -> str:
        return f"s3://{self.target.bucket}/{self.key}"


@dataclass(frozen=True, slots=True)
class Sound:
    """It is what its index says, as far as it was looked at."""

    place: PackPlace
    member_count: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Frozen:
    """It should have been read and cannot be, for it is in an archive class. Its checksum was
    compared and is right, where S3 has one.
    """

    place: PackPlace
    has_checksum: bool


@dataclass(frozen=True, slots=True)
class Broken:
    """It is not what its index says, or that cannot be shown."""

    place: PackPlace
    failure: Failure


@dataclass(frozen=True, slots=True)
class Unchecked:
    """S3 refused to show it, so nothing can be said of it."""

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
            "Nothing was changed. Keep the pack and its index both; docs/how-to/check-packs.md "
            "says what to do."
        ),
    ),
)


def list_places(
    store: ObjectStore, workers: Workers, targets: Iterable[Target], query: Query
) -> Iterator[PackPlace]:
    """All packs that a query is about, those that lost their index and those of which only that is
    left, and adopted aggregates.
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
    """What each of them turns out to be, as it comes: few at once where packs are read, else as
    many as their indexes fit into memory.

    Raises Unreachable: without S3 nothing can be said of any.
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
    """What can be said of it without reading it."""
    try:
        _look(store, place, Level.CHECKSUM)
    except ObjectFrozen:
        return Frozen(place, has_checksum=False)
    except GroupFailed as error:
        return _blame(place, error)
    return Frozen(place, has_checksum=True)


def _blame(place: PackPlace, error: GroupFailed) -> Broken | Unchecked:
    """That it is damaged or missing is said of a pack only where that was seen."""
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

"""Where a rehearsal takes place: in new buckets, or under a new prefix of a bucket that the user
names; and the removal of everything that it wrote there.

Nothing outside is listed, written or deleted.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from log_aggregator.errors import (
    CannotStart,
    Interrupted,
    NotFound,
    RequestFailed,
    cannot_start,
)
from log_aggregator.ports.scratch import ScratchBuckets
from log_aggregator.ports.store import ObjectStore

NAME = "log-aggregator-rehearsal"
REMOVALS_MAX = 3
"""Tries to empty a prefix. An object may still be under a lock that ends within seconds."""
CLEAN_UPS_MAX = 3
ENABLED = "Enabled"


@dataclass(frozen=True, slots=True)
class Place:
    """A prefix in a bucket, and what the bucket is like."""

    bucket: str
    prefix: str
    versioning: str | None = None
    has_lock: bool = False

    @property
    def title(self) -> str:
        """How reports name this kind of bucket."""
        states = {None: "without versions", ENABLED: "with versions"}
        return states.get(self.versioning, "whose versions are suspended")


@dataclass(frozen=True, slots=True)
class Scene:
    """Where a life takes place: logs are delivered to one place and packed into the other, which
    may be the same. `folder` separates it from other lives there.
    """

    logs: Place
    packs: Place
    folder: str

    @classmethod
    def list_all(cls, places: Sequence[Place]) -> list[Scene]:
        """One scene for each kind of bucket. Packs go to a bucket with versions if there is one."""
        packs = next((each for each in places if each.versioning == ENABLED), None)
        kinds = {each.title: each for each in reversed(places)}
        logs = [each for each in places if each is kinds[each.title]]
        return [cls(each, packs or each, f"life-{number}") for number, each in enumerate(logs)]

    @property
    def title(self) -> str:
        return self.logs.title

    def shorten(self, text: str) -> str:
        """Removes the random names of scratch buckets and prefixes from a text."""
        for place in (self.logs, self.packs):
            where = f"{place.prefix}{self.folder}/"
            text = text.replace(f"s3://{place.bucket}/{where}", "").replace(where, "")
        return text


@dataclass(frozen=True, slots=True)
class Venue:
    """The plan: the names of the buckets to create, or the bucket that the user named."""

    prefix: str
    new_buckets: tuple[str, ...] = ()
    named_bucket: str | None = None

    @classmethod
    def plan(cls, named_bucket: str | None = None) -> Venue:
        """With a random prefix, so that it cannot meet other objects."""
        name = f"{NAME}-{secrets.token_hex(6)}"
        if named_bucket is not None:
            return cls(f"{name}/", named_bucket=named_bucket)
        return cls(f"{name}/", (f"{name}-plain", f"{name}-versions"))


@dataclass(slots=True)
class Places:
    """The places in use, and what must be removed at the end."""

    found: list[Place] = field(default_factory=list)
    made: list[str] = field(default_factory=list)
    """Buckets that the rehearsal created."""
    left: list[str] = field(default_factory=list)
    """What could not be removed, and why."""

    def list_all(self) -> list[str]:
        """Everything that must be removed, in words."""
        prefixes = [f"s3://{place.bucket}/{place.prefix}" for place in self.found]
        return [*prefixes, *(f"bucket {name}" for name in self.made)]


def check_venue(store: ObjectStore, buckets: ScratchBuckets, venue: Venue) -> list[Place]:
    """The place in the named bucket, if there is one. Raises CannotStart if the bucket is not fit
    for a rehearsal.
    """
    bucket = venue.named_bucket
    if bucket is None:
        return []
    with cannot_start(f"bucket {bucket!r} cannot be examined"):
        versioning = store.get_bucket_versioning(bucket)
        lock = buckets.find_lock(bucket)
    if lock is not None and lock.is_default:
        raise CannotStart(
            f"bucket {bucket!r} locks every new object by default, so the rehearsal could not "
            "clean up: name another bucket, or none"
        )
    return [Place(bucket, venue.prefix, versioning, has_lock=lock is not None)]


@contextmanager
def open_places(
    store: ObjectStore, buckets: ScratchBuckets, venue: Venue, places: Places
) -> Iterator[list[Place]]:
    """Creates the buckets. Whatever happens inside, everything is removed at the end, except what
    `places.left` then names. Raises CannotStart.
    """
    try:
        places.found = check_venue(store, buckets, venue)
        for name in venue.new_buckets:
            places.found.append(_make(store, buckets, Place(name, venue.prefix), places))
        yield places.found
    finally:
        _clean_up_surely(buckets, places)


def _clean_up_surely(buckets: ScratchBuckets, places: Places) -> None:
    """Cleans up even if a stop arrives now, and raises the stop afterwards. One stop can arrive as
    two errors: from its signal, and from the request that it cut off.
    """
    stop: BaseException | None = None
    places.left = [f"{where}: not removed, the command was stopped" for where in places.list_all()]
    for _ in range(CLEAN_UPS_MAX):
        try:
            places.left = clean_up(buckets, places)
            break
        except (KeyboardInterrupt, Interrupted) as error:
            stop = error
    if stop is not None:
        raise stop


def _make(store: ObjectStore, buckets: ScratchBuckets, place: Place, places: Places) -> Place:
    """Creates a bucket; the second one with versions, and with Object Lock if the server has it."""
    with cannot_start(f"bucket {place.bucket!r} cannot be created, and --bucket names none"):
        if buckets.exists(place.bucket):
            raise CannotStart(f"bucket {place.bucket!r} already exists: start again")
        if not place.bucket.endswith("-versions"):
            places.made.append(place.bucket)  # before the request: its answer may be lost
            buckets.create(place.bucket)
            return place
        places.made.append(place.bucket)
        has_lock = _create_locked(buckets, place.bucket)
        with suppress(RequestFailed):  # a server without versions: their promises are not probed
            if not has_lock:
                buckets.switch_versions_on(place.bucket)
        versioning: str | None = None
        with suppress(RequestFailed):
            versioning = store.get_bucket_versioning(place.bucket)
    return Place(place.bucket, place.prefix, versioning, has_lock=has_lock)


def _create_locked(buckets: ScratchBuckets, name: str) -> bool:
    try:
        buckets.create(name, has_lock=True)
    except RequestFailed:
        buckets.create(name)
    return buckets.find_lock(name) is not None


def clean_up(buckets: ScratchBuckets, places: Places) -> list[str]:
    """Removes what is under the prefix, then the buckets that were created. Returns what is left,
    a line for each place.
    """
    left = []
    prefixes = {place.bucket: place.prefix for place in places.found}
    for bucket, prefix in prefixes.items():
        left += _try(f"s3://{bucket}/{prefix}", lambda: _empty(buckets, bucket, prefix))  # noqa: B023
    for bucket in places.made:
        left += _try(f"bucket {bucket}", lambda: _remove(buckets, bucket))  # noqa: B023
    return left


def _try(what: str, remove: Callable[[], Sequence[str]]) -> list[str]:
    try:
        return [f"{what}: {each}" for each in remove()]
    except RequestFailed as error:
        return [f"{what}: {error}"]


def _empty(buckets: ScratchBuckets, bucket: str, prefix: str) -> list[str]:
    with suppress(RequestFailed):  # some servers cannot list uploads, and then do not need it
        buckets.abort_uploads(bucket, prefix)
    for _ in range(REMOVALS_MAX):
        entries = buckets.list_entries(bucket, prefix)
        # A server that ignores the prefix would list the user's own objects.
        if any(not entry.key.startswith(prefix) for entry in entries):
            return ["the server lists keys outside this prefix; nothing was removed"]
        if not entries:
            return []
        buckets.remove_entries(bucket, entries)
    entries = buckets.list_entries(bucket, prefix)
    return [f"{len(entries)} objects or versions could not be removed"] if entries else []


def _remove(buckets: ScratchBuckets, bucket: str) -> list[str]:
    with suppress(NotFound):
        buckets.remove(bucket)
    return []

"""Where a rehearsal takes place: in buckets that are made for it, or under a prefix of its own in a
bucket that is named; and the removal of everything that it left there.

Nothing that lies anywhere else is listed, written or deleted.
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
"""What is deleted may only just have been written, or a lock on it may only just have ended."""
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
        """For people."""
        states = {None: "without versions", ENABLED: "with versions"}
        return states.get(self.versioning, "whose versions are suspended")


@dataclass(frozen=True, slots=True)
class Scene:
    """Where a life takes place: logs are delivered to one place, and packed into the other, which
    may be the same. `folder` keeps it apart from other lives there.
    """

    logs: Place
    packs: Place
    folder: str

    @classmethod
    def list_all(cls, places: Sequence[Place]) -> list[Scene]:
        """One for each kind of bucket. Packs go where versions are, as they should."""
        packs = next((each for each in places if each.versioning == ENABLED), None)
        kinds = {each.title: each for each in reversed(places)}
        logs = [each for each in places if each is kinds[each.title]]
        return [cls(each, packs or each, f"life-{number}") for number, each in enumerate(logs)]

    @property
    def title(self) -> str:
        return self.logs.title

    def shorten(self, text: str) -> str:
        """Without the names of scratch buckets and prefixes, which say nothing to anybody."""
        for place in (self.logs, self.packs):
            where = f"{place.prefix}{self.folder}/"
            text = text.replace(f"s3://{place.bucket}/{where}", "").replace(where, "")
        return text


@dataclass(frozen=True, slots=True)
class Venue:
    """What is planned: the names of the buckets that will be made, or the bucket that was named."""

    prefix: str
    new_buckets: tuple[str, ...] = ()
    named_bucket: str | None = None

    @classmethod
    def plan(cls, named_bucket: str | None = None) -> Venue:
        """With a name that nothing else has."""
        name = f"{NAME}-{secrets.token_hex(6)}"
        if named_bucket is not None:
            return cls(f"{name}/", named_bucket=named_bucket)
        return cls(f"{name}/", (f"{name}-plain", f"{name}-versions"))


@dataclass(slots=True)
class Places:
    """Those that are open, and what is to be removed in the end."""

    found: list[Place] = field(default_factory=list)
    made: list[str] = field(default_factory=list)
    """Buckets."""
    left: list[str] = field(default_factory=list)
    """What could not be removed, and why."""

    def list_all(self) -> list[str]:
        """For people."""
        prefixes = [f"s3://{place.bucket}/{place.prefix}" for place in self.found]
        return [*prefixes, *(f"bucket {name}" for name in self.made)]


def check_venue(store: ObjectStore, buckets: ScratchBuckets, venue: Venue) -> list[Place]:
    """What the named bucket is like. Raises CannotStart where nothing may be rehearsed in it."""
    bucket = venue.named_bucket
    if bucket is None:
        return []
    with cannot_start(f"bucket {bucket!r} cannot be looked at"):
        versioning = store.get_bucket_versioning(bucket)
        lock = buckets.find_lock(bucket)
    if lock is not None and lock.is_default:
        raise CannotStart(
            f"bucket {bucket!r} locks every new object by default, so nothing could be removed "
            "again: name another bucket, or none"
        )
    return [Place(bucket, venue.prefix, versioning, has_lock=lock is not None)]


@contextmanager
def open_places(
    store: ObjectStore, buckets: ScratchBuckets, venue: Venue, places: Places
) -> Iterator[list[Place]]:
    """Makes what has to be made. Whatever happens inside, everything goes at the end, but for what
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
    """A stop that comes now is answered when everything is removed. One stop may come as two
    errors: by its signal, and by a request that it cut.
    """
    stop: BaseException | None = None
    places.left = [f"{where}: stopped before it was removed" for where in places.list_all()]
    for _ in range(CLEAN_UPS_MAX):
        try:
            places.left = clean_up(buckets, places)
            break
        except (KeyboardInterrupt, Interrupted) as error:
            stop = error
    if stop is not None:
        raise stop


def _make(store: ObjectStore, buckets: ScratchBuckets, place: Place, places: Places) -> Place:
    """The second one with versions, and with Object Lock where that can be had."""
    with cannot_start(f"bucket {place.bucket!r} cannot be made, and --bucket names none"):
        if buckets.exists(place.bucket):
            raise CannotStart(f"bucket {place.bucket!r} is there already: start again")
        if not place.bucket.endswith("-versions"):
            places.made.append(place.bucket)  # it may be made though the answer is lost
            buckets.create(place.bucket)
            return place
        places.made.append(place.bucket)
        has_lock = _create_locked(buckets, place.bucket)
        with suppress(RequestFailed):  # a server without versions: nothing is asked of it
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
    """Removes what is under the prefix, and then the buckets that were made. Returns what is left,
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
    with suppress(RequestFailed):  # some servers list no uploads; a bucket without them goes
        buckets.abort_uploads(bucket, prefix)
    for _ in range(REMOVALS_MAX):
        entries = buckets.list_entries(bucket, prefix)
        # A server that ignores the prefix lists what is not ours.
        if any(not entry.key.startswith(prefix) for entry in entries):
            return ["the server lists what is not under this prefix; nothing was removed"]
        if not entries:
            return []
        buckets.remove_entries(bucket, entries)
    entries = buckets.list_entries(bucket, prefix)
    return [f"{len(entries)} objects or versions could not be removed"] if entries else []


def _remove(buckets: ScratchBuckets, bucket: str) -> list[str]:
    with suppress(NotFound):
        buckets.remove(bucket)
    return []

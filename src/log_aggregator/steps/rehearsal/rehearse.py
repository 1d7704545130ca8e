"""A rehearsal: probes every promise, and takes logs through a life in each kind of bucket."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial
from typing import Protocol

from log_aggregator.core.windows import DateWindow
from log_aggregator.errors import Interrupted
from log_aggregator.ports.scratch import Hands, ScratchBuckets
from log_aggregator.ports.store import ObjectStore
from log_aggregator.steps.job import Job
from log_aggregator.steps.promises import PROMISES, Answer, Ground, Promise, Rests, Seen, ask
from log_aggregator.steps.rehearsal.life import STEPS, Row, live
from log_aggregator.steps.rehearsal.organisation import Organisation, Original
from log_aggregator.steps.rehearsal.places import ENABLED, Place, Places, Scene, Venue, open_places
from log_aggregator.steps.rehearsal.signing import make_signing_key
from log_aggregator.steps.rehearsal.stage import LOGS, Death, Stage


class ScratchHands(Hands, ScratchBuckets, Protocol):
    """Everything that bypasses the object store."""


class Rooms(Protocol):
    """Makes the jobs of a life, whose buckets are prefixes of places. Made by the wiring."""

    def open_job(
        self, scene: Scene, window: DateWindow, death: Death | None = None
    ) -> AbstractContextManager[Job]: ...

    def locate(self, scene: Scene, bucket: str, key: str) -> tuple[str, str]:
        """The real bucket and key of a life's bucket and key."""


@dataclass(slots=True)
class Rehearsed:
    """The results. They grow as the rehearsal proceeds, so that a stop keeps those so far."""

    venue: Venue
    places: Places = field(default_factory=Places)
    answers: dict[str, Answer] = field(default_factory=dict)
    """By the names of the promises."""
    lives: dict[str, list[Row]] = field(default_factory=dict)
    """By the kind of bucket."""
    is_stopped: bool = False

    @property
    def is_kept(self) -> bool:
        """Whether every promise that safety relies on holds, every step went as expected, and
        nothing was left behind. A promise that could not be probed here counts neither way.
        """
        unsafe = [each for each in PROMISES if is_unsafe(each, self.answers.get(each.name))]
        rows = [row for rows in self.lives.values() for row in rows]
        is_whole = bool(self.answers) and bool(rows) and not self.is_stopped
        return is_whole and not unsafe and all(row.is_kept for row in rows) and not self.places.left


def is_unsafe(promise: Promise, answer: Answer | None) -> bool:
    """Whether safety relies on the promise and the server does not keep it. If the server refuses
    the request, nothing is lost, but nothing is deleted either.
    """
    return (
        promise.rests is Rests.SAFETY
        and answer is not None
        and answer.seen in (Seen.BROKEN, Seen.REFUSED)
    )


def count_steps(venue: Venue) -> int:
    """The number of calls of `watch`."""
    return len(PROMISES) + len(STEPS) * max(1, len(venue.new_buckets))


def rehearse(
    store: ObjectStore,
    hands: ScratchHands,
    rooms: Rooms,
    day: date,
    result: Rehearsed,
    watch: Callable[[str], None],
) -> None:
    """Fills `result`. A stop is not an error: everything is cleaned up, and `result` says so.
    Raises CannotStart.
    """
    try:
        with open_places(store, hands, result.venue, result.places) as places:
            ground = make_ground(store, hands, places)
            for promise in PROMISES:
                watch(promise.text)
                result.answers[promise.name] = ask(promise, ground)
            for scene in Scene.list_all(places):
                has_large = can_copy(result.answers, scene)
                stage = make_stage(hands, rooms, scene, day, has_large=has_large)
                rows = result.lives[scene.title] = []
                # One by one, so that a stop keeps the rows so far.
                rows.extend(
                    replace(row, seen=scene.shorten(row.seen)) for row in live(stage, watch)
                )
    except (KeyboardInterrupt, Interrupted):
        result.is_stopped = True


def make_ground(store: ObjectStore, hands: Hands, places: list[Place]) -> Ground:
    """The first bucket, and those that have versions and locks, for probing."""
    first = places[0]
    versioned = next((each for each in places if each.versioning == ENABLED), None)
    locked = next((each for each in places if each.has_lock), None)
    return Ground(
        store,
        hands,
        first.bucket,
        versioned.bucket if versioned else None,
        locked.bucket if locked else None,
        is_plain=first.versioning is None,
        prefix=f"{first.prefix}promises/",
    )


def can_copy(answers: Mapping[str, Answer], scene: Scene) -> bool:
    """Whether a run can have S3 copy a large log there. The server must copy ranges, and must
    return the checksum of a copied part, or serve the range so that it can be computed. Otherwise a
    run leaves large logs alone, which the promises already report.
    """
    ranges = "version-range" if scene.logs.versioning == ENABLED else "get-range"
    kept = {name for name, answer in answers.items() if answer.seen is Seen.KEPT}
    return "copy-range" in kept and bool(kept & {"copy-checksum", ranges})


def make_stage(hands: Hands, rooms: Rooms, scene: Scene, day: date, *, has_large: bool) -> Stage:
    """The stage for one life in a scene."""

    def deliver(original: Original) -> None:
        bucket, key = rooms.locate(scene, LOGS, original.key)
        hands.overwrite(bucket, key, original.data, original.options)

    def hide(original_key: str) -> None:
        bucket, key = rooms.locate(scene, LOGS, original_key)
        hands.delete(bucket, key)

    organisation = Organisation(LOGS, day, make_signing_key(), has_large=has_large)
    return Stage(
        partial(rooms.open_job, scene),
        deliver,
        hide,
        hands.wait,
        organisation,
        has_versions=scene.logs.versioning == ENABLED,
    )

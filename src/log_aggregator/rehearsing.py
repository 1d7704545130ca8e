"""The wiring of `rehearse`, in its own module so that nothing else has to import it."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from log_aggregator.adapters.forwarding import Call
from log_aggregator.adapters.mortal import MortalStore
from log_aggregator.adapters.rooms import Room, RoomStore
from log_aggregator.core.windows import DateWindow
from log_aggregator.ports.store import ObjectStore
from log_aggregator.settings import Settings, read_settings
from log_aggregator.steps.job import Job
from log_aggregator.steps.rehearsal.organisation import COPY_BYTES_MIN, REGION
from log_aggregator.steps.rehearsal.places import Scene
from log_aggregator.steps.rehearsal.stage import LOGS, PACKS, RETURNED, Death, Killed
from log_aggregator.wiring import SystemClock, make_rules, make_workers, told_of_stops


def make_rehearsal_settings() -> Settings:
    """The settings of a rehearsed life; none of them is the user's."""
    return read_settings(
        None,
        {
            "control_tower_bucket": [LOGS],
            "destination_bucket": PACKS,
            "delete_originals": True,
            "aggregation_regions": [REGION],
            "copy_size_min": COPY_BYTES_MIN,
            "readers": 16,
        },
    )


@dataclass(frozen=True, slots=True)
class RehearsalRooms:
    """Implements `Rooms`: three prefixes are the buckets of a life."""

    store: ObjectStore
    settings: Settings

    @contextmanager
    def open_job(
        self, scene: Scene, window: DateWindow, death: Death | None = None
    ) -> Iterator[Job]:
        rooms = {name: _make_room(scene, name) for name in (LOGS, PACKS, RETURNED)}
        store: ObjectStore = RoomStore(self.store, rooms)
        if death is not None:
            store = MortalStore(store, functools.partial(_is_last, death), Killed)
        rules = make_rules(self.settings, window)
        with make_workers(self.settings) as workers, told_of_stops(workers.leave):
            yield Job(store, workers, rules, SystemClock())

    def locate(self, scene: Scene, bucket: str, key: str) -> tuple[str, str]:
        room = _make_room(scene, bucket)
        return room.bucket, room.outer(key)


def _make_room(scene: Scene, name: str) -> Room:
    place = scene.logs if name == LOGS else scene.packs
    return Room(place.bucket, f"{place.prefix}{scene.folder}/{name}/")


def _is_last(death: Death, call: Call) -> bool:
    return (
        call.operation in death.operations
        and call.bucket == death.bucket
        and any(key.startswith(death.prefix) for key in _list_keys(call))
    )


def _list_keys(call: Call) -> list[str]:
    return [call.key, *(each.key for each in call.arguments.get("deletions", ()))]

"""The newest runs of a stack, from their folders in its work bucket."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from log_aggregator.core.jsontext import decode_json, decoding
from log_aggregator.errors import BadPack, NotFound
from log_aggregator.ports.store import ObjectStore

RUNS_MAX = 10
RUNS = "runs/"


@dataclass(frozen=True, slots=True)
class StackRun:
    """A run of the stack. `has_ended`: its result is written. Otherwise it is under way, or was
    stopped from outside.
    """

    name: str
    has_ended: bool = False
    first_date: str | None = None
    last_date: str | None = None
    objects: int = 0
    bytes_in: int = 0
    deleted: int = 0
    failures: int = 0
    dollars: float = 0.0
    seconds: float = 0.0


def list_runs(store: ObjectStore, work_bucket: str) -> list[StackRun]:
    """The newest runs, latest first by day and name. Raises StoreError."""
    return [
        _read_run(store, work_bucket, folder)
        for folder in islice(_list_folders(store, work_bucket), RUNS_MAX)
    ]


def _list_folders(store: ObjectStore, work_bucket: str) -> Iterator[str]:
    for day in sorted(_list_below(store, work_bucket, RUNS), reverse=True):
        yield from sorted(_list_below(store, work_bucket, day), reverse=True)


def _list_below(store: ObjectStore, work_bucket: str, prefix: str) -> tuple[str, ...]:
    return store.list_prefixes(work_bucket, prefix=prefix).prefixes


def _read_run(store: ObjectStore, work_bucket: str, folder: str) -> StackRun:
    """A run by its folder. A result that cannot be read counts as missing."""
    name = folder.removeprefix(RUNS).removesuffix("/")
    try:
        data = store.get_object(work_bucket, f"{folder}result.json").data
        return _parse_run(name, data)
    except (NotFound, BadPack):
        return StackRun(name)


def _parse_run(name: str, data: bytes) -> StackRun:
    with decoding("result.json"):
        result = decode_json(data)
        objects = result["objects"]
        return StackRun(
            name,
            True,
            str(result["first_date"]),
            str(result["last_date"]),
            int(objects["packed"]) + int(objects["copied"]),
            int(result["bytes_in"]),
            int(objects["deleted"]),
            len(result["failures"]),
            float(result["dollars"]["estimated"]),
            float(result["seconds"]),
        )

"""What runs left behind, until a run sees that it is gone: log objects that were not packed, and
originals that S3 refuses to delete, by source bucket and day.

A run sees only its own days: a 0 tonight does not mean that what was left in May is gone. So the
state of all days is kept in the work bucket, `outstanding/<number>.json`, and alarms watch its sum.
Each state is a separate object that is written once; the one with the highest number counts. If two
runs end at the same time, the second finds its number taken, and starts again from what the first
one wrote.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from log_aggregator.core.checksums import crc64nvme
from log_aggregator.core.jsontext import encode_json
from log_aggregator.errors import PreconditionFailed, StoreError
from log_aggregator.ports.store import ObjectStore, WriteOptions
from log_aggregator.steps.packs.pages import list_all

PREFIX = "outstanding/"
_ATTEMPTS_MAX = 50
"""More runs than this never end at the same moment."""

Place = tuple[str, date]
"""A source bucket, and a log date."""


@dataclass(frozen=True, slots=True)
class Left:
    """Log objects of one place that still exist."""

    left_behind: int = 0
    retained: int = 0


@dataclass(frozen=True, slots=True)
class Seen:
    """What one run saw of its buckets and days."""

    first: date
    last: date
    buckets: Collection[str]
    left: Mapping[Place, Left]
    doubtful: Collection[Place] = ()
    """Places where something failed: a smaller number than before is not trusted there."""
    is_whole: bool = True
    """False if pieces of the run failed, which makes every place doubtful."""
    is_nightly: bool = False
    """It covered every bucket of the stack. Other buckets no longer belong to the stack."""

    def covers(self, place: Place) -> bool:
        bucket, day = place
        return bucket in self.buckets and self.first <= day <= self.last

    def doubts(self, place: Place) -> bool:
        return not self.is_whole or place in self.doubtful


@dataclass(frozen=True, slots=True)
class Outstanding:
    """All places where something is left."""

    places: Mapping[Place, Left] = field(default_factory=dict)

    @property
    def left_behind(self) -> int:
        return sum(left.left_behind for left in self.places.values())

    @property
    def retained(self) -> int:
        return sum(left.retained for left in self.places.values())

    def after(self, seen: Seen) -> Outstanding:
        """The state after a run, with what it saw instead of what was known before."""
        known = {place: left for place, left in self.places.items() if not _is_gone(place, seen)}
        for place in [*filter(seen.covers, known), *seen.left]:
            found, before = seen.left.get(place, Left()), self.places.get(place, Left())
            known[place] = _most(found, before) if seen.doubts(place) else found
        return Outstanding({place: left for place, left in known.items() if left != Left()})


def record_outstanding(store: ObjectStore, bucket: str, seen: Seen) -> Outstanding:
    """What is left after this run, which is stored if it has changed. Raises StoreError."""
    for _ in range(_ATTEMPTS_MAX):
        number, before = _read_newest(store, bucket)
        after = before.after(seen)
        if after == before or _write(store, bucket, number + 1, after):
            return after
    raise StoreError(
        f"s3://{bucket}/{PREFIX}: {_ATTEMPTS_MAX} times another run wrote the next state first",
        code="",
        operation="PutObject",
    )


def _is_gone(place: Place, seen: Seen) -> bool:
    return seen.is_nightly and seen.is_whole and place[0] not in seen.buckets


def _most(one: Left, other: Left) -> Left:
    return Left(
        max(one.left_behind, other.left_behind),
        max(one.retained, other.retained),
    )


def _read_newest(store: ObjectStore, bucket: str) -> tuple[int, Outstanding]:
    keys = [entry.key for entry in list_all(store, bucket, PREFIX)]
    if not keys:
        return 0, Outstanding()
    newest = max(keys)
    number = int(newest.removeprefix(PREFIX).removesuffix(".json"))
    return number, _decode(json.loads(store.get_object(bucket, newest).data))


def _write(store: ObjectStore, bucket: str, number: int, outstanding: Outstanding) -> bool:
    """Writes a state. False if another run was faster."""
    data = encode_json(_encode(outstanding))
    options = WriteOptions(content_type="application/json")
    try:
        store.put_object(
            bucket, f"{PREFIX}{number:08d}.json", data, crc64nvme=crc64nvme(data), options=options
        )
    except PreconditionFailed:
        return False
    return True


def _encode(outstanding: Outstanding) -> list[dict[str, Any]]:
    return [
        {
            "bucket": bucket,
            "date": day.isoformat(),
            "left_behind": left.left_behind,
            "retained": left.retained,
        }
        for (bucket, day), left in sorted(outstanding.places.items())
    ]


def _decode(rows: list[dict[str, Any]]) -> Outstanding:
    return Outstanding(
        {
            (row["bucket"], date.fromisoformat(row["date"])): Left(
                row["left_behind"], row["retained"]
            )
            for row in rows
        }
    )

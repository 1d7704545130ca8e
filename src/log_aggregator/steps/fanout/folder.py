"""The folder of a run in the work bucket, and how its objects are written and read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from log_aggregator.core.checksums import crc64nvme
from log_aggregator.core.jsontext import encode_json
from log_aggregator.errors import (
    Failure,
    LogAggregatorError,
    NotFound,
    OutOfMemory,
    PreconditionFailed,
    StoreError,
)
from log_aggregator.ports.store import ObjectStore, WriteOptions

_KILLED = (
    "See in the REPORT line of the function's log whether it ran out of time or memory. "
    f"{OutOfMemory.advice}"
)
_NEVER_RAN = (
    "Its originals are untouched, and the next run takes them. Either Lambda had no capacity for "
    "it, or it died while loading, or the run ended before its turn; if this happens again, see "
    "docs/how-to/respond-to-alarms.md."
)


class Kind(StrEnum):
    """The two halves of a run, which run concurrently."""

    MAIN = "main"
    AUXILIARY = "auxiliary"


class Step(StrEnum):
    """The steps of a work item, in order; each writes its result under its own name."""

    COMBINED = "combined"
    VERIFIED = "verified"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The objects of one run, `runs/<run>/…`, each written once and never changed."""

    store: ObjectStore
    bucket: str
    run: str

    @property
    def record_key(self) -> str:
        return self._key("run.json")

    @property
    def result_key(self) -> str:
        return self._key("result.json")

    def merged_key(self, first: date) -> str:
        """The result of merging a month's terms, named by the first day of the month that the run
        covers.
        """
        return self._key(f"merged/{first}.json")

    @property
    def examination_key(self) -> str:
        """The doctor's findings before the run."""
        return self._key("examination.json")

    @property
    def windows_key(self) -> str:
        """The windows of days of a history, as an array for the state machine's map."""
        return self._key("windows.json")

    @property
    def files_key(self) -> str:
        """The files of a history's inventory, as an array for the state machine's map."""
        return self._key("files.json")

    @property
    def sorted_prefix(self) -> str:
        return self._key("sorted/")

    def sorted_key(self, number: int) -> str:
        """The result of sorting a file of an inventory."""
        return f"{self.sorted_prefix}{number:05d}.json"

    def inventory_prefix(self, first: date) -> str:
        """The rows of an inventory for the window that begins with this day."""
        return self._key(f"inventory/{first}/")

    def inventory_key(self, first: date, number: int) -> str:
        return f"{self.inventory_prefix(first)}{number:05d}.jsonl.gz"

    def tasks_key(self, kind: Kind) -> str:
        return self._key(f"{kind}/tasks.json")

    def listed_key(self, kind: Kind, task: str) -> str:
        return self._key(f"{kind}/listed/{task}.json")

    def items_key(self, kind: Kind) -> str:
        return self._key(f"{kind}/items.json")

    def work_key(self, kind: Kind, item: str) -> str:
        return self._key(f"{kind}/work/{item}.jsonl.gz")

    def step_key(self, kind: Kind, step: Step, item: str) -> str:
        return self._key(f"{kind}/{step}/{item}.json")

    def begun_key(self, kind: Kind, piece: str) -> str:
        """For a listing task or a work item that a function has started."""
        return self._key(f"{kind}/begun/{piece}.json")

    def failure_key(self, kind: Kind, piece: str) -> str:
        """For a listing task or a work item that ended with an error."""
        return self._key(f"{kind}/failed/{piece}.json")

    def describe_inventory(self, run: str) -> str:
        """The address of a run's sorted inventory."""
        return f"s3://{self.bucket}/{RunFolder(self.store, self.bucket, run).files_key}"

    def read(self, key: str) -> bytes:
        """Raises NotFound."""
        return self.store.get_object(self.bucket, key).data

    def read_json(self, key: str) -> Any:
        """Raises NotFound."""
        return json.loads(self.read(key))

    def find_json(self, key: str) -> Any | None:
        """The object's value, or None if it does not exist."""
        try:
            return self.read_json(key)
        except NotFound:
            return None

    def write(self, key: str, data: bytes) -> None:
        """Writes an object, unless it exists: an earlier call of the same piece wrote it then, and
        its result counts. Raises StoreError.
        """
        try:
            self.store.put_object(
                self.bucket,
                key,
                data,
                crc64nvme=crc64nvme(data),
                options=WriteOptions(content_type="application/json"),
            )
        except PreconditionFailed as error:
            # 412 means that the object exists. 409 ConditionalRequestConflict only means that
            # another write is under way, which may still fail
            # (https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html).
            try:
                self.store.head_object(self.bucket, key)
            except NotFound:
                raise StoreError(
                    f"s3://{self.bucket}/{key}: another call is writing it",
                    code=error.code,
                    operation="PutObject",
                ) from error

    def write_json(self, key: str, value: Mapping[str, Any] | list[Any]) -> None:
        """The same for a value, as JSON."""
        self.write(key, encode_json(value))

    def write_array(self, key: str, items: list[Any]) -> int:
        """Writes the items of a map of the state machine. Returns how many are stored, since an
        earlier call may have written others.
        """
        self.write_json(key, items)
        return len(self.read_json(key))

    def begin(self, kind: Kind, piece: str) -> None:
        """Notes that a function has started it, to tell pieces that were killed from those that
        never ran.
        """
        self.write_json(self.begun_key(kind, piece), {})

    def write_failure(self, kind: Kind, piece: str, error: LogAggregatorError) -> None:
        """Notes why a piece failed. The first note stays, and counts only if no later call of the
        piece succeeds.
        """
        self.write_json(self.failure_key(kind, piece), asdict(Failure.of(f"{kind} {piece}", error)))

    def read_failure(self, kind: Kind, piece: str, otherwise: str) -> Failure:
        """Why a piece has no result. Without a note it was killed, out of memory or time, or it
        never ran.
        """
        found = self.find_json(self.failure_key(kind, piece))
        if found is not None:
            return Failure(**found)
        where = f"{kind} {piece}"
        if self.find_json(self.begun_key(kind, piece)) is None:
            return Failure(where, "NeverRan", "it never ran", _NEVER_RAN)
        return Failure(where, "OutOfTime", otherwise, _KILLED)

    def _key(self, name: str) -> str:
        return f"runs/{self.run}/{name}"

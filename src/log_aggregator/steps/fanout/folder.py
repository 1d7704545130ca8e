"""Where the pieces of a run lie in the work bucket, and how they are written and read."""

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
    "Look at the REPORT line in the function's log: was it the time or the memory? "
    f"{OutOfMemory.advice}"
)
_NEVER_RAN = (
    "Its originals are where they were, and the next run takes it up. Lambda had no room for it, "
    "or it died while it was loaded, or the run ended before its turn; "
    "docs/how-to/respond-to-alarms.md says what to do where that happens again."
)


class Kind(StrEnum):
    """The two halves of a run, which go side by side."""

    MAIN = "main"
    AUXILIARY = "auxiliary"


class Step(StrEnum):
    """The steps of a work item, in their order; each leaves its result under its own name."""

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
        """What was merged of the terms of a month, once that is done: it is named by the first day
        of it that the run is about.
        """
        return self._key(f"merged/{first}.json")

    @property
    def examination_key(self) -> str:
        """What the doctor saw before the run."""
        return self._key("examination.json")

    @property
    def windows_key(self) -> str:
        """Of history: the windows of days, as an array for the state machine's map."""
        return self._key("windows.json")

    @property
    def files_key(self) -> str:
        """Of history by an inventory: its files, as an array for the state machine's map."""
        return self._key("files.json")

    @property
    def sorted_prefix(self) -> str:
        return self._key("sorted/")

    def sorted_key(self, number: int) -> str:
        """What was found in a file of an inventory, once it is sorted."""
        return f"{self.sorted_prefix}{number:05d}.json"

    def inventory_prefix(self, first: date) -> str:
        """The rows of an inventory that are of the window beginning with this day."""
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
        """Of a listing task or a work item that a function took up."""
        return self._key(f"{kind}/begun/{piece}.json")

    def failure_key(self, kind: Kind, piece: str) -> str:
        """Of a listing task or a work item that ended with an error."""
        return self._key(f"{kind}/failed/{piece}.json")

    def describe_inventory(self, run: str) -> str:
        """Where the sorted inventory of a run is."""
        return f"s3://{self.bucket}/{RunFolder(self.store, self.bucket, run).files_key}"

    def read(self, key: str) -> bytes:
        """Raises NotFound."""
        return self.store.get_object(self.bucket, key).data

    def read_json(self, key: str) -> Any:
        """Raises NotFound."""
        return json.loads(self.read(key))

    def find_json(self, key: str) -> Any | None:
        """None where it is not there."""
        try:
            return self.read_json(key)
        except NotFound:
            return None

    def write(self, key: str, data: bytes) -> None:
        """What is there already stays: an earlier call of the same piece wrote it, and that one
        counts. Raises StoreError.
        """
        try:
            self.store.put_object(
                self.bucket,
                key,
                data,
                crc64nvme=crc64nvme(data),
                options=WriteOptions(content_type="application/json"),
            )
        except (
            PreconditionFailed
        ) as error:  # a 409 says that somebody else is writing it, not that anything is there
            try:
                self.store.head_object(self.bucket, key)
            except NotFound:
                raise StoreError(
                    f"s3://{self.bucket}/{key}: another call is writing it",
                    code=error.code,
                    operation="PutObject",
                ) from error

    def write_json(self, key: str, value: Mapping[str, Any] | list[Any]) -> None:
        """The same, of what JSON can hold."""
        self.write(key, encode_json(value))

    def write_array(self, key: str, items: list[Any]) -> int:
        """The items of a map of the state machine. Gives how many are stored, which an earlier call
        may have written.
        """
        self.write_json(key, items)
        return len(self.read_json(key))

    def begin(self, kind: Kind, piece: str) -> None:
        """Leaves word that a function took it up, so that what was killed can be told from what
        never ran.
        """
        self.write_json(self.begun_key(kind, piece), {})

    def write_failure(self, kind: Kind, piece: str, error: LogAggregatorError) -> None:
        """Leaves word why a piece ended; it counts only where the piece never came to its end. The
        first word stays.
        """
        self.write_json(self.failure_key(kind, piece), asdict(Failure.of(f"{kind} {piece}", error)))

    def read_failure(self, kind: Kind, piece: str, otherwise: str) -> Failure:
        """Why a piece has no result. Without a word it was killed, out of memory or time, or it
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

"""A work item as the functions combine, verify and delete see it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from log_aggregator.handlers.entry import Call, Event, Result
from log_aggregator.model import Group
from log_aggregator.steps.fanout.folder import Kind, RunFolder, Step
from log_aggregator.steps.fanout.gather import read_record
from log_aggregator.steps.fanout.results import ItemResult, decode_item_result, encode_item_result
from log_aggregator.steps.fanout.workitems import WorkItem, decode_item
from log_aggregator.telemetry.memory import peak_memory_bytes
from log_aggregator.telemetry.tracing import span


@dataclass(frozen=True, slots=True)
class Piece:
    """A work item, found by its name."""

    folder: RunFolder
    kind: Kind
    item: str
    call: Call

    @property
    def name(self) -> Result:
        """What the next state of the state machine gets."""
        return {"run": self.folder.run, "kind": self.kind, "item": self.item}

    def begin(self) -> None:
        self.folder.begin(self.kind, self.item)

    def is_done(self, step: Step) -> bool:
        """Whether an earlier call finished the step, and only its answer was lost."""
        return self.folder.find_json(self._key(step)) is not None

    def read_item(self) -> WorkItem:
        data = self.folder.read(self.folder.work_key(self.kind, self.item))
        return decode_item(data, self.call.job_of(read_record(self.folder)).rules.layouts_of)

    def read(self, step: Step) -> ItemResult:
        """Raises NotFound where the step was not finished."""
        return decode_item_result(self.folder.read_json(self._key(step)))

    def write(self, step: Step, result: ItemResult) -> None:
        """Adds the requests of this call to those of the steps before."""
        result.requests.update(self.call.job.requests)
        result.peak_memory_bytes = max(result.peak_memory_bytes, peak_memory_bytes())
        self.folder.write_json(self._key(step), encode_item_result(result))

    def _key(self, step: Step) -> str:
        return self.folder.step_key(self.kind, step, self.item)


def group_span(step: str) -> Callable[[Group], AbstractContextManager[None]]:
    """A span for each group, with the group's fields as annotations that can be searched."""
    return lambda group: span(
        step, date=group.date, bucket=group.bucket, log_type=group.log_type, account=group.account
    )


def open_piece(event: Event, call: Call) -> Piece:
    return Piece(call.folder(event["run"]), Kind(event["kind"]), event["item"], call)

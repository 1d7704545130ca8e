"""One work item: verifies its packs, at the level of the settings. Writes only the result."""

from __future__ import annotations

from log_aggregator.handlers.entry import Call, Event, Result, serve
from log_aggregator.handlers.pieces import group_span, open_piece
from log_aggregator.steps.fanout.folder import Step
from log_aggregator.steps.fanout.gather import read_record
from log_aggregator.steps.fanout.settle import ItemWork


@serve("verify")
def handler(event: Event, call: Call) -> Result:
    """A work item that was combined -> the same. Its result, with the packs that passed, goes to
    the run's folder.
    """
    piece = open_piece(event, call)
    if not piece.is_done(Step.VERIFIED):
        record = read_record(piece.folder)
        work = ItemWork(call.job_of(record), record.today, group_span("verify pack"))
        piece.write(Step.VERIFIED, work.verify(piece.read(Step.COMBINED)))
    return piece.name

"""One work item: writes its packs and their indexes. Deletes nothing."""

from __future__ import annotations

from log_aggregator.handlers.entry import Call, Event, Result, serve
from log_aggregator.handlers.pieces import group_span, open_piece
from log_aggregator.steps.fanout.folder import Step
from log_aggregator.steps.fanout.gather import read_record
from log_aggregator.steps.fanout.settle import ItemWork


@serve("combine")
def handler(event: Event, call: Call) -> Result:
    """A work item -> the same. Its result, with the packs to verify, goes to the run's folder."""
    piece = open_piece(event, call)
    if not piece.is_done(Step.COMBINED):
        piece.begin()
        record = read_record(piece.folder)
        work = ItemWork(call.job_of(record), record.today, group_span("combine group"))
        piece.write(Step.COMBINED, work.combine(piece.read_item()))
    return piece.name

"""One work item: deletes the originals of its verified packs. The only function of a run that has
permission to delete originals.
"""

from __future__ import annotations

from log_aggregator.handlers.entry import Call, Event, Result, serve
from log_aggregator.handlers.metrics import write_group_metrics
from log_aggregator.handlers.pieces import group_span, open_piece
from log_aggregator.steps.fanout.folder import Step
from log_aggregator.steps.fanout.gather import read_record
from log_aggregator.steps.fanout.settle import ItemWork


@serve("delete")
def handler(event: Event, call: Call) -> Result:
    """A work item that was verified -> the same. Without the result of its verification it fails,
    and deletes nothing.
    """
    piece = open_piece(event, call)
    if not piece.is_done(Step.DELETED):
        record = read_record(piece.folder)
        verified = piece.read(Step.VERIFIED)
        work = ItemWork(call.job_of(record), record.today, group_span("delete originals"))
        result = work.delete(piece.read_item(), verified)
        piece.write(Step.DELETED, result)
        write_group_metrics(piece.folder.run, result)
    return piece.name

"""One work item: its packs and their indexes are written. Nothing is deleted here."""

from __future__ import annotations

from log_aggregator.handlers.entry import Event, Job, Result, serve
from log_aggregator.handlers.pieces import group_span, open_piece
from log_aggregator.steps.fanout.folder import Step
from log_aggregator.steps.fanout.gather import read_record
from log_aggregator.steps.fanout.settle import combine_item


@serve("combine")
def handler(event: Event, job: Job) -> Result:
    """A work item -> the same. Its result, with the packs to be verified, lies in the run's
    folder.
    """
    piece = open_piece(event, job)
    if not piece.is_done(Step.COMBINED):
        record = read_record(piece.folder)
        piece.write(
            Step.COMBINED,
            combine_item(
                job.store,
                job.workers,
                piece.read_item(),
                job.rules(record),
                record.today,
                group_span("combine group"),
            ),
        )
    return piece.name

"""One work item: its packs are verified, at the level of the settings. Nothing is written here but
what was found.
"""

from __future__ import annotations

from log_aggregator.handlers.entry import Event, Job, Result, serve
from log_aggregator.handlers.pieces import group_span, open_piece
from log_aggregator.steps.fanout.folder import Step
from log_aggregator.steps.fanout.gather import read_record
from log_aggregator.steps.fanout.settle import verify_item


@serve("verify")
def handler(event: Event, job: Job) -> Result:
    """A work item that was combined -> the same. Its result, with the packs that passed, lies in
    the run's folder.
    """
    piece = open_piece(event, job)
    if not piece.is_done(Step.VERIFIED):
        rules = job.rules(read_record(piece.folder))
        piece.write(
            Step.VERIFIED,
            verify_item(
                job.store, job.workers, piece.read(Step.COMBINED), rules, group_span("verify pack")
            ),
        )
    return piece.name

"""Finds the days that have packs."""

from __future__ import annotations

from log_aggregator.core.query import Query
from log_aggregator.core.windows import DateWindow
from log_aggregator.steps.job import Job
from log_aggregator.steps.retrieval.catalog import iter_packs


def find_packed_days(job: Job) -> DateWindow | None:
    """The first and the last day with packs; None if there are no packs. Lists all indexes and
    packs. Raises StoreError.
    """
    days = {
        entry.group.date
        for target in job.list_targets()
        for entry in iter_packs(job.store, job.workers, target, Query())
    }
    return DateWindow(min(days), max(days)) if days else None

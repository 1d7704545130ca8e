"""The last step of a run, for searching: merges the terms of its days into tables, month by month.

Packs with terms are listed, not taken from the run's results. So what an earlier run could not
merge, because it was killed or out of time, is merged by any later run that covers the same days.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any

from log_aggregator.core.query import Query
from log_aggregator.core.windows import DateWindow
from log_aggregator.errors import Failure
from log_aggregator.model import Target
from log_aggregator.steps.fanout.folder import RunFolder
from log_aggregator.steps.job import Job
from log_aggregator.steps.search.after_run import ADVICE, make_merging
from log_aggregator.steps.search.merge import MergeResult, list_terms, merge_terms

FAILURES_MAX = 100
"""Only this many failures of a month are stored, with their total number."""


@dataclass(frozen=True, slots=True)
class Span:
    """What to merge: the terms of these days, in these targets."""

    window: DateWindow
    targets: Sequence[Target]


@dataclass(slots=True)
class Merged:
    """What all calls have merged so far, including this one."""

    tables: int = 0
    packs: int = 0
    rows: int = 0
    failed: int = 0
    """Packs and tables that could not be read."""
    failures: Sequence[Failure] = ()
    """The first of them."""

    def add(self, done: Mapping[str, Any]) -> None:
        self.tables += done["tables"]
        self.packs += done["packs"]
        self.rows += done["rows"]
        self.failed += done["failed"]
        found = (Failure(**failure) for failure in done["failures"])
        self.failures = [*self.failures, *found][:FAILURES_MAX]


def merge_span(job: Job, folder: RunFolder, span: Span) -> Merged:
    """Merges what no table covers yet. A finished month is noted in the run's folder, so that
    another call continues after it; what is in a table is not merged again in any case.

    Raises Interrupted, StoreError, NotInstalled.
    """
    merged = Merged()
    for month in split_months(span.window):
        key = folder.merged_key(month.first)
        done = folder.find_json(key)
        if done is None:
            done = _describe(_merge_month(job, month, span.targets))
            folder.write_json(key, done)
        merged.add(done)
    return merged


def split_months(window: DateWindow) -> Iterator[DateWindow]:
    """Splits a window at the ends of months."""
    first = window.first
    while first <= window.last:
        following = _next_month(first)
        last = min(window.last, following - timedelta(days=1))
        yield DateWindow(first, last)
        first = following


def find_targets(job: Job, source_buckets: Iterable[str]) -> list[Target]:
    """The targets with the packs of these buckets."""
    return sorted({job.rules.target(bucket) for bucket in source_buckets})


def _merge_month(job: Job, month: DateWindow, targets: Sequence[Target]) -> MergeResult:
    total = MergeResult()
    query = Query.of_days(month.first, month.last)
    for target in targets:
        keys = list_terms(job.store, job.workers, target, query)
        total.add(merge_terms(make_merging(job, target), keys))
    return total


def _describe(result: MergeResult) -> dict[str, Any]:
    return {
        "tables": len(result.tables),
        "packs": result.packs,
        "rows": result.rows,
        "failed": len(result.failures),
        "failures": [
            asdict(failure) | {"advice": ADVICE} for failure in result.failures[:FAILURES_MAX]
        ],
    }


def _next_month(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=31)).replace(day=1)

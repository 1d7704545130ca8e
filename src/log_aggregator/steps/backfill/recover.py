"""The end of a backfill: what its runs, and others, did not say themselves."""

from __future__ import annotations

from collections.abc import Callable

from log_aggregator.core.windows import DateWindow
from log_aggregator.errors import Failure
from log_aggregator.steps.custody.recover import recover_runs
from log_aggregator.steps.custody.write import RunSpan
from log_aggregator.steps.job import Job
from log_aggregator.steps.packing.results import RunResult


def tell_of_killed_runs(
    job: Job,
    window: DateWindow,
    run: str,
    archive_keys: Callable[[RunResult], None],
    sign: Callable[[RunResult], None],
) -> list[Failure]:
    """Custody records for runs that were killed in the midst of a window, once for all windows.
    Gives what could not be looked at: the next run looks again. Raises CannotStart.
    """
    now = job.clock.now()
    result = RunResult(window.first, window.last, buckets=job.list_source_buckets())
    recover_runs(job, result, RunSpan(run, now, now), archive_keys)
    sign(result)
    return result.failures

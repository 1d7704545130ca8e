"""The end of a backfill: records what interrupted runs did not record themselves."""

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
    """Writes custody records for runs that were killed during a window, once for all windows.
    Returns what could not be examined: the next run tries again. Raises CannotStart.
    """
    now = job.clock.now()
    result = RunResult(window.first, window.last, buckets=job.list_source_buckets())
    recover_runs(job, result, RunSpan(run, now, now), archive_keys)
    sign(result)
    return result.failures

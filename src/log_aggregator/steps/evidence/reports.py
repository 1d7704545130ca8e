"""Reads the completion report of a job that hashed packs."""

from __future__ import annotations

from log_aggregator.core.evidence.at_rest import Algorithm, HashRow
from log_aggregator.core.evidence.at_rest_plan import AtRestPlan
from log_aggregator.core.evidence.batch import parse_report, parse_rows
from log_aggregator.errors import BadPack, NotFound
from log_aggregator.ports.hash_jobs import HashJob
from log_aggregator.steps.job import Job
from log_aggregator.steps.packs.pages import list_all

_HEADS = ("manifest.json", "report.json")
"""AWS's user guide shows the first name, the API reference of JobReport the second."""


def read_rows(
    job: Job, plan: AtRestPlan, algorithm: Algorithm, state: HashJob
) -> tuple[list[HashRow], str]:
    """The rows of a report, and why a pack may have none. A report with any flaw gives no rows at
    all. Raises StoreError if S3 cannot be reached.
    """
    ended = f"job {state.job_id} is {state.status}"
    why = f"{ended}: {state.reason}" if state.reason else ended
    try:
        return _read(job, plan, algorithm, state.job_id), why
    except (BadPack, NotFound) as error:
        return [], f"{why}; {error}"


def _read(job: Job, plan: AtRestPlan, algorithm: Algorithm, job_id: str) -> list[HashRow]:
    bucket, prefix = plan.target.bucket, f"{plan.report_prefix(algorithm)}/job-{job_id}/"
    keys = [listed.key for listed in list_all(job.store, bucket, prefix)]
    head = next((f"{prefix}{name}" for name in _HEADS if f"{prefix}{name}" in keys), None)
    if head is None:
        raise BadPack(f"there is no completion report under s3://{bucket}/{prefix}")
    files = parse_report(job.store.get_object(bucket, head).data, bucket, prefix)
    tasks = plan.tasks_of(algorithm)
    return [
        row
        for file in files
        for row in parse_rows(job.store.get_object(bucket, file.key).data, file, tasks)
    ]

"""Packs at rest: S3 hashes them, frozen or not, and the hashes are compared with the known ones.

S3 Batch Operations computes the checksums without restoring anything
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/batch-ops-compute-checksums.html). A check is
kept in a folder next to the packs, so a later call resumes it; its jobs run in S3 meanwhile.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from log_aggregator.core.checksums import crc64nvme
from log_aggregator.core.custody import Record, RecordKind, WrittenRecord
from log_aggregator.core.evidence.at_rest import Algorithm, AtRestCheck, judge
from log_aggregator.core.evidence.at_rest_plan import (
    DONE,
    PLAN,
    AtRestPlan,
    checks_prefix,
    decode_plan,
    encode_plan,
    parse_check_key,
)
from log_aggregator.core.evidence.batch import encode_manifest, manifest_fields
from log_aggregator.core.jsontext import decode_json, decoding, encode_json_line
from log_aggregator.core.packformat.index import TOOL
from log_aggregator.errors import BadPack, NotFound, PreconditionFailed, RequestFailed, StoreError
from log_aggregator.model import Target
from log_aggregator.ports.hash_jobs import HashJob, HashJobRequest, HashJobs, JobPhase
from log_aggregator.ports.store import WriteOptions
from log_aggregator.steps.custody.write import append_record
from log_aggregator.steps.evidence.known_hashes import look_up
from log_aggregator.steps.evidence.reports import read_rows
from log_aggregator.steps.job import Job
from log_aggregator.steps.packs.pages import list_all

UNSEEN_MAX = timedelta(hours=1)
"""For this long after a check began DescribeJob may not find its jobs yet
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/troubleshooting-batch-operations.html)."""

States = Mapping[Algorithm, HashJob]


@dataclass(frozen=True, slots=True)
class Finished:
    """A finished check, and its custody record."""

    plan: AtRestPlan
    check: AtRestCheck
    record: WrittenRecord


def find_open(job: Job, target: Target) -> tuple[list[AtRestPlan], list[str]]:
    """Checks that were begun and are not over, oldest first; and the addresses of plans that cannot
    be read. Raises StoreError.
    """
    folders: dict[str, set[str]] = {}
    for listed in list_all(job.store, target.bucket, checks_prefix(target)):
        if found := parse_check_key(target, listed.key):
            folders.setdefault(found[0], set()).add(found[1])
    names = [name for name, has in sorted(folders.items()) if PLAN in has and DONE not in has]
    plans, unreadable = list[AtRestPlan](), list[str]()
    for name in names:
        try:
            plans.append(_read_plan(job, target, name))
        except BadPack:
            unreadable.append(f"s3://{target.bucket}/{checks_prefix(target)}{name}/{PLAN}")
    return plans, unreadable


def is_begun(job: Job, plan: AtRestPlan) -> bool:
    """Whether all jobs of the check were created, so that resuming it costs nothing more."""
    return all(_read_job_id(job, plan, each) for each in plan.algorithms)


def start(job: Job, jobs: HashJobs, plan: AtRestPlan) -> States:
    """Writes the plan, then creates its jobs. Raises StoreError."""
    _put_once(job, plan.target, f"{plan.folder}{PLAN}", encode_plan(plan))
    return go_on(job, jobs, plan)


def go_on(job: Job, jobs: HashJobs, plan: AtRestPlan) -> States:
    """The state of each job; missing jobs are created. If S3 refuses to create them and none is
    under way, the check is over, so that another can begin. Raises StoreError.
    """
    try:
        return {each: _look_at(job, jobs, plan, each) for each in plan.algorithms}
    except StoreError as error:
        if not any(_read_job_id(job, plan, each) for each in plan.algorithms):
            with contextlib.suppress(RequestFailed):
                _end(job, plan, {"refused": str(error)})
        raise


def is_over(states: States) -> bool:
    """Whether all jobs have ended."""
    ends = (JobPhase.COMPLETE, JobPhase.FAILED)
    return all(state.phase in ends for state in states.values())


def wait(
    job: Job,
    jobs: HashJobs,
    plan: AtRestPlan,
    pause: Callable[[], None],
    tell: Callable[[int], object],
) -> States:
    """Waits until the check is over, or until an operator must confirm a suspended job. `tell` gets
    the number of packs that are hashed. Raises StoreError.
    """
    while True:
        job.workers.check_stop()
        states = go_on(job, jobs, plan)
        tell(sum(state.succeeded + state.failed for state in states.values()))
        if is_over(states) or any(each.phase is JobPhase.ASLEEP for each in states.values()):
            return states
        pause()


def finish(job: Job, plan: AtRestPlan, states: States) -> Finished:
    """Compares the reports with the packs' known hashes, and writes the result as a custody record.
    Raises StoreError.
    """
    known = look_up(job, plan.target, [task.key for task in plan.tasks])
    packs, foreign = list(plan.judged), 0
    for algorithm, state in states.items():
        rows, absent = read_rows(job, plan, algorithm, state)
        judged, others = judge(plan.target.bucket, plan.tasks_of(algorithm), known, rows, absent)
        packs += judged
        foreign += others
    found = AtRestCheck(
        plan.check,
        tuple(state.job_id for state in states.values()),
        plan.dollars,
        tuple(sorted(packs, key=lambda pack: pack.key)),
        foreign,
        plan.skipped,
    )
    record = append_record(job.store, _make_record(job, plan, found), job.rules.group.combine.index)
    _end(job, plan, {"record": record.key, "sha256": record.sha256})
    return Finished(plan, found, record)


def _make_record(job: Job, plan: AtRestPlan, found: AtRestCheck) -> Record:
    return Record(
        plan.target,
        plan.check,
        TOOL,
        plan.began,
        job.clock.now(),
        plan.first,
        plan.last,
        kind=RecordKind.AT_REST,
        at_rest=found,
    )


def _look_at(job: Job, jobs: HashJobs, plan: AtRestPlan, algorithm: Algorithm) -> HashJob:
    begun = _read_job_id(job, plan, algorithm)
    job_id = begun or _begin(job, jobs, plan, algorithm)
    try:
        return jobs.describe(plan.role_arn, job_id)
    except NotFound:
        if begun is None or job.clock.now() - plan.began < UNSEEN_MAX:
            return HashJob(job_id, "New", JobPhase.UNDER_WAY, reason="S3 does not show it yet")
        what = (
            "S3 does not know the job: it belongs to another Region or account, or it ended more "
            "than 90 days ago"
        )
        return HashJob(job_id, "gone", JobPhase.FAILED, reason=what)


def _begin(job: Job, jobs: HashJobs, plan: AtRestPlan, algorithm: Algorithm) -> str:
    """Creates the job. The token, a hash of the manifest's key, makes repeated requests return the
    same job (https://docs.aws.amazon.com/AmazonS3/latest/userguide/batch-ops-create-job.html).
    """
    bucket, tasks = plan.target.bucket, plan.tasks_of(algorithm)
    manifest_key = plan.manifest_key(algorithm)
    # S3 Batch Operations reads no manifest that is encrypted with KMS.
    options = replace(job.rules.group.combine.index, kms_key_id=None, is_sse_s3=True)
    _put_once(job, plan.target, manifest_key, encode_manifest(bucket, tasks), options)
    job_id = jobs.create(
        HashJobRequest(
            bucket,
            manifest_key,
            job.store.head_object(bucket, manifest_key).etag,
            tuple(manifest_fields(tasks)),
            plan.report_prefix(algorithm),
            algorithm,
            plan.role_arn,
            hashlib.sha256(manifest_key.encode()).hexdigest(),
            f"log-aggregator {plan.check} {algorithm.value}",
        )
    )
    _put_once(job, plan.target, plan.job_key(algorithm), encode_json_line({"job": job_id}))
    return job_id


def _read_job_id(job: Job, plan: AtRestPlan, algorithm: Algorithm) -> str | None:
    key = plan.job_key(algorithm)
    try:
        data = job.store.get_object(plan.target.bucket, key).data
    except NotFound:
        return None
    with decoding(f"s3://{plan.target.bucket}/{key}"):
        return str(decode_json(data)["job"])


def _read_plan(job: Job, target: Target, name: str) -> AtRestPlan:
    key = f"{checks_prefix(target)}{name}/{PLAN}"
    return decode_plan(target, name, job.store.get_object(target.bucket, key).data)


def _end(job: Job, plan: AtRestPlan, why: Mapping[str, str]) -> None:
    _put_once(job, plan.target, f"{plan.folder}{DONE}", encode_json_line(dict(why)))


def _put_once(
    job: Job, target: Target, key: str, data: bytes, options: WriteOptions | None = None
) -> None:
    """Writes an object unless it exists. One that exists is the same: another call wrote it."""
    try:
        job.store.put_object(
            target.bucket,
            key,
            data,
            crc64nvme=crc64nvme(data),
            options=options or job.rules.group.combine.index,
        )
    except PreconditionFailed:
        return

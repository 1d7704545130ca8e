"""A check of packs at rest: what it would cost, how far it is, what it found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from log_aggregator.core.evidence.at_rest import Algorithm, PackAtRest, Verdict, describe_pack
from log_aggregator.core.evidence.at_rest_plan import AtRestPlan
from log_aggregator.core.times import encode_time
from log_aggregator.reports.numbers import format_bytes, format_count, format_dollars
from log_aggregator.steps.evidence.at_rest import Finished, States

NOT_HASHED = (
    "S3 hashes objects of every storage class, except those encrypted with a customer-provided "
    "key (SSE-C). For objects encrypted with KMS the role must be allowed to use the key."
)
"""https://docs.aws.amazon.com/AmazonS3/latest/userguide/batch-ops-compute-checksums.html"""

PRICE = (
    "$0.25 per job, $1 per million objects, $0.004 per GB; the last is not confirmed by AWS's "
    "price page"
)
_SHOWN_MAX = 20


def describe_planned(plan: AtRestPlan, state: str, jobs: States | None = None) -> dict[str, Any]:
    """The names are documented in docs/reference/json.md."""
    return {
        "check": plan.check,
        "bucket": plan.target.bucket,
        "root": plan.target.root,
        "state": state,
        "began": encode_time(plan.began),
        "first_date": plan.first.isoformat(),
        "last_date": plan.last.isoformat(),
        "dollars": round(plan.dollars, 6),
        "packs": len(plan.tasks) + len(plan.judged),
        "bytes": sum(task.size_bytes for task in plan.tasks),
        "by_sha256": len(plan.tasks_of(Algorithm.SHA256)),
        "by_crc64nvme": len(plan.tasks_of(Algorithm.CRC64NVME)),
        "skipped": plan.skipped,
        "jobs": [] if jobs is None else _describe_jobs(jobs),
        "good": 0,
        "damaged": 0,
        "unproven": 0,
        "foreign_rows": 0,
        "is_good": None,
        "not_good": [],
        "record": None,
    }


def describe_finished(done: Finished, jobs: States) -> dict[str, Any]:
    check = done.check
    record = done.record
    return describe_planned(done.plan, "done", jobs) | {
        **{verdict.value: check.count(verdict) for verdict in Verdict},
        "foreign_rows": check.foreign_rows,
        "is_good": check.is_good,
        "not_good": [describe_pack(pack) for pack in check.packs if _is_bad(pack)],
        "record": {"key": record.key, "sequence": record.sequence, "sha256": record.sha256},
    }


def render_planned(described: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What would be checked, before anything is started."""
    for each in described:
        yield (
            f"s3://{each['bucket']}/{each['root']}packs/: {format_count(each['packs'], 'pack')}, "
            f"{format_bytes(each['bytes'])}, logs of {each['first_date']} to {each['last_date']}"
        )
        yield (
            f"  S3 hashes {each['by_sha256']:,} with SHA-256, and {each['by_crc64nvme']:,} whose "
            "SHA-256 is not known with CRC64NVME"
        )
        if each["skipped"]:
            adopted = format_count(each["skipped"], "adopted aggregate")
            yield f"  {adopted} left out: no hash of the whole object is known"
        yield f"  about {format_dollars(each['dollars'])} ({PRICE})"
    yield NOT_HASHED


def render_checks(described: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """How far they are, or what they found."""
    for each in described:
        yield from _render_done(each) if each["state"] == "done" else _render_under_way(each)


def _describe_jobs(jobs: States) -> list[dict[str, Any]]:
    return [
        {
            "id": job.job_id,
            "algorithm": algorithm.value,
            "status": job.status,
            "tasks": job.total,
            "succeeded": job.succeeded,
            "failed": job.failed,
            "reason": job.reason,
        }
        for algorithm, job in jobs.items()
    ]


def _render_under_way(each: Mapping[str, Any]) -> Iterator[str]:
    yield f"check {each['check']} of s3://{each['bucket']}/{each['root']}packs/: {each['state']}"
    for job in each["jobs"]:
        reason = f"; {job['reason']}" if job["reason"] else ""
        yield (
            f"  job {job['id']} ({job['algorithm']}): {job['status']}, {job['succeeded']:,} of "
            f"{format_count(job['tasks'], 'pack')} hashed, {job['failed']:,} failed{reason}"
        )
        if job["status"] in ("Suspended", "Paused"):
            yield f"  Resume job {job['id']} in the console of S3 Batch Operations."
    yield "  S3 works by itself; start the same command again to continue this check."


def _render_done(each: Mapping[str, Any]) -> Iterator[str]:
    yield (
        f"check {each['check']} of s3://{each['bucket']}/{each['root']}packs/: "
        f"{format_count(each['packs'], 'pack')} at rest: {each['good']:,} good, "
        f"{each['damaged']:,} damaged, {each['unproven']:,} unproven"
    )
    for pack in each["not_good"][:_SHOWN_MAX]:
        yield f"  {pack['verdict'].upper():9} {pack['key']}: {pack['reason']}"
    if len(each["not_good"]) > _SHOWN_MAX:
        yield f"  ... and {len(each['not_good']) - _SHOWN_MAX:,} more; --json names all"
    if each["foreign_rows"]:
        rows = format_count(each["foreign_rows"], "row")
        yield f"  WRONG     {rows} of S3's reports about objects that were not asked for"
    if each["damaged"]:
        yield (
            "  Nothing was changed. Keep the packs and their indexes; "
            "docs/how-to/check-packs.md says what to do."
        )
    yield f"  custody record s3://{each['bucket']}/{each['record']['key']}"


def _is_bad(pack: PackAtRest) -> bool:
    return pack.verdict is not Verdict.GOOD

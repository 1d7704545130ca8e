"""S3 Batch Operations, as far as packs at rest need it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from log_aggregator.core.evidence.at_rest import Algorithm


@dataclass(frozen=True, slots=True)
class HashJobRequest:
    """A job that hashes the objects in a manifest. Two requests with the same `token` make one
    job.
    """

    bucket: str
    """Of the packs, the manifest and the report."""
    manifest_key: str
    manifest_etag: str
    manifest_fields: tuple[str, ...]
    report_prefix: str
    """Without a slash at the end: S3 adds one."""
    algorithm: Algorithm
    role_arn: str
    token: str
    description: str


class JobPhase(StrEnum):
    """What S3's thirteen job states come down to."""

    UNDER_WAY = "under way"
    ASLEEP = "asleep"  # an operator must confirm or resume it
    COMPLETE = "complete"
    FAILED = "failed"  # or cancelled; there may be a partial report


@dataclass(frozen=True, slots=True)
class HashJob:
    """The state of a job."""

    job_id: str
    status: str
    """S3's word for it."""
    phase: JobPhase
    total: int = 0
    succeeded: int = 0
    failed: int = 0
    reason: str = ""


class HashJobs(Protocol):
    """Raises StoreError's branch and nothing else of its own."""

    def create(self, request: HashJobRequest) -> str:
        """Returns the id of the job, which starts without confirmation."""

    def describe(self, role_arn: str, job_id: str) -> HashJob:
        """Raises NotFound if S3 does not know the job: it is too new or too old, or belongs to
        another Region or account.
        """

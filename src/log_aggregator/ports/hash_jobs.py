"""S3 Batch Operations, as far as packs at rest need it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from log_aggregator.core.evidence.at_rest import Algorithm


@dataclass(frozen=True, slots=True)
class HashJobRequest:
    """A job that hashes what a manifest names. `token` makes asking twice one job."""

    bucket: str
    """Of the packs, the manifest and the report."""
    manifest_key: str
    manifest_etag: str
    manifest_fields: tuple[str, ...]
    report_prefix: str
    """Without a slash at its end: S3 puts one behind it."""
    algorithm: Algorithm
    role_arn: str
    token: str
    description: str


class JobPhase(StrEnum):
    """What S3's thirteen states mean here."""

    UNDER_WAY = "under way"
    ASLEEP = "asleep"  # somebody has to confirm or resume it
    COMPLETE = "complete"
    FAILED = "failed"  # or cancelled: there may be a report of a part


@dataclass(frozen=True, slots=True)
class HashJob:
    """Where a job stands."""

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
        """The id of the job, which begins by itself."""

    def describe(self, role_arn: str, job_id: str) -> HashJob:
        """Raises NotFound: S3 does not know the job yet, or not any more; or it is of another
        Region or account.
        """

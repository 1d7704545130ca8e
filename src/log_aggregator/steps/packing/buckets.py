"""The buckets that logs are taken from, each checked before anything begins."""

from __future__ import annotations

from dataclasses import dataclass

from log_aggregator.core.layouts.declared import BUILT_IN, BucketLayouts
from log_aggregator.errors import CannotStart, NoSuchBucket, RequestFailed
from log_aggregator.ports.store import ObjectStore
from log_aggregator.steps.job import Job
from log_aggregator.steps.rules import RunRules


@dataclass(frozen=True, slots=True)
class SourceBucket:
    """A bucket that logs are taken from. `versioning` is Enabled, Suspended or None. `layouts` say
    how its keys are read.
    """

    name: str
    versioning: str | None
    layouts: BucketLayouts = BUILT_IN
    is_main: bool = False

    @classmethod
    def of(cls, rules: RunRules, name: str, versioning: str | None) -> SourceBucket:
        """A bucket of a run."""
        return cls(name, versioning, rules.layouts_of(name), rules.is_main(name))


@dataclass(frozen=True, slots=True)
class Area:
    """The keys that one listing covers: those of a bucket under a prefix, except those that begin
    with one of `skipped`, which are our own or are listed elsewhere.
    """

    bucket: SourceBucket
    prefix: str
    skipped: tuple[str, ...] = ()


def find_buckets(job: Job) -> list[SourceBucket]:
    """The buckets that logs are taken from. Each is checked, so that a wrong name ends the run
    before it begins. Raises CannotStart.
    """
    buckets = [look_at_bucket(job, name) for name in job.list_source_buckets()]
    check_destination(job)
    return buckets


def look_at_bucket(job: Job, name: str) -> SourceBucket:
    """Raises CannotStart if the bucket does not exist or access is denied."""
    return SourceBucket.of(job.rules, name, read_versioning(job.store, name))


def check_destination(job: Job) -> None:
    """Raises CannotStart if the destination bucket of the settings does not exist."""
    if job.rules.destination_bucket is not None:
        read_versioning(job.store, job.rules.destination_bucket)


def read_versioning(store: ObjectStore, bucket: str) -> str | None:
    """Enabled, Suspended or None. Raises CannotStart if the bucket does not exist or access is
    denied.
    """
    try:
        return store.get_bucket_versioning(bucket)
    except NoSuchBucket:
        found = CannotStart(f"bucket {bucket!r} does not exist in this account and Region")
        raise found.with_remedy(NoSuchBucket.remedy) from None
    except RequestFailed as error:
        raise CannotStart.because(error, f"bucket {bucket!r} cannot be read") from error

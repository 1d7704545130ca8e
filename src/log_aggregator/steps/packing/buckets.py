"""The buckets that logs are taken from, each looked at before anything begins."""

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
    """What one listing goes over: the keys of a bucket under a prefix, but for those that begin
    with one of `skipped`: our own, and what is listed elsewhere.
    """

    bucket: SourceBucket
    prefix: str
    skipped: tuple[str, ...] = ()


def find_buckets(job: Job) -> list[SourceBucket]:
    """The buckets that logs are taken from; each is looked at, so that a wrong name ends the run
    before it begins. Raises CannotStart.
    """
    buckets = [look_at_bucket(job, name) for name in job.list_source_buckets()]
    check_destination(job)
    return buckets


def look_at_bucket(job: Job, name: str) -> SourceBucket:
    """Raises CannotStart where it is not there or may not be looked at."""
    return SourceBucket.of(job.rules, name, read_versioning(job.store, name))


def check_destination(job: Job) -> None:
    """Raises CannotStart where there is a destination bucket in the settings only."""
    if job.rules.destination_bucket is not None:
        read_versioning(job.store, job.rules.destination_bucket)


def read_versioning(store: ObjectStore, bucket: str) -> str | None:
    """Enabled, Suspended or None. Raises CannotStart where the bucket is not there or may not be
    looked at.
    """
    try:
        return store.get_bucket_versioning(bucket)
    except NoSuchBucket:
        found = CannotStart(f"there is no bucket {bucket!r} in this account and region")
        raise found.with_remedy(NoSuchBucket.remedy) from None
    except RequestFailed as error:
        raise CannotStart.because(error, f"bucket {bucket!r} cannot be looked at") from error

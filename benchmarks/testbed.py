"""A server, log objects on it, and the job that packs them, as the command line runs it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time
from functools import partial
from random import Random
from time import perf_counter
from typing import Any

import boto3
from benchmarks.report import BenchmarkBroken
from botocore.config import Config

from log_aggregator.core.windows import DateWindow
from log_aggregator.settings import Settings, read_settings
from log_aggregator.steps.job import Job
from log_aggregator.steps.packing.listing import Progress
from log_aggregator.steps.packing.run import run
from log_aggregator.steps.rules import RunRules
from log_aggregator.wiring import Connection, SystemClock, connect, make_run_rules, make_workers
from log_aggregator_lab.organisation.cloudtrail import list_cloudtrail
from log_aggregator_lab.organisation.documents import (
    CloudTrailDocument,
    cloudtrail_log,
    record_count_for,
)
from log_aggregator_lab.organisation.specification import OrganisationSpec, flat
from log_aggregator_lab.servers.s3 import EmbeddedS3
from log_aggregator_lab.stores.metered import MeteredStore
from log_aggregator_lab.upload import create_bucket, upload

DESTINATION = "packs-of-the-benchmark"
LOG_SIZE_BYTES = 8_000

BODY_COUNT = 200
BODY_BYTES_MIN, BODY_BYTES_MEDIAN, BODY_BYTES_MAX = 1_000, 5_000, 30_000
BODY_SIGMA = 0.8


@dataclass(frozen=True, slots=True)
class Logs:
    """A bucket of one group's log objects: one account, one region, one day."""

    bucket: str
    spec: OrganisationSpec
    object_count: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class JobResult:
    """What a job took."""

    seconds: float
    requests: Mapping[str, int]
    bytes_read: int
    bytes_written: int
    bytes_copied: int


def put_logs(server: EmbeddedS3, name: str, object_count: int, *, seed: int = 1) -> Logs:
    """Puts log objects into a new versioned bucket, as Control Tower's is."""
    spec = flat(object_count, LOG_SIZE_BYTES, seed=seed).with_bucket_prefix(f"{name}-")
    prepare_bucket(server, spec.control_tower_bucket, is_versioned=True)
    report = upload(list_cloudtrail(spec), server)
    return Logs(spec.control_tower_bucket, spec, report.object_count, report.size_bytes)


def put_organisation(
    server: EmbeddedS3, name: str, object_count: int, accounts: int, *, seed: int = 1
) -> Logs:
    """Log objects of 1 to 30 KB in a new versioned bucket, a group for each account, the largest
    with a fifth of all.
    """
    spec = OrganisationSpec(
        seed=seed, accounts=accounts, regions=("eu-west-1",), objects=object_count
    ).with_bucket_prefix(f"{name}-")
    prepare_bucket(server, spec.control_tower_bucket, is_versioned=True)
    bodies = make_bodies(seed)
    logs = (
        replace(log, make=partial(bodies.__getitem__, number % len(bodies)))
        for number, log in enumerate(list_cloudtrail(spec))
    )
    report = upload(logs, server, keep_entries=False)
    return Logs(spec.control_tower_bucket, spec, report.object_count, report.size_bytes)


def make_bodies(seed: int) -> list[bytes]:
    """Log-normal as CloudTrail's sizes are, 1 to 30 KB, about 6.5 KB in the mean."""
    random, body_of = Random(seed), OrganisationSpec(seed=seed, accounts=1)
    account, noon = body_of.account_ids[0], datetime.combine(body_of.first_day, time(12), UTC)
    bodies: list[bytes] = []
    while len(bodies) < BODY_COUNT:
        count = record_count_for(
            round(random.lognormvariate(math.log(BODY_BYTES_MEDIAN), BODY_SIGMA))
        )
        body = cloudtrail_log(
            CloudTrailDocument(f"{seed}/{len(bodies)}/{count}", account, "eu-west-1", noon, count),
            level=6,
        )
        if BODY_BYTES_MIN <= len(body) <= BODY_BYTES_MAX:
            bodies.append(body)
    return bodies


def prepare_bucket(server: EmbeddedS3, bucket: str, *, is_versioned: bool = False) -> None:
    """The first object in a new bucket takes this server seconds, which must not be in any
    measurement.
    """
    create_bucket(bucket, server, is_versioned=False)
    client = make_client(server)
    client.put_object(Bucket=bucket, Key="first", Body=b"x")
    client.delete_object(Bucket=bucket, Key="first")
    if is_versioned:
        create_bucket(bucket, server, is_versioned=True)


def make_client(server: EmbeddedS3) -> Any:
    """A plain client of boto3, as anybody would make it."""
    return boto3.client(
        "s3",
        endpoint_url=server.endpoint_url,
        region_name=server.region,
        aws_access_key_id=server.access_key,
        aws_secret_access_key=server.secret_key,
        config=Config(s3={"addressing_style": "path"}),
    )


def make_connection(server: EmbeddedS3) -> Connection:
    return Connection(
        None, server.region, server.endpoint_url, server.access_key, server.secret_key
    )


def make_settings(bucket: str) -> Settings:
    """The defaults, but for the buckets."""
    return read_settings(
        None, {"control_tower_bucket": [bucket], "destination_bucket": DESTINATION}
    )


def make_rules(settings: Settings, spec: OrganisationSpec) -> RunRules:
    return make_run_rules(settings, DateWindow(spec.first_day, spec.first_day))


def run_job(
    connection: Connection, bucket: str, spec: OrganisationSpec, object_count: int
) -> JobResult:
    """Lists, combines, verifies and deletes. Raises BenchmarkBroken unless every object was."""
    settings = make_settings(bucket)
    store = MeteredStore(connect(connection, settings.readers).inner)
    with make_workers(settings) as workers:
        began = perf_counter()
        job = Job(store, workers, make_rules(settings, spec), SystemClock())
        result = run(job, Progress())
        seconds = perf_counter() - began
    deleted = sum(group.deleted for group in result.groups)
    if result.failures or deleted != object_count:
        raise BenchmarkBroken(
            f"{deleted} of {object_count} objects packed and deleted; {result.failures[:3]}"
        )
    return JobResult(
        seconds, store.requests, store.bytes_read, store.bytes_written, store.bytes_copied
    )

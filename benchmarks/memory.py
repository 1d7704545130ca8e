"""Peak memory of a job in a process that does nothing else: over many small and a few large log
objects on a server, and over one large group whose objects are made up.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from random import Random
from typing import Any

from benchmarks.apart import run_apart
from benchmarks.report import BenchmarkBroken, Options, Outcome, Table, Target
from benchmarks.testbed import DESTINATION, Logs, make_client, prepare_bucket, put_logs

from log_aggregator.limits import MIB
from log_aggregator_lab.organisation.cloudtrail import cloudtrail_key, midnight
from log_aggregator_lab.organisation.compression import gzip_member
from log_aggregator_lab.servers.s3 import EmbeddedS3

OBJECT_COUNT = 20_000
OBJECT_COUNT_QUICK = 1_000
LARGE_COUNT = 10
LARGE_COUNT_QUICK = 2
LARGE_BYTES = 64 * MIB
PEAK_MB_MAX = 400.0
GROUP_COUNTS = {150_000: 220.0, 450_000: 300.0}
GROUP_COUNTS_QUICK = {5_000: 220.0}
"""Log objects of one group, and the MB that they may take."""
GROUP_BODY = gzip_member(b'{"Records":[]}' * 10)
JOB_SECONDS_MAX = 600


def measure(options: Options) -> Outcome:
    count = OBJECT_COUNT_QUICK if options.is_quick else OBJECT_COUNT
    large_count = LARGE_COUNT_QUICK if options.is_quick else LARGE_COUNT
    with EmbeddedS3() as server:
        prepare_bucket(server, DESTINATION, is_versioned=True)
        logs = put_logs(server, "memory", count)
        _put_large(server, logs, large_count)
        result = _run_apart(server, logs, count + large_count)
    columns = {
        "small": ",d",
        "large": ",d",
        "seconds": ".1f",
        "peak MB": ",.0f",
        "at the start": ",.0f",
        "after listing": ",.0f",
    }
    table = Table(
        "Peak memory of a job, in a separate process: objects of 8 KB and of "
        f"{LARGE_BYTES // MIB} MiB, one group",
        columns,
    )
    peaks = [result[name] / 1e6 for name in ("peak_bytes", "start_bytes", "listed_bytes")]
    table.rows.append((count, large_count, result["seconds"], *peaks))
    targets = [Target("peak memory", peaks[0], PEAK_MB_MAX, "MB")]
    for count, bound in (GROUP_COUNTS_QUICK if options.is_quick else GROUP_COUNTS).items():
        result = _run_made_up(count)
        peaks = [result[name] / 1e6 for name in ("peak_bytes", "start_bytes", "listed_bytes")]
        table.rows.append((count, 0, result["seconds"], *peaks))
        targets.append(Target(f"peak memory of {count:,} in one group", peaks[0], bound, "MB"))
    return Outcome([table], [MADE_UP], targets, options.is_quick)


MADE_UP = (
    "Without large objects, the objects are made up when they are requested, and writes are "
    "discarded: there is no server, and no connection to one."
)


def _run_made_up(count: int) -> Mapping[str, Any]:
    told = {
        "made_up": count,
        "body": GROUP_BODY.hex(),
        "bucket": "made-up",
        "destination": DESTINATION,
        "day": "2026-03-14",
    }
    result = run_apart("benchmarks.memory_job", told, JOB_SECONDS_MAX)
    if result["failures"] or result["deleted"] != count:
        raise BenchmarkBroken(f"{result['deleted']} of {count}; {result['failures'][:3]}")
    return result


def _put_large(server: EmbeddedS3, logs: Logs, count: int) -> None:
    """Stored blocks, so that they cost no time to make."""
    client, random = make_client(server), Random(1)
    body = gzip_member(random.randbytes(LARGE_BYTES), level=0)
    account, region = logs.spec.chains[0]
    for number in range(count):
        delivered = midnight(logs.spec.first_day) + timedelta(hours=number)
        client.put_object(
            Bucket=logs.bucket,
            Key=cloudtrail_key(logs.spec, account, region, delivered, random),
            Body=body,
        )


def _run_apart(server: EmbeddedS3, logs: Logs, count: int) -> Mapping[str, Any]:
    told = {
        "endpoint_url": server.endpoint_url,
        "region": server.region,
        "access_key": server.access_key,
        "secret_key": server.secret_key,
    }
    told |= {
        "bucket": logs.bucket,
        "destination": DESTINATION,
        "day": logs.spec.first_day.isoformat(),
    }
    result = run_apart("benchmarks.memory_job", told, JOB_SECONDS_MAX)
    if result["failures"] or result["deleted"] != count:
        raise BenchmarkBroken(
            f"{result['deleted']} of {count} objects packed and deleted; {result['failures'][:3]}"
        )
    return result

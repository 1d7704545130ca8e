"""This job against the usual way, a chain of multipart uploads: one for each log object, each
copying all that was gathered so far.

S3 wants every part but the last to have 5 MiB, so the chain begins with a filler of 5 MiB in a
scratch object. For each log object, one after the other: a multipart upload of the scratch object
(part 1) and the log object (part 2) onto the scratch object. In the end everything behind the
filler is copied to where it belongs, and the versions of each log object are listed and deleted. N
objects of s bytes copy 5 MiB x N + s x N^2 / 2, and are billed 5 requests each.
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from benchmarks.report import BenchmarkBroken, Options, Outcome, Table, Target
from benchmarks.stepclock import StepClock
from benchmarks.testbed import (
    DESTINATION,
    LOG_SIZE_BYTES,
    JobResult,
    make_client,
    make_connection,
    prepare_bucket,
    put_logs,
    run_job,
)

from log_aggregator.core.costs import estimate_dollars
from log_aggregator.limits import MIB
from log_aggregator_lab.servers.s3 import EmbeddedS3

COUNTS = (100, 300, 1_000)
COUNTS_QUICK = (20, 60, 200)
CHAIN_COUNT_MAX = 300
CHAIN_COUNT_MAX_QUICK = 60
JOB_ROUNDS = 3
FILLER_BYTES = 5 * MIB
SCRATCH = "scratch-of-the-chain"
FREE_BYTES_MIN = 5_000_000_000
SPEEDUP_MIN = {100: 10, 300: 20, 1_000: 50}
"""Objects -> how many times faster than the chain this job is at least. The advantage grows with
the number.
"""


@dataclass(slots=True)
class ChainResult:
    """What a chain took. `elapsed` has the time after each object, `steps` the CPU seconds of this
    process.
    """

    seconds: float = 0.0
    requests: Counter[str] = field(default_factory=Counter)
    bytes_copied: int = 0
    elapsed: list[float] = field(default_factory=list)
    steps: dict[str, float] = field(default_factory=dict)
    is_extrapolated: bool = False


def measure(options: Options) -> Outcome:
    counts = COUNTS_QUICK if options.is_quick else COUNTS
    chain_count_max = CHAIN_COUNT_MAX_QUICK if options.is_quick else CHAIN_COUNT_MAX
    if options.is_full:
        chain_count_max = max(counts)
    outcome = Outcome([_make_table()], is_quick=options.is_quick)
    longest = ChainResult()
    with EmbeddedS3() as server:
        prepare_bucket(server, DESTINATION, is_versioned=True)
        prepare_bucket(server, SCRATCH)
        for count in counts:
            jobs = [_run_job(server, count, number) for number in range(JOB_ROUNDS)]
            chain = (
                _run_chain(server, count)
                if count <= chain_count_max
                else extrapolate(longest, count)
            )
            longest = longest if chain.is_extrapolated else chain
            _add_rows(outcome, count, chain, jobs)
    outcome.notes.append(
        f"This job: median of {JOB_ROUNDS} runs. Dollars: requests only, list prices of us-east-1."
    )
    if chain.is_extrapolated:
        outcome.notes.append(
            f"~ not run: computed from a quadratic fitted to the chain over {len(longest.elapsed)} "
            "objects. `--full` runs it."
        )
    return outcome


def extrapolate(measured: ChainResult, count: int) -> ChainResult:
    """What a chain over so many objects would take: a x N + b x N^2, by least squares over the
    times after each object.
    """
    known = len(measured.elapsed)
    linear, quadratic = fit_quadratic(measured.elapsed)
    rest = measured.seconds - measured.elapsed[-1]
    billed = Counter(
        {
            operation: round(number * count / known)
            for operation, number in measured.requests.items()
        }
    )
    size_bytes = (measured.bytes_copied - FILLER_BYTES * known) / (known * (known + 3) / 2)
    copied = FILLER_BYTES * count + size_bytes * count * (count + 3) / 2
    seconds = linear * count + quadratic * count**2 + rest * count / known
    return ChainResult(seconds, billed, round(copied), is_extrapolated=True)


def fit_quadratic(elapsed: list[float]) -> tuple[float, float]:
    """(a, b) of a x n + b x n^2, where `elapsed[n - 1]` was measured."""
    numbers = range(1, len(elapsed) + 1)
    s2, s3, s4 = (sum(n**power for n in numbers) for power in (2, 3, 4))
    t1, t2 = (
        sum(value * n**power for n, value in zip(numbers, elapsed, strict=True)) for power in (1, 2)
    )
    determinant = s2 * s4 - s3 * s3
    return (t1 * s4 - t2 * s3) / determinant, (t2 * s2 - t1 * s3) / determinant


def _run_job(server: EmbeddedS3, count: int, number: int) -> JobResult:
    logs = put_logs(server, f"job{count}-{number}", count)
    return run_job(make_connection(server), logs.bucket, logs.spec, count)


def _run_chain(server: EmbeddedS3, count: int) -> ChainResult:
    needed = FREE_BYTES_MIN + FILLER_BYTES * count + LOG_SIZE_BYTES * count * count
    if shutil.disk_usage(tempfile.gettempdir()).free < needed:
        raise BenchmarkBroken(
            f"the chain over {count} objects needs {needed / 1e9:.0f} GB of disk in "
            f"{tempfile.gettempdir()}"
        )
    logs = put_logs(server, f"chain{count}", count)
    return Chain(make_client(server), logs.bucket, count, logs.size_bytes).run()


class Chain:
    """A model of the usual way, in its own order: combine everything, then list and delete object
    by object.
    """

    def __init__(self, client: Any, bucket: str, object_count: int, size_bytes: int) -> None:
        self._client = client
        self._bucket = bucket
        self._object_count = object_count
        self._size_bytes = size_bytes
        self._result = ChainResult()
        self._scratch = f"{bucket}/scratch"

    def run(self) -> ChainResult:
        began, clock = time.perf_counter(), StepClock()
        with clock.step("list"):
            keys = self._list_keys()
        with clock.step("combine"):
            self._combine(keys, began)
        with clock.step("verify"):
            self._check()
        with clock.step("delete"):
            self._delete([key for key, _ in keys])
        self._result.seconds = time.perf_counter() - began
        self._result.steps = clock.cpu_seconds
        return self._result

    def _combine(self, keys: list[tuple[str, int]], began: float) -> None:
        self._put_filler()
        size_bytes = 0
        for key, length_bytes in keys:
            self._append(key, FILLER_BYTES + size_bytes, length_bytes)
            size_bytes += length_bytes
            self._result.elapsed.append(time.perf_counter() - began)
        self._copy_to_its_place(size_bytes)

    def _list_keys(self) -> list[tuple[str, int]]:
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket)
        keys = []
        for page in pages:
            self._result.requests["ListObjectsV2"] += 1
            keys += [(entry["Key"], entry["Size"]) for entry in page["Contents"]]
        if len(keys) != self._object_count:
            raise BenchmarkBroken(f"the chain sees {len(keys)} of {self._object_count} objects")
        return keys

    def _put_filler(self) -> None:
        self._client.put_object(Bucket=SCRATCH, Key=self._scratch, Body=bytes(FILLER_BYTES))
        self._result.requests["PutObject"] += 1

    def _append(self, key: str, scratch_bytes: int, length_bytes: int) -> None:
        sources = [(SCRATCH, self._scratch, scratch_bytes), (self._bucket, key, length_bytes)]
        self._upload(
            SCRATCH,
            self._scratch,
            [{"CopySource": {"Bucket": bucket, "Key": name}} for bucket, name, _ in sources],
        )
        self._result.bytes_copied += scratch_bytes + length_bytes

    def _copy_to_its_place(self, size_bytes: int) -> None:
        byte_range = f"bytes={FILLER_BYTES}-{FILLER_BYTES + size_bytes - 1}"
        source = {"Bucket": SCRATCH, "Key": self._scratch}
        self._upload(
            DESTINATION, self._scratch, [{"CopySource": source, "CopySourceRange": byte_range}]
        )
        self._client.delete_object(**source)
        self._result.requests["DeleteObjects"] += 1
        self._result.bytes_copied += size_bytes

    def _check(self) -> None:
        """Not a part of the model: it only shows that it did its work."""
        stored = self._client.head_object(Bucket=DESTINATION, Key=self._scratch)["ContentLength"]
        if stored != self._size_bytes:
            raise BenchmarkBroken(f"the chain gathered {stored} bytes of {self._size_bytes}")

    def _upload(self, bucket: str, key: str, parts: list[dict[str, Any]]) -> None:
        upload = {
            "Bucket": bucket,
            "Key": key,
            "UploadId": self._client.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"],
        }
        copied = [
            {
                "PartNumber": number,
                "ETag": self._client.upload_part_copy(**upload, PartNumber=number, **part)[
                    "CopyPartResult"
                ]["ETag"],
            }
            for number, part in enumerate(parts, 1)
        ]
        self._client.complete_multipart_upload(**upload, MultipartUpload={"Parts": copied})
        self._result.requests.update(
            {"CreateMultipartUpload": 1, "UploadPartCopy": len(parts), "CompleteMultipartUpload": 1}
        )

    def _delete(self, keys: list[str]) -> None:
        found: list[dict[str, str]] = []
        for key in keys:
            answer = self._client.list_object_versions(Bucket=self._bucket, Prefix=key)
            found += [
                {"Key": entry["Key"], "VersionId": entry["VersionId"]}
                for entry in answer["Versions"]
            ]
            self._result.requests["ListObjectVersions"] += 1
        for start in range(0, len(found), 1000):
            self._client.delete_objects(
                Bucket=self._bucket, Delete={"Objects": found[start : start + 1000], "Quiet": True}
            )
            self._result.requests["DeleteObjects"] += 1


def _make_table() -> Table:
    columns = {"objects": ",d", "way": "", "seconds": "", "requests": ",d", "$ per million": ",.2f"}
    columns |= {"copied by S3, MB": ",.1f", "sent and received, MB": ",.1f"}
    return Table(
        f"This job against one multipart upload per log object, {LOG_SIZE_BYTES:,} bytes each",
        columns,
    )


def _add_rows(outcome: Outcome, count: int, chain: ChainResult, jobs: list[JobResult]) -> None:
    job = jobs[0]
    seconds = statistics.median(run.seconds for run in jobs)
    table, mark = outcome.tables[0], "~" if chain.is_extrapolated else ""
    for way, taken, requests, copied, moved in (
        ("chain", f"{mark}{chain.seconds:,.1f}", chain.requests, chain.bytes_copied, FILLER_BYTES),
        (
            "this job",
            f"{seconds:,.2f}",
            job.requests,
            job.bytes_copied,
            job.bytes_read + job.bytes_written,
        ),
    ):
        dollars = estimate_dollars(requests) / count * 1e6
        table.rows.append(
            (count, way, taken.rjust(7), sum(requests.values()), dollars, copied / 1e6, moved / 1e6)
        )
    ratio = f"{chain.seconds / seconds:,.0f} times"
    fewer = f"{sum(chain.requests.values()) / sum(job.requests.values()):.1f} times fewer"
    table.rows.append((None, f"{mark}faster", ratio, fewer, None, None, None))
    if count in SPEEDUP_MIN:
        what = f"{mark}speed against the chain, {count:,} objects"
        outcome.targets.append(
            Target(what, chain.seconds / seconds, SPEEDUP_MIN[count], "times", is_minimum=True)
        )

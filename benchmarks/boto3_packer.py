"""A packer as a good engineer would write it in an afternoon, with boto3 and threads. What this
program is measured against.

It lists the versions of a day's logs, reads them with a pool of threads, concatenates the gzip
members of each account into an object that it uploads in parts, compares the length of what S3
stored, and deletes exactly the versions that it read, looking at each error. It has no index, no
checksum of the whole, no ledger, and does not look into the gzip; so it does less than what it is
compared with.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from typing import Any

import boto3
from benchmarks.report import BenchmarkBroken
from benchmarks.stepclock import StepClock
from botocore.config import Config

PART_BYTES = 16 * 1024 * 1024
PAGE_COUNT = 1_000
GZIP = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class Version:
    key: str
    version_id: str
    size_bytes: int


class Boto3Packer:
    """Packs one day of one bucket. `requests` counts what S3 bills."""

    def __init__(self, server: Mapping[str, str], threads: int) -> None:
        self.requests: Counter[str] = Counter()
        self.clock = StepClock()
        self._threads = threads
        self._client = make_client(server, threads)
        self._client.meta.events.register("before-call.s3", self._count)

    def pack(self, bucket: str, destination: str, day: date) -> int:
        """Gives how many log objects were packed and deleted."""
        with self.clock.step("list"):
            groups = self.list_groups(bucket, day)
        with ThreadPoolExecutor(self._threads) as pool:
            for account, versions in groups.items():
                key = f"{bucket}/{account}/{day:%Y/%m/%d}.json.gz"
                with self.clock.step("read and pack"):
                    size_bytes = self._write(
                        destination, key, self.read_all(pool, bucket, versions)
                    )
                with self.clock.step("verify"):
                    self._check(destination, key, size_bytes)
                with self.clock.step("delete"):
                    self._delete(bucket, versions)
        return sum(map(len, groups.values()))

    def list_groups(self, bucket: str, day: date) -> dict[str, list[Version]]:
        """Account -> its versions of the day, in the order of their keys."""
        groups: dict[str, list[Version]] = defaultdict(list)
        for page in self._client.get_paginator("list_object_versions").paginate(Bucket=bucket):
            for entry in page.get("Versions", ()):
                if f"/{day:%Y/%m/%d}/" in entry["Key"]:
                    account = entry["Key"].split("/")[3]
                    groups[account].append(Version(entry["Key"], entry["VersionId"], entry["Size"]))
        return groups

    def read_all(
        self, pool: ThreadPoolExecutor, bucket: str, versions: Sequence[Version]
    ) -> Iterator[bytes]:
        """In order, and never more than a thousand ahead, so that memory is bounded."""
        for start in range(0, len(versions), PAGE_COUNT):
            yield from pool.map(
                lambda version: self._read(bucket, version), versions[start : start + PAGE_COUNT]
            )

    def _read(self, bucket: str, version: Version) -> bytes:
        body: bytes = self._client.get_object(
            Bucket=bucket, Key=version.key, VersionId=version.version_id
        )["Body"].read()
        if len(body) != version.size_bytes or not body.startswith(GZIP):
            raise BenchmarkBroken(f"{version.key}: not what was listed")
        return body

    def _write(self, bucket: str, key: str, bodies: Iterable[bytes]) -> int:
        buffer, size_bytes = bytearray(), 0
        parts: list[dict[str, Any]] = []
        place = {"Bucket": bucket, "Key": key}
        upload: dict[str, Any] = {}
        for body in bodies:
            buffer += body
            size_bytes += len(body)
            if len(buffer) >= PART_BYTES:
                upload = upload or {
                    **place,
                    "UploadId": self._client.create_multipart_upload(**place)["UploadId"],
                }
                parts.append(self._upload_part(upload, len(parts) + 1, buffer))
                buffer = bytearray()
        if not upload:
            self._client.put_object(**place, Body=bytes(buffer))
            return size_bytes
        if buffer:
            parts.append(self._upload_part(upload, len(parts) + 1, buffer))
        self._client.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
        return size_bytes

    def _upload_part(self, upload: dict[str, Any], number: int, data: bytearray) -> dict[str, Any]:
        return {
            "PartNumber": number,
            "ETag": self._client.upload_part(**upload, PartNumber=number, Body=bytes(data))["ETag"],
        }

    def _check(self, bucket: str, key: str, size_bytes: int) -> None:
        stored = self._client.head_object(Bucket=bucket, Key=key)["ContentLength"]
        if stored != size_bytes:
            raise BenchmarkBroken(f"{key}: {stored} bytes are stored, {size_bytes} were written")

    def _delete(self, bucket: str, versions: Sequence[Version]) -> None:
        for start in range(0, len(versions), PAGE_COUNT):
            entries = [
                {"Key": version.key, "VersionId": version.version_id}
                for version in versions[start : start + PAGE_COUNT]
            ]
            answer = self._client.delete_objects(
                Bucket=bucket, Delete={"Objects": entries, "Quiet": True}
            )
            if answer.get("Errors"):
                raise BenchmarkBroken(f"{len(answer['Errors'])} versions could not be deleted")

    def _count(self, model: Any, **_: object) -> None:
        self.requests[model.name] += 1


def make_client(server: Mapping[str, str], threads: int) -> Any:
    """A connection for each thread. All else is boto3's own choice."""
    return boto3.client(
        "s3",
        endpoint_url=server["endpoint_url"],
        region_name=server["region"],
        aws_access_key_id=server["access_key"],
        aws_secret_access_key=server["secret_key"],
        config=Config(
            max_pool_connections=threads,
            retries={"mode": "standard"},
            s3={"addressing_style": "path"},
        ),
    )

"""Uploading: the store contains what the report says, byte for byte and version for version."""

from __future__ import annotations

import hashlib
from itertools import chain
from typing import Any

import boto3
import pytest

from log_aggregator_lab.organisation.generate import Step, expected, generate, late, small
from log_aggregator_lab.organisation.synthetic import ManifestEntry
from log_aggregator_lab.servers.s3 import EmbeddedS3
from log_aggregator_lab.upload import create_buckets, upload

pytestmark = pytest.mark.server
SPEC = small(21).with_bucket_prefix("upload-")


def client_of(server: EmbeddedS3) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=server.endpoint_url,
        aws_access_key_id=server.access_key,
        aws_secret_access_key=server.secret_key,
        region_name="us-east-1",
    )


def stored_entries(client: Any, bucket: str) -> dict[tuple[str, str], tuple[Step, bool]]:
    """(key, version id) -> what it is, and whether it is the newest."""
    found: dict[tuple[str, str], tuple[Step, bool]] = {}
    for page in client.get_paginator("list_object_versions").paginate(Bucket=bucket):
        found |= {
            (version["Key"], version["VersionId"]): (Step.PUT, version["IsLatest"])
            for version in page.get("Versions", [])
        }
        found |= {
            (marker["Key"], marker["VersionId"]): (Step.DELETE, marker["IsLatest"])
            for marker in page.get("DeleteMarkers", [])
        }
    return found


def check_stored_body(client: Any, entry: ManifestEntry) -> None:
    version = {"VersionId": entry.version_id} if entry.version_id else {}
    answer = client.get_object(Bucket=entry.bucket, Key=entry.key, **version)
    assert hashlib.sha256(answer["Body"].read()).hexdigest() == entry.sha256, entry.key
    assert answer["Metadata"] == entry.metadata, entry.key
    assert answer.get("ContentEncoding") == entry.content_encoding, entry.key
    assert answer["ContentType"] == entry.content_type, entry.key
    assert answer["ETag"].strip('"') == entry.etag, entry.key


def test_the_store_matches_the_report(embedded_s3: EmbeddedS3) -> None:
    """Every entry of the report is in its bucket with its body, metadata and place among the
    versions, and nothing else is.
    """
    client = client_of(embedded_s3)
    create_buckets(SPEC, embedded_s3)
    steps_done: list[int] = []
    report = upload(
        generate(SPEC), embedded_s3, concurrency=4, progress=lambda done, _: steps_done.append(done)
    )
    late_report = upload(late(SPEC), embedded_s3)
    entries = [*report.entries, *late_report.entries]
    newest = {(entry.bucket, entry.key): entry.version_number for entry in entries}

    left = {bucket: stored_entries(client, bucket) for bucket in SPEC.buckets}
    for entry in entries:
        is_newest = newest[entry.bucket, entry.key] == entry.version_number
        assert left[entry.bucket].pop((entry.key, entry.version_id or "null")) == (
            entry.step,
            is_newest,
        ), entry.key
        if entry.step is Step.PUT:
            check_stored_body(client, entry)
    assert not any(left.values())

    assert [comparable(entry) for entry in entries] == [
        comparable(entry) for entry in chain(expected(SPEC), late_report.entries)
    ]
    assert (report.object_count, report.delete_marker_count) == (len(report.entries) - 2, 2)
    assert report.size_bytes == sum(entry.size_bytes for entry in report.entries)
    assert steps_done[-1] == len(report.entries)


def comparable(entry: ManifestEntry) -> tuple[object, ...]:
    return (
        entry.bucket,
        entry.key,
        entry.version_number,
        entry.step,
        entry.sha256,
        entry.size_bytes,
        tuple(entry.metadata.items()),
    )


def test_buckets_may_exist_already(embedded_s3: EmbeddedS3) -> None:
    """Creating the buckets twice changes nothing, and Control Tower's own two have versioning, the
    others not.
    """
    create_buckets(SPEC, embedded_s3)
    create_buckets(SPEC, embedded_s3)
    states = {
        bucket: client_of(embedded_s3).get_bucket_versioning(Bucket=bucket).get("Status")
        for bucket in SPEC.buckets
    }
    assert {bucket for bucket, state in states.items() if state == "Enabled"} == set(
        SPEC.versioned_buckets
    )


def test_a_failing_put_fails_the_upload(embedded_s3: EmbeddedS3) -> None:
    """Uploading to missing buckets raises what the client raises for NoSuchBucket, and does not
    report success.
    """
    with pytest.raises(FileNotFoundError):
        upload(generate(SPEC.with_bucket_prefix("none-")), embedded_s3, concurrency=2)


def test_entries_can_be_left_out(embedded_s3: EmbeddedS3) -> None:
    """Without entries the counts are the same, and the manifest takes no memory."""
    spec = SPEC.with_bucket_prefix("b-")
    create_buckets(spec, embedded_s3)
    report = upload(late(spec), embedded_s3, keep_entries=False)
    assert (report.entries, report.object_count) == ((), 4)

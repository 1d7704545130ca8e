"""The stand-in for S3 Batch Operations checks requests as AWS does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from log_aggregator.adapters.s3.hash_jobs import BatchHashJobs
from log_aggregator.core.evidence.at_rest import Algorithm
from log_aggregator.errors import StoreError
from log_aggregator.ports.hash_jobs import HashJobRequest
from log_aggregator_lab.servers.batch_operations import BatchOperations
from log_aggregator_lab.stores.at_rest import MemoryAtRest
from log_aggregator_lab.stores.memory import MemoryStore

ROLE = "arn:aws:iam::111122223333:role/hash"
REQUEST = HashJobRequest(
    "dest",
    "at-rest/c/sha256.csv",
    "etag",
    ("Bucket", "Key"),
    "at-rest/c/sha256",
    Algorithm.SHA256,
    ROLE,
    "token",
    "a check",
)


@pytest.fixture
def client() -> Iterator[Any]:
    store = MemoryStore()
    store.create_bucket("dest")
    with BatchOperations(MemoryAtRest(store)) as server:
        session = botocore.session.Session()
        session.set_credentials("AKIALAB", "secret")
        yield session.create_client(
            "s3control",
            region_name="eu-west-1",
            endpoint_url=server.endpoint_url,
            # the model's own checks would keep the wrong requests from being sent
            config=Config(parameter_validation=False, retries={"total_max_attempts": 1}),
        )


def leave_account_out(client: Any) -> BatchHashJobs:
    def change(params: dict[str, Any], **_: object) -> None:
        params["url"] = params["url"].replace("://111122223333.", "://", 1)

    client.meta.events.register("before-call.s3-control", change)
    return BatchHashJobs(client)


def test_a_valid_request_is_accepted(client: Any) -> None:
    jobs = leave_account_out(client)
    job_id = jobs.create(REQUEST)
    assert jobs.create(REQUEST) == job_id
    assert jobs.describe(ROLE, job_id).status == "New"


@pytest.mark.parametrize(
    "change",
    [
        {"Operation": {"S3ComputeObjectChecksum": {"ChecksumAlgorithm": "SHA3"}}},
        {"Operation": {"S3DeleteObjectTagging": {}}},
        {"RoleArn": "hash"},
        {"RoleArn": "arn:aws:iam::999999999999:role/hash"},
        {"ClientRequestToken": "x" * 65},
        {"Report": {"Enabled": True}},
        {"Report": {"Enabled": True, "Bucket": "dest", "Format": "Report_CSV_20180820"}},
    ],
    ids=["enum", "operation", "role", "other-account", "token", "report", "format"],
)
def test_a_request_outside_the_model_is_refused(client: Any, change: dict[str, Any]) -> None:
    leave_account_out(client)
    given: dict[str, Any] = {
        "AccountId": "111122223333",
        "Operation": {
            "S3ComputeObjectChecksum": {
                "ChecksumAlgorithm": "SHA256",
                "ChecksumType": "FULL_OBJECT",
            }
        },
        "Report": {
            "Enabled": True,
            "Bucket": "arn:aws:s3:::dest",
            "Format": "Report_CSV_20180820",
        },
        "Manifest": {
            "Spec": {"Format": "S3BatchOperations_CSV_20180820", "Fields": ["Bucket", "Key"]},
            "Location": {"ObjectArn": "arn:aws:s3:::dest/m.csv", "ETag": "e"},
        },
        "Priority": 1,
        "RoleArn": ROLE,
        "ClientRequestToken": "t",
    }
    with pytest.raises(ClientError):
        client.create_job(**(given | change))
    assert client.create_job(**given)["JobId"]


def test_a_different_request_with_the_same_token_is_refused(client: Any) -> None:
    jobs = leave_account_out(client)
    jobs.create(REQUEST)
    with pytest.raises(StoreError, match="IdempotencyException"):
        jobs.create(replace(REQUEST, bucket="other"))


def test_a_job_can_be_cancelled(client: Any) -> None:
    jobs = leave_account_out(client)
    job_id = jobs.create(REQUEST)
    client.update_job_status(AccountId="111122223333", JobId=job_id, RequestedJobStatus="Cancelled")
    assert jobs.describe(ROLE, job_id).status == "Cancelled"

"""Jobs of S3 Batch Operations that compute checksums, by way of S3 Control.

A job belongs to the account of the role that it works with. That must be the caller's account,
because a role of another account cannot be passed
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/batch-ops-iam-role-policies.html).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from log_aggregator.adapters.s3.clients import ClientSettings, make_clients, make_service_client
from log_aggregator.adapters.s3.inspection import service_errors
from log_aggregator.adapters.s3.regions import is_aws
from log_aggregator.core.evidence.batch import MANIFEST_FORMAT, REPORT_FORMAT
from log_aggregator.errors import BadConfiguration, NotFound, StoreError
from log_aggregator.ports.hash_jobs import HashJob, HashJobRequest, JobPhase

PHASES: Mapping[str, JobPhase] = {
    "Complete": JobPhase.COMPLETE,
    "Failed": JobPhase.FAILED,
    "Cancelled": JobPhase.FAILED,
    "Suspended": JobPhase.ASLEEP,
    "Paused": JobPhase.ASLEEP,
}
"""All other states change without our help
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/batch-ops-job-status.html)."""

PRIORITY = 10
"""Required by CreateJob. It only matters among the jobs of one account."""
LOST_CODES = frozenset({"NoSuchJobException", "NoSuchJob", "NotFoundException", "NotFound", "404"})


class BatchHashJobs:
    """Implements `log_aggregator.ports.hash_jobs.HashJobs`."""

    def __init__(self, client: Any, partition: str = "aws") -> None:
        self._client = client
        self._partition = partition

    @classmethod
    def connect(cls, settings: ClientSettings) -> BatchHashJobs:
        """Raises BadConfiguration if there are no credentials, or if the S3 server is not AWS:
        others have no Batch Operations, unless AWS_ENDPOINT_URL_S3_CONTROL names one that has.
        """
        clients = make_clients(settings)
        s3_endpoint_url = str(clients.s3.meta.endpoint_url)
        own = replace(settings, region=clients.region, endpoint_url=None)
        client = make_service_client(clients.session, "s3control", own, s3_endpoint_url)
        if str(client.meta.endpoint_url) == s3_endpoint_url:
            raise BadConfiguration(
                f"{s3_endpoint_url} is not AWS and has no S3 Batch Operations, which hash packs at "
                "rest; set AWS_ENDPOINT_URL_S3_CONTROL if another server has them"
            )
        if not is_aws(str(client.meta.endpoint_url)):
            client.meta.events.register("before-call.s3-control", _leave_account_out)
        return cls(client, str(client.meta.partition))

    def create(self, request: HashJobRequest) -> str:
        """https://docs.aws.amazon.com/AmazonS3/latest/API/API_control_CreateJob.html."""
        bucket_arn = f"arn:{self._partition}:s3:::{request.bucket}"
        with service_errors("CreateJob", f"s3://{request.bucket}/{request.manifest_key}"):
            answer = self._client.create_job(
                AccountId=account_of(request.role_arn),
                ConfirmationRequired=False,
                Operation={
                    "S3ComputeObjectChecksum": {
                        "ChecksumAlgorithm": request.algorithm.value,
                        "ChecksumType": "FULL_OBJECT",
                    }
                },
                Manifest={
                    "Spec": {"Format": MANIFEST_FORMAT, "Fields": list(request.manifest_fields)},
                    "Location": {
                        "ObjectArn": f"{bucket_arn}/{request.manifest_key}",
                        "ETag": request.manifest_etag,
                    },
                },
                Report={
                    "Enabled": True,
                    "Bucket": bucket_arn,
                    "Format": REPORT_FORMAT,
                    "Prefix": request.report_prefix,
                    "ReportScope": "AllTasks",
                },
                Priority=PRIORITY,
                RoleArn=request.role_arn,
                ClientRequestToken=request.token,
                Description=request.description,
            )
            return str(answer["JobId"])

    def describe(self, role_arn: str, job_id: str) -> HashJob:
        """https://docs.aws.amazon.com/AmazonS3/latest/API/API_control_DescribeJob.html."""
        with _naming_lost_jobs(), service_errors("DescribeJob", job_id):
            job = self._client.describe_job(AccountId=account_of(role_arn), JobId=job_id)["Job"]
            progress = job.get("ProgressSummary") or {}
            return HashJob(
                str(job["JobId"]),
                str(job["Status"]),
                PHASES.get(job["Status"], JobPhase.UNDER_WAY),
                int(progress.get("TotalNumberOfTasks") or 0),
                int(progress.get("NumberOfTasksSucceeded") or 0),
                int(progress.get("NumberOfTasksFailed") or 0),
                _explain(job),
            )


@contextlib.contextmanager
def _naming_lost_jobs() -> Iterator[None]:
    try:
        yield
    except StoreError as error:
        if error.code in LOST_CODES:
            raise NotFound(str(error), code=error.code, operation=error.operation) from error
        raise


def account_of(role_arn: str) -> str:
    """`arn:<partition>:iam::<account>:role/<name>`."""
    return role_arn.split(":")[4]


def _leave_account_out(params: dict[str, Any], **_: object) -> None:
    """Botocore's endpoint rules put the account in front of the host name, which only AWS's DNS can
    resolve. The account is also in a header.
    """
    account = params["headers"].get("x-amz-account-id", "")
    params["url"] = params["url"].replace(f"://{account}.", "://", 1)


def _explain(job: Mapping[str, Any]) -> str:
    reasons = [
        f"{each.get('FailureCode', '')}: {each.get('FailureReason', '')}"
        for each in job.get("FailureReasons") or ()
    ]
    told = [job.get("StatusUpdateReason"), job.get("SuspendedCause")]
    return "; ".join([*reasons, *(text for text in told if text)])

"""How S3 Batch Operations is found and called: by botocore's rules."""

from __future__ import annotations

import botocore.session
import pytest

from log_aggregator.adapters.s3.hash_jobs import PHASES, account_of
from log_aggregator.errors import CannotStart
from log_aggregator.ports.hash_jobs import JobPhase
from log_aggregator.wiring import Connection, connect_hash_jobs

KEYS = {"access_key": "AKIALAB", "secret_key": "secret", "region": "eu-west-1"}


def test_with_another_s3_server_there_are_no_hash_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A private server's credentials are never shown to AWS."""
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3_CONTROL", raising=False)
    with pytest.raises(CannotStart, match="AWS_ENDPOINT_URL_S3_CONTROL"):
        connect_hash_jobs(Connection(endpoint_url="http://127.0.0.1:9", **KEYS))


def test_at_aws_the_host_names_the_account(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_S3_CONTROL"):
        monkeypatch.delenv(name, raising=False)
    jobs = connect_hash_jobs(Connection(**KEYS))
    urls: list[str] = []

    def note(request: object, **_: object) -> None:
        urls.append(str(request.url))  # type: ignore[attr-defined]
        raise RuntimeError("not sent")

    jobs._client.meta.events.register("before-send.s3-control", note)
    with pytest.raises(RuntimeError, match="not sent"):
        jobs.describe("arn:aws:iam::111122223333:role/hash", "job-1")
    assert urls == ["https://111122223333.s3-control.eu-west-1.amazonaws.com/v20180820/jobs/job-1"]


def test_the_job_belongs_to_the_account_of_its_role() -> None:
    assert account_of("arn:aws-us-gov:iam::111122223333:role/path/hash") == "111122223333"


def test_only_finished_jobs_are_over() -> None:
    """Every state that this program uses exists in the service."""
    model = botocore.session.Session().get_service_model("s3control")
    assert set(PHASES) < set(model.shape_for("JobStatus").enum)
    assert [name for name, phase in PHASES.items() if phase is JobPhase.COMPLETE] == ["Complete"]
    ended = [name for name, phase in PHASES.items() if phase is JobPhase.FAILED]
    assert ended == ["Failed", "Cancelled"]

"""The bucket that `init` suggests, made by the AWS CLI with exactly the commands that it prints:
the doctor finds nothing wrong.

The local AWS does not enforce permissions here: over plain http the bucket's own policy would
refuse everything.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.local_aws import ACCOUNT, LocalAws
from tests.support.waiting import SECONDS_MAX
from tests.support.world import flow_key, trail_key

MAIN = f"aws-controltower-logs-{ACCOUNT}-eu-west-1"
RUNNER = f"arn:aws:iam::{ACCOUNT}:role/aggregator"
PACKS = "my-packs"


@pytest.fixture
def logs(aws: LocalAws) -> None:
    s3 = aws.client("s3")
    for bucket, key in ((MAIN, trail_key(1)), ("flow", flow_key("a.log.gz"))):
        s3.create_bucket(
            Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": aws.region}
        )
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")


def call(aws: LocalAws, folder: Path, program: list[str], *arguments: str) -> str:
    done = subprocess.run(
        [*program, *arguments],
        cwd=folder,
        env=aws.environment | {"PYTHONPATH": ":".join(sys.path)},
        text=True,
        capture_output=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert done.returncode == 0, f"{arguments}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.usefixtures("logs")
def test_the_doctor_approves_of_a_bucket_made_by_the_printed_commands(
    aws: LocalAws, tmp_path: Path
) -> None:
    """With versions, a lock, rules and a policy; the settings file can be read by the doctor and a
    plan.
    """
    own = [sys.executable, "-m", "log_aggregator"]
    options = ["--destination-bucket", PACKS, "--runner-arn", RUNNER]
    options += ["--object-lock", "GOVERNANCE", "--object-lock-days", "30"]
    described = json.loads(call(aws, tmp_path, own, "init", "--json", *options))
    assert [each["name"] for each in described["buckets"] if each["taken"]] == [MAIN, "flow"]
    assert described["account"] == ACCOUNT

    aws_cli = [str(Path(sys.executable).with_name("aws"))]
    for line in described["destination"]["commands"]:
        program, *words = shlex.split(line)
        assert program == "aws"
        call(aws, tmp_path, aws_cli, *words)
    findings = json.loads(call(aws, tmp_path, own, "doctor", "--json"))["findings"]
    worse = [each for each in of_bucket(findings) if each["level"] in ("warning", "problem")]
    assert [each["check"] for each in worse if each["check"] not in UNDECIDED] == []
    seen = {each["check"]: each["seen"] for each in of_bucket(findings)}
    assert "GOVERNANCE" in seen["object-lock"]
    assert {"versioning", "public-access", "lifecycle-abort", "encryption"} <= set(seen)
    policy = json.loads(aws.client("s3").get_bucket_policy(Bucket=PACKS)["Policy"])
    sids = [each["Sid"] for each in policy["Statement"]]
    assert sids == ["TlsOnly", "PacksAreWrittenOnce", "NeverDeletePacks"]
    call(aws, tmp_path, own, "plan", "--date", "2025-04-03")

    again = json.loads(call(aws, tmp_path, own, "init", "--json", "--force", *options[:2]))
    assert again["destination"]["is_made"]
    assert again["destination"]["commands"] == []


UNDECIDED = {"packs-kept"}
"""The root user, who asks here, may do everything."""


def of_bucket(findings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [each for each in findings if f"s3://{PACKS}" in each["where"]]

"""./deploy against the local AWS, as called by a user."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from tests.e2e.building import Machine
from tests.e2e.local_aws import ROOT, LocalAws
from tests.e2e.site import one_day
from tests.support.waiting import SECONDS_MAX

from log_aggregator_lab.upload import create_buckets

STACK = "dry"


@pytest.fixture
def config(aws: LocalAws, tmp_path: Path) -> Path:
    """samconfig.toml made from the example file, with existing buckets."""
    spec = one_day()
    create_buckets(spec, aws)
    text = (ROOT / "samconfig.toml.example").read_text(encoding="utf-8")
    text = text.replace('stack_name = "log-aggregator"', f'stack_name = "{STACK}"').replace(
        'OtherBuckets = ""', 'OtherBuckets = "example-*"'
    )
    assert spec.control_tower_bucket in text, "the example's bucket is the synthetic organisation's"
    path = tmp_path / "samconfig.toml"
    path.write_text(text, encoding="utf-8")
    return path


def deploy(aws: LocalAws, machine: Machine, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = aws.environment | {
        "LAMBDA_PYTHON": machine.python,
        "LAMBDA_ARCHITECTURE": machine.architecture,
    }
    command = [str(ROOT / "deploy"), *arguments]
    return subprocess.run(
        command,
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )


def test_dry_run_prints_a_change_set_and_leaves_nothing(
    aws: LocalAws, machine: Machine, config: Path
) -> None:
    """Every resource is announced; afterwards there is no stack, no change set and no new bucket
    except the one for the functions' code.
    """
    buckets = _buckets(aws)
    done = deploy(aws, machine, "--dry-run", "--config-file", str(config))
    assert done.returncode == 0, done.stdout + done.stderr
    for name in (
        "CombineLogFilesSM",
        "ProcessHistoricalMainLogsSM",
        "CommonDestinationBucket",
        "DeleteFunction",
        "DeleteFunctionRole",
    ):
        assert name in done.stdout
    cloudformation = aws.client("cloudformation")
    assert [stack["StackName"] for stack in cloudformation.describe_stacks()["Stacks"]] == [
        "aws-sam-cli-managed-default"
    ]
    assert [
        name
        for name in _buckets(aws) - buckets
        if not name.startswith("aws-sam-cli-managed-default")
    ] == []


def test_a_missing_bucket_is_reported(aws: LocalAws, machine: Machine, config: Path) -> None:
    """It is named, the exit code is that of a wrong setting, and nothing was built or touched."""
    done = deploy(
        aws,
        machine,
        "--dry-run",
        "--config-file",
        str(config),
        "--parameter",
        "ControlTowerBucket=aws-controltower-logs-no-such",
    )
    assert done.returncode == 2
    assert "s3://aws-controltower-logs-no-such: there is no such bucket" in done.stderr
    assert "sam build" not in done.stderr


def _buckets(aws: LocalAws) -> set[str]:
    return {bucket["Name"] for bucket in aws.client("s3").list_buckets()["Buckets"]}

"""The command as a whole: what it asks for, what it hands on, what it ends with."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import boto3
import pytest
from tests.support.waiting import SECONDS_MAX

from deployment import command
from deployment.account import Account
from deployment.command import build_environment, parse_arguments
from deployment.configuration import Configuration
from deployment.stack import Stack
from deployment.template import Template
from log_aggregator.errors import SettingsError

ROOT = Path(__file__).parents[3]
ACCOUNT = Account(boto3.Session(), "eu-west-1", "111122223333", "arn")
TEMPLATE = Template(Path("template.yaml"), {"Architecture": "arm64"}, "3.12")


def deploy(
    *arguments: str, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """In a process of its own, without a terminal, an AWS configuration or a network."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    variables |= {
        "PYTHONPATH": str(ROOT),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": "/nonexistent",
    }
    variables |= {"AWS_SHARED_CREDENTIALS_FILE": "/nonexistent", **(environment or {})}
    command = [sys.executable, "-m", "deployment", *arguments]
    return subprocess.run(
        command,
        env=variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )


def with_sam(tmp_path: Path) -> dict[str, str]:
    """A SAM CLI that only knows its version."""
    program = tmp_path / "sam"
    program.write_text('#!/bin/sh\necho "SAM CLI, version 1.170.0"\n', encoding="utf-8")
    program.chmod(0o755)
    return {"PATH": f"{tmp_path}:{os.environ['PATH']}"}


def write_settings(tmp_path: Path) -> Path:
    path = tmp_path / "samconfig.toml"
    path.write_text(
        'version = 0.1\n[default.global.parameters]\nregion = "eu-west-1"\n'
        '[default.deploy.parameters]\nparameter_overrides = "ControlTowerBucket=main"\n',
        encoding="utf-8",
    )
    return path


def check(done: subprocess.CompletedProcess[str], code: int, texts: Sequence[str]) -> None:
    """Speech goes to standard error, no traceback."""
    assert done.returncode == code, done.stderr
    for text in texts:
        assert text in done.stderr
    assert "Traceback" not in done.stderr
    assert not done.stdout


def test_without_a_terminal_nothing_is_deployed_unasked(tmp_path: Path) -> None:
    """Before anything is built."""
    check(
        deploy("--config-file", str(write_settings(tmp_path)), environment=with_sam(tmp_path)),
        2,
        ["--yes", "--dry-run"],
    )


def test_without_settings_it_says_how_to_make_them(tmp_path: Path) -> None:
    check(
        deploy(
            "--dry-run",
            "--config-file",
            str(tmp_path / "none.toml"),
            environment=with_sam(tmp_path),
        ),
        2,
        ["cp samconfig.toml.example"],
    )


def test_without_credentials_it_says_how_to_log_in(tmp_path: Path) -> None:
    check(
        deploy(
            "--dry-run",
            "--config-file",
            str(write_settings(tmp_path)),
            environment=with_sam(tmp_path),
        ),
        3,
        ["no AWS credentials", "aws sso login"],
    )


def test_a_parameter_that_there_is_not_is_refused(tmp_path: Path) -> None:
    done = deploy(
        "--dry-run",
        "--config-file",
        str(write_settings(tmp_path)),
        "--parameter",
        "Nonsense=1",
        environment=with_sam(tmp_path),
    )
    check(done, 2, ["Nonsense: the template has no such parameter"])


def test_what_does_not_fit_is_refused_before_anything_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """IAM and Lambda would refuse it after half of the stack is made."""
    names = ",".join(f"{'application-load-balancer-logs-of-':x<60}{n:03}" for n in range(60))
    monkeypatch.setattr(command, "find_sam", lambda _: "sam")
    monkeypatch.setattr(command, "connect", lambda *_: ACCOUNT)
    monkeypatch.setattr(command, "read_stack", lambda *_: Stack("logs"))
    wishes = command.Wishes(
        dry_run=True,
        config_file=write_settings(tmp_path),
        parameters={"OtherBuckets": names},
    )
    with pytest.raises(SettingsError, match=r"OtherBuckets.*a beginning that ends in"):
        command.run(wishes)


def test_a_wrong_option_is_an_error_of_the_settings() -> None:
    check(deploy("--nonsense"), 2, ["--nonsense"])


def test_values_of_parameters_are_taken_as_they_are() -> None:
    """The shell has taken its quotes off; blanks, quotes and = belong to the value."""
    assert parse_arguments(('Holds={"accounts": []}', "A=b=c", "Empty=")) == {
        "Holds": '{"accounts": []}',
        "A": "b=c",
        "Empty": "",
    }
    with pytest.raises(SettingsError, match="KEY=VALUE"):
        parse_arguments(("Holds",))


def test_wheels_are_for_the_template_s_runtime_and_the_parameter_s_processor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """So that code and function never differ; our own environment wins, for emulators."""
    for name in ("LAMBDA_PYTHON", "LAMBDA_ARCHITECTURE"):
        monkeypatch.delenv(name, raising=False)
    found = build_environment(
        TEMPLATE, {"Architecture": "x86_64"}, ACCOUNT, Configuration(profile="logs")
    )
    assert found == {
        "AWS_DEFAULT_REGION": "eu-west-1",
        "LAMBDA_PYTHON": "3.12",
        "LAMBDA_ARCHITECTURE": "x86_64",
        "AWS_PROFILE": "logs",
    }
    monkeypatch.setenv("LAMBDA_PYTHON", "3.11")
    assert build_environment(TEMPLATE, {}, ACCOUNT, Configuration())["LAMBDA_PYTHON"] == "3.11"

"""The whole command: what it asks, what it passes on, and how it ends."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.support.account import FakeAccount
from tests.support.hostile import HOSTILE, TYPED, find_harm
from tests.support.waiting import SECONDS_MAX
from tests.unit.deployment.fake_cloudformation import MINE, OTHERS, FakeCloudFormation, refuse
from tests.unit.deployment.test_checks import FakeSession

from deployment import __main__ as entry
from deployment import command, samcli
from deployment.checks import Account, Plan
from deployment.command import change, parse_arguments, render_arguments
from deployment.configuration import Configuration
from deployment.errors import DeploymentFailed
from deployment.stack import Stack
from log_aggregator.errors import Interrupted, SettingsError
from log_aggregator.wiring import Connection

ROOT = Path(__file__).parents[3]
DRY = ("deploy", "--no-execute-changeset")


def deploy(*arguments: str, path: Path) -> subprocess.CompletedProcess[str]:
    """Run in a new process without terminal, AWS configuration or network, with a SAM CLI that only
    knows its version.
    """
    program = path / "sam"
    program.write_text('#!/bin/sh\necho "SAM CLI, version 1.170.0"\n', encoding="utf-8")
    program.chmod(0o755)
    variables = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    variables |= {
        "PATH": f"{path}:{os.environ['PATH']}",
        "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": "/nonexistent",
        "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
    }
    return subprocess.run(
        [sys.executable, "-m", "deployment", *arguments],
        env=variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    path = tmp_path / "samconfig.toml"
    path.write_text('[default.global.parameters]\nregion = "eu-west-1"\n', encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("arguments", "code", "texts"),
    [
        (["--config-file", "{settings}"], 2, ["--yes", "--dry-run"]),
        (["--dry-run", "--config-file", "none.toml"], 2, ["cp samconfig.toml.example"]),
        (["--dry-run", "--config-file", "{settings}"], 3, ["no AWS credentials", "--profile"]),
        (["--nonsense"], 2, ["--nonsense"]),
    ],
    ids=["no terminal", "no settings", "no credentials", "no such option"],
)
def test_common_mistakes_are_explained(
    arguments: Sequence[str], code: int, texts: Sequence[str], settings: Path
) -> None:
    """Messages go to standard error, without a traceback."""
    done = deploy(*(each.format(settings=settings) for each in arguments), path=settings.parent)
    assert done.returncode == code, done.stderr
    assert [text for text in texts if text not in done.stderr] == []
    assert "Traceback" not in done.stderr
    assert not done.stdout


def test_parameter_values_are_taken_unchanged() -> None:
    """The shell has removed its quotes; blanks, quotes and = belong to the value."""
    assert parse_arguments(('Holds={"accounts": []}', "A=b=c", "Empty=")) == {
        "Holds": '{"accounts": []}',
        "A": "b=c",
        "Empty": "",
    }
    with pytest.raises(SettingsError, match="NAME=VALUE"):
        parse_arguments(("Holds",))


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a repository in which sam has built."""
    (tmp_path / ".aws-sam").mkdir()
    monkeypatch.setattr(command, "ROOT", tmp_path)
    return tmp_path


def test_sam_is_told_what_the_file_leaves_out(root: Path) -> None:
    """Parameter values are passed in a file, so that none can be misread."""
    values = {"Holds": '{"a": [1, 2]}', "Name": "two words"}
    configuration = Configuration(Path("c.toml"), {}, "logs", "eu-west-1", "audit", values)
    given = render_arguments(configuration, "eu-west-1", "--no-execute-changeset")
    for pair in (
        ("--config-file", "c.toml"),
        ("--stack-name", "logs"),
        ("--region", "eu-west-1"),
        ("--profile", "audit"),
        ("--s3-prefix", "logs"),
        ("--no-confirm-changeset", "--no-execute-changeset"),
        ("--capabilities", "CAPABILITY_IAM"),
    ):
        assert given[given.index(pair[0]) + 1] == pair[1]
    assert "--resolve-s3" in given
    path = given[given.index("--parameter-overrides") + 1].removeprefix("file://")
    assert json.loads(Path(path).read_text(encoding="utf-8")) == values


def test_settings_in_the_file_are_left_to_sam(root: Path) -> None:
    """sam refuses --resolve-s3 together with a bucket."""
    settings = {"s3_bucket": "b", "s3_prefix": "p", "capabilities": ["CAPABILITY_NAMED_IAM"]}
    given = render_arguments(Configuration(Path("c.toml"), settings), "eu-west-1", "")
    assert {"--resolve-s3", "--s3-prefix", "--capabilities", "--profile"} & set(given) == set()


@pytest.mark.parametrize(
    ("how", "asks"), [("", False), ("--no-execute-changeset", False), ("--confirm-changeset", True)]
)
def test_a_deployment_without_yes_asks(root: Path, how: str, asks: bool) -> None:
    """samconfig.toml does not change that."""
    given = render_arguments(Configuration(Path("c.toml")), "eu-west-1", how)
    assert ("--confirm-changeset" in given) is asks
    assert ("--no-confirm-changeset" in given) is not asks


Sam = Callable[[], None]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Change a stack with a fake sam."""

    def run(cloudformation: FakeCloudFormation, sam: Sam, *arguments: str) -> None:
        monkeypatch.setattr(samcli, "run", lambda *_, **__: sam())
        session: Any = FakeSession(cloudformation)
        account = Account(Connection(), session, FakeAccount(), FakeAccount().caller)
        change(Plan(account, Stack("logs", cloudformation.status), {}), "sam", arguments)

    return run


def test_a_dry_run_warns_and_leaves_nothing(
    call: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    """Replacements are on standard output, like sam's table."""
    bucket = {"Action": "Remove", "LogicalResourceId": "B", "ResourceType": "AWS::S3::Bucket"}
    cloudformation = FakeCloudFormation(changes=[bucket])
    call(cloudformation, cloudformation.make_change_set, *DRY)
    assert cloudformation.calls == [f"delete {MINE}", "delete logs"]
    said = capsys.readouterr()
    assert "WARNING: B (AWS::S3::Bucket) is removed" in said.out
    assert "nothing was changed" in said.err


def test_other_change_sets_stay(call: Callable[..., None]) -> None:
    cloudformation = FakeCloudFormation("CREATE_COMPLETE", change_sets={OTHERS: "AVAILABLE"})
    call(cloudformation, cloudformation.make_change_set, *DRY)
    assert cloudformation.calls == [f"delete {MINE}"]


def test_a_deployed_stack_is_not_touched(
    call: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    cloudformation = FakeCloudFormation()

    def execute() -> None:
        cloudformation.make_change_set("EXECUTE_COMPLETE")
        cloudformation.status = "CREATE_COMPLETE"

    call(cloudformation, execute, "deploy", "--confirm-changeset")
    assert cloudformation.calls == []
    assert "done. See what the next run will do" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (DeploymentFailed("no"), DeploymentFailed("no")),
        (KeyboardInterrupt(), Interrupted("stopped; the change set was removed again")),
    ],
    ids=["it failed", "ctrl-C"],
)
def test_an_abort_leaves_nothing(
    call: Callable[..., None], error: BaseException, expected: Exception
) -> None:
    """This covers any end before the change set was executed."""
    cloudformation = FakeCloudFormation()

    def fail() -> None:
        cloudformation.make_change_set()
        raise error

    with pytest.raises(type(expected), match=str(expected)):
        call(cloudformation, fail, "deploy", "--confirm-changeset")
    assert cloudformation.calls == [f"delete {MINE}", "delete logs"]


def test_interrupting_the_wait_does_not_stop_the_deployment(call: Callable[..., None]) -> None:
    """Stopping to watch stops nothing else."""
    cloudformation = FakeCloudFormation()

    def stop() -> None:
        cloudformation.make_change_set("EXECUTE_IN_PROGRESS")
        cloudformation.status = "CREATE_IN_PROGRESS"
        raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="it continues in CloudFormation"):
        call(cloudformation, stop, "deploy")
    assert cloudformation.calls == []


def test_an_aws_error_gives_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The message is botocore's, and the exit code is that of a failed start."""

    def fail(**_: Any) -> None:
        raise refuse("AccessDenied", "you may not", "DescribeStacks")

    monkeypatch.setattr(command.deploy, "main", fail)
    monkeypatch.setattr(entry, "on_stop", lambda _: None)
    with pytest.raises(SystemExit) as caught:
        entry.main()
    assert caught.value.code == 3
    assert "the DescribeStacks operation: you may not" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [[f"--{TYPED}"], [TYPED], ["--parameter", TYPED], ["--config-file", TYPED]]
)
def test_hostile_arguments_are_escaped(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: list[str]
) -> None:
    """Typed text and error messages are escaped."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    out, err = io.StringIO(), io.StringIO()
    for name, value in (("argv", ["./deploy", "--yes", *arguments]), ("stdout", out)):
        monkeypatch.setattr(sys, name, value)
    monkeypatch.setattr(sys, "stderr", err)
    monkeypatch.setattr(entry, "on_stop", lambda _: None)
    monkeypatch.setattr(samcli, "find_sam", lambda _: "sam")
    monkeypatch.setattr(command, "check", lambda _: (_ for _ in ()).throw(SettingsError(HOSTILE)))
    with pytest.raises(SystemExit):
        entry.main()
    assert find_harm(out.getvalue() + err.getvalue()) == []
    assert err.getvalue() != ""

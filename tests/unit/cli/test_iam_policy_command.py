"""The `iam-policy` command."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from tests.support.account import FakeAccount, FakeBucket

from log_aggregator import wiring
from log_aggregator.cli import commands, iam_policy
from log_aggregator.core.policies import MANAGED_POLICY_CHARACTERS_MAX, count_characters
from log_aggregator.errors import SettingsError
from log_aggregator.ports.account import BucketEncryption, BucketVersioning

ROOT = Path(__file__).parents[3]
KEY = "arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-0000-0000-000000000000"
MANY = ",".join(f"example-bucket-with-quite-a-long-name-of-its-own-{n:03}" for n in range(120))

Call = Callable[..., Result]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Call:
    """Call it in an empty folder without a terminal."""
    monkeypatch.chdir(tmp_path)
    for name in ("connect", "connect_store", "connect_inspector"):
        monkeypatch.setattr(wiring, name, refuse)
    monkeypatch.setattr(iam_policy, "connect_inspector", refuse)

    def run(*arguments: str, buckets: str = "logs") -> Result:
        words = ["iam-policy", *arguments, "--other-buckets", buckets]
        done = CliRunner().invoke(
            commands, [*words, "--destination-bucket", "dest"], standalone_mode=False
        )
        if done.exception is not None:
            raise done.exception
        return done

    return run


def refuse(*_: object) -> Any:
    raise AssertionError("it asks somebody")


def test_standard_output_is_only_the_policy(call: Call) -> None:
    """It can be redirected to a file; what the policy does not cover goes to standard error."""
    done = call("--stage", "pack", "--stage", "delete")
    document = json.loads(done.stdout)
    assert document["Version"] == "2012-10-17"
    assert {each["Sid"] for each in document["Statement"]} >= {"WritePacks", "DeleteVersions"}
    assert "--source-kms-key-arn" in done.stderr
    assert "needs --stage pack too" not in done.stderr
    assert "needs --stage pack too" in call("--stage", "delete").stderr


def test_kms_keys_are_granted(call: Call) -> None:
    done = call("--stage", "pack", "--source-kms-key-arn", KEY, "--kms-key-id", KEY)
    statements = {each["Sid"]: each for each in json.loads(done.stdout)["Statement"]}
    assert statements["DecryptSources"]["Resource"] == KEY
    assert statements["EncryptPacks"]["Action"] == ["kms:GenerateDataKey", "kms:Decrypt"]
    assert "kms" not in done.stderr
    aliased = call("--stage", "pack", "--kms-key-id", "alias/packs")
    assert "EncryptPacks" not in aliased.stdout
    assert "'alias/packs' is not the ARN of a key" in aliased.stderr


def test_examining_buckets_narrows_the_policy(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """Permissions that S3 does not answer for are granted and reported."""
    account = FakeAccount({name: FakeBucket() for name in ("logs", "flow", "dest")})
    account.buckets["flow"].versioning = BucketVersioning(None)
    account.buckets["dest"].encryption = BucketEncryption("aws:kms", KEY, has_bucket_key=True)
    monkeypatch.setattr(iam_policy, "connect_inspector", lambda *_: account)
    done = call("--stage", "delete", "--look", buckets="logs,flow,lo*")
    statements = {each["Sid"]: each for each in json.loads(done.stdout)["Statement"]}
    logs, flow, beginning = (f"arn:aws:s3:::{name}/*" for name in ("logs", "flow", "lo*"))
    assert statements["DeleteVersions"]["Resource"] == [logs, beginning]
    assert statements["DeleteUnversioned"]["Resource"] == [flow, beginning]
    assert statements["EncryptPacks"]["Resource"] == KEY
    assert "not known whether lo* " in done.stderr
    only = call("--stage", "delete", "--look", buckets="logs").stdout
    assert "DeleteUnversioned" not in only
    assert "probes" not in only
    account.deny("GetBucketVersioning")
    denied = call("--stage", "delete", "--look", buckets="logs")
    assert "DeleteUnversioned" in denied.stdout
    assert "Grant s3:GetBucketVersioning" in denied.stderr


def test_a_long_policy_becomes_several_files(call: Call, tmp_path: Path) -> None:
    """Each is short enough; none goes to standard output, where half a policy would look
    complete.
    """
    with pytest.raises(SettingsError, match=r"would be too long.*--directory"):
        call("--stage", "delete", buckets=MANY)
    done = call("--stage", "delete", "--directory", "made", buckets=MANY)
    files = sorted((tmp_path / "made").iterdir())
    assert len(files) > 2
    assert [Path(line) for line in done.stdout.splitlines()] == [
        Path("made") / file.name for file in files
    ]
    for file in files:
        document = json.loads(file.read_text())
        assert count_characters(document) <= MANAGED_POLICY_CHARACTERS_MAX


def test_no_file_is_overwritten(call: Call, tmp_path: Path) -> None:
    """A file is overwritten only on request."""
    call("--stage", "read", "--directory", "made")
    file = tmp_path / "made" / "log-aggregator-read.json"
    file.write_text("mine")
    with pytest.raises(SettingsError, match="exists already; --force"):
        call("--stage", "read", "--directory", "made")
    assert file.read_text() == "mine"
    call("--stage", "read", "--directory", "made", "--force")
    assert json.loads(file.read_text())["Statement"]


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((), click.MissingParameter, "stages"),
        (("--stage", "everything"), click.BadParameter, "everything"),
        (("--stage", "pack", "--force"), SettingsError, "only with --directory"),
        (("--stage", "pack", "--source-kms-key-arn", "alias/x"), SettingsError, "ARN of a key"),
        (("--stage", "pack", "--target-kms-key-arn", "x"), SettingsError, "--target-kms-key-arn"),
    ],
)
def test_wrong_arguments_are_refused(
    call: Call, arguments: tuple[str, ...], error: type[Exception], words: str
) -> None:
    with pytest.raises(error) as raised:
        call(*arguments)
    assert words in str(raised.value)


def test_the_fields_are_documented(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    json_fields = importlib.import_module("reference_pages.json_fields")
    described = json.loads(
        call("--stage", "pack", "--directory", "made", "--json", buckets=MANY).stdout
    )
    assert len(described["policies"]) > 1
    for policy in described["policies"]:
        assert policy["characters"] == count_characters(policy["document"])
        policy["document"] = None
    assert set(json_fields.flatten(described)) == set(json_fields.json_fields("iam-policy"))

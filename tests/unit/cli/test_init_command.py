"""The `init` command, with and without questions."""

from __future__ import annotations

import importlib
import json
import shlex
import tomllib
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from tests.support.account import ACCOUNT
from tests.support.landing import KEY, MAIN, Landing
from tests.support.world import flow_key

from log_aggregator.cli import commands, init
from log_aggregator.errors import AccessDenied, CannotStart, SettingsError
from log_aggregator.ports.account import BucketEncryption, Trail
from log_aggregator.settings import Settings, read_settings
from log_aggregator_lab.stores.faults import FaultyStore

ROOT = Path(__file__).parents[3]
RUNNER = f"arn:aws:iam::{ACCOUNT}:role/aggregator"
DEFAULT = f"all-aggregated-logs-{ACCOUNT}-eu-west-1"


@dataclass
class Shell:
    """The command line, pointed at an in-memory account."""

    landing: Landing = field(default_factory=Landing)
    asked: int = 0

    def __post_init__(self) -> None:
        self.store = FaultyStore(self.landing.store, lambda _number, _call: None)

    def inspector(self, *_: object) -> Any:
        self.asked += 1
        return self.landing.account

    def connect(self, *_: object) -> Any:
        return self.store

    def call(self, *arguments: str, code: int = 0, typed: str = "") -> Result:
        done = CliRunner().invoke(
            commands, ["init", *arguments], input=typed, standalone_mode=False
        )
        if done.exception is not None:
            raise done.exception
        assert done.return_value == code, done.output
        return done


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Shell:
    monkeypatch.chdir(tmp_path)
    found = Shell()
    monkeypatch.setattr(init, "connect_inspector", found.inspector)
    monkeypatch.setattr(init, "connect", found.connect)
    return found


@pytest.fixture
def at_terminal(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.setattr(init, "can_ask", lambda: True)
    return shell


def written(path: str = "aggregator.toml") -> Settings:
    return read_settings(Path(path), {})


def test_without_a_terminal_defaults_are_used(shell: Shell) -> None:
    """The defaults apply and are reported."""
    done = shell.call()
    settings = written()
    assert settings.control_tower_bucket == (MAIN,)
    assert settings.other_buckets == ("flow",)
    assert settings.destination_bucket == DEFAULT
    assert settings.keep_originals_days == 30
    assert "keep_originals_days: 30 (default)" in done.stdout
    assert 'search: "plain", which keeps access keys' in done.stdout
    assert f"aws s3api create-bucket --bucket {DEFAULT}" in done.stdout
    assert f"log-aggregator iam-policy --stage pack --source-kms-key-arn {KEY}" in done.stdout


def test_the_account_is_not_changed(shell: Shell) -> None:
    shell.call("--yes")
    assert {call.operation for call in shell.store.calls} <= {"ListBuckets", "ListObjectsV2"}


@pytest.mark.parametrize("more", [(), ("--yes",), ("--json",)])
def test_an_existing_file_is_not_touched(shell: Shell, more: tuple[str, ...]) -> None:
    """The existing file is reported before any question."""
    Path("aggregator.toml").write_text("mine")
    with pytest.raises(SettingsError, match="exists already"):
        shell.call(*more)
    assert Path("aggregator.toml").read_text() == "mine"
    assert shell.asked == 0
    shell.call("--force", *more)
    assert written().other_buckets == ("flow",)


def test_answers_to_questions_are_used(at_terminal: Shell) -> None:
    """A wrong answer is asked for again."""
    answers = ["y", "Wrong", MAIN, "my-packs", "7", "GOVERNANCE", "0", "400"]
    answers += ["30", "20", "500", "alias/x", KEY, "me", RUNNER]
    done = at_terminal.call("--form", "cloudformation", typed="\n".join(answers) + "\n")
    settings = written()
    assert settings.destination_bucket == "my-packs"
    assert settings.keep_originals_days == 7
    assert settings.kms_key_id == KEY
    template = json.loads(done.stdout[done.stdout.index("\n{") : done.stdout.index("\n}\n") + 3])
    bucket = template["Resources"]["Packs"]["Properties"]
    assert bucket["ObjectLockConfiguration"]["Rule"]["DefaultRetention"] == {
        "Mode": "GOVERNANCE",
        "Days": 400,
    }
    assert RUNNER in str(template["Resources"]["PacksPolicy"])
    assert "(default)" not in done.stdout
    for words in ("expected a bucket name", "this one holds other logs", "the ARN of a role"):
        assert words in done.stderr


def test_buckets_can_be_chosen_one_by_one(at_terminal: Shell) -> None:
    """The buckets not chosen are listed in the file."""
    at_terminal.call(typed="n\nn\ny\n" + "\n" * 7)
    settings = written()
    assert (settings.control_tower_bucket, settings.other_buckets) == ((), ("flow",))
    assert f"# {MAIN}: " in Path("aggregator.toml").read_text()


def test_options_replace_questions(at_terminal: Shell) -> None:
    options = ["--destination-bucket", "mine", "--keep-originals-days", "0"]
    options += ["--object-lock", "none", "--archive-days", "10", "--expiration-days", "20"]
    done = at_terminal.call(*options, "--kms-key-arn", KEY, "--runner-arn", RUNNER, typed="y\n")
    assert written().keep_originals_days == 0
    assert "--older-than 0d" in done.stdout


def test_quitting_at_a_question_leaves_no_file(at_terminal: Shell) -> None:
    """ctrl-C and the end of input both write nothing."""
    with pytest.raises(click.Abort):
        at_terminal.call(typed="y\n")
    assert list(Path().iterdir()) == []


def test_an_existing_bucket_keeps_its_rules(shell: Shell) -> None:
    """No commands are printed for it, because they would replace its rules."""
    shell.landing.add("packed", "packs/a", "indexes/a")
    done = shell.call("--yes")
    assert written().destination_bucket == "packed"
    assert "exists already" in done.stdout
    assert "aws s3api" not in done.stdout
    described = json.loads(shell.call("--force", "--json").stdout)
    assert described["destination"]["is_made"]
    assert described["destination"]["commands"] == []


def test_a_bucket_name_taken_by_someone_else_is_refused(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = shell.landing.account
    look = account.head_bucket

    def refuse(bucket: str, *, owner: str | None = None) -> str:
        if bucket == DEFAULT:
            raise AccessDenied("no", code="403")
        return look(bucket, owner=owner)

    monkeypatch.setattr(account, "head_bucket", refuse)
    with pytest.raises(SettingsError, match="may be someone else's, so choose another name"):
        shell.call("--yes")
    assert list(Path().iterdir()) == []


def test_without_logs_no_file_is_written(shell: Shell) -> None:
    done = shell.call("--yes", "--bucket", "website", "--bucket", "empty", code=1)
    assert "No bucket with logs was found" in done.stdout
    assert list(Path().iterdir()) == []
    described = json.loads(shell.call("--json", "--bucket", "empty", code=1).stdout)
    assert described["settings_file"] is None


def test_a_named_bucket_of_free_logs_is_included(shell: Shell) -> None:
    shell.call("--bucket", "app")
    assert written().other_buckets == ("app",)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--destination-bucket", "aws-controltower-packs"), "expected another name"),
        (("--destination-bucket", "Wrong"), "expected a bucket name"),
        (("--bucket", "packs", "--destination-bucket", "packs"), "bucket for packs alone"),
        (("--destination-bucket", "flow"), "bucket for packs alone"),
        (("--bucket", "exam*"), "expected one bucket name"),
        (("--kms-key-arn", "alias/x"), "expected the ARN of a key"),
        (("--runner-arn", "me"), "the ARN of a role"),
        (("--bucket-accounts", "flow=1"), "account ids of 12 digits"),
        (("--archive-days", "90", "--expiration-days", "90"), "more than --archive-days"),
        (
            ("--object-lock", "COMPLIANCE", "--object-lock-days", "4000"),
            "at most --expiration-days",
        ),
    ],
)
def test_wrong_arguments_are_refused(shell: Shell, arguments: tuple[str, ...], words: str) -> None:
    with pytest.raises(SettingsError) as raised:
        shell.call("--yes", *arguments)
    assert words in str(raised.value)
    assert list(Path().iterdir()) == []


def test_rejected_credentials_stop_it(shell: Shell) -> None:
    shell.landing.account.broken["GetCallerIdentity"] = AccessDenied(
        "no", code="InvalidClientTokenId"
    )
    with pytest.raises(CannotStart):
        shell.call("--yes")
    assert list(Path().iterdir()) == []


LADDER = (
    *("iam-policy", "doctor", "rehearse", "survey", "plan", "iam-policy", "run", "backfill"),
    *("status", "iam-policy", "delete"),
)


@pytest.mark.parametrize("keep_days", [0, 3660])
def test_the_next_commands_can_be_pasted(shell: Shell, keep_days: int) -> None:
    """They follow the order of the ladder, with options that lead to the same account and settings,
    and promise only what the settings say.
    """
    options = ("--output", "my own.toml", "--region", "eu-west-1")
    shell.landing.account.buckets[MAIN].encryption = BucketEncryption("aws:kms", KEY)
    done = shell.call("--json", "--keep-originals-days", str(keep_days), *options)
    described = json.loads(done.stdout)
    typed = [shlex.split(step["command"])[1:] for step in described["next"]]
    assert tuple(words[0] for words in typed) == LADDER
    for name, *words in typed:
        found = commands.get_command(click.Context(commands), name)
        assert isinstance(found, click.Command)
        with click.Context(commands) as root:
            found.make_context(name, list(words), parent=root)
        assert ("my own.toml" in words) == (name != "rehearse")
        assert ("--region" in words) == (name != "iam-policy")
        assert (KEY in words) == (name == "iam-policy" and "survey" not in words)
    assert typed[-1][3] == f"{keep_days}d"
    assert "--yes" not in typed[-1]
    told = {words[0]: step["what"] for words, step in zip(typed, described["next"], strict=True)}
    assert not written("my own.toml").delete_originals
    assert told["run"].endswith("The originals stay.")


def test_the_next_commands_have_a_valid_range(shell: Shell) -> None:
    """They name a range that can be worked on: the last year, up to the last complete day."""
    said = shell.call("--yes").stdout
    (line,) = [line for line in said.splitlines() if "log-aggregator backfill" in line]
    first, last = (date.fromisoformat(line.split()[place]) for place in (3, 5))
    assert (last - first).days == 364
    assert last < datetime.now(UTC).date()
    assert " 11. Once you trust the packs" in said


def test_the_fields_are_documented(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    json_fields = importlib.import_module("reference_pages.json_fields")
    shell.landing.account.deny("GetBucketVersioning")
    shell.landing.add("more", flow_key("a.log.gz"))
    shell.landing.account.trails = [Trail("org", "theirs", is_organization=True)]
    assert "Log Archive account" in shell.call().stdout
    Path("aggregator.toml").unlink()
    described = json.loads(shell.call("--json").stdout)
    assert set(json_fields.flatten(described)) == set(json_fields.json_fields("init"))
    assert tomllib.loads(Path("aggregator.toml").read_text())

"""The doctor's findings as text and as JSON, and the exit code."""

from __future__ import annotations

import importlib
import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.support.account import OTHER_ACCOUNT, ROLE, FakeAccount, FakeBucket
from tests.support.clinic import MAIN, Clinic

from log_aggregator.cli import commands
from log_aggregator.errors import SettingsError
from log_aggregator.ports.account import BucketVersioning, Decision, DeliveryChannel, Trail
from log_aggregator.reports.doctor import (
    WIDTH_DEFAULT,
    WIDTH_MIN,
    describe_findings,
    render_findings,
)
from log_aggregator.steps.doctor.findings import Finding, Level

DOCS = Path(__file__).resolve().parents[3] / "docs"
Call = Callable[..., Result]


@pytest.fixture
def clinic() -> Clinic:
    return Clinic()


@pytest.fixture
def call(clinic: Clinic, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Call:
    """The command line, pointed at an in-memory account."""
    module = importlib.import_module("log_aggregator.cli.doctor")
    monkeypatch.setattr(module, "connect", lambda *_: clinic.store)
    monkeypatch.setattr(module, "connect_inspector", lambda *_: clinic.account)
    config = tmp_path / "aggregator.toml"
    config.write_text(
        f'control_tower_bucket = "{MAIN}"\nother_buckets = ["flow"]\ndestination_bucket = '
        '"packs"\n',
        encoding="utf-8",
    )
    return lambda *arguments: CliRunner().invoke(
        commands, ["doctor", "--config", str(config), *arguments], standalone_mode=False
    )


def test_warnings_alone_give_exit_code_0(clinic: Clinic, call: Call) -> None:
    """Only a problem fails."""
    clinic.change("packs", versioning=BucketVersioning())
    assert call().return_value == 0
    clinic.change("flow", versioning=BucketVersioning("Enabled", has_mfa_delete=True))
    assert call().return_value == 1


def test_json_has_every_finding(clinic: Clinic, call: Call) -> None:
    """One document has all findings, in plain words, and their counts."""
    clinic.change("flow", versioning=BucketVersioning("Enabled", has_mfa_delete=True))
    described = json.loads(call("--json").stdout)
    assert described["problems"] == 1
    assert (
        described["warnings"]
        == sum(
            len(finding["where"])
            for finding in described["findings"]
            if finding["level"] == "warning"
        )
        > 0
    )
    assert {tuple(finding) for finding in described["findings"]} == {
        ("level", "where", "check", "seen", "advice")
    }


def test_the_documentation_has_every_field_and_every_check(clinic: Clinic, call: Call) -> None:
    """docs/reference/json.md explains the fields, and the doctor's page every check."""
    described = json.loads(call("--json").stdout)
    lists = ("findings", "configuration")
    fields = {name for name in described if name not in lists} | {
        f"{each}[].{name}" for each in lists for name in described[each][0]
    }
    texts = tomllib.loads((DOCS / "make_reference.toml").read_text(encoding="utf-8"))
    assert set(texts["json"]["doctor"]) == fields
    clinic.account.buckets["bare"] = FakeBucket(versioning=BucketVersioning())
    clinic.store.create_bucket("bare")
    discarding = ["--other-regions", "delete", "--aggregation-regions", "eu-west-1"]
    signing = ["--sign-with", f"kms:arn:aws:kms:eu-west-1:{OTHER_ACCOUNT}:key/1"]
    more = ["--other-buckets", "bare", "--role-arn", ROLE, *discarding, *signing]
    checks = checks_of(call("--json", *more))
    clinic.account.trails.append(
        Trail("t", MAIN, True, f"arn:aws:kms:eu-west-1:{OTHER_ACCOUNT}:key/1")
    )
    clinic.account.channels.append(DeliveryChannel("default", "elsewhere"))
    clinic.account.owners["flow"] = OTHER_ACCOUNT
    clinic.change(
        "flow", owner=OTHER_ACCOUNT, versioning=BucketVersioning("Enabled", has_mfa_delete=True)
    )
    clinic.put("daily/2026-03-14T00-00Z/manifest.json", "flow")
    clinic.account.deny("DescribeKey", "SimulatePrincipalPolicy")
    for options in (
        ["--destination-bucket", ""],
        ["--destination-bucket", "flow"],
        ["--other-buckets", "nosuch*"],
    ):
        checks |= checks_of(call("--json", *options))
    table = (
        (DOCS / "how-to" / "check-with-the-doctor.md")
        .read_text(encoding="utf-8")
        .partition("## What it looks at")[2]
    )
    assert set(re.findall(r"`([a-z-]+)`", table.partition("## ")[0])) == checks


def checks_of(result: Result) -> set[str]:
    return {finding["check"] for finding in json.loads(result.stdout)["findings"]}


def test_role_arns_are_checked(clinic: Clinic, call: Call) -> None:
    """A value that is not a role's ARN, such as an assumed role's, is a wrong setting; several
    roles may be given.
    """
    roles = [ROLE, f"{ROLE}-2"]
    clinic.account.decide = lambda _, action, __: Decision(action, "implicitDeny")
    call(*(word for role in roles for word in ("--role-arn", role)))
    assert {principal for principal, _, _ in clinic.account.simulated} == set(roles)
    assert isinstance(
        call("--role-arn", "arn:aws:sts::111122223333:assumed-role/aggregator/me").exception,
        SettingsError,
    )


def test_the_configuration_is_shown_first(call: Call) -> None:
    """Anyone puzzled by a finding looks there first: it shows each setting of the connection and
    its source.
    """
    lines = call().stdout.splitlines()
    assert lines[0] == "configuration"
    assert lines[1].split() == ["region", "eu-west-1", "(AWS_REGION)"]
    assert json.loads(call("--json").stdout)["configuration"] == [
        {"name": "region", "value": "eu-west-1", "source": "AWS_REGION"}
    ]


def test_equal_findings_are_shown_once() -> None:
    """Their names are above it; findings that differ in more than the name stay apart."""
    findings = [
        Finding(
            Level.WARNING, f"s3://{name}", "versioning", f"never on in {name}", f"Look at {name}."
        )
        for name in ("one", "two", "three")
    ] + [
        Finding(Level.WARNING, "s3://four", "versioning", "suspended in four", "Look at four."),
        Finding(Level.OK, "s3://one", "exists", "one is there"),
        Finding(Level.OK, "account", "credentials", "somebody"),
    ]
    described = describe_findings(findings)
    assert described["warnings"] == 4
    assert [found["where"] for found in described["findings"]] == [
        ["s3://one", "s3://two", "s3://three"],
        ["s3://four"],
        ["s3://one"],
        ["account"],
    ]
    lines = list(render_findings(described))
    place = lines.index("3 buckets: s3://one, s3://two, s3://three")
    assert lines[place + 1].split() == ["warning", "versioning", "never", "on", "in", "<bucket>"]
    assert lines[place + 2].strip() == "-> Look at <bucket>."
    assert any(line.endswith("suspended in four") for line in lines)
    assert any(line.endswith("one is there") for line in lines)


@pytest.mark.parametrize("width", [WIDTH_MIN, 80, WIDTH_DEFAULT, 200])
def test_many_buckets_fit_on_a_terminal(width: int) -> None:
    """This holds for any number of buckets, any length of name and any width."""
    findings = [
        Finding(Level.NOTE, f"s3://{'x' * 40}-{number}", "encryption", "none " * 30, "Turn it on.")
        for number in range(40)
    ]
    lines = list(render_findings(describe_findings(findings), width))
    assert width - 60 < max(map(len, lines)) <= width
    assert lines[0].startswith("40 buckets:")
    assert "and 32 more" in " ".join(" ".join(lines).split())


def test_every_bucket_with_a_problem_is_named() -> None:
    """The number of buckets does not matter."""
    findings = [
        Finding(Level.WARNING, f"s3://bucket-{number}", "versioning", "suspended", "Look at it.")
        for number in range(40)
    ]
    text = " ".join(render_findings(describe_findings(findings)))
    assert all(f"s3://bucket-{number}" in text for number in range(40))


def test_an_impossible_terminal_width_is_ignored() -> None:
    """Some report 0, or less than the indentation of the text."""
    findings = [Finding(Level.NOTE, "account", "encryption", "word " * 30, "Turn it on.")]
    lines = list(render_findings(describe_findings(findings), 0))
    assert lines == list(render_findings(describe_findings(findings), WIDTH_MIN))


def test_the_worst_finding_comes_first() -> None:
    """Places with problems come first, and in each place the worst finding; every line is readable
    in a terminal.
    """
    long = "word " * 60
    findings = [
        Finding(Level.OK, "account", "a", "fine"),
        Finding(Level.NOTE, "s3://one", "b", "noted", "do"),
        Finding(Level.OK, "s3://two", "c", "fine"),
        Finding(Level.PROBLEM, "s3://two", "d", long, "mend"),
    ]
    lines = list(render_findings(describe_findings(findings)))
    assert [line for line in lines if line and not line.startswith(" ")] == [
        "s3://two",
        "s3://one",
        "account",
        "1 problem, 0 warnings. A run would fail, or leave work undone. Nothing was changed.",
    ]
    assert lines[1].startswith("  PROBLEM  d ")
    assert max(map(len, lines)) <= WIDTH_DEFAULT
    assert "-> mend" in "\n".join(lines)


def test_every_word_of_json_is_on_the_page(clinic: Clinic, call: Call) -> None:
    """The page has everything that JSON has."""
    clinic.account.decide = lambda _, action, __: Decision(action, "implicitDeny")
    described = json.loads(call("--json").stdout)
    page = " ".join(call().stdout.split())
    for finding in described["findings"]:
        assert " ".join(finding["seen"].split()) in page
        assert finding["advice"] in page


def test_a_healthy_account_takes_one_line(clinic: Clinic, call: Call) -> None:
    """The line says that there are no problems and no warnings."""
    clinic.account = FakeAccount(buckets=clinic.account.buckets)
    clinic.account.decide = lambda _, action, at: Decision(
        action, "implicitDeny" if "Delete" in action and "packs/" in at else "allowed"
    )
    clinic.put("x", "packs")
    result = call()
    assert "PROBLEM" not in result.stdout
    assert result.return_value == 0

"""What is checked before the build."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.account import ACCOUNT, OTHER_ACCOUNT, FakeAccount, FakeBucket
from tests.unit.deployment.fake_cloudformation import FakeCloudFormation

from deployment import checks
from deployment.checks import Account, Plan, connect_account, run_checks
from deployment.configuration import Configuration
from deployment.errors import CheckFailed
from deployment.stack import Stack
from deployment.template import choose_values
from log_aggregator.errors import CannotStart, RequestFailed, SettingsError
from log_aggregator.ports.account import AccountInspector, LambdaConcurrency
from log_aggregator.steps.doctor.findings import Finding, Level
from log_aggregator.wiring import Connection

ROOT = Path(__file__).parents[3]
MAIN, FLOW = "aws-controltower-logs-111122223333-eu-west-1", "example-flow-logs"
PACKS = f"all-aggregated-logs-{ACCOUNT}-eu-west-1"


class FakeSession:
    """Returns the one client."""

    region_name = "eu-west-1"

    def __init__(self, cloudformation: FakeCloudFormation) -> None:
        self.cloudformation = cloudformation

    def client(self, service: str) -> Any:
        assert service == "cloudformation"
        return self.cloudformation


class FakeStore:
    def __init__(self, account: FakeAccount) -> None:
        self.account = account

    def list_buckets(self) -> list[str]:
        return list(self.account.buckets)


@pytest.fixture
def account() -> FakeAccount:
    return FakeAccount(buckets={MAIN: FakeBucket(), FLOW: FakeBucket()})


Make = Callable[..., Plan]


@pytest.fixture
def make(account: FakeAccount, monkeypatch: pytest.MonkeyPatch) -> Make:
    """A plan for that account."""

    def connect_inspector(
        connection: Connection, owners: tuple[tuple[str, str], ...] = ()
    ) -> AccountInspector:
        named = {name: owner for name, owner in owners if name != "*"}
        return replace(account, owners=named)

    monkeypatch.setattr(checks, "connect_inspector", connect_inspector)
    monkeypatch.setattr(checks, "connect", lambda _: FakeStore(account))

    def make_plan(stack: str = "", denied: str = "", **parameters: str) -> Plan:
        template = (ROOT / "template.yaml").read_text(encoding="utf-8")
        session: Any = FakeSession(FakeCloudFormation(stack, denied={denied}))
        return Plan(
            Account(Connection(), session, account, account.caller),
            Stack("logs", stack),
            choose_values(template, {"ControlTowerBucket": MAIN, **parameters}, {}),
        )

    return make_plan


def test_good_settings_give_no_message(make: Make) -> None:
    """Full names, several names and patterns are accepted without a finding."""
    assert run_checks(make(OtherBuckets=f"{FLOW}, example-*")) == []
    assert run_checks(make("CREATE_COMPLETE")) == []


def test_a_missing_bucket_is_a_wrong_setting(make: Make) -> None:
    """This covers each parameter that names buckets; one message reports all."""
    with pytest.raises(SettingsError) as caught:
        run_checks(make(ControlTowerBucket="typo-a", OtherBuckets=f"{FLOW},typo-b,none-*"))
    for text in ("s3://typo-a: there is no such bucket", "s3://typo-b: there", "with 'none-'"):
        assert text in str(caught.value)
    with pytest.raises(SettingsError, match="s3://typo-c"):
        run_checks(make(ControlTowerBucketAccessLogBucket="typo-c"))


def test_a_bucket_of_another_account_is_refused(make: Make, account: FakeAccount) -> None:
    """It names our own account, whatever else is wrong."""
    account.buckets[MAIN].owner = OTHER_ACCOUNT
    with pytest.raises(CheckFailed) as caught:
        run_checks(make(OtherBuckets="typo"))
    assert f"account {ACCOUNT}" in str(caught.value)
    assert f"s3://{MAIN}: it does not belong to account {ACCOUNT}" in str(caught.value)
    assert caught.value.exit_code == 3
    assert "--profile" in caught.value.advice


def test_a_bucket_of_another_account_can_be_named_with_it(make: Make, account: FakeAccount) -> None:
    """The declared account is expected, as by the functions; any other is refused."""
    account.buckets[FLOW].owner = OTHER_ACCOUNT
    assert run_checks(make(OtherBuckets=FLOW, BucketAccounts=f"{FLOW}={OTHER_ACCOUNT}")) == []
    with pytest.raises(CheckFailed, match="it does not belong to account 999"):
        run_checks(make(OtherBuckets=FLOW, BucketAccounts=f"{FLOW}=999999999999"))


def test_a_bucket_of_another_region_is_refused_with_advice(
    make: Make, account: FakeAccount
) -> None:
    account.buckets[FLOW].region = "eu-central-1"
    with pytest.raises(SettingsError, match="--region eu-central-1"):
        run_checks(make(OtherBuckets=FLOW))


def test_a_server_without_regions_is_accepted(make: Make, account: FakeAccount) -> None:
    account.buckets[FLOW].region = ""
    assert run_checks(make(OtherBuckets=FLOW)) == []


@pytest.mark.parametrize("stack", ["", "CREATE_COMPLETE"])
@pytest.mark.parametrize("denied", ["DeleteChangeSet", "ListChangeSets"])
def test_missing_permission_for_change_sets_is_found_before_the_build(
    make: Make, denied: str, stack: str
) -> None:
    """Without a stack there are no change sets to list."""
    plan = make(stack, denied=denied)
    if not stack and denied == "ListChangeSets":
        assert run_checks(plan) == []
        return
    with pytest.raises(CheckFailed, match=rf"AccessDenied.*{denied}") as caught:
        run_checks(plan)
    assert "Grant cloudformation:CreateChangeSet" in str(caught.value)


def test_a_leftover_bucket_stops_a_new_stack(make: Make, account: FakeAccount) -> None:
    """It does not stop an update of its own stack, or a new stack that makes no bucket or another
    one.
    """
    account.buckets[PACKS] = FakeBucket()
    with pytest.raises(CheckFailed, match=f"s3://{PACKS}: a new stack makes this bucket"):
        run_checks(make())
    assert run_checks(make("CREATE_COMPLETE")) == []
    assert run_checks(make(UseCommonDestinationBucket="No")) == []
    assert run_checks(make(DestinationBucketName="mine")) == []


def test_an_oversized_stack_is_a_wrong_setting(make: Make, account: FakeAccount) -> None:
    """IAM and Lambda would refuse it after half of the stack is made."""
    names = [f"{'application-load-balancer-logs-of-':x<60}{number:03}" for number in range(60)]
    account.buckets |= {name: FakeBucket() for name in names}
    with pytest.raises(SettingsError, match=r"OtherBuckets.*a beginning that ends in"):
        run_checks(make(OtherBuckets=",".join(names)))


def test_a_warning_is_shown_and_does_not_stop(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Good findings are not shown."""
    warning = Finding(Level.WARNING, "account", "quota", "it is 10", "Ask for more.")
    well = Finding(Level.OK, "account", "quota", "it is 1,000")
    monkeypatch.setattr(checks, "CHECKS", (lambda _: [warning], lambda _: [well]))
    assert run_checks(make()) == [warning]


def test_a_small_quota_is_reported_and_does_not_stop(make: Make, account: FakeAccount) -> None:
    """A run adapts to the quota. Without permission to read it, the user learns that it is
    unknown.
    """
    account.concurrency = LambdaConcurrency(10, 10)
    (told,) = run_checks(make())
    assert (told.level, told.check) == (Level.NOTE, "lambda-quota")
    assert "10 functions can run at the same time" in told.seen
    assert "4 work items at a time" in told.seen
    account.deny("GetAccountSettings")
    (told,) = run_checks(make())
    assert (told.level, told.check) == (Level.WARNING, "lambda-quota")


def test_the_account_is_looked_up_first(make: Make, account: FakeAccount) -> None:
    """The region may come from AWS's own configuration; without a region there is no stack."""
    configuration = Configuration(Path("samconfig.toml"), region="eu-west-1")
    found = connect_account(configuration)
    assert (found.caller, found.region) == (account.caller, "eu-west-1")


def test_without_a_region_it_stops(
    make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(SettingsError, match="--region"):
        connect_account(Configuration(Path("samconfig.toml")))


def test_without_an_answer_it_stops(make: Make, account: FakeAccount) -> None:
    account.broken["GetCallerIdentity"] = RequestFailed("no answer")
    with pytest.raises(CannotStart, match="no answer"):
        connect_account(Configuration(Path("samconfig.toml"), region="eu-west-1"))

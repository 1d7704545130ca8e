"""How `init` reads an account: what each bucket is for, and what could not be found out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.support.account import ACCOUNT, OPERATIONS, OTHER_ACCOUNT
from tests.support.landing import KEY, MAIN, Landing
from tests.support.world import access_key, fail_on, flow_key, trail_key
from tests.unit.steps.doctor.test_doctor_permissions import granted_actions

from log_aggregator.errors import AccessDenied, CannotStart, StoreError
from log_aggregator.ports.account import DeliveryChannel, Trail
from log_aggregator.steps.doctor import prospect
from log_aggregator.steps.doctor.prospect import Use, look_around
from log_aggregator_lab.stores.faults import FaultyStore

DISORDER = StoreError("keys in another order", code="InvalidListing")
PAGE = Path(__file__).parents[4] / "docs" / "how-to" / "check-with-the-doctor.md"
DENIED = AccessDenied("no", code="AccessDenied")


@pytest.fixture
def landing() -> Landing:
    return Landing()


def test_each_bucket_is_judged_by_its_contents(landing: Landing) -> None:
    landing.add("packed", "packs/a", "indexes/a", flow_key("c.log.gz"))
    found = {bucket.name: bucket for bucket in landing.look().buckets}
    assert {name: bucket.use for name, bucket in found.items()} == {
        MAIN: Use.MAIN,
        "flow": Use.OTHER,
        "app": Use.FREE,
        "website": Use.NONE,
        "empty": Use.NONE,
        "packed": Use.TARGET,
    }
    layout = found[MAIN].layout
    assert layout is not None
    assert len(layout.account_prefixes) == 2
    assert found["flow"].log_types == ["vpcflowlogs", "S3AccessLogs"]


def test_the_configuration_of_buckets_is_reported(landing: Landing) -> None:
    flow = landing.look("flow").buckets[0]
    assert flow.versioning is not None
    assert flow.versioning.status is None
    assert flow.encryption is not None
    assert flow.encryption.kms_key_id == KEY
    assert [rule.expiration_days for rule in flow.lifecycle or ()] == [365]
    assert [each.id for each in flow.inventories or ()] == ["weekly"]


def test_a_main_bucket_is_recognised_whatever_its_name(landing: Landing) -> None:
    """An organisation's trail may write anywhere; but if most logs are of other kinds, a run under
    AWSLogs/ only would miss them.
    """
    landing.account.trails = []
    landing.add("trails", trail_key(1))
    landing.add("mixed", trail_key(1), access_key(1), access_key(2))
    uses = {bucket.name: bucket.use for bucket in landing.look("trails", "mixed").buckets}
    assert uses == {"trails": Use.MAIN, "mixed": Use.OTHER}


def test_a_main_bucket_that_can_only_be_listed_in_part_is_recognised(landing: Landing) -> None:
    """Its folders can be listed, and its name or CloudTrail says what it is."""
    refused = fail_on(
        lambda call: call.operation == "ListObjectsV2" and "delimiter" not in call.arguments,
        DISORDER,
    )
    store = FaultyStore(landing.store, refused)
    found = look_around(landing.account, store, [MAIN, "flow"])
    assert [bucket.use for bucket in found.buckets] == [Use.MAIN, Use.UNKNOWN]
    advised = {each.advice for each in found.notebook.findings if each.check == "contents"}
    assert all("log-aggregator rehearse" in advice for advice in advised)
    assert "s3:ListBucket" not in str(advised)  # it was allowed


@pytest.mark.parametrize("operation", sorted({*OPERATIONS, "DescribeOrganization"}))
def test_missing_permissions_are_reported(landing: Landing, operation: str) -> None:
    """The missing permission is named, and everything else is still found."""
    landing.account.deny(operation)
    found = landing.look()
    assert {bucket.name for bucket in found.of(Use.MAIN, Use.OTHER)} == {MAIN, "flow"}
    asks = {
        "DescribeKey",
        "GetAccountSettings",
        "SimulatePrincipalPolicy",
        "GetPublicAccessBlock",
        "GetBucketOwnershipControls",
    }  # are asked by the doctor only
    advice = [finding.advice for finding in found.notebook.findings]
    assert bool(advice) == (operation not in asks)
    assert all(text.startswith("Grant ") for text in advice)


def test_logs_in_another_account_are_reported(landing: Landing) -> None:
    """Every landing zone member is like that: the organisation's trail writes elsewhere."""
    landing.account.trails = [Trail("org", "theirs", is_organization=True)]
    landing.account.channels = [DeliveryChannel("default", MAIN)]
    assert landing.look().elsewhere == {"theirs": "CloudTrail"}
    assert landing.look("flow").elsewhere == {}


def test_a_healthy_account_has_no_findings(landing: Landing) -> None:
    assert landing.look().notebook.findings == []


def test_buckets_of_other_accounts_and_regions_are_excluded(landing: Landing) -> None:
    for name in ("theirs", "abroad", "named"):
        landing.add(name, flow_key("a.log.gz"))
    landing.change("theirs", owner=OTHER_ACCOUNT)
    landing.change("named", owner=OTHER_ACCOUNT)
    landing.change("abroad", region="us-east-1")
    landing.account.owners = {"named": OTHER_ACCOUNT}
    theirs, abroad, gone, named = landing.look("theirs", "abroad", "gone", "named").buckets
    assert (theirs.use, theirs.is_foreign) == (Use.UNKNOWN, True)
    assert "--bucket-accounts" in theirs.reason
    assert abroad.use is Use.NONE
    assert "--region us-east-1" in abroad.reason
    assert gone.use is Use.UNKNOWN
    assert named.use is Use.OTHER


def test_an_account_with_very_many_buckets_is_sampled(
    landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The number of buckets examined is limited, and the rest is counted; all names are read."""
    monkeypatch.setattr(prospect, "BUCKETS_MAX", 2)
    seen: list[tuple[int, int]] = []
    found = look_around(
        landing.account, landing.store, [], lambda done, total: seen.append((done, total))
    )
    assert (len(found.buckets), found.left_out) == (2, 3)
    assert seen == [(0, 2), (1, 2), (2, 2)]
    assert landing.look("flow", "app", "empty").left_out == 0


def test_objects_are_only_listed(landing: Landing) -> None:
    """Only listings are requested."""
    store = FaultyStore(landing.store, lambda _number, _call: None)
    look_around(landing.account, store, [])
    assert {call.operation for call in store.calls} <= {"ListBuckets", "ListObjectsV2"}


def test_an_inaccessible_account_is_an_error(landing: Landing) -> None:
    """Wrong credentials, or no permission to list buckets, end it with advice."""
    store = FaultyStore(
        landing.store, fail_on(lambda call: call.operation == "ListBuckets", DENIED)
    )
    with pytest.raises(CannotStart, match="--bucket"):
        look_around(landing.account, store, [])
    landing.account.broken["GetCallerIdentity"] = StoreError("no", code="InvalidClientTokenId")
    with pytest.raises(CannotStart, match="credentials are not accepted"):
        landing.look()


def test_the_account_is_described(landing: Landing) -> None:
    found = landing.look()
    assert (found.account, found.region, found.organization) == (
        ACCOUNT,
        "eu-west-1",
        "o-abcd1234",
    )


def test_the_doctors_own_policy_is_sufficient(landing: Landing) -> None:
    """The policy on the doctor's page grants everything that could be missing."""
    landing.account.deny(*OPERATIONS)
    advised = {
        found[1]
        for finding in landing.look().notebook.findings
        if (found := re.match(r"Grant ([a-z0-9]+:[A-Za-z]+) to the caller", finding.advice))
    }
    assert len(advised) > 5
    assert advised <= granted_actions(PAGE.read_text(encoding="utf-8"))

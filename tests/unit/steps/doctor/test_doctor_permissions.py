"""What the doctor reports about permissions, keys, and packs in the source bucket itself."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from tests.support.account import ACCOUNT, OPERATIONS, OTHER_ACCOUNT, ROLE, FakeBucket
from tests.support.clinic import MAIN, ORGANIZATION, Clinic, rule

from log_aggregator.ports.account import (
    BucketEncryption,
    BucketVersioning,
    Caller,
    Decision,
    KmsKey,
    Trail,
    Transition,
)
from log_aggregator.steps.doctor import permissions
from log_aggregator.steps.doctor.findings import Level

SIGNING_KEY = "arn:aws:kms:eu-west-1:111122223333:key/33333333-3333-3333-3333-333333333333"
OTHER_ROLE = f"{ROLE}-other"
KEY = f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/0"
FOREIGN_KEY = f"arn:aws:kms:eu-west-1:{OTHER_ACCOUNT}:key/1"
PAGES = Path(__file__).resolve().parents[4] / "docs" / "how-to"


@pytest.fixture
def clinic() -> Clinic:
    return Clinic()


def test_the_callers_role_is_simulated_with_its_path(clinic: Clinic) -> None:
    """An assumed role is simulated as the role; without permission to look it up, without
    its path.
    """
    clinic.examine()
    assert {principal for principal, _, _ in clinic.account.simulated} == {ROLE}
    clinic.account.simulated.clear()
    clinic.account.deny("GetRole")
    clinic.examine()
    assert {principal for principal, _, _ in clinic.account.simulated} == {
        f"arn:aws:iam::{ACCOUNT}:role/aggregator"
    }


def test_the_root_user_cannot_be_simulated(clinic: Clinic) -> None:
    """Nothing is claimed about permissions that were not simulated."""
    clinic.account.caller = Caller(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root")
    assert clinic.find("permissions").level is Level.WARNING
    assert not clinic.account.simulated
    assert not {"read", "write", "delete", "packs-kept"} & {
        finding.check for finding in clinic.examine()
    }


@pytest.mark.parametrize(
    ("action", "resource", "check", "where"),
    [
        ("s3:ListBucketVersions", f"{MAIN}", "read", MAIN),
        ("s3:GetObjectVersion", "flow/AWSLogs/any-log", "read", "flow"),
        ("s3:DeleteObjectVersion", "flow/AWSLogs/any-log", "delete", "flow"),
        ("s3:ListBucketMultipartUploads", "packs", "write", "packs"),
        ("s3:PutObject", "packs/packs/any-object", "write", "packs"),
        ("s3:PutObject", "packs/indexes/any-object", "write", "packs"),
        ("s3:AbortMultipartUpload", "packs/packs/any-object", "write", "packs"),
    ],
)
def test_a_denied_action_is_a_problem(
    clinic: Clinic, action: str, resource: str, check: str, where: str
) -> None:
    """Each action that a run needs is simulated where it needs it; denied ones are named with the
    reason.
    """
    arn = f"arn:aws:s3:::{resource}"
    clinic.account.decide = lambda _, asked, at: Decision(
        asked, "implicitDeny" if (asked, at) == (action, arn) else "allowed"
    )
    found = clinic.find(check, where)
    assert found.level is Level.PROBLEM
    assert f"{action} is denied" in found.seen
    assert action in found.advice


def test_missing_permission_to_keep_public_keys_is_a_warning(clinic: Clinic) -> None:
    """Without them everything is packed, but every run ends with a failure; without possible
    digests, nothing is asked.
    """
    assert clinic.find("public-keys").level is Level.OK
    clinic.account.decide = lambda _, asked, __: Decision(
        asked, "implicitDeny" if asked == "cloudtrail:ListPublicKeys" else "allowed"
    )
    found = clinic.find("public-keys")
    assert found.level is Level.WARNING
    assert "Grant cloudtrail:ListPublicKeys" in found.advice


@pytest.mark.parametrize(
    ("check", "action"),
    [
        ("signatures", "s3:PutObject"),
        ("signing-key", "kms:Sign"),
        ("signing-key", "kms:GetPublicKey"),
    ],
)
def test_missing_permission_to_sign_is_a_warning(check: str, action: str) -> None:
    """Everything is packed, but every run would end with a failure. Without a signing key nothing
    is asked.
    """
    clinic = Clinic(settings={"sign_with": f"kms:{SIGNING_KEY}"})
    assert clinic.find(check, "packs").level is Level.OK
    clinic.account.decide = lambda _, asked, at: Decision(
        asked,
        "implicitDeny"
        if asked == action and (at == SIGNING_KEY or "/signatures/" in at)
        else "allowed",
    )
    found = clinic.find(check, "packs")
    assert found.level is Level.WARNING
    assert f"Grant {action}" in found.advice
    asked = {each.check for each in Clinic().examine()}
    assert not asked & {"signatures", "signing-key"}
    local = {each.check for each in Clinic(settings={"sign_with": "custody.pem"}).examine()}
    assert local & {"signatures", "signing-key"} == {"signatures"}


def test_a_region_deny_is_found(clinic: Clinic) -> None:
    """Each Region that digests come from is simulated as the requested one, for roles that have the
    permission at all; denied Regions are named, with the reason.
    """
    clinic.role_arns = (OTHER_ROLE, ROLE)
    for region in ("eu-west-1", "sa-east-1", "us-east-1"):
        clinic.put(
            f"{ORGANIZATION}/AWSLogs/{ORGANIZATION}/{ACCOUNT}/CloudTrail-Digest/{region}/"
            "2026/03/15/a.json.gz"
        )
    asked: list[tuple[str, str]] = []

    def decide(principal: str, action: str, _: str) -> Decision:
        if action != "cloudtrail:ListPublicKeys":
            return Decision(action, "allowed")
        if principal == OTHER_ROLE:
            return Decision(action, "implicitDeny")
        region = clinic.account.contexts[action, "*"]["aws:RequestedRegion"]
        asked.append((principal, region))
        if region != "sa-east-1":
            return Decision(action, "allowed")
        return Decision(action, "explicitDeny", is_denied_by_organization=True)

    clinic.account.decide = decide
    found = clinic.find("public-keys")
    assert found.level is Level.WARNING
    assert "is denied in sa-east-1 (by a service control policy)" in found.seen
    assert "us-east-1" not in found.seen
    assert "Regions that cannot be asked" in found.advice
    assert set(asked) == {(ROLE, region) for region in ("eu-west-1", "sa-east-1", "us-east-1")}


def test_the_denying_policy_is_named(clinic: Clinic) -> None:
    """A service control policy is fixed elsewhere than a role."""
    clinic.account.decide = lambda _, action, __: Decision(
        action, "explicitDeny", is_denied_by_organization=action == "s3:GetObject"
    )
    assert (
        "s3:GetObject is denied (by a service control policy)" in clinic.find("read", "flow").seen
    )
    assert "s3:GetObjectVersion is denied (explicitly)" in clinic.find("read", "flow").seen


def test_an_unknown_condition_is_a_warning(clinic: Clinic) -> None:
    """A denial for lack of a condition's value is not a denial."""
    clinic.account.decide = lambda _, action, __: Decision(
        action, "implicitDeny", missing_keys=("aws:SourceVpce",)
    )
    found = clinic.find("read", "flow")
    assert found.level is Level.WARNING
    assert "aws:SourceVpce" in found.seen


def test_several_roles_share_the_work(clinic: Clinic) -> None:
    """An action is allowed if one role has it, and a role that cannot be simulated is reported
    once.
    """
    reader, writer = (f"arn:aws:iam::{ACCOUNT}:role/{name}" for name in ("reader", "writer"))
    clinic.role_arns = (reader, writer)
    clinic.account.decide = lambda principal, action, _: Decision(
        action, "allowed" if (principal == writer) == (action == "s3:PutObject") else "implicitDeny"
    )
    assert clinic.find("write", "packs").level is Level.OK
    assert clinic.find("read", "flow").level is Level.OK
    clinic.account.deny("SimulatePrincipalPolicy")
    assert [
        finding.seen.split()[3] for finding in clinic.examine() if finding.check == "permissions"
    ] == [reader, writer]


def test_a_role_that_cannot_be_simulated_is_a_warning(clinic: Clinic) -> None:
    """It may have the permissions that the others lack: a warning, not a problem."""
    reader, writer = (f"arn:aws:iam::{ACCOUNT}:role/{name}" for name in ("reader", "writer"))
    clinic.role_arns = (reader, writer)
    clinic.account.decide = lambda _, action, __: Decision(
        action, "implicitDeny" if action == "s3:PutObject" else "allowed"
    )
    assert clinic.find("write", "packs").level is Level.PROBLEM
    clinic.account.deny(writer)
    found = clinic.find("write", "packs")
    assert found.level is Level.WARNING
    assert writer in found.seen
    assert Level.PROBLEM not in {finding.level for finding in clinic.examine()}


def test_writes_are_simulated_with_their_conditions(clinic: Clinic) -> None:
    """With the header that write-once policies require, over TLS, and in a bucket of the expected
    account.
    """
    clinic.account.owners["packs"] = OTHER_ACCOUNT
    clinic.change("packs", owner=OTHER_ACCOUNT)
    clinic.examine()
    context = clinic.account.contexts["s3:PutObject", "arn:aws:s3:::packs/packs/any-object"]
    assert context == {
        "aws:SecureTransport": "true",
        "aws:ResourceAccount": OTHER_ACCOUNT,
        "s3:if-none-match": "*",
        "s3:ObjectCreationOperation": "true",
    }


@pytest.mark.parametrize(
    ("status", "needed"),
    [
        ("Enabled", {"s3:DeleteObjectVersion"}),
        ("Suspended", {"s3:DeleteObjectVersion", "s3:DeleteObject"}),
        (None, {"s3:DeleteObject"}),
    ],
)
def test_the_simulated_deletion_depends_on_versioning(
    clinic: Clinic, status: str | None, needed: set[str]
) -> None:
    """Deletion is simulated by version id or by key."""
    clinic.change("flow", versioning=BucketVersioning(status))
    clinic.examine()
    asked = {
        action
        for _, action, resource in clinic.account.simulated
        if resource == "arn:aws:s3:::flow/AWSLogs/any-log"
    }
    assert {action for action in asked if "Delete" in action} == needed


def test_permission_to_delete_packs_is_a_warning(clinic: Clinic) -> None:
    """Packs are all that is left, so roles that can delete them are named."""
    found = clinic.find("packs-kept", "packs")
    assert found.level is Level.WARNING
    assert ROLE in found.seen


def test_the_table_matches_the_documentation() -> None:
    """Every action of the table is in a document of iam-permissions.md, and no other is."""
    page = (PAGES / "iam-permissions.md").read_text(encoding="utf-8")
    table = [
        value
        for name, value in vars(permissions).items()
        if name.isupper() and isinstance(value, tuple)
    ]
    assert granted_actions(page) == {action for actions in table for action in actions}


def granted_actions(page: str) -> set[str]:
    blocks = re.findall(r"^```json\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    actions = [
        statement["Action"]
        for block in blocks
        for statement in json.loads(block)["Statement"]
        if statement["Effect"] == "Allow"
    ]
    return {
        action for found in actions for action in ([found] if isinstance(found, str) else found)
    }


def test_the_doctors_own_permissions_are_documented(clinic: Clinic) -> None:
    """The policy on the doctor's page has every permission that an advice asks for, and nothing
    else.
    """
    clinic.settings["kms_key_id"] = KEY
    clinic.role_arns = (ROLE,)
    clinic.account.deny(*OPERATIONS)
    advised = {
        found[1]
        for finding in clinic.examine()
        if (found := re.match(r"Grant ([a-z0-9]+:[A-Za-z]+) to the caller", finding.advice))
    }
    documented = granted_actions((PAGES / "check-with-the-doctor.md").read_text(encoding="utf-8"))
    assert documented == advised | {
        "iam:SimulatePrincipalPolicy",
        "iam:GetRole",
        "s3:ListBucket",
        "s3:ListAllMyBuckets",
    }


def test_a_key_of_this_account_requires_role_permissions(clinic: Clinic) -> None:
    """Reading needs Decrypt, writing GenerateDataKey too, on the key itself."""
    for name in ("flow", "packs"):
        clinic.change(name, encryption=BucketEncryption("aws:kms", KEY, True))
    clinic.account.keys[KEY] = KmsKey(KEY, ACCOUNT)
    clinic.account.decide = lambda _, action, resource: Decision(
        action, "implicitDeny" if resource == KEY else "allowed"
    )
    assert "kms:GenerateDataKey" not in clinic.find("kms", "flow").advice
    assert "kms:GenerateDataKey, kms:Decrypt" in clinic.find("kms", "packs").advice
    assert {clinic.find("kms", name).level for name in ("flow", "packs")} == {Level.PROBLEM}


def test_a_key_of_another_account_is_explained(clinic: Clinic) -> None:
    """For Control Tower's key, the statement that the management account must add is written out as
    usable JSON.
    """
    clinic.change(MAIN, encryption=BucketEncryption("aws:kms", FOREIGN_KEY, True))
    clinic.account.keys[FOREIGN_KEY] = KmsKey(FOREIGN_KEY, OTHER_ACCOUNT)
    found = clinic.find("kms-policy", MAIN)
    assert found.level is Level.WARNING
    statement = json.loads(found.advice[found.advice.index("{") :])
    assert statement == {
        "Effect": "Allow",
        "Principal": {"AWS": [ROLE]},
        "Action": ["kms:Decrypt"],
        "Resource": "*",
    }


def test_the_trails_key_is_examined(clinic: Clinic) -> None:
    """CloudTrail encrypts with its own key, whatever the bucket's default."""
    clinic.account.trails.append(Trail("organization", MAIN, True, FOREIGN_KEY))
    clinic.account.deny("DescribeKey")
    assert OTHER_ACCOUNT in clinic.find("kms-policy", MAIN).seen


@pytest.mark.parametrize("state", ["Disabled", "PendingDeletion"])
def test_a_broken_key_is_a_problem(clinic: Clinic, state: str) -> None:
    """Nothing can be read or written with it."""
    clinic.change("packs", encryption=BucketEncryption("aws:kms", KEY, True))
    clinic.account.keys[KEY] = KmsKey(KEY, ACCOUNT, state)
    assert clinic.find("kms", "packs").level is Level.PROBLEM


def test_the_key_in_the_settings_wins(clinic: Clinic) -> None:
    """Packs are written with kms_key_id, not the bucket's default."""
    clinic.change("packs", encryption=BucketEncryption("aws:kms", KEY, True))
    clinic.settings["kms_key_id"] = "alias/packs"
    found = clinic.find("kms", "packs")
    assert found.level is Level.PROBLEM
    assert "alias/packs" in found.seen


def test_the_search_key_is_examined(clinic: Clinic) -> None:
    """The key of search data is examined too, but only if such data is kept."""
    clinic.settings["search_kms_key_id"] = "alias/search"
    seen = [found.seen for found in clinic.examine() if found.check == "kms"]
    assert [text for text in seen if "alias/search" in text] != []
    clinic.settings["search"] = "off"
    seen = [found.seen for found in clinic.examine() if found.check == "kms"]
    assert [text for text in seen if "alias/search" in text] == []


def test_missing_permission_to_merge_terms_is_a_warning(clinic: Clinic) -> None:
    """A missing permission to merge terms fails no run."""
    assert clinic.find("tables", "packs").level is Level.OK
    clinic.account.decide = lambda _, action, resource: Decision(
        action, "implicitDeny" if "/tables/" in resource else "allowed"
    )
    found = clinic.find("tables", "packs")
    assert found.level is Level.WARNING
    assert "s3:PutObject" in found.seen
    assert clinic.find("terms", "packs").level is Level.OK


def test_aws_managed_keys_need_no_permission(clinic: Clinic) -> None:
    """The policy of aws/s3 already allows everyone in the account."""
    clinic.change("packs", encryption=BucketEncryption("aws:kms", KEY, True))
    clinic.account.keys[KEY] = KmsKey(KEY, ACCOUNT, manager="AWS")
    assert clinic.find("kms", "packs").level is Level.OK
    assert KEY not in {resource for _, _, resource in clinic.account.simulated}


@pytest.mark.parametrize(
    ("bucket", "level"),
    [
        ("aws-controltower-logs-111122223333-eu-west-1", Level.PROBLEM),
        ("aws-controltower-cloudtrail-logs-111122223333-abc-def", Level.PROBLEM),
        ("aws-controltower-config-logs-111122223333-abc-def", Level.PROBLEM),
        ("aws-controltower-access-logs-111122223333-abc-def", Level.PROBLEM),
        ("example-flow-logs", Level.OK),
    ],
)
def test_in_place_is_refused_if_uploads_cannot_be_aborted(bucket: str, level: Level) -> None:
    """Landing zone 4.0's names rule out in-place packs, whatever a simulation says."""
    clinic = Clinic(
        settings={"other_buckets": bucket, "control_tower_bucket": "", "destination_bucket": ""}
    )
    clinic.account.buckets[bucket] = FakeBucket()
    clinic.store.create_bucket(bucket + "-", versioning=None)
    found = clinic.find("in-place", bucket)
    assert found.level is level
    assert ("destination_bucket" in found.advice) == (level is Level.PROBLEM)


def test_in_place_is_refused_if_aborting_is_denied() -> None:
    """A denied abort, found by simulation, refuses in-place packs; with a destination bucket there
    is no such finding.
    """
    clinic = Clinic(settings={"control_tower_bucket": "", "destination_bucket": ""})
    clinic.account.decide = lambda _, action, __: Decision(
        action, "explicitDeny" if action == "s3:AbortMultipartUpload" else "allowed"
    )
    found = clinic.find("in-place", "flow")
    assert found.level is Level.PROBLEM
    assert ("s3:AbortMultipartUpload", "arn:aws:s3:::flow/aggregated/packs/any-object") in {
        item[1:] for item in clinic.account.simulated
    }
    clinic.settings["destination_bucket"] = "packs"
    assert "in-place" not in {finding.check for finding in clinic.examine()}


def test_in_place_packs_need_the_buckets_key() -> None:
    """A source that is only read needs Decrypt; one that keeps its packs needs
    GenerateDataKey too.
    """
    clinic = Clinic(settings={"control_tower_bucket": "", "destination_bucket": ""})
    clinic.change("flow", encryption=BucketEncryption("aws:kms", KEY, True))
    clinic.account.keys[KEY] = KmsKey(KEY, ACCOUNT)
    clinic.account.decide = lambda _, action, __: Decision(
        action, "implicitDeny" if action == "kms:GenerateDataKey" else "allowed"
    )
    assert clinic.find("kms", "flow").level is Level.PROBLEM
    clinic.settings["destination_bucket"] = "packs"
    assert clinic.find("kms", "flow").level is Level.OK


def test_in_place_packs_are_affected_by_the_buckets_rules() -> None:
    """A rule for the whole source bucket freezes and expires its packs too."""
    clinic = Clinic(settings={"control_tower_bucket": "", "destination_bucket": ""})
    clinic.change(
        "flow",
        lifecycle=(rule(expiration_days=365, transitions=(Transition("DEEP_ARCHIVE", 90),)),),
    )
    seen = [finding.seen for finding in clinic.examine() if finding.where == "s3://flow"]
    assert any("moves indexes" in text for text in seen)
    assert any("expires packs" in text for text in seen)
    assert any("under aggregated/packs/" in text for text in seen)

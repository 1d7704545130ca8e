"""The policy of each stage, by the buckets, their accounts and keys; and what it never contains."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.account import ACCOUNT, OPERATIONS
from tests.support.clinic import Clinic
from tests.support.policies import Policies
from tests.support.world import make_rules

from log_aggregator.core.policies import make_documents
from log_aggregator.errors import SettingsError
from log_aggregator.ports.account import Decision
from log_aggregator.steps.doctor.findings import Level
from log_aggregator.steps.doctor.grants import (
    GRANTS,
    OWN_ACCOUNT,
    Scope,
    Stage,
    check_keys,
    plan_statements,
)

MAIN = "aws-controltower-logs-111122223333-eu-west-1"
OTHER = "444455556666"
PAGE = Path(__file__).parents[4] / "docs" / "how-to" / "iam-permissions.md"
KMS = "kms:arn:aws:kms:eu-west-1:111122223333:key/33333333-3333-3333-3333-333333333333"
KEY = "arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-0000-0000-000000000000"


def make_scope(accounts: tuple[tuple[str, str], ...] = (), **settings: Any) -> Scope:
    wanted = {"other_buckets": "logs", "destination_bucket": "dest"} | settings
    return Scope(make_rules(**wanted), accounts)


def policies_of(scope: Scope, *stages: Stage) -> Policies:
    return Policies(make_documents(plan_statements(scope, stages)))


@pytest.mark.parametrize("stage", Stage)
def test_no_stage_may_delete_or_overwrite_a_pack(stage: Stage) -> None:
    """No stage can change a bucket either."""
    for scope in (
        make_scope(),
        make_scope(destination_bucket=""),
        make_scope(other_buckets="de*"),
        make_scope(other_buckets="lo*", destination_bucket=""),
    ):
        policies = policies_of(scope, *Stage)
        for target in scope.targets:
            bucket = target.bucket.removesuffix("*")
            for folder in (
                "packs",
                "indexes",
                "custody",
                "signatures",
                "keys",
                "adopted",
                "discards",
            ):
                arn = f"arn:aws:s3:::{bucket}/{target.root}{folder}/x"
                assert not policies.may("s3:DeleteObject", arn)
                assert not policies.may("s3:DeleteObjectVersion", arn)
        actions = {action for grant in GRANTS if stage in grant.stages for action in grant.actions}
        assert not {each for each in actions if re.match(r"s3:(Put|Delete)Bucket|.*\*", each)}


def test_only_deletion_may_delete() -> None:
    """No other stage has an action that deletes; survey, read and search have none that writes."""
    of = {
        stage: {action for grant in GRANTS if stage in grant.stages for action in grant.actions}
        for stage in Stage
    }
    deleting = {"s3:DeleteObject", "s3:DeleteObjectVersion"}
    assert [stage for stage in Stage if of[stage] & deleting] == [Stage.DELETE]
    writing = [Stage.PACK, Stage.DELETE, Stage.DRILL, Stage.PROVE, Stage.HASH]
    assert [stage for stage in Stage if "s3:PutObject" in of[stage]] == writing


def test_reading_packs_does_not_allow_reading_logs() -> None:
    """The survey stage does not include reading logs either."""
    for stage in (Stage.SURVEY, Stage.READ):
        policies = policies_of(make_scope(control_tower_bucket=MAIN), stage)
        for bucket in (MAIN, "logs"):
            assert not policies.may("s3:GetObject", f"arn:aws:s3:::{bucket}/AWSLogs/x.gz")


def test_in_place_originals_can_be_deleted_but_packs_cannot() -> None:
    policies = policies_of(make_scope(destination_bucket=""), Stage.DELETE)
    assert policies.may("s3:DeleteObjectVersion", "arn:aws:s3:::logs/AWSLogs/x.gz")
    assert not policies.may("s3:DeleteObjectVersion", "arn:aws:s3:::logs/aggregated/packs/x.gz")
    assert policies.may("s3:DeleteObject", "arn:aws:s3:::logs/aggregated_probes/x")


def test_a_prefix_that_matches_the_destination_protects_packs() -> None:
    """`de*` covers all buckets whose names begin so, and `dest` is one of them."""
    policies = policies_of(make_scope(other_buckets="de*"), Stage.PACK, Stage.DELETE)
    assert policies.may("s3:DeleteObjectVersion", "arn:aws:s3:::de-logs/AWSLogs/x.gz")
    assert not policies.may("s3:DeleteObjectVersion", "arn:aws:s3:::dest/packs/x.gz")


def test_policies_require_the_expected_owner() -> None:
    """The account is the one in the settings, otherwise the caller's; a name pattern also has those
    of narrower names.
    """
    scope = make_scope(
        (("example-elb-*", OTHER), ("dest", "777788889999")), other_buckets="example-*,logs"
    )
    policies = policies_of(scope, Stage.PACK, Stage.DELETE)
    assert policies.may("s3:GetObject", "arn:aws:s3:::logs/x")
    assert not policies.may("s3:GetObject", "arn:aws:s3:::logs/x", owner=OTHER)
    assert policies.may("s3:DeleteObjectVersion", "arn:aws:s3:::example-elb-1/x", owner=OTHER)
    assert not policies.may("s3:DeleteObjectVersion", "arn:aws:s3:::example-x/x", owner=OTHER)
    assert not policies.may("s3:PutObject", "arn:aws:s3:::dest/packs/x")
    assert policies.may("s3:PutObject", "arn:aws:s3:::dest/packs/x", owner="777788889999")


def test_the_longest_name_decides_the_owner() -> None:
    scope = make_scope((("*", OTHER), ("logs", "1" * 12), ("lo*", "2" * 12)))
    found = {each.sid: each.account for each in plan_statements(scope, [Stage.SURVEY])}
    assert found[f"ListSourcesIn{'1' * 12}"] == "1" * 12
    assert found[f"LookAtTargetsIn{OTHER}"] == OTHER
    assert OWN_ACCOUNT not in found.values()


def test_every_statement_has_an_account_condition() -> None:
    """Denials have none, because they hold for every account."""
    for statement in plan_statements(make_scope(control_tower_bucket=MAIN), Stage):
        is_s3 = statement.resources[0].startswith("arn:aws:s3")
        assert bool(statement.account) == (is_s3 and not statement.is_denial), statement.sid


def test_nothing_missing_from_the_settings_is_granted() -> None:
    """No main bucket, no public keys; no name pattern, no list of all buckets; no key, no KMS; no
    discarding, no lists of it.
    """
    granted = policies_of(make_scope(), *Stage).grants()
    asked = {action for sid, action, _ in granted if sid != "LookAtAccount"}
    assert not {action for action in asked if not action.startswith("s3:")}
    assert "s3:ListAllMyBuckets" not in asked
    assert not {use for use in granted if use[2].endswith(("/keys/*", "/discards/*"))}
    everything = policies_of(
        make_scope(
            control_tower_bucket=MAIN,
            other_buckets="lo*",
            aggregation_regions="eu-west-1",
            other_regions="delete",
        ),
        *Stage,
    ).grants()
    assert {"s3:ListAllMyBuckets", "cloudtrail:ListPublicKeys"} <= {use[1] for use in everything}
    for folder in ("keys", "discards"):
        assert ("s3:PutObject", f"arn:aws:s3:::dest/{folder}/*") in {use[1:] for use in everything}


def test_other_partitions_have_their_own_arns() -> None:
    scope = Scope(make_rules(other_buckets="logs", destination_bucket="dest"), partition="aws-cn")
    for statement in plan_statements(scope, Stage):
        for arn in statement.resources:
            assert arn == "*" or arn.startswith("arn:aws-cn:")


def test_reading_packs_does_not_allow_searching() -> None:
    """Search does not include reading packs either, and the key of search data opens
    nothing else.
    """
    search_key = KEY[:-1] + "5"
    scope = replace(page_scope(), search_keys=(search_key,))

    def resources(*stages: Stage) -> set[str]:
        allowed = [found for found in plan_statements(scope, stages) if not found.is_denial]
        return {arn.partition(":::")[2] or arn for found in allowed for arn in found.resources}

    folders = {
        f"all-aggregated-logs-111122223333-eu-west-1/{name}/*" for name in ("terms", "tables")
    }
    assert not resources(Stage.READ, Stage.SURVEY, Stage.DELETE) & {*folders, search_key}
    assert resources(Stage.SEARCH) == {
        "all-aggregated-logs-111122223333-eu-west-1",
        search_key,
        *folders,
    }
    assert {*folders, search_key} < resources(Stage.PACK)


def test_without_search_no_permission_for_it_is_granted() -> None:
    rules = page_scope().rules
    combine = replace(rules.group.combine, terms=None)
    off = replace(rules, group=replace(rules.group, combine=combine))
    scope = replace(page_scope(), rules=off, search_keys=(KEY,))
    sids = {statement.sid for statement in plan_statements(scope, Stage)}
    assert not sids & {"WriteTerms", "WriteTables", "SearchTerms", "EncryptTerms", "DecryptTerms"}


def test_a_key_must_be_named_by_its_arn() -> None:
    """IAM matches neither aliases nor bare ids."""
    check_keys("--source-kms-key-arn", [KEY])
    for wrong in ("alias/logs", KEY.replace("key/", "alias/"), KEY[-36:], KEY[:-36] + "*"):
        with pytest.raises(SettingsError, match="expected the ARN of a key"):
            check_keys("--source-kms-key-arn", [wrong])


def test_surveying_includes_the_doctors_permissions() -> None:
    """The survey includes every permission that the doctor's advice asks for, unless a run already
    has it.
    """
    clinic = Clinic()
    clinic.settings["kms_key_id"] = KEY
    clinic.account.deny(*OPERATIONS)
    advised = {
        found[1]
        for finding in clinic.examine()
        if (found := re.match(r"Grant ([a-z0-9]+:[A-Za-z]+) to the caller", finding.advice))
    }
    looks = {
        action
        for grant in GRANTS
        if Stage.SURVEY in grant.stages and grant.sid.startswith("LookAt")
        for action in grant.actions
    }
    needs_no_grant = {"sts:GetCallerIdentity"}
    assert (
        advised - needs_no_grant | {"iam:GetRole", "iam:SimulatePrincipalPolicy", "s3:ListBucket"}
        == looks
    )


def page_scope(*, in_place: bool = False) -> Scope:
    """The scope that the documents of docs/how-to/iam-permissions.md are made for."""
    destination = "" if in_place else "all-aggregated-logs-111122223333-eu-west-1"
    rules = make_rules(
        control_tower_bucket="" if in_place else MAIN,
        other_buckets="example-*",
        destination_bucket=destination,
    )
    role = "arn:aws:iam::111122223333:role/hash-packs"
    return Scope(rules, (), "aws", (KEY.replace(ACCOUNT, OTHER),), (KEY,), roles=(role,))


def test_the_documented_policies_are_printed() -> None:
    """One for each stage, and the denial for packs that lie with their originals."""
    wanted = [make_documents(plan_statements(page_scope(), [stage]))[0] for stage in Stage]
    denial = plan_statements(page_scope(in_place=True), [Stage.DELETE])[-1:]
    wanted.insert(3, make_documents(denial)[0])
    page = PAGE.read_text(encoding="utf-8").partition("## A bucket policy for the target")[0]
    shown = re.findall(r"^```json\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert [json.loads(text) for text in shown] == wanted


@pytest.mark.parametrize("stage", [Stage.PACK, Stage.DELETE])
@pytest.mark.parametrize("sign_with", [None, "key.pem", "kms:arn:aws:kms:eu-west-1:1:alias/a", KMS])
def test_signing_permissions_match_the_page(stage: Stage, sign_with: str | None) -> None:
    """Signing takes, as on the page: with a KMS key both statements, with a key in a file the
    first, without a key none. IAM cannot name an alias.
    """
    page = PAGE.read_text(encoding="utf-8").partition("## Signing custody records")[2]
    shown = json.loads(page.partition("```json\n")[2].partition("```")[0])["Statement"]
    scope = page_scope()
    scope = replace(scope, rules=replace(scope.rules, sign_with=sign_with))
    (document,) = make_documents(plan_statements(scope, [stage]))
    found = [each for each in document["Statement"] if "Sign" in each["Sid"]]
    assert found == {None: [], KMS: shown}.get(sign_with, shown[:1])


@pytest.mark.parametrize("settings", [{}, {"destination_bucket": ""}], ids=["apart", "in place"])
def test_the_doctor_accepts_the_policies(settings: dict[str, Any]) -> None:
    """The pack and delete policies give everything that a run needs, without deletion of packs;
    with the pack policy alone, the doctor reports the missing one.
    """
    clinic = Clinic(settings=settings)
    wanted: dict[str, Any] = {
        "control_tower_bucket": MAIN,
        "other_buckets": "flow",
        "destination_bucket": "packs",
    }
    scope = make_scope(**(wanted | settings))

    def find(*stages: Stage) -> set[tuple[Level, str]]:
        policies = policies_of(scope, *stages)
        clinic.account.decide = lambda _, action, arn: Decision(
            action, "allowed" if policies.may(action, arn) else "implicitDeny"
        )
        return {(each.level, each.check) for each in clinic.examine()}

    enough = find(Stage.PACK, Stage.DELETE)
    assert not {check for level, check in enough if level is Level.PROBLEM} - {"in-place"}
    assert (Level.OK, "packs-kept") in enough
    assert (Level.OK, "delete") in enough
    assert (Level.PROBLEM, "delete") in find(Stage.PACK)

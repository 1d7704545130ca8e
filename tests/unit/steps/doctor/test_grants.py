"""The policy of each stage: by the buckets, their accounts and keys; and what it never contains."""

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
    """Nor change a bucket, whatever it is."""
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


def test_reading_packs_is_no_right_to_read_logs() -> None:
    """Nor may who surveys read what is in a log."""
    for stage in (Stage.SURVEY, Stage.READ):
        policies = policies_of(make_scope(control_tower_bucket=MAIN), stage)
        for bucket in (MAIN, "logs"):
            assert not policies.may("s3:GetObject", f"arn:aws:s3:::{bucket}/AWSLogs/x.gz")


def test_originals_in_place_may_go_and_packs_may_not() -> None:
    policies = policies_of(make_scope(destination_bucket=""), Stage.DELETE)
    assert policies.may("s3:DeleteObjectVersion", "arn:aws:s3:::logs/AWSLogs/x.gz")
    assert not policies.may("s3:DeleteObjectVersion", "arn:aws:s3:::logs/aggregated/packs/x.gz")
    assert policies.may("s3:DeleteObject", "arn:aws:s3:::logs/aggregated_probes/x")


def test_a_beginning_that_fits_the_destination_too_takes_no_pack() -> None:
    """`de*` are all buckets of that beginning, and `dest` is one of them."""
    policies = policies_of(make_scope(other_buckets="de*"), Stage.PACK, Stage.DELETE)
    assert policies.may("s3:DeleteObjectVersion", "arn:aws:s3:::de-logs/AWSLogs/x.gz")
    assert not policies.may("s3:DeleteObjectVersion", "arn:aws:s3:::dest/packs/x.gz")


def test_buckets_are_asked_whose_they_are() -> None:
    """As in the settings, else of the account that asks; of a beginning also what is named under
    it.
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


def test_the_longest_name_says_whose_a_bucket_is() -> None:
    scope = make_scope((("*", OTHER), ("logs", "1" * 12), ("lo*", "2" * 12)))
    found = {each.sid: each.account for each in plan_statements(scope, [Stage.SURVEY])}
    assert found[f"ListSourcesIn{'1' * 12}"] == "1" * 12
    assert found[f"LookAtTargetsIn{OTHER}"] == OTHER
    assert OWN_ACCOUNT not in found.values()


def test_every_bucket_has_a_condition_on_its_account() -> None:
    """But for denials, which hold for everybody's."""
    for statement in plan_statements(make_scope(control_tower_bucket=MAIN), Stage):
        is_s3 = statement.resources[0].startswith("arn:aws:s3")
        assert bool(statement.account) == (is_s3 and not statement.is_denial), statement.sid


def test_what_the_settings_do_not_have_is_not_granted() -> None:
    """No main bucket, no public keys; no beginning, no list of all buckets; no key, no KMS; nothing
    is discarded, no lists of it.
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


def test_china_and_gov_cloud_have_arns_of_their_own() -> None:
    scope = Scope(make_rules(other_buckets="logs", destination_bucket="dest"), partition="aws-cn")
    for statement in plan_statements(scope, Stage):
        for arn in statement.resources:
            assert arn == "*" or arn.startswith("arn:aws-cn:")


def test_who_reads_packs_may_not_search_for_that_reason() -> None:
    """Nor the other way round; and the key of what is searched opens nothing else."""
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


def test_without_search_nothing_is_granted_for_it() -> None:
    rules = page_scope().rules
    combine = replace(rules.group.combine, terms=None)
    off = replace(rules, group=replace(rules.group, combine=combine))
    scope = replace(page_scope(), rules=off, search_keys=(KEY,))
    sids = {statement.sid for statement in plan_statements(scope, Stage)}
    assert not sids & {"WriteTerms", "WriteTables", "SearchTerms", "EncryptTerms", "DecryptTerms"}


def test_a_key_is_named_by_its_arn() -> None:
    """IAM matches no alias and no bare id."""
    check_keys("--source-kms-key-arn", [KEY])
    for wrong in ("alias/logs", KEY.replace("key/", "alias/"), KEY[-36:], KEY[:-36] + "*"):
        with pytest.raises(SettingsError, match="expected the ARN of a key"):
            check_keys("--source-kms-key-arn", [wrong])


def test_surveying_includes_what_the_doctor_asks() -> None:
    """What its advice wants granted, where a run's own permissions do not have it already."""
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
    """What the documents of docs/how-to/iam-permissions.md are made for."""
    destination = "" if in_place else "all-aggregated-logs-111122223333-eu-west-1"
    rules = make_rules(
        control_tower_bucket="" if in_place else MAIN,
        other_buckets="example-*",
        destination_bucket=destination,
    )
    role = "arn:aws:iam::111122223333:role/hash-packs"
    return Scope(rules, (), "aws", (KEY.replace(ACCOUNT, OTHER),), (KEY,), roles=(role,))


def test_the_documents_of_the_page_are_what_is_printed() -> None:
    """One for each stage, and the denial where packs lie beside their originals."""
    wanted = [make_documents(plan_statements(page_scope(), [stage]))[0] for stage in Stage]
    denial = plan_statements(page_scope(in_place=True), [Stage.DELETE])[-1:]
    wanted.insert(3, make_documents(denial)[0])
    page = PAGE.read_text(encoding="utf-8").partition("## A bucket policy for the target")[0]
    shown = re.findall(r"^```json\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert [json.loads(text) for text in shown] == wanted


@pytest.mark.parametrize("stage", [Stage.PACK, Stage.DELETE])
@pytest.mark.parametrize("sign_with", [None, "key.pem", "kms:arn:aws:kms:eu-west-1:1:alias/a", KMS])
def test_what_signing_takes(stage: Stage, sign_with: str | None) -> None:
    """As the page has it: with a key in KMS both statements, with one in a file the first, without
    any none. IAM cannot name an alias.
    """
    page = PAGE.read_text(encoding="utf-8").partition("## Signing custody records")[2]
    shown = json.loads(page.partition("```json\n")[2].partition("```")[0])["Statement"]
    scope = page_scope()
    scope = replace(scope, rules=replace(scope.rules, sign_with=sign_with))
    (document,) = make_documents(plan_statements(scope, [stage]))
    found = [each for each in document["Statement"] if "Sign" in each["Sid"]]
    assert found == {None: [], KMS: shown}.get(sign_with, shown[:1])


@pytest.mark.parametrize("settings", [{}, {"destination_bucket": ""}], ids=["apart", "in place"])
def test_the_doctor_finds_the_policies_sufficient(settings: dict[str, Any]) -> None:
    """Who has those of packing and deleting lacks nothing that a run needs, and cannot delete a
    pack; who has only the first is told of the other.
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

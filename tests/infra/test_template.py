"""What the template produces for every set of parameters. The checks themselves are tested in
test_mutations.py.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable

import botocore.loaders
import cfnlint.api
import pytest
from tests.infra import monitoring, permissions, platform, running, storage
from tests.infra.access import statements_of
from tests.infra.stack import (
    ACCOUNT,
    KEY,
    OTHER_KEY,
    PARAMETER_SETS,
    ROOT,
    STACK,
    Stack,
    Template,
    deploy,
    load_template,
    resolve,
    translate,
)

from log_aggregator.handlers.prepare import LAYOUTS_KEY

Check = Callable[[Stack], list[str]]

CHECKS: tuple[Check, ...] = tuple(
    check
    for module in (permissions, storage, running, monitoring, platform)
    for name, check in vars(module).items()
    if name.startswith("check_") and name != "check_parameters"
)


@functools.cache
def _translated() -> Template:
    return translate(load_template())


@pytest.mark.parametrize("parameters", PARAMETER_SETS.values(), ids=PARAMETER_SETS)
@pytest.mark.parametrize("check", CHECKS, ids=[check.__name__ for check in CHECKS])
def test_every_check_passes_for_every_set_of_parameters(
    check: Check, parameters: dict[str, str]
) -> None:
    """Every check holds for every set of parameters."""
    assert check(resolve(_translated(), parameters)) == []


def test_parameters_are_described_bounded_and_used() -> None:
    """The older stack's parameters keep their names; all are described, bounded, used and shown."""
    assert running.check_parameters(load_template()) == []


def test_thirty_buckets_fit() -> None:
    """With 30 names of S3's maximum length the environment stays under Lambda's 4 KB and each
    role's policies under IAM's 10,240 characters, keys and other accounts included.
    """
    names = [f"{'application-load-balancer-logs-of-':x<60}{number:03}" for number in range(30)]
    given = {
        "OtherBuckets": ",".join(names),
        "SourceKmsKeyArns": f"{KEY},{OTHER_KEY}",
        "DestinationKmsKeyArn": OTHER_KEY,
        "BucketAccounts": ",".join(f"{name}=444455556666" for name in names[:6]),
    }
    for place in ("Yes", "No"):
        stack = resolve(_translated(), {**given, "UseCommonDestinationBucket": place})
        assert permissions.check_policies_fit(stack) == []
        assert running.check_environment(stack) == []


def test_outputs_describe_exactly_what_was_made() -> None:
    """Outputs have what people need after a deployment, and nothing that was not made."""
    in_place = deploy(load_template(), PARAMETER_SETS["in place"]).outputs
    common = deploy(load_template(), PARAMETER_SETS["own topic"]).outputs
    assert set(common) - set(in_place) == {"CommonDestinationBucketName"}
    assert common["LayoutsFile"] == f"s3://{common['WorkBucketName']}/{LAYOUTS_KEY}"
    assert common["AlarmTopicArn"] == PARAMETER_SETS["own topic"]["AlarmTopicArn"]
    assert common["CombineFunctionRoleArn"].endswith(":role/logs-CombineFunctionRole")
    assert common["DashboardUrl"].endswith("region=eu-west-1#dashboards/dashboard/LogAggregator")
    assert {
        "WorkBucketName",
        "CombineLogFilesSMArn",
        "ProcessHistoricalMainLogsSMArn",
        "TargetKeyRoleArns",
    } <= set(common)


def test_a_stack_can_be_made_in_every_partition() -> None:
    """Each partition that botocore knows has its console, in the domain where people sign in."""
    loader = botocore.loaders.create_loader()
    partitions = {row["id"] for row in loader.load_data("partitions")["partitions"]}
    sign_in = json.dumps(loader.load_service_model("signin", "endpoint-rule-set-1"))
    consoles = {name: row["Host"] for name, row in load_template()["Mappings"]["Console"].items()}
    assert set(consoles) == partitions
    strange = [
        host
        for host in consoles.values()
        if f'{host}"'.replace("console", "signin", 1) not in sign_in
    ]
    assert strange == []


def test_the_runbook_has_the_headings_that_alarms_name() -> None:
    """An alarm's description names an existing page and section."""
    assert monitoring.missing_sections(deploy(load_template(), {})) == []


def test_cfn_lint_finds_nothing() -> None:
    """The linter that `sam validate --lint` runs reports nothing."""
    matches = cfnlint.api.lint((ROOT / "template.yaml").read_text(encoding="utf-8"))
    assert [str(match) for match in matches] == []


def test_the_key_policy_names_every_role_that_needs_it() -> None:
    """A policy that names only the roles of the output lets each function use the key, also for
    custody records; the doctor checks all of them.
    """
    key = "arn:aws:kms:eu-west-1:111122223333:key/0123"
    stack = resolve(_translated(), {"DestinationKmsKeyArn": key})
    using = {
        f"arn:aws:iam::111122223333:role/logs-{name}"
        for name, resource in stack.resources.items()
        if resource["Type"] == "AWS::IAM::Role"
        and any(
            statement.get("Resource") == key and statement["Action"] != "kms:DescribeKey"
            for policy in resource["Properties"].get("Policies", [])
            for statement in policy["PolicyDocument"]["Statement"]
        )
    }
    assert len(using) == 8
    assert set(stack.outputs["TargetKeyRoleArns"].split(",")) == using


def test_the_search_key_policy_names_two_roles() -> None:
    """One role writes terms and one merges them: no other uses that key, and packs have another."""
    stack = resolve(_translated(), PARAMETER_SETS["search with a key"])
    assert stack.outputs["SearchKeyRoleArns"].split(",") == [
        f"arn:aws:iam::{ACCOUNT}:role/{STACK}-{name}FunctionRole"
        for name in ("Combine", "MergeTerms")
    ]
    assert "SearchKeyRoleArns" not in resolve(_translated(), PARAMETER_SETS["no search"]).outputs


def test_the_doctor_checks_the_role_of_every_step() -> None:
    """This covers every function that either state machine invokes, except the one that
    only looks.
    """
    stack = resolve(_translated(), {})
    steps = {
        arn.rpartition(":")[2]
        for found in statements_of(stack)
        if found.owner.endswith("SM") and "lambda:InvokeFunction" in found.actions
        for arn in found.resources
    } - {f"{STACK}-ExamineFunction"}
    roles = [f"arn:aws:iam::{ACCOUNT}:role/{name}Role" for name in steps]
    options = stack.outputs["DoctorOptions"].split(" ")
    assert sorted(options[1::2]) == sorted(roles)
    assert set(options[::2]) == {"--role-arn"}
    (simulated,) = (
        set(found.resources)
        for found in statements_of(stack)
        if "iam:SimulatePrincipalPolicy" in found.actions
    )
    assert simulated == {role for role in roles if "History" not in role and "Sort" not in role}
    machine = stack.properties("CombineLogFilesSM")
    assert set(machine["DefinitionSubstitutions"]["RoleArns"].split(",")) == simulated


def test_the_destination_gets_the_requested_name() -> None:
    """The bucket, its policy's ARNs, the functions' target and the dashboard agree."""
    stack = resolve(_translated(), {"DestinationBucketName": "our-packs"})
    assert stack.properties("CommonDestinationBucket")["BucketName"] == "our-packs"
    variables = stack.properties("CombineFunction")["Environment"]["Variables"]
    assert variables["LOG_AGGREGATOR_DESTINATION_BUCKET"] == "our-packs"
    assert "our-packs" in stack.properties("Dashboard")["DashboardBody"]
    assert "all-aggregated-logs" not in json.dumps([stack.resources, stack.outputs], default=str)


def test_roles_of_schedules_match_those_made_by_sam() -> None:
    """Updating a stack whose schedules had SAM's own roles leaves these roles unchanged."""
    parameters = PARAMETER_SETS["access logs"]
    ours, theirs = load_template(), load_template()
    owners = ("CombineLogFilesSM", "EmptyAccessLogsFunction", "DrillFunction", "ReportFunction")
    for owner in owners:
        for name, event in theirs["Resources"][owner]["Properties"]["Events"].items():
            del theirs["Resources"][f"{owner}{name}Role"], event["Properties"]["RoleArn"]
    assert deploy(ours, parameters).resources == deploy(theirs, parameters).resources


def test_rules_refuse_combinations_that_cannot_work() -> None:
    """Combinations that would fail later are refused before anything is made."""
    rules = load_template()["Rules"]
    refused = {
        "AccessLogBucketIsNoOther": {
            "ControlTowerBucketAccessLogBucket",
            "ControlTowerBucket",
            "OtherBuckets",
        },
        "DeletingRegionsNamesTheOthers": {"OtherRegions", "AggregationRegions"},
        "ReadBackCanRead": {"Verify", "StorageClass"},
        "LockingNeedsTheBucket": {"ObjectLockMode", "UseCommonDestinationBucket"},
        "AccessLogsGoElsewhere": {"ServerAccessLogBucket", "DestinationBucketName"},
        "NamingNeedsTheBucket": {
            "DestinationBucketName",
            "UseCommonDestinationBucket",
            "ControlTowerBucket",
        },
        "ReplicatingNeedsTheBucket": {
            "ReplicaBucketArn",
            "UseCommonDestinationBucket",
            "DestinationKmsKeyArn",
            "ReplicaKmsKeyArn",
        },
    }
    assert {
        name: {found for found in refused[name] if f'"{found}"' in json.dumps(rule)}
        for name, rule in rules.items()
    } == refused

"""A run in an account with a low quota and strict permissions: three functions of a kind at a time,
and an examination of the account before a night.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from tests.e2e import telemetry
from tests.e2e.building import BuiltTemplate, Machine
from tests.e2e.executions import Execution, list_children, run
from tests.e2e.local_aws import LocalAws
from tests.e2e.site import Site, make_site, one_day, read_json

from log_aggregator.steps.doctor.drift import ACCEPTED_KEY
from log_aggregator_lab.organisation.generate import generate

IS_ENFORCING = True
AT_ONCE, WANTED = 3, 6
SIDE_BY_SIDE = ("ListFunction", "CombineFunction", "VerifyFunction", "DeleteFunction")


@pytest.fixture(scope="module")
def site(aws: LocalAws, built: BuiltTemplate, machine: Machine) -> Site:
    spec = replace(one_day(seed=23), objects=120)
    parameters = {"PackConcurrency": str(WANTED), "ListConcurrency": str(WANTED)}
    site = make_site(aws, built, machine, spec, generate(spec), parameters)
    for name in SIDE_BY_SIDE:
        aws.client("lambda").put_function_concurrency(
            FunctionName=site.deployment.functions[name], ReservedConcurrentExecutions=AT_ONCE
        )
    return site


def test_throttled_functions_lose_nothing(site: Site) -> None:
    """Four times as many functions are wanted as there is room for; calls that Lambda refuses are
    retried until there is room.
    """
    execution = run(site.deployment, "CombineLogFilesSM", {"date": str(site.day)})
    assert site.check().problems == []
    children = list(list_children(site.deployment, execution))
    assert {child.status for child in children} == {"SUCCEEDED"}
    errors = [error for child in children for error in child.errors]
    assert errors.count("Lambda.Unknown") > 0, "as the local AWS calls it"
    (room,) = (
        record
        for record in telemetry.read_records(site.deployment, "PrepareFunction")
        if record["message"] == "room for functions"
    )
    limit = site.aws.client("lambda").get_account_settings()["AccountLimit"]
    assert room["unreserved"] == limit["UnreservedConcurrentExecutions"]
    assert room["unreserved"] == limit["ConcurrentExecutions"] - len(SIDE_BY_SIDE) * AT_ONCE


def test_the_first_night_accepts_the_state_of_the_account(site: Site) -> None:
    """Findings of the first night are accepted; later, worse ones are counted, and no night fails
    because of them.
    """
    flow = next(name for name in site.spec.buckets if "flow" in name)
    first = run(site.deployment, "CombineLogFilesSM", {})
    seen = levels(site, first)
    assert seen[f"s3://{site.destination}", "versioning"] == "ok"
    assert seen[f"s3://{flow}", "lifecycle"] == "ok"
    assert seen["account", "lambda-quota"] == "ok"
    expiring = {"ID": "soon", "Status": "Enabled", "Filter": {}, "Expiration": {"Days": 1}}
    site.aws.client("s3").put_bucket_lifecycle_configuration(
        Bucket=flow, LifecycleConfiguration={"Rules": [expiring]}
    )
    second = run(site.deployment, "CombineLogFilesSM", {})
    assert levels(site, second)[f"s3://{flow}", "lifecycle"] in ("warning", "problem")
    drift = [
        telemetry.sum_metrics(site.deployment, "ExamineFunction", run=night.output["run"])["Drift"]
        for night in (first, second)
    ]
    assert drift == [0, 1]
    work = site.deployment.outputs["WorkBucketName"]
    accepted = json.loads(
        site.aws.client("s3").get_object(Bucket=work, Key=ACCEPTED_KEY)["Body"].read()
    )
    assert f"s3://{flow}" not in {row["where"] for row in accepted if row["check"] == "lifecycle"}


def levels(site: Site, night: Execution) -> dict[tuple[str, str], str]:
    """Place and check -> level, as found by the night's examination."""
    work = site.deployment.outputs["WorkBucketName"]
    described: dict[str, Any] = read_json(
        site, f"s3://{work}/runs/{night.output['run']}/examination.json"
    )
    return {
        (where, found["check"]): found["level"]
        for found in described["findings"]
        for where in found["where"]
    }

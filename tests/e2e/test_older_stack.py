"""A stack of the older application is updated to this one, in both of its forms: its aggregates
stay, and the next day is packed.

The older template is not available; this one has its parameters, the names of its buckets and state
machines, and the choice between the two forms.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.building import BuiltTemplate, Machine
from tests.e2e.deployment import deploy
from tests.e2e.executions import run
from tests.e2e.local_aws import ACCOUNT, REGION, LocalAws
from tests.e2e.site import make_site, one_day
from tests.infra.running import OLDER_PARAMETERS

from log_aggregator_lab.organisation.generate import generate
from log_aggregator_lab.upload import create_buckets

DESTINATION = f"all-aggregated-logs-{ACCOUNT}-{REGION}"
SCRATCH = f"tmp-logs-{ACCOUNT}-{REGION}"
AGGREGATE = b"many log objects, one after the other"
VALUES = {
    "ControlTowerBucket": "",
    "UseCommonDestinationBucket": "Yes",
    "FinalAggregationPrefix": "AggregatedLogs",
    "ExpirationInDays": "3650",
    "DaysUntilGlacierDeepArchive": "90",
    "GlacierObjectSize": "204800",
    "AggregationRegions": "[]",
    "DashboardName": "CloudWatch-Default",
}
"""The defaults of its parameters, where they are not empty."""

DOES_NOTHING = '{"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}'


def older_template() -> dict[str, Any]:
    role = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "states.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
    machine = {
        "Type": "AWS::StepFunctions::StateMachine",
        "Properties": {
            "DefinitionString": DOES_NOTHING,
            "RoleArn": {"Fn::GetAtt": ["CombineLogFilesSMRole", "Arn"]},
        },
    }
    return {
        "Parameters": {
            name: {"Type": "String", "Default": VALUES.get(name, "")} for name in OLDER_PARAMETERS
        },
        "Conditions": {
            "UseCommonDestinationBucket": {
                "Fn::Equals": [{"Ref": "UseCommonDestinationBucket"}, "Yes"]
            }
        },
        "Resources": {
            "CommonDestinationBucket": {
                "Type": "AWS::S3::Bucket",
                "Condition": "UseCommonDestinationBucket",
                "DeletionPolicy": "Retain",
                "UpdateReplacePolicy": "Retain",
                "Properties": {
                    "BucketName": {
                        "Fn::Sub": "all-aggregated-logs-${AWS::AccountId}-${AWS::Region}"
                    },
                    "VersioningConfiguration": {"Status": "Enabled"},
                },
            },
            "TmpLogsBucket": {
                "Type": "AWS::S3::Bucket",
                "Properties": {
                    "BucketName": {"Fn::Sub": "tmp-logs-${AWS::AccountId}-${AWS::Region}"}
                },
            },
            "CombineLogFilesSMRole": {
                "Type": "AWS::IAM::Role",
                "Properties": {"AssumeRolePolicyDocument": role},
            },
            "CombineLogFilesSM": machine,
            "ProcessHistoricalMainLogsSM": machine,
        },
    }


@pytest.mark.parametrize("shape", ["Yes", "No"])
def test_updating_an_old_stack_keeps_its_aggregates(
    shape: str, built: BuiltTemplate, machine: Machine, tmp_path: Path
) -> None:
    """With a common destination, and with aggregates in the source buckets."""
    spec = replace(one_day(seed=29), objects=40)
    with LocalAws(tmp_path / "aws") as aws:
        create_buckets(spec, aws)
        given = {
            "ControlTowerBucket": spec.control_tower_bucket,
            "UseCommonDestinationBucket": shape,
        }
        older = deploy(aws, BuiltTemplate(older_template(), tmp_path), given)
        machine_before = older.state_machine("CombineLogFilesSM")
        s3 = aws.client("s3")
        place = (
            {"Bucket": DESTINATION, "Key": f"{spec.control_tower_bucket}/2024/01/02/CloudTrail.gz"}
            if shape == "Yes"
            else {"Bucket": spec.control_tower_bucket, "Key": "AggregatedLogs/2024/01/02/x.gz"}
        )
        version = s3.put_object(**place, Body=AGGREGATE)["VersionId"]

        parameters = {
            "UseCommonDestinationBucket": shape,
            "DashboardName": "LogAggregator",
            "OlderAggregatesPrefix": f"{spec.control_tower_bucket}/" if shape == "Yes" else "",
            "Holds": '{"prefixes": ["AggregatedLogs/"]}',
        }
        site = make_site(aws, built, machine, spec, generate(spec), parameters)
        run(site.deployment, "CombineLogFilesSM", {"date": str(site.day)})

        assert site.check().problems == []
        found = s3.get_object(**place)
        assert (found["VersionId"], found["Body"].read()) == (version, AGGREGATE)
        names = {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}
        assert SCRATCH not in names
        assert (DESTINATION in names) == (shape == "Yes")
        states = aws.client("stepfunctions").list_state_machines()["stateMachines"]
        assert machine_before not in {each["stateMachineArn"] for each in states}
        if shape == "Yes":
            assert site.deployment.resources["CommonDestinationBucket"] == DESTINATION

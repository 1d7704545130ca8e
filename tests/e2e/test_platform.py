"""A night in a stack with what a platform team asks for: roles under a path and within a boundary,
a named destination, versions, notifications.

The local AWS drops the boundaries of roles and the keys of buckets and functions that
CloudFormation sets; tests/infra checks those. So the boundary is attached to the roles by hand
here, and it is enforced.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest
from tests.e2e.building import BuiltTemplate, Machine
from tests.e2e.executions import run
from tests.e2e.local_aws import LocalAws
from tests.e2e.site import Site, make_site, one_day

from log_aggregator_lab.organisation.generate import generate, late

IS_ENFORCING = True
SERVICES = ("cloudtrail", "iam", "kms", "lambda", "logs", "s3", "states", "sts", "xray")


@pytest.fixture(scope="module")
def site(aws: LocalAws, built: BuiltTemplate, machine: Machine) -> Site:
    spec = replace(one_day(seed=17), objects=40)
    parameters = {
        "RolePath": "/log/",
        "PermissionsBoundaryArn": make_boundary(aws, "wide", [f"{each}:*" for each in SERVICES]),
        "DestinationBucketName": "our-packs",
        "WorkBucketVersioning": "Yes",
        "SuccessNotice": "Yes",
    }
    site = make_site(aws, built, machine, spec, generate(spec), parameters)
    put_boundary(site, parameters["PermissionsBoundaryArn"])
    return site


def test_a_night_under_a_platform_teams_rules(site: Site) -> None:
    """Everything is packed and can be recovered; every role is under the path, and the work bucket
    has versions.
    """
    run(site.deployment, "CombineLogFilesSM", {"date": str(site.day)})
    assert site.check().problems == []
    assert site.destination == "our-packs"
    made = roles_of(site)
    under_the_path = site.aws.client("iam").list_roles(PathPrefix="/log/")["Roles"]
    assert set(made) <= {role["RoleName"] for role in under_the_path}
    assert len(made) > 10
    versioning = site.aws.client("s3").get_bucket_versioning(
        Bucket=site.deployment.resources["WorkBucket"]
    )
    assert versioning["Status"] == "Enabled"


def test_a_step_outside_the_boundary_is_skipped_and_reported(site: Site) -> None:
    """A boundary without deletions, for example: late logs are packed, their originals stay, and
    the run says what is missing.
    """
    entries = site.put(late(site.spec))
    allowed = [f"{each}:*" for each in SERVICES if each != "s3"]
    put_boundary(
        site, make_boundary(site.aws, "keeping", [*allowed, "s3:Get*", "s3:List*", "s3:PutObject"])
    )
    failed = run(site.deployment, "CombineLogFilesSM", {"date": str(site.day)}, expect="FAILED")
    assert "s3:DeleteObject" in failed.message
    left = {(bucket, key) for (bucket, key, _) in site.inventory(site.spec.buckets)}
    assert {(entry.bucket, entry.key) for entry in entries} <= left


def make_boundary(aws: LocalAws, name: str, actions: Sequence[str]) -> str:
    """Returns its ARN."""
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
    document = {"Version": "2012-10-17", "Statement": [statement]}
    policy = aws.client("iam").create_policy(PolicyName=name, PolicyDocument=json.dumps(document))
    return str(policy["Policy"]["Arn"])


def put_boundary(site: Site, arn: str) -> None:
    for role in roles_of(site):
        site.aws.client("iam").put_role_permissions_boundary(RoleName=role, PermissionsBoundary=arn)


def roles_of(site: Site) -> list[str]:
    return [found for name, found in site.deployment.resources.items() if name.endswith("Role")]

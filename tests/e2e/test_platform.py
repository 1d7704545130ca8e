"""A night in a stack with what a platform team asks for: roles under a path, a named destination,
versions, notices.

The local AWS drops boundaries of roles, and the keys of buckets and functions, that CloudFormation
makes; tests/infra looks at those.
"""

from __future__ import annotations

from dataclasses import replace

from tests.e2e.building import BuiltTemplate, Machine
from tests.e2e.executions import run
from tests.e2e.local_aws import LocalAws
from tests.e2e.site import make_site, one_day

from log_aggregator_lab.organisation.generate import generate

IS_ENFORCING = True


def test_a_night_under_a_platforms_rules(
    aws: LocalAws, built: BuiltTemplate, machine: Machine
) -> None:
    """Everything is packed and can come back; every role is under the path, and the work
    bucket has versions.
    """
    spec = replace(one_day(seed=17), objects=40)
    parameters = {
        "RolePath": "/log/",
        "DestinationBucketName": "our-packs",
        "WorkBucketVersioning": "Yes",
        "SuccessNotice": "Yes",
    }
    site = make_site(aws, built, machine, spec, generate(spec), parameters)
    run(site.deployment, "CombineLogFilesSM", {"date": str(site.day)})
    assert site.check().problems == []
    assert site.destination == "our-packs"
    resources = site.deployment.resources
    under_the_path = aws.client("iam").list_roles(PathPrefix="/log/")["Roles"]
    made = {found for name, found in resources.items() if name.endswith("Role")}
    assert made <= {role["RoleName"] for role in under_the_path}
    assert len(made) > 10
    versioning = aws.client("s3").get_bucket_versioning(Bucket=resources["WorkBucket"])
    assert versioning["Status"] == "Enabled"

"""./deploy by someone without the permission, against a local AWS that checks permissions."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.e2e.building import Machine
from tests.e2e.local_aws import LocalAws
from tests.e2e.test_deploy_script import deploy

IS_ENFORCING = True
LOOK = ["cloudformation:Describe*", "cloudformation:List*", "s3:List*", "s3:Get*"]


@pytest.mark.parametrize(
    ("actions", "denied"),
    [(["s3:List*"], "cloudformation:DescribeStacks"), (LOOK, "cloudformation:DeleteChangeSet")],
    ids=["nothing", "read only"],
)
def test_missing_permissions_are_reported_before_the_build(
    actions: list[str], denied: str, aws: LocalAws, machine: Machine, tmp_path: Path
) -> None:
    """Also in a dry run; the missing action is named."""
    iam, name = aws.client("iam"), f"user-{len(actions)}"
    policy = {"Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]}
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="some", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    aws.client("s3").create_bucket(
        Bucket=f"logs-{name}", CreateBucketConfiguration={"LocationConstraint": aws.region}
    )
    config = tmp_path / "samconfig.toml"
    overrides = (
        f'[default.deploy.parameters.parameter_overrides]\nControlTowerBucket = "logs-{name}"'
    )
    config.write_text(overrides, encoding="utf-8")
    user = replace(aws, access_key=key["AccessKeyId"], secret_key=key["SecretAccessKey"])
    done = deploy(user, machine, "--dry-run", "--config-file", str(config))
    assert done.returncode == 3, done.stderr
    assert denied in done.stderr
    assert "sam build" not in done.stderr

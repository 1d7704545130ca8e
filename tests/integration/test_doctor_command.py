"""`log-aggregator doctor` as a process, against local servers that simulate a whole account, and
against one that only has S3.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from tests.conformance.harness import run_emulator
from tests.support.forking import ForkServer

from log_aggregator.adapters.s3 import ClientSettings, S3Store
from log_aggregator.adapters.s3.attempts import Answer
from log_aggregator.adapters.s3.curl import CurlReader, ReadRequest
from log_aggregator.adapters.s3.inspection import S3Inspector
from log_aggregator.core.windows import DateWindow
from log_aggregator.settings import read_settings
from log_aggregator.steps.doctor.examine import examine
from log_aggregator.wiring import SystemClock, make_run_rules

pytestmark = pytest.mark.server

MAIN = "aws-controltower-logs-111122223333-us-east-1"
SERVICES = ("s3", "sts", "iam", "kms", "lambda", "cloudtrail", "config", "organizations")
READING = re.compile("(Get|List|Describe|Head|Simulate)[A-Z]")
SETTINGS = {
    "control_tower_bucket": MAIN,
    "other_buckets": "flow-logs",
    "destination_bucket": "example-packs",
}


@dataclass(frozen=True)
class Account:
    """A local server, with buckets as a careless person makes them."""

    name: str
    settings: ClientSettings
    forks: ForkServer

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.settings.endpoint_url,
            region_name=self.settings.region,
            aws_access_key_id=self.settings.access_key,
            aws_secret_access_key=self.settings.secret_key,
        )

    def call(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        """Exit code and JSON of the command line."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
        secrets = {
            "AWS_ACCESS_KEY_ID": self.settings.access_key or "",
            "AWS_SECRET_ACCESS_KEY": self.settings.secret_key or "",
        }
        environment = (
            kept | secrets | {"AWS_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true"}
        )
        options = [
            word
            for name, value in SETTINGS.items()
            for word in (f"--{name.replace('_', '-')}", value)
        ]
        endpoint = ["--endpoint-url", self.settings.endpoint_url or ""]
        done = self.forks.call(["doctor", "--json", *options, *endpoint, *arguments], environment)
        assert done.code in (0, 1), done.err
        return done.code, done.result

    def levels(self, *arguments: str) -> dict[tuple[str, str], str]:
        """The worst level by place and check."""
        order = ["ok", "note", "warning", "problem"]
        worst: dict[tuple[str, str], str] = {}
        for finding in self.call(*arguments)[1]["findings"]:
            for where in finding["where"]:
                place = (where.removeprefix("s3://"), finding["check"])
                worst[place] = max(worst.get(place, "ok"), finding["level"], key=order.index)
        return worst


@pytest.fixture(scope="module", params=["moto", "ministack"])
def account(request: pytest.FixtureRequest, forks: ForkServer) -> Iterator[Account]:
    with run_emulator(request.param) as settings:
        found = Account(request.param, settings, forks)
        set_up(found)
        yield found


def set_up(account: Account) -> None:
    s3, today = account.client("s3"), datetime.now(UTC).date()
    s3.create_bucket(Bucket=MAIN)
    s3.put_bucket_versioning(Bucket=MAIN, VersioningConfiguration={"Status": "Enabled"})
    retention = {
        "ID": "RetentionRule",
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "Expiration": {"Days": 365},
    }
    s3.put_bucket_lifecycle_configuration(
        Bucket=MAIN, LifecycleConfiguration={"Rules": [retention]}
    )
    for key in (
        f"o-abcd1234/AWSLogs/o-abcd1234/111111111111/CloudTrail/us-east-1/{today:%Y/%m/%d}/a.json.gz",
        f"o-abcd1234/AWSLogs/111111111111/Config/us-east-1/{today.year}/{today.month}/{today.day}/ConfigHistory/a.json.gz",
    ):
        s3.put_object(Bucket=MAIN, Key=key, Body=b"x")
    s3.create_bucket(Bucket="flow-logs", ObjectLockEnabledForBucket=True)
    locked = {
        "ObjectLockEnabled": "Enabled",
        "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 30}},
    }
    s3.put_object_lock_configuration(Bucket="flow-logs", ObjectLockConfiguration=locked)
    inventory = {
        "Id": "daily",
        "IsEnabled": True,
        "IncludedObjectVersions": "All",
        "Schedule": {"Frequency": "Daily"},
        "Destination": {
            "S3BucketDestination": {"Bucket": "arn:aws:s3:::flow-logs", "Format": "CSV"}
        },
    }
    s3.put_bucket_inventory_configuration(Bucket=MAIN, Id="daily", InventoryConfiguration=inventory)
    manifest = f"{MAIN}/daily/{today}T00-00Z/manifest.json"
    s3.put_object(Bucket="flow-logs", Key=manifest, Body=b"{}")
    s3.create_bucket(Bucket="example-packs")
    key = account.client("kms").create_key()["KeyMetadata"]["Arn"]
    by_default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    encryption = {
        "Rules": [{"ApplyServerSideEncryptionByDefault": by_default, "BucketKeyEnabled": True}]
    }
    s3.put_bucket_encryption(Bucket="example-packs", ServerSideEncryptionConfiguration=encryption)
    cold = {"Days": 90, "StorageClass": "DEEP_ARCHIVE"}
    rule = {"ID": "cold", "Status": "Enabled", "Filter": {"Prefix": ""}, "Transitions": [cold]}
    s3.put_bucket_lifecycle_configuration(
        Bucket="example-packs", LifecycleConfiguration={"Rules": [rule]}
    )


def test_problems_on_a_real_server_are_found(account: Account) -> None:
    """The doctor understands real servers' answers on versions, lock, lifecycle, encryption and
    layout.
    """
    found = account.levels()
    expected = {
        (MAIN, "exists"): "ok",
        (MAIN, "versioning"): "ok",
        (MAIN, "object-lock"): "ok",
        (MAIN, "lifecycle"): "note",
        (MAIN, "layout"): "ok",
        (MAIN, "config-logs"): "ok",
        ("flow-logs", "object-lock"): "warning",
        ("flow-logs", "other-writers"): "warning",
        # ministack takes the configuration of an inventory, and knows of none when it is asked.
        ("flow-logs", "inventory"): "warning" if account.name == "moto" else "ok",
        ("example-packs", "versioning"): "warning",
        ("example-packs", "public-access"): "warning",
        ("example-packs", "lifecycle"): "warning",
        ("example-packs", "lifecycle-abort"): "warning",
        ("example-packs", "encryption"): "ok",
        ("account", "credentials"): "ok",
    }
    assert {place: found[place] for place in expected} == expected
    assert "problem" not in found.values()


def test_the_exit_code_shows_problems(account: Account) -> None:
    """The exit code is 0 with warnings, 1 with a problem."""
    assert account.call()[0] == 0
    code, described = account.call("--other-buckets", "no-such-bucket")
    assert code == 1
    assert described["problems"] == 1


def test_in_place_is_refused(account: Account) -> None:
    """Without a destination bucket, packs would be in Control Tower's."""
    assert account.levels("--destination-bucket", "")[MAIN, "in-place"] == "problem"


def test_an_examination_only_reads(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """An examination sends only reading requests, to S3 and to all other services."""
    inspector, store = S3Inspector.connect(account.settings), S3Store.connect(account.settings)
    asked: set[str] = set()
    for client in (*map(inspector._client_of, SERVICES), store._s3):
        client.meta.events.register("before-call", lambda model, **_: asked.add(model.name))
    ask = CurlReader.ask

    def note(reader: CurlReader, request: ReadRequest) -> Answer:
        asked.add(request.operation)
        return ask(reader, request)

    monkeypatch.setattr(CurlReader, "ask", note)
    day = datetime.now(UTC).date()
    role = "arn:aws:iam::111122223333:role/any"
    for settings in (SETTINGS, SETTINGS | {"destination_bucket": "", "other_buckets": "flow*"}):
        examine(
            inspector,
            store,
            SystemClock(),
            make_run_rules(read_settings(None, settings), DateWindow(day, day)),
            [role],
        )
    assert asked >= {
        "HeadBucket",
        "GetBucketVersioning",
        "SimulatePrincipalPolicy",
        "DescribeKey",
        "ListObjectsV2",
        "ListBuckets",
    }
    assert {name for name in asked if not READING.match(name)} == set()


@pytest.mark.parametrize("account", ["ministack"], indirect=True)
def test_roles_are_simulated_from_their_policies(account: Account) -> None:
    """A role that can do everything except abort uploads and delete gets a problem for each bucket
    and action.
    """
    iam = account.client("iam")
    trust = {"Version": "2012-10-17", "Statement": []}
    arn = iam.create_role(RoleName="packer", AssumeRolePolicyDocument=json.dumps(trust))["Role"][
        "Arn"
    ]
    allowed = {
        "Effect": "Allow",
        "Action": ["s3:Get*", "s3:List*", "s3:PutObject", "kms:Decrypt"],
        "Resource": "*",
    }
    policy = {"Version": "2012-10-17", "Statement": [allowed]}
    iam.put_role_policy(RoleName="packer", PolicyName="p", PolicyDocument=json.dumps(policy))
    findings = account.call("--role-arn", arn)[1]["findings"]
    problems = {
        (where, finding["check"]): finding["seen"]
        for finding in findings
        for where in finding["where"]
        if finding["level"] == "problem"
    }
    assert set(problems) == {
        (f"s3://{MAIN}", "delete"),
        ("s3://flow-logs", "delete"),
        ("s3://example-packs", "write"),
        ("s3://example-packs", "kms"),
    }
    assert (
        "s3:AbortMultipartUpload is denied (nothing allows it)"
        in problems["s3://example-packs", "write"]
    )
    assert "s3:PutObject" not in problems["s3://example-packs", "write"]
    assert "kms:GenerateDataKey is denied" in problems["s3://example-packs", "kms"]
    assert ("s3://example-packs", "packs-kept", "ok") in {
        (where, item["check"], item["level"]) for item in findings for where in item["where"]
    }


def test_a_server_that_only_has_s3_causes_warnings(
    embedded_settings: ClientSettings, forks: ForkServer
) -> None:
    """Every other question becomes a warning; AWS is not asked, and nothing crashes."""
    account = Account("seaweedfs", embedded_settings, forks)
    s3 = account.client("s3")
    for name in (MAIN, "flow-logs", "example-packs"):
        s3.create_bucket(Bucket=name)
    findings = account.call()[1]["findings"]
    unseen = {
        finding["check"]
        for finding in findings
        if finding["where"] == ["account"] and "could not be checked" in finding["seen"]
    }
    assert unseen == {"credentials", "organization", "permissions", "trail", "config-channel"}
    assert {
        finding["level"] for finding in findings if "could not be checked" in finding["seen"]
    } == {"warning"}

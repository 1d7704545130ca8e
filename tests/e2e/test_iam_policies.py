"""With permissions enforced: each stage works in a shell with exactly the policy that `iam-policy`
prints, and is refused what other stages do.

The local AWS has no policy variables, so the account replaces them here; and it treats every bucket
as the caller's, so `aws:ResourceAccount` always matches. KMS is not enforced.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from tests.e2e.local_aws import ACCOUNT, LocalAws
from tests.e2e.site import one_day
from tests.support.policies import OWN
from tests.support.waiting import SECONDS_MAX

from log_aggregator.core.layouts.declarations import render_declarations
from log_aggregator.steps.doctor.grants import Stage
from log_aggregator_lab.organisation.generate import OrganisationSpec, generate
from log_aggregator_lab.upload import create_bucket, create_buckets, upload

IS_ENFORCING = True
TARGET = "all-aggregated-logs-111122223333-eu-west-1"


@dataclass
class Shell:
    """A synthetic organisation's buckets, their settings file, and a user for each stage."""

    aws: LocalAws
    folder: Path
    spec: OrganisationSpec
    target: str | None = TARGET
    """None: each bucket keeps its own packs."""

    def __post_init__(self) -> None:
        others = [name for name in self.spec.buckets if name != self.spec.control_tower_bucket]
        lines = [
            f"control_tower_bucket = {json.dumps(self.spec.control_tower_bucket)}",
            f"other_buckets = {json.dumps([others[0][:-1] + '*', *others[1:]])}",
            f"aggregation_regions = {json.dumps(list(self.spec.regions))}",
            f'destination_bucket = "{self.target}"' if self.target else "",
            render_declarations(self.spec.layouts),
        ]
        self.config.write_text("\n".join(lines), encoding="utf-8")

    @property
    def config(self) -> Path:
        return self.folder / "aggregator.toml"

    def make_user(self, name: str, *stages: Stage) -> dict[str, str]:
        """Returns the environment of a user who has the policy of these stages and no other."""
        options = [word for stage in stages for word in ("--stage", stage.value)]
        printed = self.call({}, "iam-policy", *options, "--config", str(self.config), "--json")
        assert printed.returncode == 0, printed.stderr
        iam = self.aws.client("iam")
        iam.create_user(UserName=name)
        for number, each in enumerate(json.loads(printed.stdout)["policies"]):
            document = json.dumps(each["document"]).replace(OWN, ACCOUNT)
            made = iam.create_policy(PolicyName=f"{name}-{number}", PolicyDocument=document)
            iam.attach_user_policy(UserName=name, PolicyArn=made["Policy"]["Arn"])
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return {
            "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
        }

    def call(
        self, credentials: dict[str, str], *arguments: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "log_aggregator", *arguments],
            cwd=self.folder,
            env=self.aws.environment | {"PYTHONPATH": ":".join(sys.path)} | credentials,
            text=True,
            capture_output=True,
            timeout=SECONDS_MAX,
            check=False,
        )

    def call_on_the_day(self, credentials: dict[str, str], *arguments: str) -> dict[str, Any]:
        return self.call_as_json(credentials, *arguments, "--date", str(self.spec.first_day))

    def call_as_json(self, credentials: dict[str, str], *arguments: str) -> dict[str, Any]:
        """Its --json output, which must contain no failure."""
        done = self.call(credentials, *arguments, "--config", str(self.config), "--json")
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        found: dict[str, Any] = (
            json.loads(done.stdout.splitlines()[0])
            if arguments[0] == "find"
            else json.loads(done.stdout)
        )
        return found

    def client(self, credentials: dict[str, str]) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=self.aws.endpoint_url,
            region_name=self.aws.region,
            aws_access_key_id=credentials["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=credentials["AWS_SECRET_ACCESS_KEY"],
            config=Config(retries={"max_attempts": 1}),
        )

    def count(self, bucket: str, prefix: str = "") -> int:
        answer = self.aws.client("s3").list_objects_v2(Bucket=bucket, Prefix=prefix)
        return int(answer["KeyCount"])

    def some_key(self, bucket: str, prefix: str = "") -> str:
        answer = self.aws.client("s3").list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1)
        return str(answer["Contents"][0]["Key"])


@pytest.fixture
def shell(aws: LocalAws, tmp_path: Path) -> Shell:
    spec = replace(one_day(seed=12), objects=40)
    create_buckets(spec, aws)
    create_bucket(TARGET, aws, is_versioned=True)
    upload(generate(spec), aws)
    return Shell(aws, tmp_path, spec)


def test_each_stage_works_with_exactly_its_policy(shell: Shell) -> None:
    """In the order of a log's life: surveyed, planned, packed and kept, deleted on request, found
    and recovered, and searched.
    """
    day = str(shell.spec.first_day)
    main = shell.spec.control_tower_bucket
    surveyor, packer, deleter, reader, searcher = (
        shell.make_user(stage.value, stage)
        for stage in (Stage.SURVEY, Stage.PACK, Stage.DELETE, Stage.READ, Stage.SEARCH)
    )
    surveyed = shell.call_as_json(surveyor, "survey")
    assert surveyed["total"]["objects"]["value"] > 50
    planned = shell.call_on_the_day(surveyor, "plan")
    assert planned["objects"]["to_pack"] > 50
    refuse(shell.client(surveyor), "put_object", TARGET, "packs/x")
    refuse(shell.client(surveyor), "get_object", main, shell.some_key(main))

    before = shell.count(main)
    kept = shell.call_as_json(packer, "backfill", "--from", day, "--to", day)
    assert (kept["windows"]["done"], kept["deleted"], kept["lifecycle_unknown"]) == (1, 0, {})
    assert kept["kept"] > 50
    assert shell.count(main) == before
    refuse(shell.client(packer), "delete_object", main, shell.some_key(main))
    refuse(shell.client(packer), "delete_object", TARGET, shell.some_key(TARGET, "packs/"))
    refuse(shell.client(packer), "put_object", main, "x")
    assert shell.call_as_json(packer, "index", "tables", "--rebuild")["packs"] > 5

    named = ("delete", "--verified", "--older-than", "0d", "--yes")
    gone = shell.call_on_the_day(deleter, *named)
    assert gone["objects"]["deleted"] > 50
    assert shell.count(main) < before
    refuse(shell.client(deleter), "delete_object", TARGET, shell.some_key(TARGET, "packs/"))
    refuse(shell.client(deleter), "delete_object", TARGET, shell.some_key(TARGET, "custody/"))
    refuse(shell.client(deleter), "put_object", TARGET, "packs/x")

    found = shell.call_on_the_day(reader, "find", "--log-type", "CloudTrail")
    shell.call_on_the_day(reader, "verify")
    (backfill,) = shell.call_as_json(reader, "status")["backfills"]
    assert backfill["windows"]["done"] == 1
    shell.call_on_the_day(reader, "extract", "--directory", str(shell.folder / "back"))
    assert (shell.folder / "back" / found["bucket"] / found["key"]).exists()
    refuse(shell.client(reader), "get_object", main, shell.some_key(main))
    refuse(shell.client(reader), "put_object", TARGET, "packs/x")
    for folder in ("terms/", "tables/"):
        refuse(shell.client(reader), "get_object", TARGET, shell.some_key(TARGET, folder))

    looked_up = shell.call_as_json(searcher, "search", "--prefix", "ASIA")
    assert {each["field"] for each in looked_up["found"]} >= {"access-key"}
    refuse(shell.client(searcher), "get_object", TARGET, shell.some_key(TARGET, "packs/"))
    refuse(shell.client(searcher), "put_object", TARGET, "tables/x")


def test_packs_may_share_the_bucket_of_their_originals(aws: LocalAws, tmp_path: Path) -> None:
    """In a bucket with both, originals are deleted under the policies for packing and deleting,
    which are too long for one document, and packs cannot be.
    """
    spec = replace(one_day(seed=13), objects=20).with_bucket_prefix("place-")
    create_buckets(spec, aws)
    upload(generate(spec), aws)
    shell = Shell(aws, tmp_path, spec, target=None)
    nightly = shell.make_user("nightly", Stage.PACK, Stage.DELETE)
    done = shell.call_on_the_day(nightly, "run", "--delete-originals")
    assert done["failures"] == []
    assert done["objects"]["deleted"] > 50
    s3 = shell.client(nightly)
    for bucket in (spec.control_tower_bucket, spec.access_bucket):
        for folder in ("packs/", "indexes/", "custody/"):
            refuse(s3, "delete_object", bucket, shell.some_key(bucket, f"aggregated/{folder}"))
    reader = shell.make_user("reader-in-place", Stage.READ)
    shell.call_on_the_day(reader, "verify")


def refuse(s3: Any, operation: str, bucket: str, key: str) -> None:
    with pytest.raises(ClientError) as refused:
        getattr(s3, operation)(Bucket=bucket, Key=key)
    assert refused.value.response["Error"]["Code"] == "AccessDenied"

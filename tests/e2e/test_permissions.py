"""With permissions enforced: every function works under its own role, and its role allows nothing
else.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.e2e.building import BuiltTemplate, Machine
from tests.e2e.executions import run
from tests.e2e.local_aws import LocalAws
from tests.e2e.site import Site, make_site, one_day

from log_aggregator_lab.check import PACKED
from log_aggregator_lab.organisation.generate import generate
from log_aggregator_lab.upload import create_bucket

IS_ENFORCING = True
SELF_LOGGING = "self-logging-access-logs"


@pytest.fixture(scope="module")
def site(aws: LocalAws, built: BuiltTemplate, machine: Machine) -> Site:
    """Auxiliary buckets are named by a prefix; there is an access-log bucket to empty."""
    spec = replace(one_day(seed=11), objects=60)
    create_bucket(SELF_LOGGING, aws, is_versioned=True)
    parameters = {
        "OtherBuckets": f"{spec.access_bucket},example-*",
        "ControlTowerBucketAccessLogBucket": SELF_LOGGING,
    }
    return make_site(aws, built, machine, spec, generate(spec), parameters)


def test_each_function_works_under_its_own_role(site: Site) -> None:
    """The whole day is packed, verified and deleted with the template's permissions; a denied read
    fails only its group.
    """
    account = site.spec.account_ids[0]
    policy = _deny_reading(site, f"*/{account}/CloudTrail/*")
    site.aws.client("s3").put_bucket_policy(
        Bucket=site.spec.control_tower_bucket, Policy=json.dumps(policy)
    )
    failed = run(site.deployment, "CombineLogFilesSM", {"date": str(site.day)}, expect="FAILED")
    assert failed.error == "RunFailed"
    assert "AccessDenied" in failed.message
    assert account in failed.message
    denied = [
        entry
        for entry in site.entries
        if entry.purpose in PACKED and f"/{account}/CloudTrail/" in entry.key
    ]
    assert denied
    left = {(bucket, key) for (bucket, key, _) in site.inventory(site.spec.buckets)}
    assert {(entry.bucket, entry.key) for entry in denied} <= left
    assert (
        site.check(entries=[entry for entry in site.entries if entry not in denied]).problems == []
    )
    assert site.list_keys("tables/"), "what a run packed can be searched, though the run failed"

    site.aws.client("s3").delete_bucket_policy(Bucket=site.spec.control_tower_bucket)
    run(site.deployment, "CombineLogFilesSM", {"date": str(site.day)})
    assert site.check().problems == []
    given = {
        "start_date": str(site.day),
        "end_date": str(site.day),
        "bucket_name": site.spec.control_tower_bucket,
    }
    assert run(site.deployment, "ProcessHistoricalMainLogsSM", given).output["windows"] == 1


def test_the_emptying_function_works_under_its_own_role(site: Site) -> None:
    """The emptying function may empty its bucket."""
    s3 = site.aws.client("s3")
    s3.put_object(Bucket=SELF_LOGGING, Key="2026-01-01-00-00-00-0123456789ABCDEF", Body=b"log")
    answer = site.aws.client("lambda").invoke(
        FunctionName=site.deployment.functions["EmptyAccessLogsFunction"], Payload=b"{}"
    )
    assert "FunctionError" not in answer, answer["Payload"].read()
    assert site.inventory([SELF_LOGGING]) == {}


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request that a role must not be allowed. `bucket` and `key` are names known to
    `_places`.
    """

    role: str
    operation: str
    place: str


ATTEMPTS = (
    *(
        Attempt(f"{role}FunctionRole", operation, place)
        for role in (
            "Prepare",
            "List",
            "Plan",
            "Combine",
            "Verify",
            "Finish",
            "SplitHistory",
            "SortInventory",
            "MergeTerms",
            "FinishHistory",
            "Drill",
        )
        for operation in ("delete_object", "delete_version")
        for place in ("source", "pack", "index", "work")
    ),
    *(
        Attempt(role, operation, place)
        for role in ("DeleteFunctionRole", "EmptyAccessLogsFunctionRole")
        for operation in ("delete_object", "delete_version")
        for place in ("pack", "index", "work")
    ),
    Attempt("EmptyAccessLogsFunctionRole", "delete_version", "source"),
    Attempt("EmptyAccessLogsFunctionRole", "get_object", "source"),
    *(
        Attempt(f"{role}FunctionRole", "put_object", place)
        for role in (
            "Prepare",
            "List",
            "Plan",
            "Verify",
            "Delete",
            "Finish",
            "SplitHistory",
            "SortInventory",
            "MergeTerms",
            "FinishHistory",
            "EmptyAccessLogs",
            "Drill",
        )
        for place in ("pack", "index", "source")
        if (role, place) != ("Finish", "index")  # it restores a missing one
    ),
    Attempt("CombineFunctionRole", "put_object", "source"),
    Attempt("MergeTermsFunctionRole", "put_object", "terms"),
    Attempt("MergeTermsFunctionRole", "get_object", "pack"),
    Attempt("CombineFunctionRole", "get_object", "terms"),
    Attempt("CombineFunctionRole", "put_object", "table"),
    *(
        Attempt(f"{role}FunctionRole", "get_object", "source")
        for role in (
            "Prepare",
            "List",
            "Plan",
            "Verify",
            "Finish",
            "SplitHistory",
            "SortInventory",
            "MergeTerms",
            "FinishHistory",
            "Drill",
        )
    ),
    *(
        Attempt(f"{role}FunctionRole", "put_bucket_policy", "pack")
        for role in ("Combine", "Delete", "Finish")
    ),
    *(Attempt(f"{role}FunctionRole", "put_object", "elsewhere") for role in ("Combine", "Delete")),
)


@pytest.mark.parametrize(
    "attempt", ATTEMPTS, ids=lambda attempt: f"{attempt.role}-{attempt.operation}-{attempt.place}"
)
def test_roles_allow_nothing_more(site: Site, attempt: Attempt) -> None:
    """Each of these requests is refused."""
    with pytest.raises(ClientError) as refused:
        _try(site.client_of(attempt.role), attempt.operation, *_place(site, attempt.place))
    assert refused.value.response["Error"]["Code"] == "AccessDenied"


def test_refused_requests_would_otherwise_succeed(site: Site) -> None:
    """The same requests succeed under roles that may make them: so they are refused for lack of
    permission, and not because of a wrong name.
    """
    allowed = [
        ("DeleteFunctionRole", "get_object", "pack"),
        ("DeleteFunctionRole", "delete_version", "source"),
        ("CombineFunctionRole", "put_object", "pack"),
        ("FinishFunctionRole", "put_object", "work"),
        ("MergeTermsFunctionRole", "get_object", "table"),
        ("MergeTermsFunctionRole", "get_object", "terms"),
    ]
    for role, operation, place in allowed:
        assert _try(site.client_of(role), operation, *_place(site, place)) in (200, 204)


def _place(site: Site, name: str) -> tuple[str, str, str]:
    """(bucket, key, version id) of an existing object."""
    work = site.deployment.resources["WorkBucket"]
    bucket, prefix = {
        "source": (site.spec.control_tower_bucket, ""),
        "pack": (site.destination, "packs/"),
        "index": (site.destination, "indexes/"),
        "terms": (site.destination, "terms/"),
        "table": (site.destination, "tables/"),
        "elsewhere": (site.destination, "packs/"),
        "work": (work, "runs/"),
    }[name]
    (version, *_) = site.aws.client("s3").list_object_versions(
        Bucket=bucket, Prefix=prefix, MaxKeys=1
    )["Versions"]
    return bucket, "elsewhere.txt" if name == "elsewhere" else version["Key"], version["VersionId"]


def _try(s3: Any, operation: str, bucket: str, key: str, version: str) -> int:
    """The status of the answer. Raises ClientError."""
    match operation:
        case "get_object":
            answer = s3.get_object(Bucket=bucket, Key=key)
        case "put_object":
            answer = s3.put_object(Bucket=bucket, Key=key, Body=b"x")
        case "delete_object":
            answer = s3.delete_object(Bucket=bucket, Key=key)
        case "delete_version":
            answer = s3.delete_object(Bucket=bucket, Key=key, VersionId=version)
        case "put_bucket_policy":
            answer = s3.put_bucket_policy(Bucket=bucket, Policy="{}")
        case _:
            raise AssertionError(operation)
    status: int = answer["ResponseMetadata"]["HTTPStatusCode"]
    return status


def _deny_reading(site: Site, keys: str) -> dict[str, Any]:
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Deny",
                "Principal": "*",
                "Action": ["s3:GetObject", "s3:GetObjectVersion"],
                "Resource": f"arn:aws:s3:::{site.spec.control_tower_bucket}/{keys}",
                # With a leading star, because the local AWS uses the session's ARN for
                # aws:PrincipalArn where AWS uses the role's.
                "Condition": {
                    "ArnLike": {
                        "aws:PrincipalArn": f"*{site.deployment.resources['CombineFunctionRole']}*"
                    }
                },
            }
        ],
    }

"""Checks of buckets: their settings and the lifecycle of their objects. Each returns a list of
problems.

The local AWS used for test deployments silently drops lifecycle rules and Object Lock, so they are
tested here.
"""

from __future__ import annotations

from typing import Any

from tests.infra.stack import Stack

_TLS_ONLY = {"Bool": {"aws:SecureTransport": "false"}}


def check_lifecycle(stack: Stack) -> list[str]:
    """The rules are exactly these. Only large packs are frozen; large terms and tables move to a
    class that stays readable; an index expires at its pack's age; nothing else is touched.
    """
    versioned = stack.parameters["WorkBucketVersioning"] == "Yes"
    wanted = {
        "WorkBucket": [
            _rule(
                "runs-expire",
                "runs/",
                ExpirationInDays=30,
                AbortIncompleteMultipartUpload={"DaysAfterInitiation": 1},
                **({"NoncurrentVersionExpiration": {"NoncurrentDays": 30}} if versioned else {}),
            ),
            *([_rule("left-overs", None, ExpiredObjectDeleteMarker=True)] if versioned else []),
        ]
    }
    if not stack.in_place:
        wanted["CommonDestinationBucket"] = _destination_rules(stack)
    found = {
        name: properties["LifecycleConfiguration"]["Rules"]
        for name, properties in stack.of_type("AWS::S3::Bucket").items()
    }
    return [
        f"{name}: {found.get(name)}, not {wanted.get(name)}"
        for name in {*wanted, *found}
        if found.get(name) != wanted.get(name)
    ]


def check_buckets_are_private(stack: Stack) -> list[str]:
    problems = []
    for name, properties in stack.of_type("AWS::S3::Bucket").items():
        if (
            set(properties["PublicAccessBlockConfiguration"].values()) != {True}
            or len(properties["PublicAccessBlockConfiguration"]) != 4
        ):
            problems.append(f"{name}: public access is not blocked")
        if properties["OwnershipControls"] != {
            "Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]
        }:
            problems.append(f"{name}: others may own its objects")
        if _encryption(properties) != _wanted_encryption(stack, name):
            problems.append(f"{name}: encrypted with {_encryption(properties)}")
        policy = stack.properties(f"{name}Policy")["PolicyDocument"]["Statement"]
        denied: dict[str, Any] = next((found for found in policy if found["Sid"] == "TlsOnly"), {})
        arn = f"arn:aws:s3:::{properties.get('BucketName', 'logs-workbucket-1a2b3c')}"
        if (denied.get("Effect"), denied.get("Condition"), denied.get("Resource")) != (
            "Deny",
            _TLS_ONLY,
            [arn, f"{arn}/*"],
        ):
            problems.append(f"{name}: may be reached without TLS")
    return problems


def check_buckets_stay(stack: Stack) -> list[str]:
    return [
        f"{name}: {attribute} = {resource.get(attribute)}"
        for name, resource in stack.resources.items()
        if resource["Type"] in {"AWS::S3::Bucket", "AWS::S3::BucketPolicy"}
        for attribute, wanted in (
            ("DeletionPolicy", "RetainExceptOnCreate"),
            ("UpdateReplacePolicy", "Retain"),
        )
        if resource.get(attribute) != wanted
    ]


def check_destination(stack: Stack) -> list[str]:
    if stack.in_place:
        return (
            ["there is a destination bucket"]
            if "CommonDestinationBucket" in stack.resources
            else []
        )
    properties = stack.properties("CommonDestinationBucket")
    problems = []
    if properties["BucketName"] != "all-aggregated-logs-111122223333-eu-west-1":
        problems.append(f"its name is {properties['BucketName']}")
    if properties["VersioningConfiguration"] != {"Status": "Enabled"}:
        problems.append("it has no versions")
    mode, days = stack.parameters["ObjectLockMode"], stack.parameters["ObjectLockDays"]
    lock = (
        {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": mode, "Days": days}}}
        if mode
        else None
    )
    if properties.get("ObjectLockConfiguration") != lock or properties.get(
        "ObjectLockEnabled", False
    ) is not bool(mode):
        problems.append(
            f"Object Lock: {properties.get('ObjectLockEnabled')}, "
            f"{properties.get('ObjectLockConfiguration')}"
        )
    return problems


def _destination_rules(stack: Stack) -> list[dict[str, Any]]:
    p = stack.parameters
    move = {
        "ObjectSizeGreaterThan": p["GlacierObjectSize"],
        "Transitions": [
            {"StorageClass": "DEEP_ARCHIVE", "TransitionInDays": p["DaysUntilGlacierDeepArchive"]}
        ],
    }
    expire = {
        "ExpirationInDays": p["ExpirationInDays"],
        "NoncurrentVersionExpiration": {"NoncurrentDays": 30},
    }
    rules = [
        _rule("packs-to-deep-archive", "packs/", **move),
        *(
            _rule(f"{folder}-expire", f"{folder}/", **expire)
            for folder in ("packs", "indexes", "terms", "tables", "discards")
        ),
        *(
            _rule(
                f"{folder}-to-instant-retrieval",
                f"{folder}/",
                ObjectSizeGreaterThan=131_072,
                Transitions=[{"StorageClass": "GLACIER_IR", "TransitionInDays": 30}],
            )
            for folder in ("terms", "tables")
        ),
        _rule(
            "left-overs",
            None,
            ExpiredObjectDeleteMarker=True,
            AbortIncompleteMultipartUpload={"DaysAfterInitiation": 1},
        ),
    ]
    if p["OlderAggregatesPrefix"]:
        rules.append(_rule("older-aggregates-to-deep-archive", p["OlderAggregatesPrefix"], **move))
        rules.append(_rule("older-aggregates-expire", p["OlderAggregatesPrefix"], **expire))
    return rules


def _rule(name: str, prefix: str | None, **actions: Any) -> dict[str, Any]:
    return {
        "Id": name,
        "Status": "Enabled",
        **({} if prefix is None else {"Prefix": prefix}),
        **actions,
    }


def _encryption(properties: dict[str, Any]) -> Any:
    return properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]


def _wanted_encryption(stack: Stack, name: str) -> Any:
    common = name == "CommonDestinationBucket"
    key = stack.parameters["DestinationKmsKeyArn" if common else "StackKmsKeyArn"]
    if key:
        return [
            {
                "BucketKeyEnabled": True,
                "ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key},
            }
        ]
    return [{"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]

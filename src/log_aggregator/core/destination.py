"""The bucket of the packs, as commands of the AWS CLI, as a CloudFormation template, as Terraform.

It is the same bucket as in the stack (template.yaml): versions, write once, no deletion, indexes
that stay warm. A test compares the two.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

FOLDERS_WRITTEN_ONCE = (
    "packs/",
    "indexes/",
    "discards/",
    "custody/",
    "signatures/",
    "keys/",
    "backfills/",
    "drills/",
    "reports/",
    "tables/",
    "probes/",
)
FOLDERS_EXPIRING = ("packs", "indexes", "terms", "tables", "discards")
"""Indexes, terms, tables and lists expire when their packs do. Custody records and public keys do
not: they are few, and they are evidence.
"""
FOLDERS_SEARCHED = ("terms", "tables")
SEARCHED_DAYS = 30
"""When terms and tables move to Glacier Instant Retrieval, which costs a sixth of Standard and is
read as quickly. Before that, runs read and merge them.
"""
SEARCHED_BYTES_MIN = 131_072
"""Smaller objects are billed as this size in that class
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-class-intro.html).
"""

NONCURRENT_DAYS = 30
"""Deleted and expired objects can be brought back for this long."""

ABORT_DAYS = 1
ARCHIVED_BYTES_MIN = 204_800
"""For smaller packs the transition to Deep Archive costs more than it saves in the first years: the
request costs $0.05 per 1,000, and each archived object is billed 40 KB of overhead.
"""

NEVER_ALLOWED = (
    "s3:DeleteObject",
    "s3:DeleteObjectVersion",
    "s3:PutLifecycleConfiguration",
    "s3:PutBucketPolicy",
    "s3:DeleteBucketPolicy",
)


@dataclass(frozen=True, slots=True)
class Lock:
    """Object Lock's default retention. `mode` is GOVERNANCE or COMPLIANCE."""

    mode: str
    days: int


@dataclass(frozen=True, slots=True)
class Retention:
    """When packs are archived and expire, in days."""

    archive_days: int = 90
    expiration_days: int = 3650
    lock: Lock | None = None


@dataclass(frozen=True, slots=True)
class Destination:
    """A bucket to be made. `runner` is the ARN of the principal that runs the program, which must
    not delete packs. `account` and `runner` are empty if they are not known.
    """

    bucket: str
    region: str
    account: str = ""
    partition: str = "aws"
    retention: Retention = Retention()
    kms_key_arn: str = ""
    runner: str = ""

    @property
    def arn(self) -> str:
        return f"arn:{self.partition}:s3:::{self.bucket}"


def make_commands(destination: Destination) -> Iterator[str]:
    """For a shell, one in each line, in their order."""
    bucket = ["--bucket", destination.bucket]
    where = (
        []  # CreateBucket refuses us-east-1 as a LocationConstraint
        if destination.region == "us-east-1"
        else ["--create-bucket-configuration", f"LocationConstraint={destination.region}"]
    )
    lock = ["--object-lock-enabled-for-bucket"] if destination.retention.lock else []
    region = ["--region", destination.region]
    yield _command("create-bucket", *bucket, *region, *where, *lock)
    owner = ["--expected-bucket-owner", destination.account] if destination.account else []
    for operation, option, value in _configurations(destination):
        text = value if isinstance(value, str) else json.dumps(value)
        yield _command(operation, *bucket, *region, *owner, option, text)


def make_template(destination: Destination) -> dict[str, Any]:
    """CloudFormation: the bucket and its policy, which stay when the stack is deleted."""
    kept = {"DeletionPolicy": "RetainExceptOnCreate", "UpdateReplacePolicy": "Retain"}
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "The bucket that log-aggregator keeps packs in.",
        "Resources": {
            "Packs": {"Type": "AWS::S3::Bucket", **kept, "Properties": _properties(destination)},
            "PacksPolicy": {
                "Type": "AWS::S3::BucketPolicy",
                **kept,
                "Properties": {
                    "Bucket": {"Ref": "Packs"},
                    "PolicyDocument": make_bucket_policy(destination),
                },
            },
        },
    }


def make_terraform(destination: Destination) -> Iterator[str]:
    """A stack with the same template, as terraform/ has one for the whole aggregator."""
    yield 'resource "aws_cloudformation_stack" "packs" {'
    yield '  name          = "log-aggregator-packs"'
    yield "  template_body = <<-EOT"
    text = json.dumps(make_template(destination), indent=2)
    yield from (f"    {line}" for line in text.replace("${", "$${").splitlines())
    yield "  EOT"
    yield "}"


def make_bucket_policy(destination: Destination) -> dict[str, Any]:
    """Objects can be written only once, and the principal that runs the program cannot delete
    (https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes-enforce.html).
    """
    everybody = {"Effect": "Deny", "Principal": "*"}
    statements: list[dict[str, Any]] = [
        {
            "Sid": "TlsOnly",
            **everybody,
            "Action": "s3:*",
            "Resource": [destination.arn, f"{destination.arn}/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        },
        {
            "Sid": "PacksAreWrittenOnce",
            **everybody,
            "Action": "s3:PutObject",
            "Resource": [f"{destination.arn}/{folder}*" for folder in FOLDERS_WRITTEN_ONCE],
            "Condition": {
                "Null": {"s3:if-none-match": "true"},
                # s3:PutObject also covers CreateMultipartUpload and UploadPart, which take no
                # conditions. This key is false for them.
                "Bool": {"s3:ObjectCreationOperation": "true"},
            },
        },
    ]
    if destination.runner:
        # A condition and not a Principal, because S3 refuses a policy that names a deleted role.
        statements.append(
            {
                "Sid": "NeverDeletePacks",
                **everybody,
                "Action": list(NEVER_ALLOWED),
                "NotResource": f"{destination.arn}/probes/*",
                "Condition": {"ArnEquals": {"aws:PrincipalArn": [destination.runner]}},
            }
        )
    return {"Version": "2012-10-17", "Statement": statements}


def make_lifecycle(retention: Retention) -> dict[str, Any]:
    """In the form of S3's API."""
    kept = {"NoncurrentVersionExpiration": {"NoncurrentDays": NONCURRENT_DAYS}}
    archive = {
        "ID": "packs-to-deep-archive",
        "Status": "Enabled",
        "Filter": {"And": {"Prefix": "packs/", "ObjectSizeGreaterThan": ARCHIVED_BYTES_MIN}},
        "Transitions": [{"Days": retention.archive_days, "StorageClass": "DEEP_ARCHIVE"}],
    }
    expiring = [
        {
            "ID": f"{name}-expire",
            "Status": "Enabled",
            "Filter": {"Prefix": f"{name}/"},
            "Expiration": {"Days": retention.expiration_days},
            **kept,
        }
        for name in FOLDERS_EXPIRING
    ]
    searched = [
        {
            "ID": f"{name}-to-instant-retrieval",
            "Status": "Enabled",
            "Filter": {"And": {"Prefix": f"{name}/", "ObjectSizeGreaterThan": SEARCHED_BYTES_MIN}},
            "Transitions": [{"Days": SEARCHED_DAYS, "StorageClass": "GLACIER_IR"}],
        }
        for name in FOLDERS_SEARCHED
    ]
    left_overs = {
        "ID": "left-overs",
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "Expiration": {"ExpiredObjectDeleteMarker": True},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": ABORT_DAYS},
    }
    return {"Rules": [archive, *expiring, *searched, left_overs]}


def _configurations(destination: Destination) -> Iterator[tuple[str, str, Any]]:
    """(operation, option, value), in an order that S3 accepts: a lock needs versions, and the
    policy comes last, because it may forbid the rest.
    """
    yield "put-bucket-versioning", "--versioning-configuration", "Status=Enabled"
    yield "put-public-access-block", "--public-access-block-configuration", _PRIVATE
    yield "put-bucket-ownership-controls", "--ownership-controls", _OWNED
    yield (
        "put-bucket-encryption",
        "--server-side-encryption-configuration",
        {"Rules": [_encryption(destination)]},
    )
    if lock := destination.retention.lock:
        rule = {"DefaultRetention": {"Mode": lock.mode, "Days": lock.days}}
        yield (
            "put-object-lock-configuration",
            "--object-lock-configuration",
            {"ObjectLockEnabled": "Enabled", "Rule": rule},
        )
    yield (
        "put-bucket-lifecycle-configuration",
        "--lifecycle-configuration",
        make_lifecycle(destination.retention),
    )
    yield "put-bucket-policy", "--policy", make_bucket_policy(destination)


_PRIVATE = {
    "BlockPublicAcls": True,
    "BlockPublicPolicy": True,
    "IgnorePublicAcls": True,
    "RestrictPublicBuckets": True,
}
_OWNED = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}


def _properties(destination: Destination) -> dict[str, Any]:
    """The same properties with CloudFormation's names."""
    encryption = _encryption(destination)
    default = {"ServerSideEncryptionByDefault": encryption.pop(_BY_DEFAULT), **encryption}
    properties: dict[str, Any] = {
        "BucketName": destination.bucket,
        "VersioningConfiguration": {"Status": "Enabled"},
        "OwnershipControls": _OWNED,
        "PublicAccessBlockConfiguration": _PRIVATE,
        "BucketEncryption": {"ServerSideEncryptionConfiguration": [default]},
        "LifecycleConfiguration": {
            "Rules": [_rename_rule(rule) for rule in make_lifecycle(destination.retention)["Rules"]]
        },
    }
    if lock := destination.retention.lock:
        properties["ObjectLockEnabled"] = True
        properties["ObjectLockConfiguration"] = {
            "ObjectLockEnabled": "Enabled",
            "Rule": {"DefaultRetention": {"Mode": lock.mode, "Days": lock.days}},
        }
    return properties


_BY_DEFAULT = "ApplyServerSideEncryptionByDefault"


def _encryption(destination: Destination) -> dict[str, Any]:
    """With a customer's key, S3 Bucket Keys save a request to KMS for every object."""
    if not destination.kms_key_arn:
        return {_BY_DEFAULT: {"SSEAlgorithm": "AES256"}}
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": destination.kms_key_arn}
    return {_BY_DEFAULT: default, "BucketKeyEnabled": True}


def _rename_rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    """A lifecycle rule of S3's API with CloudFormation's names."""
    found = rule["Filter"].get("And", rule["Filter"])
    renamed = {
        "Id": rule["ID"],
        "Status": rule["Status"],
        **{name: value for name, value in found.items() if value != ""},
    }
    for name, value in rule.items():
        match name:
            case "Transitions":
                renamed[name] = [
                    {"StorageClass": each["StorageClass"], "TransitionInDays": each["Days"]}
                    for each in value
                ]
            case "Expiration" if "Days" in value:
                renamed["ExpirationInDays"] = value["Days"]
            case "Expiration":
                renamed.update(value)
            case "NoncurrentVersionExpiration" | "AbortIncompleteMultipartUpload":
                renamed[name] = value
    return renamed


def _command(operation: str, *words: str) -> str:
    return shlex.join(["aws", "s3api", operation, *words])

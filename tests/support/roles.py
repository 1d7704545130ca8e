"""A store that lets each function do only what its role in the template allows, as S3 would."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from tests.infra.access import as_list, statements_of
from tests.infra.stack import ACCOUNT, DESTINATION, STACK, Stack

from log_aggregator.adapters.forwarding import Call, ForwardingStore
from log_aggregator.errors import AccessDenied, NotFound
from log_aggregator.model import LogObject
from log_aggregator.ports.store import Deletion, DeletionFailure, ObjectStore

T = TypeVar("T")

NAMES: Mapping[str, str] = {"dest": DESTINATION, "work": f"{STACK}-workbucket-1a2b3c"}
"""The stack's names for a simulated world's buckets, where they differ."""

Need = tuple[str, str]
"""An IAM action, and the ARN for which it is needed."""

_BUCKET_ACTIONS = {
    "ListObjectVersions": "s3:ListBucketVersions",
    "ListObjectsV2": "s3:ListBucket",
    "GetBucketVersioning": "s3:GetBucketVersioning",
    "ListMultipartUploads": "s3:ListBucketMultipartUploads",
}
_KEY_ACTIONS = {
    "PutObject": "s3:PutObject",
    "CreateMultipartUpload": "s3:PutObject",
    "UploadPart": "s3:PutObject",
    "CompleteMultipartUpload": "s3:PutObject",
    "AbortMultipartUpload": "s3:AbortMultipartUpload",
    "RestoreObject": "s3:RestoreObject",
}


KEY_USES = {
    "GetObject": "kms:Decrypt",
    "HeadObject": "kms:Decrypt",
    "PutObject": "kms:GenerateDataKey",
    "CreateMultipartUpload": "kms:GenerateDataKey",
    "UploadPart": "kms:Decrypt",
    "UploadPartCopy": "kms:Decrypt",
    "CompleteMultipartUpload": "kms:Decrypt",
}
"""If the object or the bucket is encrypted with a KMS key; for HeadObject, because of its checksum
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html,
https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html).
"""


class RoleStore(ForwardingStore):
    """One function's view of a store. `used` records every permission that was needed, by function.
    `accounts` owns the buckets that do not belong to the stack's account.
    """

    def __init__(
        self,
        inner: ObjectStore,
        stack: Stack,
        function: str,
        used: set[tuple[str, str]],
        accounts: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(inner)
        self._accounts = accounts or {}
        self._statements = [found for found in statements_of(stack) if found.owner == function]
        self._function = function
        self._used = used

    def delete_objects(self, bucket: str, deletions: Sequence[Deletion]) -> list[DeletionFailure]:
        """S3 refuses each key separately."""
        refused = [deletion for deletion in deletions if not self._may_delete(bucket, deletion)]
        allowed = [deletion for deletion in deletions if deletion not in refused]
        return [
            *(DeletionFailure(deletion, "AccessDenied") for deletion in refused),
            *self.inner.delete_objects(bucket, allowed),
        ]

    def _call(self, call: Call, run: Callable[[], T]) -> T:
        prefix = call.key if call.operation in _BUCKET_ACTIONS else None
        for action, arn in needs_of(call):
            if not self._may(action, arn, prefix):
                raise AccessDenied(
                    f"{self._function}: {action} on {arn}",
                    code="AccessDenied",
                    operation=call.operation,
                )
        try:
            return run()
        except NotFound as error:
            # https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html: 404 only with
            # permission to list the bucket.
            if call.operation in ("GetObject", "HeadObject") and not self._may(
                "s3:ListBucket", bucket_arn(call.bucket), None
            ):
                raise AccessDenied(
                    f"{self._function}: nothing is said about {call.key}", code="AccessDenied"
                ) from error
            raise

    def _may_delete(self, bucket: str, deletion: Deletion) -> bool:
        arn = f"{bucket_arn(bucket)}/{deletion.key}"
        needs = ["s3:DeleteObject" if deletion.version_id is None else "s3:DeleteObjectVersion"]
        if deletion.etag is not None:
            needs.append(
                "s3:GetObject"
            )  # https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-deletes.html
        return all(self._may(action, arn, None) for action in needs)

    def _may(self, action: str, arn: str, prefix: str | None) -> bool:
        self._used.add((self._function, action))
        mine = [found for found in self._statements if found.covers(action, arn)]
        if any(found.effect == "Deny" and not found.condition for found in mine):
            return False
        account = self._accounts.get(arn.rpartition(":::")[2].partition("/")[0], ACCOUNT)
        return any(
            found.effect == "Allow" and holds(found.condition, prefix, account) for found in mine
        )


class KeyedRoleStore(RoleStore):
    """The same, for a stack whose target is encrypted with its own key. The key's policy names only
    the roles in the output `TargetKeyRoleArns`.
    """

    def __init__(
        self, inner: ObjectStore, stack: Stack, function: str, used: set[tuple[str, str]]
    ) -> None:
        super().__init__(inner, stack, function, used)
        self._key = stack.parameters["DestinationKmsKeyArn"]
        role = f"arn:aws:iam::{ACCOUNT}:role/{STACK}-{function}Role"
        self._is_named = role in stack.outputs["TargetKeyRoleArns"].split(",")

    def _call(self, call: Call, run: Callable[[], T]) -> T:
        action = KEY_USES.get(call.operation)
        if call.bucket in NAMES and NAMES[call.bucket] == DESTINATION and action:
            if not self._is_named:
                raise AccessDenied(f"{self._function}: the key's policy", code="AccessDenied")
            if not self._may(action, self._key, None):
                raise AccessDenied(f"{self._function}: {action}", code="AccessDenied")
        return super()._call(call, run)


def needs_of(call: Call) -> Iterator[Need]:
    """The permissions that S3 requires
    (https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html).
    """
    arn = bucket_arn(call.bucket)
    match call.operation:
        case "ListBuckets":
            yield "s3:ListAllMyBuckets", "*"
        case "GetObject" | "HeadObject":
            yield _read_action(call.arguments["version_id"]), f"{arn}/{call.key}"
        case "UploadPartCopy":
            source: LogObject = call.arguments["source"]
            yield "s3:PutObject", f"{arn}/{call.key}"
            yield _read_action(source.version_id), f"{bucket_arn(source.bucket)}/{source.key}"
        case operation if operation in _BUCKET_ACTIONS:
            yield _BUCKET_ACTIONS[operation], arn
        case operation:
            yield _KEY_ACTIONS[operation], f"{arn}/{call.key}"


def bucket_arn(bucket: str) -> str:
    return f"arn:aws:s3:::{NAMES.get(bucket, bucket)}"


def holds(condition: Mapping[str, Any], prefix: str | None, account: str) -> bool:
    """The conditions in our statements: a listing's prefix, and the account that owns the bucket.
    Without a prefix, a condition on it does not match.
    """
    for operator, keys in condition.items():
        for key, patterns in keys.items():
            if (operator, key) == ("StringEquals", "aws:ResourceAccount"):
                if account not in as_list(patterns):
                    return False
                continue
            if (operator, key) != ("StringLike", "s3:prefix"):
                raise ValueError(f"{operator} {key} is not known here")
            if prefix is None or not any(
                fnmatch.fnmatchcase(prefix, pattern) for pattern in as_list(patterns)
            ):
                return False
    return True


def _read_action(version_id: str | None) -> str:
    return "s3:GetObject" if version_id is None else "s3:GetObjectVersion"

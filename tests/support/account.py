"""An account in memory, for the doctor: everything is as it should be unless a test changes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from log_aggregator.errors import AccessDenied, NoSuchBucket, NotFound, RequestFailed
from log_aggregator.ports.account import (
    BucketEncryption,
    BucketVersioning,
    Caller,
    ConfiguredValue,
    Decision,
    DeliveryChannel,
    InventoryConfiguration,
    KmsKey,
    LambdaConcurrency,
    LifecycleRule,
    ObjectLock,
    Organization,
    PublicAccessBlock,
    Trail,
)

ACCOUNT = "111122223333"
OTHER_ACCOUNT = "444455556666"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/ops/aggregator"
T = TypeVar("T")


@dataclass
class FakeBucket:
    """A bucket as a careful person configures it for packs."""

    region: str = "eu-west-1"
    owner: str = ACCOUNT
    versioning: BucketVersioning = field(default_factory=lambda: BucketVersioning("Enabled"))
    lock: ObjectLock = field(default_factory=ObjectLock)
    encryption: BucketEncryption = field(default_factory=lambda: BucketEncryption("AES256"))
    lifecycle: tuple[LifecycleRule, ...] = (LifecycleRule("abort", abort_days=7),)
    block: PublicAccessBlock = field(
        default_factory=lambda: PublicAccessBlock(True, True, True, True)
    )
    ownership: str = "BucketOwnerEnforced"
    inventories: tuple[InventoryConfiguration, ...] = ()


@dataclass
class FakeAccount:
    """Implements `AccountInspector`. Anything in `broken` (names of operations, ARNs of principals)
    raises its error.
    """

    buckets: dict[str, FakeBucket] = field(default_factory=dict)
    caller: Caller = field(
        default_factory=lambda: Caller(
            ACCOUNT, f"arn:aws:sts::{ACCOUNT}:assumed-role/aggregator/me"
        )
    )
    organization: Organization = field(
        default_factory=lambda: Organization("o-abcd1234", OTHER_ACCOUNT)
    )
    keys: dict[str, KmsKey] = field(default_factory=dict)
    trails: list[Trail] = field(default_factory=list)
    channels: list[DeliveryChannel] = field(default_factory=list)
    decide: Callable[[str, str, str], Decision] = lambda principal, action, resource: Decision(
        action, "allowed"
    )
    broken: dict[str, RequestFailed] = field(default_factory=dict)
    simulated: list[tuple[str, str, str]] = field(default_factory=list)
    contexts: dict[tuple[str, str], Mapping[str, str]] = field(default_factory=dict)
    region: str = "eu-west-1"
    configuration: Sequence[ConfiguredValue] = (
        ConfiguredValue("region", "eu-west-1", "AWS_REGION"),
    )
    concurrency: LambdaConcurrency = field(default_factory=lambda: LambdaConcurrency(1000, 1000))
    owners: dict[str, str] = field(default_factory=dict)
    """Buckets for which the settings name an account; all others are expected to be the
    caller's.
    """
    expects_owners: bool = True

    def deny(self, *operations: str) -> None:
        self.broken |= {
            operation: AccessDenied(f"{operation}: AccessDenied", code="AccessDenied")
            for operation in operations
        }

    def _ask(self, operation: str, answer: T) -> T:
        if operation in self.broken:
            raise self.broken[operation]
        return answer

    def _bucket(self, operation: str, name: str) -> FakeBucket:
        if name not in self.buckets:
            raise NoSuchBucket(f"{operation} s3://{name}: NoSuchBucket", code="NoSuchBucket")
        return self._ask(operation, self.buckets[name])

    def get_caller_identity(self) -> Caller:
        return self._ask("GetCallerIdentity", self.caller)

    def describe_organization(self) -> Organization:
        return self._ask("DescribeOrganization", self.organization)

    def get_role(self, name: str) -> str:
        return self._ask("GetRole", f"arn:aws:iam::{ACCOUNT}:role/ops/{name}")

    def simulate_principal_policy(
        self,
        principal_arn: str,
        actions: Sequence[str],
        resource_arn: str,
        context: Mapping[str, str],
    ) -> list[Decision]:
        self.simulated += [(principal_arn, action, resource_arn) for action in actions]
        self.contexts |= {(action, resource_arn): context for action in actions}
        self._ask(principal_arn, None)
        return self._ask(
            "SimulatePrincipalPolicy",
            [self.decide(principal_arn, action, resource_arn) for action in actions],
        )

    def expected_owner(self, bucket: str) -> str | None:
        return self.owners.get(bucket, ACCOUNT) if self.expects_owners else None

    def head_bucket(self, bucket: str, *, owner: str | None = None) -> str:
        found = self._bucket("HeadBucket", bucket)
        if owner not in (None, found.owner):
            raise AccessDenied(f"HeadBucket s3://{bucket}: 403", code="403")
        return found.region

    def get_bucket_versioning(self, bucket: str) -> BucketVersioning:
        return self._bucket("GetBucketVersioning", bucket).versioning

    def get_object_lock_configuration(self, bucket: str) -> ObjectLock:
        return self._bucket("GetObjectLockConfiguration", bucket).lock

    def get_bucket_encryption(self, bucket: str) -> BucketEncryption:
        return self._bucket("GetBucketEncryption", bucket).encryption

    def get_bucket_lifecycle_configuration(self, bucket: str) -> tuple[LifecycleRule, ...]:
        return self._bucket("GetBucketLifecycleConfiguration", bucket).lifecycle

    def get_public_access_block(self, bucket: str) -> PublicAccessBlock:
        return self._bucket("GetPublicAccessBlock", bucket).block

    def get_bucket_ownership_controls(self, bucket: str) -> str:
        return self._bucket("GetBucketOwnershipControls", bucket).ownership

    def list_bucket_inventory_configurations(self, bucket: str) -> list[InventoryConfiguration]:
        return list(self._bucket("ListBucketInventoryConfigurations", bucket).inventories)

    def describe_key(self, key_id: str) -> KmsKey:
        self._ask("DescribeKey", None)
        if key_id not in self.keys:
            raise NotFound(f"DescribeKey {key_id}: NotFoundException", code="NotFoundException")
        return self.keys[key_id]

    def describe_trails(self) -> list[Trail]:
        return self._ask("DescribeTrails", self.trails)

    def describe_delivery_channels(self) -> list[DeliveryChannel]:
        return self._ask("DescribeDeliveryChannels", self.channels)

    def get_lambda_concurrency(self) -> LambdaConcurrency:
        return self._ask("GetAccountSettings", self.concurrency)


OPERATIONS = (
    "GetCallerIdentity",
    "DescribeOrganization",
    "DescribeTrails",
    "DescribeDeliveryChannels",
    "DescribeKey",
    "GetAccountSettings",
    "SimulatePrincipalPolicy",
    "GetBucketVersioning",
    "GetObjectLockConfiguration",
    "GetBucketEncryption",
    "GetBucketLifecycleConfiguration",
    "GetPublicAccessBlock",
    "GetBucketOwnershipControls",
    "ListBucketInventoryConfigurations",
)

"""What `doctor` asks an account, as a Protocol in AWS's own verbs. Every method only reads.

Each returns a value even if nothing is configured. All raise only errors of the branch
`log_aggregator.errors.StoreError`. AccessDenied means that a permission is missing, any other error
that the server gave no answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ConfiguredValue:
    """A value of the AWS configuration, and the option, variable or profile entry that it came
    from. Never a secret.
    """

    name: str
    value: str
    source: str


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller: the account's number, and the ARN of a user, the root user or an assumed role."""

    account: str
    arn: str


@dataclass(frozen=True, slots=True)
class Organization:
    """The organisation that the caller's account belongs to."""

    id: str
    management_account: str


@dataclass(frozen=True, slots=True)
class BucketVersioning:
    """`status` is Enabled, Suspended or None (never had versions)."""

    status: str | None = None
    has_mfa_delete: bool = False


@dataclass(frozen=True, slots=True)
class ObjectLock:
    """`mode` (GOVERNANCE or COMPLIANCE) and `retention_days` are the default retention; a year
    counts 365 days.
    """

    is_enabled: bool = False
    mode: str | None = None
    retention_days: int = 0


@dataclass(frozen=True, slots=True)
class BucketEncryption:
    """How new objects are encrypted. `algorithm` is S3's word: AES256, aws:kms, aws:kms:dsse; empty
    if nothing is configured.
    """

    algorithm: str = ""
    kms_key_id: str | None = None
    has_bucket_key: bool = False

    @property
    def is_kms(self) -> bool:
        return self.algorithm.startswith("aws:kms")


@dataclass(frozen=True, slots=True)
class Transition:
    """A transition to another storage class, of current or of noncurrent versions. `days` is None
    if the rule names a date.
    """

    storage_class: str
    days: int | None = None
    is_noncurrent: bool = False


@dataclass(frozen=True, slots=True)
class LifecycleRule:
    """An enabled rule. `has_tags`: it applies only to objects that carry tags."""

    id: str
    prefix: str = ""
    has_tags: bool = False
    expiration_days: int | None = None
    expiration_date: date | None = None
    transitions: tuple[Transition, ...] = ()
    abort_days: int | None = None

    @property
    def expires(self) -> bool:
        return self.expiration_days is not None or self.expiration_date is not None


@dataclass(frozen=True, slots=True)
class PublicAccessBlock:
    """The bucket's own four switches, without those of the account."""

    block_public_acls: bool = False
    ignore_public_acls: bool = False
    block_public_policy: bool = False
    restrict_public_buckets: bool = False

    @property
    def is_complete(self) -> bool:
        return (
            self.block_public_acls
            and self.ignore_public_acls
            and self.block_public_policy
            and self.restrict_public_buckets
        )


@dataclass(frozen=True, slots=True)
class InventoryConfiguration:
    """An S3 Inventory that is switched on: its name, and the bucket and prefix of its reports."""

    id: str
    bucket: str
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class KmsKey:
    """`manager` is AWS for a key that a service keeps (aws/s3), otherwise CUSTOMER. `state` is
    Enabled, Disabled, PendingDeletion ...
    """

    arn: str
    account: str
    state: str = "Enabled"
    manager: str = "CUSTOMER"


@dataclass(frozen=True, slots=True)
class Trail:
    """A CloudTrail trail, and where it writes."""

    name: str
    bucket: str
    is_organization: bool = False
    kms_key_id: str | None = None


@dataclass(frozen=True, slots=True)
class DeliveryChannel:
    """Where AWS Config of this account and region writes."""

    name: str
    bucket: str
    kms_key_id: str | None = None


@dataclass(frozen=True, slots=True)
class LambdaConcurrency:
    """How many function calls may run at the same time in this account and Region: in total, and
    those that no function has reserved.
    """

    account: int
    unreserved: int


@dataclass(frozen=True, slots=True)
class Decision:
    """The result of a simulation for one action: `allowed`, `explicitDeny`, `implicitDeny`.

    `missing_keys` are condition keys whose values the simulation would have needed.
    """

    action: str
    decision: str
    is_denied_by_organization: bool = False
    missing_keys: tuple[str, ...] = ()

    @property
    def is_allowed(self) -> bool:
        return self.decision == "allowed"


class AccountInspector(Protocol):
    """An account, as far as `doctor` looks at it."""

    @property
    def region(self) -> str:
        """The region of the clients."""

    @property
    def configuration(self) -> Sequence[ConfiguredValue]:
        """The AWS configuration in use, and where each value came from."""

    def get_caller_identity(self) -> Caller: ...

    def describe_organization(self) -> Organization: ...

    def get_role(self, name: str) -> str:
        """The ARN of a role, with its path."""

    def simulate_principal_policy(
        self,
        principal_arn: str,
        actions: Sequence[str],
        resource_arn: str,
        context: Mapping[str, str],
    ) -> list[Decision]:
        """One decision for each action, in their order. `context` are condition keys and their
        values.
        """

    def expected_owner(self, bucket: str) -> str | None:
        """The account that every request of a run expects to own the bucket; None if it expects
        none.
        """

    def head_bucket(self, bucket: str, *, owner: str | None = None) -> str:
        """The bucket's region, empty if the server does not report it. Without `owner` the bucket
        may belong to any account.

        Raises NotFound; AccessDenied also if the bucket does not belong to the account `owner`.
        """

    def get_bucket_versioning(self, bucket: str) -> BucketVersioning: ...

    def get_object_lock_configuration(self, bucket: str) -> ObjectLock: ...

    def get_bucket_encryption(self, bucket: str) -> BucketEncryption: ...

    def get_bucket_lifecycle_configuration(self, bucket: str) -> tuple[LifecycleRule, ...]:
        """The enabled rules."""

    def get_public_access_block(self, bucket: str) -> PublicAccessBlock: ...

    def get_bucket_ownership_controls(self, bucket: str) -> str:
        """BucketOwnerEnforced, BucketOwnerPreferred, ObjectWriter; empty if nothing is configured,
        which means ObjectWriter.
        """

    def list_bucket_inventory_configurations(self, bucket: str) -> list[InventoryConfiguration]:
        """The bucket's inventories that are switched on."""

    def describe_key(self, key_id: str) -> KmsKey: ...

    def describe_trails(self) -> list[Trail]:
        """All trails that log this region, including those of the organisation."""

    def describe_delivery_channels(self) -> list[DeliveryChannel]: ...

    def get_lambda_concurrency(self) -> LambdaConcurrency: ...

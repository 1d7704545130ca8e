"""The IAM actions that this program needs, as one table, and their simulation. Simulated only:
nothing is tried on the buckets.

`grants` makes policies of the table, which docs/how-to/iam-permissions.md shows; tests compare all
three with the calls that the code makes. A simulation sees the principal's policies, its
permissions boundary and service control policies; whether it sees those with conditions depends on
the version of the service
(https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_testing-policies.html says no, the
reference of the AWS CLI of 2026 says yes). It does not see bucket policies, key policies, resource
control policies or endpoint policies.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from log_aggregator.errors import RequestFailed
from log_aggregator.ports.account import AccountInspector, Decision
from log_aggregator.steps.doctor.findings import Notebook, advise

LIST_SOURCE = ("s3:ListBucket", "s3:ListBucketVersions", "s3:GetBucketVersioning")
READ_SOURCE = ("s3:GetObject", "s3:GetObjectVersion")
FIND_BUCKETS = ("s3:ListAllMyBuckets",)
LIST_TARGET = ("s3:ListBucket", "s3:ListBucketMultipartUploads", "s3:GetBucketVersioning")
# GetObject too: after an ambiguous answer to a conditional write the object is read back.
WRITE_ONCE = ("s3:PutObject", "s3:GetObject")
WRITE_AGAIN = ("s3:PutObject",)
ABORT = ("s3:AbortMultipartUpload",)
DELETE_VERSIONS = ("s3:DeleteObjectVersion",)
DELETE_UNVERSIONED = ("s3:DeleteObject",)
DELETE_ANY = (*DELETE_UNVERSIONED, *DELETE_VERSIONS)
SIGN = ("kms:GetPublicKey", "kms:Sign")
ASK_FOR_PUBLIC_KEYS = ("cloudtrail:ListPublicKeys",)
USE_SOURCE_KEY = ("kms:Decrypt",)
USE_TARGET_KEY = ("kms:GenerateDataKey", "kms:Decrypt")
READ_TARGET = ("s3:GetObject",)
LOOK_AT_TARGET = ("s3:ListBucket", "s3:GetBucketVersioning")
LIST_UPLOADS = ("s3:ListBucketMultipartUploads",)
LIST_RECORDS = ("s3:ListBucketVersions",)
THAW = ("s3:RestoreObject",)
ASK_FOR_HASHES = ("s3:CreateJob", "s3:DescribeJob")
PASS_ROLE = ("iam:PassRole",)
READ_LIFECYCLE = ("s3:GetLifecycleConfiguration",)
LOOK_AT_CONFIGURATION = (
    "s3:GetBucketObjectLockConfiguration",
    "s3:GetEncryptionConfiguration",
    *READ_LIFECYCLE,
)
LOOK_AT_SOURCE = ("s3:GetBucketOwnershipControls", "s3:GetInventoryConfiguration")
LOOK_AT_ACCESS = ("s3:GetBucketPublicAccessBlock",)
LOOK_AT_ACCOUNT = (
    "cloudtrail:DescribeTrails",
    "config:DescribeDeliveryChannels",
    "iam:GetRole",
    "iam:SimulatePrincipalPolicy",
    "kms:DescribeKey",
    "organizations:DescribeOrganization",
)

WRITTEN_ONCE = {"s3:if-none-match": "*", "s3:ObjectCreationOperation": "true"}
"""Condition keys of our writes. Bucket policies that let a pack be written only once check them
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes-enforce.html)."""

WRITTEN_AGAIN = {"s3:ObjectCreationOperation": "true"}
"""Condition keys of writes that may replace an object: they carry no If-None-Match."""

ANY_LOG = "AWSLogs/any-log"
ANY_OBJECT = "any-object"
DOCUMENTS = "docs/how-to/iam-permissions.md"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Which of some actions the simulated principals together may do. `denied` and `unsure` map an
    action to the reason.
    """

    denied: Mapping[str, str] = field(default_factory=dict)
    unsure: Mapping[str, str] = field(default_factory=dict)
    allowed: tuple[str, ...] = ()


@dataclass(slots=True)
class Simulation:
    """Simulates for several principals: each deployed function has its own role, so an action must
    be allowed to one of them.
    """

    inspector: AccountInspector
    notebook: Notebook
    principals: list[str]
    partition: str = "aws"
    account: str | None = None
    """The caller's account: the owner of buckets for which no other owner is expected."""
    lost: list[str] = field(default_factory=list)
    """Principals that could not be simulated. They may be allowed what the others are not."""

    def bucket_arn(self, bucket: str) -> str:
        return f"arn:{self.partition}:s3:::{bucket}"

    def object_arn(self, bucket: str, key: str) -> str:
        return f"arn:{self.partition}:s3:::{bucket}/{key}"

    def examine(
        self, actions: Sequence[str], resource_arn: str, context: Mapping[str, str] | None = None
    ) -> Verdict | None:
        """None if nothing could be simulated; the notebook has that once for each principal."""
        found = []
        for principal in list(self.principals):
            decisions = self._simulate(principal, actions, resource_arn, context)
            found += [decisions] if decisions else []
            if decisions and all(decision.is_allowed for decision in decisions):
                break  # the others can add nothing, and each simulation costs a request
        if not found:
            return None
        best = [max(decisions, key=_hope) for decisions in zip(*found, strict=True)]
        verdict = Verdict(
            denied={
                decision.action: _explain(decision)
                for decision in best
                if not decision.is_allowed and not decision.missing_keys
            },
            unsure={
                decision.action: _doubt(decision)
                for decision in best
                if not decision.is_allowed and decision.missing_keys
            },
            allowed=tuple(decision.action for decision in best if decision.is_allowed),
        )
        return self._doubt_denials(verdict) if self.lost else verdict

    def _simulate(
        self,
        principal: str,
        actions: Sequence[str],
        resource_arn: str,
        context: Mapping[str, str] | None,
    ) -> list[Decision] | None:
        given = {
            "aws:SecureTransport": "true",
            **self._owner_context(resource_arn),
            **(context or {}),
        }
        try:
            return self.inspector.simulate_principal_policy(principal, actions, resource_arn, given)
        except RequestFailed as error:
            self.principals.remove(principal)
            self.lost.append(principal)
            seen = f"the permissions of {principal} could not be checked: {error}"
            self.notebook.warn(
                "account", "permissions", seen, advise(error, "iam:SimulatePrincipalPolicy")
            )
            return None

    def _owner_context(self, resource_arn: str) -> dict[str, str]:
        """The owner for aws:ResourceAccount, which the stack's policies check. ARNs of buckets
        contain no account, so the simulation must be told. `_examine_owner` checks the real owner.
        """
        service, _, rest = resource_arn.partition(":::")
        if not service.endswith(":s3"):
            return {}
        owner = self.inspector.expected_owner(rest.partition("/")[0]) or self.account
        return {"aws:ResourceAccount": owner} if owner else {}

    def _doubt_denials(self, verdict: Verdict) -> Verdict:
        doubt = (
            f"is not allowed to {', '.join(self.principals)}; {', '.join(self.lost)} could not "
            "be simulated"
        )
        return Verdict(
            unsure={**verdict.unsure, **dict.fromkeys(verdict.denied, doubt)},
            allowed=verdict.allowed,
        )


def write_verdict(
    notebook: Notebook,
    where: str,
    check: str,
    purpose: str,
    verdicts: Iterable[Verdict | None],
    *,
    advice: str,
    is_fatal: bool = True,
) -> None:
    """One finding for all actions of a purpose. `advice` follows the list of actions to grant."""
    known = [verdict for verdict in verdicts if verdict is not None]
    denied = {action: why for verdict in known for action, why in verdict.denied.items()}
    unsure = {action: why for verdict in known for action, why in verdict.unsure.items()}
    if denied:
        seen = f"{purpose}: " + "; ".join(
            f"{action} is denied ({why})" for action, why in denied.items()
        )
        (notebook.problem if is_fatal else notebook.warn)(
            where, check, seen, f"Grant {', '.join(denied)}. {advice}"
        )
    if unsure:
        seen = f"{purpose}: " + "; ".join(f"{action} {why}" for action, why in unsure.items())
        notebook.warn(
            where,
            check,
            seen,
            "Check the policies yourself, or run one day with keep_originals_days set; a "
            "simulation cannot tell.",
        )
    if known and not denied and not unsure:
        actions = dict.fromkeys(action for verdict in known for action in verdict.allowed)
        notebook.ok(where, check, f"{purpose}: {', '.join(actions)} allowed")


def _hope(decision: Decision) -> int:
    return 2 if decision.is_allowed else 1 if decision.missing_keys else 0


def _doubt(decision: Decision) -> str:
    return f"depends on the condition {', '.join(decision.missing_keys)}"


def _explain(decision: Decision) -> str:
    if decision.is_denied_by_organization:
        return "by a service control policy"
    return "explicitly" if decision.decision == "explicitDeny" else "nothing allows it"

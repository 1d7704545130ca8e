"""Control Tower's proactive controls for the kinds of resources in the stack, in our own words:
what each requires of a resource's properties, as published under
https://docs.aws.amazon.com/controltower/latest/controlreference/proactive-controls.html.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.infra.stack import Stack

Properties = Mapping[str, Any]

ALARM, LOG_GROUP = "AWS::CloudWatch::Alarm", "AWS::Logs::LogGroup"
BUCKET, BUCKET_POLICY = "AWS::S3::Bucket", "AWS::S3::BucketPolicy"
FUNCTION, STATE_MACHINE = "AWS::Lambda::Function", "AWS::StepFunctions::StateMachine"
KEY, ROLE = "AWS::KMS::Key", "AWS::IAM::Role"


@dataclass(frozen=True)
class Hook:
    """A control, which checks each resource of its kind separately."""

    control: str
    kind: str
    passes: Callable[[Properties], bool]

    def refused(self, stack: Stack) -> set[str]:
        """The logical ids of the resources that CloudFormation would refuse to make."""
        return {
            name
            for name, properties in stack.of_type(self.kind).items()
            if not self.passes(properties)
        }


def _blocks_public_access(bucket: Properties) -> bool:
    block = bucket.get("PublicAccessBlockConfiguration", {})
    parts = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
    return all(block.get(part) is True for part in parts)


def _has_access_logs(bucket: Properties) -> bool:
    return "LoggingConfiguration" in bucket


def _has_versions(bucket: Properties) -> bool:
    return bool(bucket.get("VersioningConfiguration", {}).get("Status") == "Enabled")


def _has_lifecycle(bucket: Properties) -> bool:
    rules = bucket.get("LifecycleConfiguration", {}).get("Rules", [])
    return any(rule["Status"] == "Enabled" for rule in rules)


def _tidies_its_versions(bucket: Properties) -> bool:
    return not _has_versions(bucket) or _has_lifecycle(bucket)


def _notifies(bucket: Properties) -> bool:
    return bool(bucket.get("NotificationConfiguration"))


def _has_no_acl(bucket: Properties) -> bool:
    return "AccessControl" not in bucket


def _is_locked(bucket: Properties) -> bool:
    return bucket.get("ObjectLockEnabled") is True


def _is_encrypted_with_a_key(bucket: Properties) -> bool:
    rules = bucket.get("BucketEncryption", {}).get("ServerSideEncryptionConfiguration", [])
    used = [rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] for rule in rules]
    return bool(used) and set(used) <= {"aws:kms", "aws:kms:dsse"}


def _demands_tls(policy: Properties) -> bool:
    return any(
        (statement["Effect"], statement["Action"], statement["Principal"]) == ("Deny", "s3:*", "*")
        and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        and {arn.endswith("/*") for arn in statement["Resource"]} == {True, False}
        for statement in policy["PolicyDocument"]["Statement"]
    )


def _is_in_a_vpc(function: Properties) -> bool:
    network = function.get("VpcConfig", {})
    return bool(network.get("SubnetIds")) and bool(network.get("SecurityGroupIds"))


def _writes_logs(machine: Properties) -> bool:
    logging = machine.get("LoggingConfiguration", {})
    return logging.get("Level") in {"ERROR", "ALL"} and bool(logging.get("Destinations"))


def _writes_traces(machine: Properties) -> bool:
    return machine.get("TracingConfiguration", {}).get("Enabled") is True


def _has_an_action(alarm: Properties) -> bool:
    return bool(alarm.get("AlarmActions"))


def _acts(alarm: Properties) -> bool:
    return alarm.get("ActionsEnabled", True) is True


def _keeps_a_year(group: Properties) -> bool:
    """Parameter values are text here; the rule expects a number."""
    return int(group.get("RetentionInDays", 365)) >= 365


def _has_a_key(group: Properties) -> bool:
    return bool(group.get("KmsKeyId"))


def _allowed(role: Properties) -> Iterator[tuple[list[str], list[str], bool]]:
    """Actions, resources and use of NotAction, of every allowing statement."""
    for policy in role.get("Policies", []):
        for statement in _listed(policy["PolicyDocument"]["Statement"]):
            if statement["Effect"] == "Allow":
                actions = _listed(statement.get("Action", []))
                yield actions, _listed(statement.get("Resource", [])), "NotAction" in statement


def _allows_not_everything(role: Properties) -> bool:
    return not any("*" in actions and "*" in resources for actions, resources, _ in _allowed(role))


def _allows_no_whole_service(role: Properties) -> bool:
    return not any(
        negated or any(action.endswith(":*") for action in actions)
        for actions, _, negated in _allowed(role)
    )


def _rotates(key: Properties) -> bool:
    """A key that does not encrypt cannot rotate, and passes."""
    is_symmetric = key.get("KeySpec", "SYMMETRIC_DEFAULT") == "SYMMETRIC_DEFAULT"
    return key.get("EnableKeyRotation") is True or not is_symmetric


def _is_no_short_rsa(key: Properties) -> bool:
    return key.get("KeySpec") != "RSA_2048"


def _denies_grants(key: Properties) -> bool:
    wanted = {"kms:GrantIsForAWSResource": "false", "aws:PrincipalIsAWSService": "false"}
    return any(
        statement["Effect"] == "Deny"
        and "kms:CreateGrant" in _listed(statement["Action"])
        and statement.get("Condition") == {"BoolIfExists": wanted}
        for statement in key["KeyPolicy"]["Statement"]
    )


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


HOOKS = (
    Hook("CT.S3.PR.1", BUCKET, _blocks_public_access),
    Hook("CT.S3.PR.2", BUCKET, _has_access_logs),
    Hook("CT.S3.PR.3", BUCKET, _tidies_its_versions),
    Hook("CT.S3.PR.4", BUCKET, _notifies),
    Hook("CT.S3.PR.5", BUCKET, _has_no_acl),
    Hook("CT.S3.PR.6", BUCKET, _has_lifecycle),
    Hook("CT.S3.PR.8", BUCKET_POLICY, _demands_tls),
    Hook("CT.S3.PR.9", BUCKET, _is_locked),
    Hook("CT.S3.PR.10", BUCKET, _is_encrypted_with_a_key),
    Hook("CT.S3.PR.11", BUCKET, _has_versions),
    Hook("CT.LAMBDA.PR.3", FUNCTION, _is_in_a_vpc),
    Hook("CT.STEPFUNCTIONS.PR.1", STATE_MACHINE, _writes_logs),
    Hook("CT.STEPFUNCTIONS.PR.2", STATE_MACHINE, _writes_traces),
    Hook("CT.CLOUDWATCH.PR.1", ALARM, _has_an_action),
    Hook("CT.CLOUDWATCH.PR.2", LOG_GROUP, _keeps_a_year),
    Hook("CT.CLOUDWATCH.PR.3", LOG_GROUP, _has_a_key),
    Hook("CT.CLOUDWATCH.PR.4", ALARM, _acts),
    Hook("CT.IAM.PR.1", ROLE, _allows_not_everything),
    Hook("CT.IAM.PR.5", ROLE, _allows_no_whole_service),
    Hook("CT.KMS.PR.1", KEY, _rotates),
    Hook("CT.KMS.PR.2", KEY, _is_no_short_rsa),
    Hook("CT.KMS.PR.3", KEY, _denies_grants),
)
"""Every control of the 237 published rules that looks at a kind of resource of this template."""

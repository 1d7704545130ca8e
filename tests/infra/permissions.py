"""Checks of the roles' permissions. Each returns a list of problems."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cfnlint
from tests.infra.access import as_list, is_always, may, owners, statements_of
from tests.infra.stack import ACCOUNT, DESTINATION, STACK, Stack

from log_aggregator.adapters.s3.owners import Owners
from log_aggregator.handlers.entry import settings_of
from log_aggregator.handlers.prepare import LAYOUTS_KEY

WORK = f"{STACK}-workbucket-1a2b3c"
LAYOUTS = f"arn:aws:s3:::{WORK}/{LAYOUTS_KEY}"
FOLDER = "AggregatedLogs"
_FOLDERS = (
    *("packs", "indexes", "discards", "custody", "signatures", "keys", "backfills", "drills"),
    "reports",
    "tables",
    "probes",
)
_SEARCHED = ("terms",)
"""They may be written over."""

_KEEP = {("s3:GetObject", "runs"), ("s3:PutObject", "runs"), ("s3:ListBucket", "work")}

STEPS_NEED: Mapping[str, frozenset[tuple[str, str]]] = {
    "PrepareFunction": frozenset(
        {
            ("s3:ListBucket", "sources"),
            ("s3:GetBucketVersioning", "sources"),
            ("s3:GetBucketVersioning", "target"),
            ("s3:ListBucketMultipartUploads", "target"),
            ("s3:AbortMultipartUpload", "packs"),
            ("s3:GetObject", "declared layouts"),
        }
        | _KEEP
    ),
    "ExamineFunction": frozenset(
        {
            ("s3:ListBucket", "sources"),
            ("s3:GetBucketVersioning", "sources"),
            ("s3:GetBucketObjectLockConfiguration", "sources"),
            ("s3:GetBucketOwnershipControls", "sources"),
            ("s3:GetEncryptionConfiguration", "sources"),
            ("s3:GetLifecycleConfiguration", "sources"),
            ("s3:ListBucket", "target"),
            ("s3:GetBucketVersioning", "target"),
            ("s3:GetBucketObjectLockConfiguration", "target"),
            ("s3:GetBucketPublicAccessBlock", "target"),
            ("s3:GetEncryptionConfiguration", "target"),
            ("s3:GetLifecycleConfiguration", "target"),
            ("s3:GetObject", "examinations"),
            ("s3:PutObject", "examinations"),
        }
        | _KEEP
    ),
    "ListFunction": frozenset(
        {("s3:ListBucket", "sources"), ("s3:ListBucketVersions", "sources")} | _KEEP
    ),
    "PlanFunction": frozenset(
        {
            ("s3:ListBucket", "target"),
            ("s3:GetObject", "custody"),
            ("s3:PutObject", "custody"),
        }
        | _KEEP
    ),
    "CombineFunction": frozenset(
        {
            ("s3:GetObject", "logs"),
            ("s3:GetObjectVersion", "logs"),
            ("s3:ListBucket", "sources"),
            ("s3:ListBucketVersions", "sources"),
            ("s3:ListBucket", "target"),
            ("s3:GetObject", "packs"),
            ("s3:PutObject", "packs"),
            ("s3:AbortMultipartUpload", "packs"),
            ("s3:GetObject", "indexes"),
            ("s3:PutObject", "indexes"),
            ("s3:PutObject", "terms"),
        }
        | _KEEP
    ),
    "VerifyFunction": frozenset(
        {("s3:ListBucket", "target"), ("s3:GetObject", "packs"), ("s3:GetObject", "indexes")}
        | _KEEP
    ),
    "DeleteFunction": frozenset(
        {
            ("s3:DeleteObject", "logs"),
            ("s3:DeleteObjectVersion", "logs"),
            ("s3:GetObject", "logs"),
            ("s3:ListBucket", "sources"),
            ("s3:ListBucketVersions", "sources"),
            ("s3:ListBucket", "target"),
            ("s3:GetObject", "packs"),
            ("s3:GetObject", "indexes"),
            ("s3:PutObject", "discards"),
            ("s3:GetObjectVersion", "logs"),
            ("s3:PutObject", "probes"),
            ("s3:GetObject", "probes"),
            ("s3:DeleteObject", "probes"),
        }
        | _KEEP
    ),
    "FinishFunction": frozenset(
        {
            ("s3:ListBucket", "target"),
            ("s3:GetObject", "custody"),
            ("s3:PutObject", "custody"),
            ("s3:GetObject", "keys"),
            ("s3:PutObject", "keys"),
            ("s3:ListBucket", "sources"),
            ("s3:ListBucketVersions", "sources"),
            ("s3:GetBucketVersioning", "sources"),
            ("s3:GetObject", "packs"),
            ("s3:GetObject", "indexes"),
            ("s3:PutObject", "indexes"),
            ("s3:GetObject", "discards"),
            ("s3:GetObject", "outstanding"),
            ("s3:PutObject", "outstanding"),
        }
        | _KEEP
    ),
    "MergeTermsFunction": frozenset(
        {
            ("s3:ListBucket", "target"),
            ("s3:GetObject", "terms"),
            ("s3:GetObject", "tables"),
            ("s3:PutObject", "tables"),
        }
        | _KEEP
    ),
    "DrillFunction": frozenset(
        {
            ("s3:ListBucket", "target"),
            ("s3:GetObject", "packs"),
            ("s3:GetObject", "indexes"),
            ("s3:GetObject", "keys"),
            ("s3:RestoreObject", "packs"),
            ("s3:GetObject", "drills"),
            ("s3:PutObject", "drills"),
            ("s3:GetObject", "custody"),
            ("s3:PutObject", "custody"),
        }
    ),
    "ReportFunction": frozenset(
        {
            ("s3:ListBucket", "sources"),
            ("s3:ListBucketVersions", "sources"),
            ("s3:GetBucketVersioning", "sources"),
            ("s3:GetObject", "digests"),
            ("s3:ListBucket", "target"),
            ("s3:ListBucketVersions", "target"),
            ("s3:GetBucketVersioning", "target"),
            ("s3:GetBucketObjectLockConfiguration", "target"),
            ("s3:GetBucketPublicAccessBlock", "target"),
            ("s3:GetEncryptionConfiguration", "target"),
            ("s3:GetLifecycleConfiguration", "target"),
            ("s3:GetObject", "packs of digests"),
            ("s3:GetObject", "indexes"),
            ("s3:GetObject", "signatures"),
            ("s3:GetObject", "custody"),
            ("s3:PutObject", "reports"),
            ("s3:GetObject", "declared layouts"),
            ("s3:ListBucket", "work"),
        }
    ),
    "SplitHistoryFunction": frozenset({("s3:GetBucketVersioning", "sources")} | _KEEP),
    "SortInventoryFunction": frozenset(_KEEP),
    "FinishHistoryFunction": frozenset(_KEEP),
    "EmptyAccessLogsFunction": frozenset(
        {
            ("s3:ListBucket", "access logs"),
            ("s3:ListBucketVersions", "access logs"),
            ("s3:GetBucketVersioning", "access logs"),
            ("s3:DeleteObject", "entries of access logs"),
            ("s3:DeleteObjectVersion", "entries of access logs"),
            ("s3:GetObject", "entries of access logs"),
        }
    ),
    "CombineLogFilesSM": frozenset({("s3:GetObject", "runs")}),
    "ProcessHistoricalMainLogsSM": frozenset({("s3:GetObject", "runs")}),
}
"""The S3 actions that each step's requests are authorised by, and on what. Which request needs
which: docs/how-to/iam-permissions.md
"""

_READERS_OF_INVENTORIES = ("SplitHistoryFunction", "SortInventoryFunction")

_WITHOUT_RESOURCES = {
    "cloudtrail:ListPublicKeys",
    "lambda:GetAccountSettings",
    "s3:ListAllMyBuckets",
    "logs:CreateLogDelivery",
    "logs:GetLogDelivery",
    "logs:UpdateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:DescribeResourcePolicies",
    "logs:DescribeLogGroups",
}
_MANAGED = {
    "service-role/AWSLambdaBasicExecutionRole",
    "AWSXrayWriteOnlyAccess",
    "CloudWatchLambdaInsightsExecutionRolePolicy",
}
_INLINE_POLICIES_CHARS_MAX = 10_240
"""Of one role, without blanks.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
"""


def check_actions_exist(stack: Stack) -> list[str]:
    known = _real_actions()
    used = {(found.owner, action) for found in statements_of(stack) for action in found.actions}
    for kind in ("AWS::S3::BucketPolicy", "AWS::SNS::TopicPolicy"):
        for name, properties in stack.of_type(kind).items():
            used |= {
                (name, action)
                for found in properties["PolicyDocument"]["Statement"]
                for action in as_list(found["Action"])
            }
    used -= {
        (owner, action)
        for owner, action in used
        if action == "s3:*" and owner.endswith("BucketPolicy")
    }  # denied without TLS
    return [
        f"{owner}: there is no action {action}"
        for owner, action in sorted(used)
        if action.lower() not in known
    ]


def check_steps_have_what_they_need(stack: Stack) -> list[str]:
    """Permissions match the needs exactly, neither less nor more."""
    problems = []
    for owner in owners(stack):
        granted = {
            (action, place)
            for found in statements_of(stack)
            if found.owner == owner and found.effect == "Allow"
            for action in found.actions
            if action.startswith("s3:") and action != "s3:ListAllMyBuckets"
            for resource in found.resources
            for place in _places(stack, resource)
        }
        needed = _needed(stack, owner)
        if (
            stack.in_place and ("s3:GetObject", "logs") in granted & needed
        ):  # `logs` are all objects of the sources, packs among them
            covered = {("s3:GetObject", "packs"), ("s3:GetObject", "indexes")}
            granted, needed = granted - covered, needed - covered
        problems += [
            f"{owner}: is not allowed {action} on {place}"
            for action, place in sorted(needed - granted)
        ]
        problems += [
            f"{owner}: needs no {action} on {place}" for action, place in sorted(granted - needed)
        ]
    return problems


def check_missing_objects_are_seen_as_missing(stack: Stack) -> list[str]:
    """A role that can get objects can list them without a prefix condition, because a GET has no
    prefix: otherwise S3 answers 403 for a missing object instead of 404.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html#API_GetObject_Permissions
    """
    problems = []
    for found in statements_of(stack):
        if (
            found.effect != "Allow"
            or "s3:GetObject" not in found.actions
            or found.owner.endswith("SM")
        ):
            continue
        buckets = {resource.split("/")[0] for resource in found.resources}
        if "arn:aws:s3:::*" in buckets:  # its own folder, wherever it is
            buckets = {f"arn:*:s3:::{name}" for name in _source_names(stack)}
        for bucket in buckets:
            others = [
                other
                for other in statements_of(stack)
                if other.owner == found.owner and other.effect == "Allow" and is_always(other)
            ]
            if not any(
                "s3:ListBucket" in other.actions and bucket in other.resources for other in others
            ):
                problems.append(f"{found.owner}: gets 403 for what is missing in {bucket}")
    return problems


def check_buckets_are_of_the_expected_account(stack: Stack) -> list[str]:
    """Every allowing statement on buckets or objects names the owner: the stack's own account, or
    for sources and inventories also a named one.
    """
    named = re.findall(r"=(\d{12})", stack.parameters["BucketAccounts"])
    own = {DESTINATION, WORK, stack.parameters["ControlTowerBucketAccessLogBucket"]}
    problems = []
    for found in statements_of(stack):
        if found.effect != "Allow" or not any(action.startswith("s3:") for action in found.actions):
            continue
        if found.actions == ("s3:ListAllMyBuckets",):
            continue  # it is about no bucket
        buckets = {resource.split(":::")[1].split("/")[0] for resource in found.resources}
        wanted = {ACCOUNT} if buckets <= own else {ACCOUNT, *named}
        accounts = as_list(found.condition.get("StringEquals", {}).get("aws:ResourceAccount", []))
        given = {account for account in accounts if re.fullmatch(r"\d{12}", account)}
        if given != wanted:
            problems.append(
                f"{found.owner} {found.sid}: buckets of {sorted(given)}, not {sorted(wanted)}"
            )
    return problems


def check_functions_expect_the_accounts(stack: Stack) -> list[str]:
    """Every request of a function expects the account that its role also requires, without asking
    STS for it.
    """
    named = dict(re.findall(r"([^,=]+)=(\d{12})", stack.parameters["BucketAccounts"]))
    inventories = stack.parameters["InventoryBuckets"].split(",")
    problems = []
    for name, properties in stack.of_type("AWS::Lambda::Function").items():
        variables = {key: str(text) for key, text in properties["Environment"]["Variables"].items()}
        owners_ = Owners(settings_of(variables).bucket_owners, lambda: None)
        for bucket in (DESTINATION, WORK, *_source_names(stack), *filter(None, inventories)):
            wanted = named.get(bucket, ACCOUNT)
            if owners_.of(bucket.replace("*", "x")) != wanted:
                problems.append(f"{name}: {bucket} is not expected to be of {wanted}")
    return problems


def check_all_buckets_are_listed_only_for_beginnings(stack: Stack) -> list[str]:
    holders = {
        found.owner for found in statements_of(stack) if "s3:ListAllMyBuckets" in found.actions
    }
    finders = {"PrepareFunction", "ExamineFunction"}
    finders |= {"ReportFunction"} & set(owners(stack))
    if stack.in_place:  # packs are wherever logs are
        finders |= {"DrillFunction"} & set(owners(stack))
    wanted = finders if "*" in stack.parameters["OtherBuckets"] else set()
    return (
        [f"s3:ListAllMyBuckets: {sorted(holders)}, not {sorted(wanted)}"]
        if holders != wanted
        else []
    )


def check_only_two_delete(stack: Stack) -> list[str]:
    return [
        f"{found.owner}: may {action}"
        for found in statements_of(stack)
        if found.effect == "Allow"
        and found.owner not in {"DeleteFunction", "EmptyAccessLogsFunction"}
        for action in found.actions
        if action.lower().startswith(("s3:delete", "s3:*", "s3:put*", "*"))
    ]


def _place(bucket: str, root: str, folder: str) -> str:
    """An object in a folder of a target. Probes are next to the root."""
    if folder == "probes" and root:
        return f"arn:aws:s3:::{bucket}/{root.removesuffix('/')}_probes/x"
    return f"arn:aws:s3:::{bucket}/{root}{folder}/x"


def check_packs_cannot_be_deleted(stack: Stack) -> list[str]:
    """No role can delete packs, whatever OtherBuckets says, nor manifests or declared layouts. The
    bucket policy covers the rest of the destination.
    """
    packs = [
        _place(bucket, root, folder)
        for bucket, root in _targets(stack)
        for folder in (*_FOLDERS, *_SEARCHED, *(["any"] if stack.in_place else []))
        if folder != "probes"
    ]
    return [
        f"{owner}: may {action} on {arn}"
        for owner in owners(stack)
        for action in ("s3:DeleteObject", "s3:DeleteObjectVersion")
        for arn in [*packs, f"arn:aws:s3:::{WORK}/runs/x", LAYOUTS]
        if may(stack, owner, action, arn)
    ]


def check_who_writes_where(stack: Stack) -> list[str]:
    """Combine writes packs, indexes and terms; Delete lists of discards and its probes of
    conditions; Plan custody records; Finish these, public keys and missing indexes; MergeTerms
    tables; Drill samples and custody records; Report pages. No function writes into sources or
    declares a layout.
    """
    allowed = {
        ("CombineFunction", "packs"),
        ("CombineFunction", "indexes"),
        ("CombineFunction", "terms"),
        ("DeleteFunction", "discards"),
        ("DeleteFunction", "probes"),
        ("PlanFunction", "custody"),
        ("FinishFunction", "indexes"),
        ("FinishFunction", "custody"),
        ("FinishFunction", "signatures"),
        ("FinishFunction", "keys"),
        ("MergeTermsFunction", "tables"),
        ("DrillFunction", "drills"),
        ("DrillFunction", "custody"),
        ("ReportFunction", "reports"),
    }
    if not stack.parameters["SignRecordsWith"]:
        allowed -= {("FinishFunction", "signatures")}
    allowed = {(owner, folder) for owner, folder in allowed if owner in owners(stack)}
    if stack.parameters["Search"] == "off":
        allowed -= {("CombineFunction", "terms"), ("MergeTermsFunction", "tables")}
    problems = []
    for bucket, root in _targets(stack):
        for owner in owners(stack):
            for folder in (*_FOLDERS, *_SEARCHED, "other"):
                may_write = may(stack, owner, "s3:PutObject", _place(bucket, root, folder))
                if may_write != ((owner, folder) in allowed):
                    problems.append(
                        f"{owner}: {'may' if may_write else 'may not'} write {folder} of {bucket}"
                    )
    problems += [
        f"{owner}: may write {LAYOUTS}"
        for owner in owners(stack)
        if may(stack, owner, "s3:PutObject", LAYOUTS)
    ]
    for bucket in _sources(stack):
        for key in (
            "o-1/AWSLogs/x.json.gz",
            "packs/x",
            "some/packs/x",
            "some/indexes/x",
            "some/terms/x",
            "some/discards/x",
            "some/custody/x",
            "some/keys/x",
            "runs/x",
        ):
            arn = f"arn:aws:s3:::{bucket}/{key}"
            problems += [
                f"{owner}: may write {arn}"
                for owner in owners(stack)
                if may(stack, owner, "s3:PutObject", arn)
            ]
    return problems


def check_packs_are_written_once(stack: Stack) -> list[str]:
    """Roles that can write under the target can do so only if the key does not exist. The bucket
    policy says the same.
    """
    condition = {
        "Null": {"s3:if-none-match": "true"},
        "Bool": {"s3:ObjectCreationOperation": "true"},
    }
    arns = [
        _place(bucket, root, folder)
        for bucket, root in _targets(stack)
        for folder in _FOLDERS
        if folder != "probes"
    ]
    problems = [
        f"{owner}: may overwrite {arn}"
        for owner in (
            "PlanFunction",
            "CombineFunction",
            "DeleteFunction",
            "FinishFunction",
            "MergeTermsFunction",
            *({"DrillFunction", "ReportFunction"} & set(owners(stack))),
        )
        for arn in arns
        if not any(
            found.owner == owner
            and found.effect == "Deny"
            and found.condition == condition
            and found.covers("s3:PutObject", arn)
            for found in statements_of(stack)
        )
    ]
    if not stack.in_place:
        denied = _bucket_statement(stack, "PacksAreWrittenOnce")
        wanted = [f"arn:aws:s3:::{DESTINATION}/{folder}/*" for folder in _FOLDERS]
        if not denied or (denied["Effect"], denied["Condition"], denied["Resource"]) != (
            "Deny",
            condition,
            wanted,
        ):
            problems.append("the bucket's policy lets packs be overwritten")
    return problems


def check_bucket_policy_keeps_packs_from_every_role(stack: Stack) -> list[str]:
    if stack.in_place:
        return []
    denied = _bucket_statement(stack, "NeverDeletePacks") or {
        "Action": [],
        "Condition": {"ArnEquals": {"aws:PrincipalArn": []}},
    }
    named = set(denied["Condition"]["ArnEquals"]["aws:PrincipalArn"])
    roles = {
        f"arn:aws:iam::{ACCOUNT}:role/{STACK}-{owner}Role"
        for owner in owners(stack)
        if owner.endswith("Function")
    }
    missing = {"s3:DeleteObject", "s3:DeleteObjectVersion"} - set(denied["Action"])
    if denied.get("NotResource") != f"arn:aws:s3:::{DESTINATION}/probes/*":
        return ["the bucket's policy denies something else than all but probes/"]
    return (
        [f"the bucket's policy does not deny {missing or roles ^ named}"]
        if missing or roles != named
        else []
    )


def check_resources_are_named(stack: Stack) -> list[str]:
    problems = []
    for found in statements_of(stack):
        if not all(
            isinstance(resource, str) for resource in (*found.resources, *found.not_resources)
        ):
            problems.append(f"{found.owner} {found.sid}: a list in a list")
        elif "*" in found.resources and not set(found.actions) <= _WITHOUT_RESOURCES:
            problems.append(f"{found.owner} {found.sid}: everything")
        elif found.effect == "Allow" and any(
            not (_is_named(resource) or _is_own_folder(resource))
            for resource in found.resources
            if resource != "*"
        ):
            problems.append(f"{found.owner} {found.sid}: no resource by name in {found.resources}")
    return problems


def _is_own_folder(resource: str) -> bool:
    """In place, every bucket with logs has the stack's own folder."""
    return resource.startswith((f"arn:aws:s3:::*/{FOLDER}/", f"arn:aws:s3:::*/{FOLDER}_probes/"))


def check_only_known_managed_policies(stack: Stack) -> list[str]:
    insights = "CloudWatchLambdaInsightsExecutionRolePolicy"
    problems = []
    for role, properties in stack.of_type("AWS::IAM::Role").items():
        names = {arn.split(":policy/")[1] for arn in properties.get("ManagedPolicyArns", [])}
        problems += [f"{role}: {name}" for name in names - _MANAGED]
        if role.endswith("FunctionRole") and (insights in names) != bool(
            stack.parameters["LambdaInsightsLayerArn"]
        ):
            problems.append(f"{role}: Lambda Insights' policy and its layer do not go together")
    return problems


def check_keys_are_the_given_ones(stack: Stack) -> list[str]:
    """kms is allowed only on keys that a parameter names, for a step's work: Plan, Combine, Delete
    and Finish encrypt; Delete, Verify and readers of inventories decrypt; Examine describes; other
    functions do nothing. Terms have their own key if one is named: then Combine cannot read it, and
    MergeTerms encrypts with no other.
    """
    source_keys = set(filter(None, stack.parameters["SourceKmsKeyArns"].split(",")))
    target_keys = {stack.parameters["DestinationKmsKeyArn"]} - {""} or (
        source_keys if stack.in_place else set()
    )
    wanted = {("CombineFunction", "kms:Decrypt", key) for key in source_keys | target_keys}
    wanted |= {
        (reader, "kms:Decrypt", key) for reader in _READERS_OF_INVENTORIES for key in source_keys
    }
    wanted |= {("CombineFunction", "kms:GenerateDataKey", key) for key in target_keys}
    wanted |= {("VerifyFunction", "kms:Decrypt", key) for key in target_keys}
    wanted |= {("DeleteFunction", "kms:Decrypt", key) for key in source_keys}
    writers = {"PlanFunction", "DeleteFunction", "FinishFunction"}
    writers |= {"DrillFunction", "ReportFunction"} & set(owners(stack))
    if "ReportFunction" in owners(stack):
        wanted |= {("ReportFunction", "kms:Decrypt", key) for key in source_keys}
    actions = ("kms:Decrypt", "kms:GenerateDataKey")
    wanted |= {
        (writer, action, key) for writer in writers for key in target_keys for action in actions
    }
    is_searched = stack.parameters["Search"] != "off"
    search_keys = {stack.parameters["SearchKmsKeyArn"]} - {""} if is_searched else set()
    if is_searched:
        wanted |= {
            ("MergeTermsFunction", action, key)
            for key in search_keys or target_keys
            for action in actions
        }
        wanted |= {("MergeTermsFunction", "kms:Decrypt", key) for key in target_keys}
        wanted |= {("CombineFunction", "kms:GenerateDataKey", key) for key in search_keys}
    named = source_keys | ({stack.parameters["DestinationKmsKeyArn"]} - {""}) | search_keys
    wanted |= {("ExamineFunction", "kms:DescribeKey", key) for key in named}
    wanted |= _uses_of_the_stack_key(stack) | _uses_of_the_signing_key(stack)
    granted = {
        (found.owner, action, resource)
        for found in statements_of(stack)
        for action in found.actions
        if action.startswith("kms:")
        for resource in found.resources
    }
    return [
        f"{'missing' if entry in wanted else 'too much'}: {entry}"
        for entry in sorted(wanted ^ granted)
    ]


def find_signing_key(stack: Stack) -> str | None:
    """The named key, or the one that the stack makes."""
    if stack.parameters["SignRecordsWith"] != "new":
        return stack.parameters["SignRecordsWith"] or None
    return str(stack.outputs["SigningKeyArn"])


def check_who_signs(stack: Stack) -> list[str]:
    """Finish signs with the named key, or with a signing-only key that outlives the stack; no other
    function knows it.
    """
    key, made = find_signing_key(stack), stack.of_type("AWS::KMS::Key").get("SigningKey")
    told = {
        name: found["Environment"]["Variables"].get("LOG_AGGREGATOR_SIGN_WITH")
        for name, found in stack.of_type("AWS::Lambda::Function").items()
        if "Environment" in found
    }
    wanted = f"kms:{key}" if key else ""
    problems = [
        f"{name}: {value}"
        for name, value in told.items()
        if value != (wanted if name == "FinishFunction" else None)
    ]
    if (made is not None) != (stack.parameters["SignRecordsWith"] == "new"):
        problems.append(f"the stack's own key: {made}")
    if made is not None:
        found = stack.resources["SigningKey"]
        if (made["KeySpec"], made["KeyUsage"]) != ("RSA_3072", "SIGN_VERIFY"):
            problems.append(f"the key does not sign: {made}")
        if (found.get("DeletionPolicy"), found.get("UpdateReplacePolicy")) != (
            "RetainExceptOnCreate",
            "Retain",
        ):
            problems.append("the key goes with the stack")
    return problems


def _uses_of_the_signing_key(stack: Stack) -> set[tuple[str, str, str]]:
    key = find_signing_key(stack)
    actions = ("kms:GetPublicKey", "kms:Sign")
    return {("FinishFunction", action, key) for action in actions} if key else set()


def _uses_of_the_stack_key(stack: Stack) -> set[tuple[str, str, str]]:
    """Functions write manifests and machines only read them; three functions write none."""
    key = stack.parameters["StackKmsKeyArn"]
    if not key:
        return set()
    functions = set(stack.of_type("AWS::Lambda::Function"))
    functions -= {"EmptyAccessLogsFunction", "DrillFunction"}
    readers = functions | set(stack.of_type("AWS::StepFunctions::StateMachine"))
    return {(name, "kms:Decrypt", key) for name in readers} | {
        (name, "kms:GenerateDataKey", key) for name in functions - {"ReportFunction"}
    }


def check_each_has_a_role_of_its_own(stack: Stack) -> list[str]:
    roles = {
        name: properties["Role"]
        for name, properties in stack.of_type("AWS::Lambda::Function").items()
    }
    roles |= {
        name: properties["RoleArn"]
        for name, properties in stack.of_type("AWS::StepFunctions::StateMachine").items()
    }
    return [
        f"{name}: {role}"
        for name, role in roles.items()
        if role != f"arn:aws:iam::{ACCOUNT}:role/{STACK}-{name}Role"
    ]


def check_machines_invoke_their_own_functions(stack: Stack) -> list[str]:
    problems = []
    for name, properties in stack.of_type("AWS::StepFunctions::StateMachine").items():
        given = {
            arn
            for arn in properties["DefinitionSubstitutions"].values()
            if ":function:" in str(arn)
        }
        granted = {
            r
            for found in statements_of(stack)
            if found.owner == name and "lambda:InvokeFunction" in found.actions
            for r in found.resources
        }
        if given != granted:
            problems.append(f"{name}: {sorted(given ^ granted)}")
    return problems


def check_policies_fit(stack: Stack) -> list[str]:
    sizes = {
        role: sum(
            len(json.dumps(policy["PolicyDocument"], separators=(",", ":")))
            for policy in properties.get("Policies", [])
        )
        for role, properties in stack.of_type("AWS::IAM::Role").items()
    }
    return [
        f"{role}: {size} characters"
        for role, size in sizes.items()
        if size > _INLINE_POLICIES_CHARS_MAX
    ]


def _needed(stack: Stack, owner: str) -> set[tuple[str, str]]:
    needed = set(STEPS_NEED.get(owner, frozenset()))
    if stack.parameters["Search"] == "off":
        if owner == "MergeTermsFunction":
            needed = set(_KEEP)
        needed -= {("s3:PutObject", "terms")}
    if owner == "FinishFunction" and stack.parameters["SignRecordsWith"]:
        needed |= {("s3:GetObject", "signatures"), ("s3:PutObject", "signatures")}
    if owner in _READERS_OF_INVENTORIES and stack.parameters["InventoryBuckets"]:
        needed |= {("s3:GetObject", "inventories"), ("s3:ListBucket", "buckets of inventories")}
    if stack.in_place:  # the target is a folder of the sources: the same bucket
        needed = {
            (action, "sources" if place == "target" else place)
            for action, place in needed
            if action != "s3:GetBucketPublicAccessBlock"  # of a bucket of our own only
        }
    return needed


def _places(stack: Stack, resource: str) -> list[str]:
    """The places covered by an allowing statement's ARN, in the terms of STEPS_NEED."""
    places: dict[str, str] = {
        f"arn:aws:s3:::{WORK}": "work",
        f"arn:aws:s3:::{WORK}/runs/*": "runs",
        LAYOUTS: "declared layouts",
        f"arn:aws:s3:::{WORK}/outstanding/*": "outstanding",
        f"arn:aws:s3:::{WORK}/examinations/*": "examinations",
    }
    folders = (*_FOLDERS, *_SEARCHED)
    if stack.in_place:
        for name in _source_names(stack):
            places |= {f"arn:*:s3:::{name}/*/{folder}/*": folder for folder in folders}
        places |= {f"arn:aws:s3:::*/{FOLDER}/{folder}/*": folder for folder in folders}
        places[f"arn:aws:s3:::*/{FOLDER}_probes/*"] = "probes"
    else:
        places |= {f"arn:aws:s3:::{DESTINATION}": "target"}
        places |= {f"arn:aws:s3:::{DESTINATION}/{folder}/*": folder for folder in folders}
        places[f"arn:aws:s3:::{DESTINATION}/packs/*/CloudTrail-Digest/*"] = "packs of digests"
    for name in _source_names(stack):
        places |= {f"arn:*:s3:::{name}": "sources", f"arn:*:s3:::{name}/*": "logs"}
        places[f"arn:*:s3:::{name}/*/CloudTrail-Digest/*"] = "digests"
    for name in filter(None, stack.parameters["InventoryBuckets"].split(",")):
        places |= {
            f"arn:*:s3:::{name}": "buckets of inventories",
            f"arn:*:s3:::{name}/*": "inventories",
        }
    access_logs = stack.parameters["ControlTowerBucketAccessLogBucket"]
    if access_logs:
        places |= {
            f"arn:aws:s3:::{access_logs}": "access logs",
            f"arn:aws:s3:::{access_logs}/*": "entries of access logs",
        }
    return [places.get(resource, f"an unexpected place, {resource}")]


def _source_names(stack: Stack) -> list[str]:
    names = f"{stack.parameters['ControlTowerBucket']},{stack.parameters['OtherBuckets']}"
    return [name for name in names.split(",") if name]


def _sources(stack: Stack) -> list[str]:
    return [name.replace("*", "something") for name in _source_names(stack)]


def _targets(stack: Stack) -> list[tuple[str, str]]:
    """(bucket, the prefix before packs/) for every place with packs."""
    return (
        [(name, f"{FOLDER}/") for name in _sources(stack)]
        if stack.in_place
        else [(DESTINATION, "")]
    )


def _bucket_statement(stack: Stack, sid: str) -> dict[str, Any] | None:
    statements = stack.properties("CommonDestinationBucketPolicy")["PolicyDocument"]["Statement"]
    return next((found for found in statements if found["Sid"] == sid), None)


def _is_named(resource: str) -> bool:
    """`arn:*:s3:::name*` is named; `arn:*:s3:::*` is not."""
    parts = resource.split(":", 5)
    return len(parts) == 6 and parts[2] not in {"", "*"} and parts[5].split("/")[0].strip("*") != ""


@functools.cache
def _real_actions() -> frozenset[str]:
    """AWS's own list, shipped with cfn-lint: service -> actions, in lower case."""
    path = Path(cfnlint.__file__).parent / "data" / "AdditionalSpecs" / "Policies.json"
    services = json.loads(path.read_text(encoding="utf-8"))
    return frozenset(
        f"{service}:{action}".lower()
        for service, row in services.items()
        for action in row["Actions"]
    )

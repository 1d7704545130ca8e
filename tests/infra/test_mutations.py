"""The checks find what they are meant to: each mutation of the template is one mistake, found by
the right check.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.infra import monitoring, permissions, platform, running, storage
from tests.infra.stack import PARAMETER_SETS, Stack, Template, deploy, load_template

Change = Callable[[dict[str, Any]], object]


@dataclass(frozen=True)
class Mistake:
    """`change` gets the resources of a copy of the template."""

    name: str
    check: Callable[[Stack], list[str]]
    change: Change
    parameters: dict[str, str] = field(default_factory=lambda: dict(PARAMETER_SETS["default"]))


_REPLICATION = "CommonDestinationBucket/Properties/ReplicationConfiguration/Fn::If/1/Rules"


def _statements(resources: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = next(
        policy["Statement"]
        for policy in resources[name]["Properties"]["Policies"]
        if "Statement" in policy
    )
    return found


def _statement(resources: dict[str, Any], name: str, sid: str) -> dict[str, Any]:
    for found in _statements(resources, name):
        inner = found["Fn::If"][1] if "Fn::If" in found else found
        if inner["Sid"] == sid:
            return inner
    raise KeyError(sid)


def _without(resources: dict[str, Any], name: str, sid: str) -> None:
    kept = [
        found
        for found in _statements(resources, name)
        if (found["Fn::If"][1] if "Fn::If" in found else found)["Sid"] != sid
    ]
    _statements(resources, name)[:] = kept


def _allow(name: str, action: str, resource: object) -> Change:
    return lambda resources: _statements(resources, name).append(
        {"Sid": "X", "Effect": "Allow", "Action": action, "Resource": resource}
    )


def _unconditional(name: str, sid: str) -> Change:
    return lambda resources: _statement(resources, name, sid).pop("Condition")


def _set(path: str, value: object) -> Change:
    def change(resources: dict[str, Any]) -> None:
        *parents, last = path.split("/")
        node: Any = resources
        for part in parents:
            node = node[int(part) if part.isdigit() else part]
        if value is None:
            del node[int(last) if last.isdigit() else last]
        else:
            node[int(last) if last.isdigit() else last] = value

    return change


def _bucket_policy(sid: str) -> Change:
    def change(resources: dict[str, Any]) -> None:
        document = resources["CommonDestinationBucketPolicy"]["Properties"]["PolicyDocument"]
        document["Statement"] = [found for found in document["Statement"] if found["Sid"] != sid]

    return change


def _in_dashboard(old: str, new: str) -> Change:
    def change(resources: dict[str, Any]) -> None:
        body = resources["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
        if old not in body[0]:
            raise KeyError(old)
        body[0] = body[0].replace(old, new, 1)

    return change


def _forget_an_alarm(resources: dict[str, Any]) -> None:
    _in_dashboard('"${HistoryAbortedAlarm.Arn}"', '""')(resources)
    del resources["HistoryAbortedAlarm"]


def _leave_the_folder(resources: dict[str, Any]) -> None:
    _without(resources, "CombineFunction", "OnlyInTheFolder")
    written = _statement(resources, "CombineFunction", "WritePacks")["Resource"]
    written["Fn::If"][2] = "arn:aws:s3:::*/packs/*"


def _share_a_role(resources: dict[str, Any]) -> None:
    properties = resources["ProcessHistoricalMainLogsSM"]["Properties"]
    del properties["Policies"]
    properties["Role"] = {"Fn::GetAtt": "CombineLogFilesSMRole.Arn"}


_SOURCE = "arn:aws:s3:::flow-logs/*"
_DESTINATION = {"Fn::Sub": "${CommonDestinationBucket.Arn}/*"}
_IN_PLACE = dict(PARAMETER_SETS["in place"])
_GREEDY = dict(PARAMETER_SETS["a beginning that means too much"])
_KEYS = dict(PARAMETER_SETS["keys"])
_RULES = "CommonDestinationBucket/Properties/LifecycleConfiguration/Rules"

MISTAKES = (
    Mistake(
        "Verify gets 403 for 404",
        permissions.check_missing_objects_are_seen_as_missing,
        lambda r: _without(r, "VerifyFunction", "ListManifests"),
    ),
    Mistake(
        "Combine lists by prefix only",
        permissions.check_missing_objects_are_seen_as_missing,
        lambda r: _statement(r, "CombineFunction", "ListPacks").update(
            Condition={"StringLike": {"s3:prefix": "packs/*"}}
        ),
    ),
    *(
        Mistake(
            f"{sid} in any account",
            permissions.check_buckets_are_of_the_expected_account,
            _unconditional(name, sid),
            dict(PARAMETER_SETS[parameters]),
        )
        for name, sid, parameters in (
            ("DeleteFunction", "DeleteOriginals", "default"),
            ("CombineFunction", "WritePacks", "in place"),
            ("CombineFunction", "KeepManifests", "default"),
            ("EmptyAccessLogsFunction", "EmptyThatBucket", "access logs"),
            ("DrillFunction", "WriteDown", "in place"),
            ("CombineLogFilesSM", "ReadManifests", "no other buckets"),
        )
    ),
    Mistake(
        "functions that ask STS",
        permissions.check_functions_expect_the_accounts,
        _set(
            "PlanFunction/Properties/Environment",
            {"Variables": {"LOG_AGGREGATOR_BUCKET_ACCOUNTS": ""}},
        ),
    ),
    Mistake(
        "packs in an account of sources",
        permissions.check_buckets_are_of_the_expected_account,
        lambda r: _statement(r, "CombineFunction", "WritePacks").update(
            Condition=_statement(r, "CombineFunction", "ReadSources")["Condition"]
        ),
        dict(PARAMETER_SETS["other accounts"]),
    ),
    Mistake(
        "Drill writes over records",
        permissions.check_packs_are_written_once,
        lambda r: _without(r, "DrillFunction", "RecordsAreWrittenOnce"),
    ),
    Mistake(
        "Drill cannot thaw",
        permissions.check_steps_have_what_they_need,
        lambda r: _without(r, "DrillFunction", "ThawPacks"),
    ),
    Mistake(
        "Combine deletes",
        permissions.check_only_two_delete,
        _allow("CombineFunction", "s3:DeleteObject", _SOURCE),
    ),
    Mistake(
        "Combine deletes, by the table",
        permissions.check_steps_have_what_they_need,
        _allow("CombineFunction", "s3:DeleteObject", _SOURCE),
    ),
    Mistake(
        "Prepare declares layouts",
        permissions.check_who_writes_where,
        _allow("PrepareFunction", "s3:PutObject", {"Fn::Sub": "${WorkBucket.Arn}/settings/*"}),
    ),
    Mistake(
        "Prepare reads no declared layouts",
        permissions.check_steps_have_what_they_need,
        lambda r: _without(r, "PrepareFunction", "ReadDeclaredLayouts"),
    ),
    Mistake(
        "List reads declared layouts",
        permissions.check_steps_have_what_they_need,
        _allow(
            "ListFunction", "s3:GetObject", {"Fn::Sub": "${WorkBucket.Arn}/settings/layouts.toml"}
        ),
    ),
    Mistake(
        "Verify deletes versions",
        permissions.check_only_two_delete,
        _allow("VerifyFunction", "s3:DeleteObjectVersion", _SOURCE),
    ),
    Mistake(
        "an invented action",
        permissions.check_actions_exist,
        _allow("ListFunction", "s3:HeadObject", _SOURCE),
    ),
    Mistake(
        "all actions", permissions.check_only_two_delete, _allow("ListFunction", "s3:*", _SOURCE)
    ),
    Mistake(
        "everything",
        permissions.check_resources_are_named,
        _allow("ListFunction", "s3:ListBucket", "*"),
    ),
    Mistake(
        "every bucket",
        permissions.check_resources_are_named,
        _allow("ListFunction", "s3:ListBucket", "arn:*:s3:::*"),
    ),
    Mistake(
        "Delete may delete packs",
        permissions.check_packs_cannot_be_deleted,
        lambda r: _without(r, "DeleteFunction", "NeverDeletePacks"),
        _GREEDY,
    ),
    Mistake(
        "Delete may delete packs in place",
        permissions.check_packs_cannot_be_deleted,
        lambda r: _without(r, "DeleteFunction", "NeverDeletePacks"),
        _IN_PLACE,
    ),
    Mistake(
        "Delete is given the destination",
        permissions.check_steps_have_what_they_need,
        _allow("DeleteFunction", "s3:DeleteObject", _DESTINATION),
    ),
    Mistake(
        "Plan writes packs",
        permissions.check_who_writes_where,
        _allow("PlanFunction", "s3:PutObject", _DESTINATION),
    ),
    Mistake(
        "Combine writes sources",
        permissions.check_who_writes_where,
        _allow("CombineFunction", "s3:PutObject", _SOURCE),
    ),
    Mistake(
        "Combine leaves the folder",
        permissions.check_who_writes_where,
        _leave_the_folder,
        _IN_PLACE,
    ),
    Mistake(
        "Combine overwrites",
        permissions.check_packs_are_written_once,
        lambda r: _without(r, "CombineFunction", "PacksAreWrittenOnce"),
    ),
    Mistake(
        "Combine overwrites in place",
        permissions.check_packs_are_written_once,
        lambda r: _without(r, "CombineFunction", "PacksAreWrittenOnce"),
        _IN_PLACE,
    ),
    Mistake(
        "the bucket lets packs be overwritten",
        permissions.check_packs_are_written_once,
        _bucket_policy("PacksAreWrittenOnce"),
    ),
    Mistake(
        "the bucket lets packs be deleted",
        permissions.check_bucket_policy_keeps_packs_from_every_role,
        _bucket_policy("NeverDeletePacks"),
    ),
    Mistake(
        "Combine cannot read",
        permissions.check_steps_have_what_they_need,
        lambda r: _without(r, "CombineFunction", "ReadSources"),
    ),
    Mistake(
        "Combine reads no versions",
        permissions.check_steps_have_what_they_need,
        lambda r: _statement(r, "CombineFunction", "ReadSources").update(Action="s3:GetObject"),
    ),
    Mistake(
        "everybody lists buckets",
        permissions.check_all_buckets_are_listed_only_for_beginnings,
        _allow("ListFunction", "s3:ListAllMyBuckets", "*"),
    ),
    Mistake(
        "any key",
        permissions.check_keys_are_the_given_ones,
        _allow("VerifyFunction", "kms:Decrypt", "arn:aws:kms:*:*:key/*"),
    ),
    Mistake(
        "no key",
        permissions.check_keys_are_the_given_ones,
        lambda r: _without(r, "CombineFunction", "DecryptSources"),
        _KEYS,
    ),
    Mistake("a shared role", permissions.check_each_has_a_role_of_its_own, _share_a_role),
    Mistake(
        "another managed policy",
        permissions.check_only_known_managed_policies,
        lambda r: r["PlanFunction"]["Properties"]["Policies"].append(
            "arn:aws:iam::aws:policy/AmazonS3FullAccess"
        ),
    ),
    Mistake(
        "the machine invokes too much",
        permissions.check_machines_invoke_their_own_functions,
        lambda r: _statement(r, "ProcessHistoricalMainLogsSM", "InvokeItsFunctions")[
            "Resource"
        ].append({"Fn::GetAtt": "DeleteFunction.Arn"}),
    ),
    Mistake("everything is moved", storage.check_lifecycle, _set(f"{_RULES}/0/Prefix", "")),
    Mistake(
        "small packs are moved",
        storage.check_lifecycle,
        _set(f"{_RULES}/0/ObjectSizeGreaterThan", None),
    ),
    Mistake("indexes die early", storage.check_lifecycle, _set(f"{_RULES}/2/ExpirationInDays", 30)),
    Mistake("indexes outlive", storage.check_lifecycle, _set(f"{_RULES}/2", None)),
    Mistake("terms cost more", storage.check_lifecycle, _set(f"{_RULES}/6/Prefix", "tables/")),
    Mistake(
        "terms are frozen",
        storage.check_lifecycle,
        _set(f"{_RULES}/6/Transitions/0/StorageClass", "DEEP_ARCHIVE"),
    ),
    Mistake("uploads stay", storage.check_lifecycle, _set(f"{_RULES}/8", None)),
    Mistake(
        "the bucket goes with the stack",
        storage.check_buckets_stay,
        _set("CommonDestinationBucket/DeletionPolicy", "Delete"),
    ),
    Mistake(
        "the bucket goes when replaced",
        storage.check_buckets_stay,
        _set("CommonDestinationBucket/UpdateReplacePolicy", None),
    ),
    Mistake(
        "no versions",
        storage.check_destination,
        _set("CommonDestinationBucket/Properties/VersioningConfiguration/Status", "Suspended"),
    ),
    Mistake(
        "no lock",
        storage.check_destination,
        _set("CommonDestinationBucket/Properties/ObjectLockEnabled", None),
        dict(PARAMETER_SETS["locked"]),
    ),
    Mistake(
        "another name",
        storage.check_destination,
        _set("CommonDestinationBucket/Properties/BucketName", "packs"),
    ),
    Mistake(
        "public",
        storage.check_buckets_are_private,
        _set("WorkBucket/Properties/PublicAccessBlockConfiguration/BlockPublicPolicy", False),
    ),
    Mistake(
        "without TLS",
        storage.check_buckets_are_private,
        _set("WorkBucketPolicy/Properties/PolicyDocument/Statement/0/Effect", "Allow"),
    ),
    Mistake(
        "another key",
        storage.check_buckets_are_private,
        _set(
            "CommonDestinationBucket/Properties/BucketEncryption/ServerSideEncryptionConfiguration/0/Fn::If/0",
            "IsInPlace",
        ),
        _KEYS,
    ),
    Mistake(
        "no such handler",
        running.check_handlers_exist,
        _set("VerifyFunction/Properties/Handler", "log_aggregator.handlers.verify.main"),
    ),
    Mistake(
        "concurrency",
        running.check_functions,
        _set("VerifyFunction/Properties/ReservedConcurrentExecutions", 1),
    ),
    Mistake(
        "another runtime",
        running.check_functions,
        _set("VerifyFunction/Properties/Runtime", "python3.11"),
    ),
    Mistake(
        "untraced",
        running.check_functions,
        _set("VerifyFunction/Properties/Tracing", "PassThrough"),
    ),
    Mistake(
        "logs for ever",
        running.check_logs_are_kept,
        _set("VerifyLogGroup/Properties/RetentionInDays", None),
    ),
    Mistake(
        "logs go with the stack",
        running.check_logs_stay,
        _set("VerifyLogGroup/DeletionPolicy", None),
    ),
    Mistake(
        "logs go when they are replaced",
        running.check_logs_stay,
        _set("DeleteLogGroup/UpdateReplacePolicy", "Delete"),
    ),
    Mistake(
        "a log group's name is taken",
        running.check_logs_stay,
        _set("DeleteLogGroup/Properties/LogGroupName", "/aws/lambda/delete"),
    ),
    Mistake(
        "a log group of Lambda's",
        running.check_logs_are_kept,
        _set("VerifyFunction/Properties/LoggingConfig/LogGroup", "/aws/lambda/verify"),
    ),
    Mistake(
        "a shared log group",
        running.check_logs_are_kept,
        _set("VerifyFunction/Properties/LoggingConfig/LogGroup", {"Ref": "PlanLogGroup"}),
    ),
    Mistake(
        "metrics are dropped",
        running.check_logs_are_kept,
        _set("VerifyFunction/Properties/LoggingConfig/ApplicationLogLevel", "WARN"),
    ),
    Mistake(
        "contents in the machine's log",
        running.check_logs_are_kept,
        _set("CombineLogFilesSM/Properties/Logging/IncludeExecutionData", True),
    ),
    Mistake(
        "the machine does not log",
        running.check_logs_are_kept,
        _set("CombineLogFilesSM/Properties/Logging", None),
    ),
    Mistake(
        "no such setting",
        running.check_environment,
        _set(
            "VerifyFunction/Properties/Environment", {"Variables": {"LOG_AGGREGATOR_COLOUR": "red"}}
        ),
    ),
    Mistake(
        "not allowed",
        running.check_environment,
        _set(
            "VerifyFunction/Properties/Environment",
            {"Variables": {"LOG_AGGREGATOR_VERIFY": "hardly"}},
        ),
    ),
    Mistake(
        "another hour",
        running.check_schedules,
        _set(
            "CombineLogFilesSM/Properties/Events/Nightly/Properties/ScheduleExpression",
            "cron(0 2 * * ? *)",
        ),
    ),
    Mistake(
        "always on",
        running.check_schedules,
        _set("CombineLogFilesSM/Properties/Events/Weekly/Properties/State", "ENABLED"),
        {"ScheduleState": "DISABLED"},
    ),
    Mistake(
        "untraced machine",
        running.check_machines,
        _set("CombineLogFilesSM/Properties/Tracing/Enabled", False),
    ),
    Mistake(
        "a substitution is missing",
        running.check_machines,
        _set("CombineLogFilesSM/Properties/DefinitionSubstitutions/PlanFunctionArn", None),
    ),
    Mistake(
        "its maps cannot start",
        running.check_machines,
        lambda r: _without(r, "CombineLogFilesSM", "StartItemsOfItsMaps"),
    ),
    Mistake(
        "history cannot wait",
        running.check_machines,
        lambda r: _without(r, "ProcessHistoricalMainLogsSM", "WaitForRuns"),
    ),
    Mistake(
        "a forbidden name",
        running.check_names,
        _set("VerifyFunction/Properties/FunctionName", "aws-controltower-verify"),
    ),
    Mistake(
        "no such metric",
        monitoring.check_metrics_exist,
        _set("RetainedAlarm/Properties/MetricName", "ObjectsRetired"),
    ),
    Mistake(
        "no such dimension",
        monitoring.check_metrics_exist,
        _set("RetainedAlarm/Properties/Dimensions", [{"Name": "Account", "Value": "x"}]),
    ),
    Mistake(
        "no such metric of AWS",
        monitoring.check_metrics_exist,
        _set("RunFailedAlarm/Properties/MetricName", "ExecutionsBroken"),
    ),
    Mistake(
        "no such metric in a widget",
        monitoring.check_metrics_exist,
        _in_dashboard('"BytesOut"', '"BytesOutside"'),
    ),
    Mistake(
        "no such metric in a search",
        monitoring.check_metrics_exist,
        _in_dashboard("GroupBytesIn", "GroupBytes"),
    ),
    Mistake(
        "an alarm without help",
        monitoring.check_alarms,
        _set("NoRunAlarm/Properties/AlarmDescription", "No run"),
    ),
    Mistake(
        "a path that no reader of a mail can open",
        monitoring.check_alarms,
        _set(
            "NoRunAlarm/Properties/AlarmDescription",
            "No run. What to do: docs/how-to/respond-to-alarms.md#no-night-in-36-hours",
        ),
    ),
    Mistake(
        "an alarm for nobody",
        monitoring.check_alarms,
        _set("NoRunAlarm/Properties/AlarmActions", None),
    ),
    Mistake(
        "too many hours",
        monitoring.check_alarms,
        _set("NoRunAlarm/Properties/EvaluationPeriods", 200),
    ),
    Mistake("no alarm for a stop", monitoring.check_everything_that_must_alarm, _forget_an_alarm),
    Mistake(
        "silence is fine",
        monitoring.check_everything_that_must_alarm,
        _set("NoRunAlarm/Properties/TreatMissingData", "notBreaching"),
    ),
    Mistake(
        "the night's 0 ends the alarm",
        monitoring.check_everything_that_must_alarm,
        _set("LeftBehindAlarm/Properties/MetricName", "ObjectsLeftBehind"),
    ),
    Mistake(
        "the alarm ends by itself",
        monitoring.check_everything_that_must_alarm,
        _set("RetainedAlarm/Properties/TreatMissingData", "notBreaching"),
    ),
    Mistake(
        "any execution is a night's run",
        monitoring.check_everything_that_must_alarm,
        _set(
            "NoRunAlarm/Properties/Metrics/1/MetricStat/Metric",
            {
                "Namespace": "AWS/States",
                "MetricName": "ExecutionsStarted",
                "Dimensions": [{"Name": "StateMachineArn", "Value": {"Ref": "CombineLogFilesSM"}}],
            },
        ),
    ),
    Mistake(
        "a few retained are fine",
        monitoring.check_everything_that_must_alarm,
        _set("RetainedAlarm/Properties/Threshold", 100),
    ),
    Mistake(
        "SNS's own key",
        monitoring.check_topic,
        _set("AlarmTopic/Properties/KmsMasterKeyId", "alias/aws/sns"),
    ),
    Mistake("not JSON", monitoring.check_dashboard, _in_dashboard('"widgets": [', '"widgets": [,')),
    Mistake(
        "on top of each other",
        monitoring.check_dashboard,
        _in_dashboard('"x": 8, "y": 4', '"x": 7, "y": 4'),
    ),
    Mistake("outside", monitoring.check_dashboard, _in_dashboard('"width": 24', '"width": 25')),
    Mistake(
        "a schedule's role has no boundary",
        platform.check_every_role_is_bounded,
        _set("CombineLogFilesSMWeeklyRole/Properties/PermissionsBoundary", None),
        dict(PARAMETER_SETS["platform"]),
    ),
    Mistake(
        "a machine's role has no path",
        platform.check_every_role_is_bounded,
        _set("ProcessHistoricalMainLogsSM/Properties/RolePath", None),
        dict(PARAMETER_SETS["platform"]),
    ),
    Mistake(
        "a log group without the key",
        platform.check_stack_key,
        _set("DeleteLogGroup/Properties/KmsKeyId", None),
        dict(PARAMETER_SETS["platform"]),
    ),
    Mistake(
        "a function may not read manifests under the key",
        permissions.check_keys_are_the_given_ones,
        lambda resources: _without(resources, "ListFunction", "UseTheKeyOfTheWorkBucket"),
        dict(PARAMETER_SETS["platform"]),
    ),
    Mistake(
        "both buckets log into one folder",
        platform.check_access_logs,
        _set("WorkBucket/Properties/LoggingConfiguration/Fn::If/1/LogFilePrefix", "logs/"),
        dict(PARAMETER_SETS["platform"]),
    ),
    Mistake(
        "versions although nobody asked",
        platform.check_versions_of_the_work_bucket,
        _set("WorkBucket/Properties/VersioningConfiguration", {"Status": "Enabled"}),
    ),
    Mistake(
        "old versions of runs stay for ever",
        storage.check_lifecycle,
        _set(
            "WorkBucket/Properties/LifecycleConfiguration/Rules/0/NoncurrentVersionExpiration", None
        ),
        dict(PARAMETER_SETS["platform"]),
    ),
    Mistake(
        "deletions are replicated",
        platform.check_replication,
        _set(f"{_REPLICATION}/0/DeleteMarkerReplication/Status", "Enabled"),
        dict(PARAMETER_SETS["replicated"]),
    ),
    Mistake(
        "custody is not replicated",
        platform.check_replication,
        lambda resources: resources["CommonDestinationBucket"]["Properties"][
            "ReplicationConfiguration"
        ]["Fn::If"][1]["Rules"].pop(3),
        dict(PARAMETER_SETS["replicated"]),
    ),
    Mistake(
        "signatures are not replicated",
        platform.check_replication,
        lambda resources: resources["CommonDestinationBucket"]["Properties"][
            "ReplicationConfiguration"
        ]["Fn::If"][1]["Rules"].pop(5),
        dict(PARAMETER_SETS["replicated"]),
    ),
    Mistake(
        "the signing key goes with the stack",
        permissions.check_who_signs,
        _set("SigningKey/DeletionPolicy", "Delete"),
        dict(PARAMETER_SETS["signed with a key of the stack"]),
    ),
    Mistake(
        "the signing key encrypts",
        permissions.check_who_signs,
        _set("SigningKey/Properties/KeyUsage", "ENCRYPT_DECRYPT"),
        dict(PARAMETER_SETS["signed with a key of the stack"]),
    ),
    Mistake(
        "another function may sign",
        permissions.check_keys_are_the_given_ones,
        _allow("CombineFunction", "kms:Sign", "arn:aws:kms:*:*:key/*"),
        dict(PARAMETER_SETS["signed with a key of the stack"]),
    ),
    Mistake(
        "a run is not told what to sign with",
        permissions.check_who_signs,
        _set("FinishFunction/Properties/Environment/Variables/LOG_AGGREGATOR_SIGN_WITH", ""),
        dict(PARAMETER_SETS["signed with a key of the stack"]),
    ),
    Mistake(
        "what is encrypted is not replicated",
        platform.check_replication,
        _set(f"{_REPLICATION}/0/SourceSelectionCriteria", None),
        dict(PARAMETER_SETS["replicated into an account with keys"]),
    ),
    Mistake(
        "tables of terms may be written over",
        permissions.check_packs_are_written_once,
        lambda r: _without(r, "MergeTermsFunction", "TablesAreWrittenOnce"),
    ),
    Mistake(
        "who merges terms reads packs",
        permissions.check_steps_have_what_they_need,
        _allow(
            "MergeTermsFunction",
            "s3:GetObject",
            {"Fn::Sub": "${CommonDestinationBucket.Arn}/packs/*"},
        ),
    ),
    Mistake(
        "who merges terms encrypts with the key of packs",
        permissions.check_keys_are_the_given_ones,
        lambda r: _statement(r, "MergeTermsFunction", "DecryptTerms").update(
            Action=["kms:Decrypt", "kms:GenerateDataKey"]
        ),
        dict(PARAMETER_SETS["search with a key"]),
    ),
    Mistake(
        "nobody hears of terms that are not merged",
        monitoring.check_everything_that_must_alarm,
        lambda r: r["TermsNotMergedAlarm"]["Properties"].update(Threshold=1000),
    ),
    Mistake(
        "the replicating role may delete",
        platform.check_replication,
        _set(
            "ReplicationRole/Properties/Policies/0/PolicyDocument/Statement/2/Action",
            ["s3:ReplicateObject", "s3:ReplicateDelete"],
        ),
        dict(PARAMETER_SETS["replicated"]),
    ),
    Mistake(
        "a bucket has tags of its own",
        platform.check_tags_are_left_to_the_deployment,
        _set("WorkBucket/Properties/Tags", [{"Key": "CostCenter", "Value": "ours"}]),
    ),
    Mistake(
        "failures are told as successes",
        platform.check_notices,
        _set("SuccessNoticeRule/Properties/EventPattern/detail/status", ["SUCCEEDED", "FAILED"]),
        dict(PARAMETER_SETS["platform"]),
    ),
    Mistake(
        "reports of every stack are told",
        platform.check_notices,
        _set("ReportNoticeRule/Properties/EventPattern/detail", {"requestContext": {}}),
    ),
    Mistake(
        "a notice of a report names what it has no path for",
        platform.check_notices,
        _set("ReportNoticeRule/Properties/Targets/0/InputTransformer/InputPathsMap", {}),
    ),
    Mistake(
        "a report may be written over",
        permissions.check_packs_are_written_once,
        lambda r: _without(r, "ReportFunction", "ReportsAreWrittenOnce"),
    ),
    Mistake(
        "nobody hears that a report shows something wrong",
        monitoring.check_everything_that_must_alarm,
        _set("EvidenceWrongAlarm/Properties/MetricName", "ReportFilesMissing"),
    ),
    Mistake(
        "the bus hears of every alarm of the account",
        platform.check_notices,
        _set("EventBusRule/Properties/EventPattern/$or/1/resources", [{"prefix": "arn:"}]),
        dict(PARAMETER_SETS["platform"]),
    ),
)


@pytest.mark.parametrize("mistake", MISTAKES, ids=[mistake.name for mistake in MISTAKES])
def test_each_mutation_of_the_template_is_found(mistake: Mistake) -> None:
    """The check is silent on the template as it is, and reports the mistake once planted."""
    template = load_template()
    assert mistake.check(deploy(template, mistake.parameters)) == []
    mistake.change(template["Resources"])
    assert mistake.check(deploy(template, mistake.parameters)) != []


def _changed(change: Callable[[Template], object]) -> Template:
    template = load_template()
    change(template)
    return template


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t["Parameters"].pop("GlacierObjectSize"),
        lambda t: t["Parameters"].update(
            Unused={"Type": "String", "Default": "", "Description": "x", "AllowedValues": [""]}
        ),
        lambda t: t["Parameters"]["ListConcurrency"].pop("MaxValue"),
        lambda t: t["Parameters"]["Holds"].update(Default="none"),
        lambda t: t["Parameters"]["Verify"].pop("Description"),
    ],
    ids=[
        "an older name is gone",
        "unused",
        "unbounded",
        "its default is not allowed",
        "not described",
    ],
)
def test_mistakes_in_parameters_are_found(change: Callable[[Template], object]) -> None:
    """The check of parameters reports each mistake."""
    assert running.check_parameters(_changed(change)) != []

"""Checks of what a platform team requires of a stack: boundaries, paths, keys, access logs,
versions, copies, notifications. Each returns a list of problems.
"""

from __future__ import annotations

import re
from typing import Any

from tests.infra.stack import ACCOUNT, STACK, Stack

_REPLICATED = ["packs/", "indexes/", "discards/", "custody/", "keys/", "signatures/"]
_DELETING = ("delete", "s3:*", "*")


def check_every_role_is_bounded(stack: Stack) -> list[str]:
    """This includes the schedules' roles. Without the parameters neither property is set, so an
    update leaves the roles unchanged.
    """
    path = stack.parameters["RolePath"]
    wanted = (stack.parameters["PermissionsBoundaryArn"] or None, None if path == "/" else path)
    return [
        f"{name}: boundary {role.get('PermissionsBoundary')}, path {role.get('Path')}"
        for name, role in stack.of_type("AWS::IAM::Role").items()
        if (role.get("PermissionsBoundary"), role.get("Path")) != wanted
    ]


def check_stack_key(stack: Stack) -> list[str]:
    """It encrypts every log group and every environment."""
    wanted = stack.parameters["StackKmsKeyArn"] or None
    places = (("AWS::Logs::LogGroup", "KmsKeyId"), ("AWS::Lambda::Function", "KmsKeyArn"))
    return [
        f"{name}: {key} = {properties.get(key)}"
        for kind, key in places
        for name, properties in stack.of_type(kind).items()
        if properties.get(key) != wanted
    ]


def check_access_logs(stack: Stack) -> list[str]:
    """Each bucket writes into its own folder, or none writes."""
    target = stack.parameters["ServerAccessLogBucket"]
    folders = {"CommonDestinationBucket": "destination", "WorkBucket": "work"}
    problems = []
    for name, properties in stack.of_type("AWS::S3::Bucket").items():
        wanted = {
            "DestinationBucketName": target,
            "LogFilePrefix": f"{STACK}/{folders[name]}/",
        }
        if properties.get("LoggingConfiguration") != (wanted if target else None):
            problems.append(f"{name}: {properties.get('LoggingConfiguration')}")
    return problems


def check_versions_of_the_work_bucket(stack: Stack) -> list[str]:
    found = stack.properties("WorkBucket").get("VersioningConfiguration")
    asked = stack.parameters["WorkBucketVersioning"] == "Yes"
    return [] if found == ({"Status": "Enabled"} if asked else None) else [f"versioning: {found}"]


def check_replication(stack: Stack) -> list[str]:
    """All evidence about a pack is replicated, deletions are not, and the role could not replicate
    them.
    """
    asked = bool(stack.parameters["ReplicaBucketArn"]) and not stack.in_place
    configured = asked and stack.properties("CommonDestinationBucket").get(
        "ReplicationConfiguration"
    )
    if not configured:
        unused = [name for name in stack.resources if name == "ReplicationRole"]
        return ["nothing is replicated"] if asked else unused
    rules = configured["Rules"]
    problems = [
        f"{rule['Id']}: {rule}" for rule in rules if _without_id(rule) != _wanted_rule(stack)
    ]
    if [rule["Filter"] for rule in rules] != [{"Prefix": folder} for folder in _REPLICATED]:
        problems.append(f"folders: {[rule['Filter'] for rule in rules]}")
    if len({rule["Priority"] for rule in rules}) != len(rules):
        problems.append("two rules have one priority")
    return problems + _problems_of_the_replication_role(stack)


def check_tags_are_left_to_the_deployment(stack: Stack) -> list[str]:
    """A resource's own tag would override the stack's of the same name. Only SAM's own tags
    remain.
    """
    return [
        f"{name}: {tag['Key']}"
        for name, resource in stack.resources.items()
        for tag in resource.get("Properties", {}).get("Tags", [])
        if tag["Key"] not in {"lambda:createdBy", "stateMachine:createdBy"}
    ]


def check_notices(stack: Stack) -> list[str]:
    """The rules cover this stack only; EventBridge can publish to the topic made here exactly where
    success or a new report is announced.
    """
    rules = stack.of_type("AWS::Events::Rule")
    asked = {
        "SuccessNoticeRule": stack.parameters["SuccessNotice"] == "Yes",
        "EventBusRule": bool(stack.parameters["EventBusArn"]),
        "ReportNoticeRule": stack.reports,
    }
    is_let_in = asked["SuccessNoticeRule"] or asked["ReportNoticeRule"]
    problems = [f"{name}: {name in rules}" for name, due in asked.items() if (name in rules) != due]
    machines = [
        f"arn:aws:states:eu-west-1:111122223333:stateMachine:{STACK}-{name}"
        for name in ("CombineLogFilesSM", "ProcessHistoricalMainLogsSM")
    ]
    if asked["SuccessNoticeRule"]:
        detail = rules["SuccessNoticeRule"]["EventPattern"]["detail"]
        if detail != {"stateMachineArn": machines, "status": ["SUCCEEDED"]}:
            problems.append(f"success: {detail}")
    if asked["ReportNoticeRule"]:
        problems += _check_the_notice_of_reports(stack, rules["ReportNoticeRule"])
    if asked["EventBusRule"]:
        ends, alarms = rules["EventBusRule"]["EventPattern"]["$or"]
        if ends["detail"]["stateMachineArn"] != machines:
            problems.append(f"the bus: {ends}")
        if not alarms["resources"][0]["prefix"].endswith(f":alarm:{STACK}-"):
            problems.append(f"the bus: {alarms}")
    return problems + [
        f"{name}: EventBridge is {'not ' * is_let_in}let in"
        for name, document in _documents_of_the_topic(stack)
        if ("events.amazonaws.com" in str(document)) != is_let_in
    ]


def _check_the_notice_of_reports(stack: Stack, rule: dict[str, Any]) -> list[str]:
    """The rule matches this stack's function, which sends its result, and uses only fields of that
    result.
    """
    function = f"arn:aws:lambda:eu-west-1:111122223333:function:{STACK}-ReportFunction"
    problems = []
    if rule["EventPattern"]["detail"] != {
        "requestContext": {"functionArn": [function, f"{function}:$LATEST"]}
    }:
        problems.append(f"reports: {rule['EventPattern']}")
    (sent,) = stack.of_type("AWS::Lambda::EventInvokeConfig").values()
    bus = "arn:aws:events:eu-west-1:111122223333:event-bus/default"
    if sent["DestinationConfig"] != {"OnSuccess": {"Destination": bus}}:
        problems.append(f"reports: what the function returns goes to {sent['DestinationConfig']}")
    told = rule["Targets"][0]["InputTransformer"]
    named = set(re.findall("<([a-z]+)>", told["InputTemplate"]))
    if named != set(told["InputPathsMap"]):
        problems.append(f"reports: {named ^ set(told['InputPathsMap'])}")
    return problems


def _documents_of_the_topic(stack: Stack) -> list[tuple[str, Any]]:
    if stack.parameters["AlarmTopicArn"]:
        return []
    return [
        ("AlarmTopicKey", stack.properties("AlarmTopicKey")["KeyPolicy"]),
        ("AlarmTopicPolicy", stack.properties("AlarmTopicPolicy")["PolicyDocument"]),
    ]


def _wanted_rule(stack: Stack) -> dict[str, Any]:
    account, key = stack.parameters["ReplicaAccount"], stack.parameters["ReplicaKmsKeyArn"]
    destination: dict[str, Any] = {"Bucket": stack.parameters["ReplicaBucketArn"]}
    if account:
        destination |= {"Account": account, "AccessControlTranslation": {"Owner": "Destination"}}
    rule: dict[str, Any] = {
        "Status": "Enabled",
        "DeleteMarkerReplication": {"Status": "Disabled"},
        "Destination": destination,
    }
    if key:
        destination["EncryptionConfiguration"] = {"ReplicaKmsKeyID": key}
        rule["SourceSelectionCriteria"] = {"SseKmsEncryptedObjects": {"Status": "Enabled"}}
    return rule


def _without_id(rule: dict[str, Any]) -> dict[str, Any]:
    return {key: found for key, found in rule.items() if key not in {"Id", "Priority", "Filter"}}


def _problems_of_the_replication_role(stack: Stack) -> list[str]:
    [policy] = stack.properties("ReplicationRole")["Policies"]
    by_sid = {found["Sid"]: found for found in policy["PolicyDocument"]["Statement"]}
    actions = [action for found in by_sid.values() for action in _listed(found["Action"])]
    problems = [
        f"the role may {action}"
        for action in actions
        if any(word in action.lower() for word in _DELETING)
    ]
    if by_sid["WriteReplicas"]["Resource"] != f"{stack.parameters['ReplicaBucketArn']}/*":
        problems.append(f"replicas go to {by_sid['WriteReplicas']['Resource']}")
    bucket = stack.properties("CommonDestinationBucket")["BucketName"]
    if by_sid["ReadWhatIsReplicated"]["Resource"] != f"arn:aws:s3:::{bucket}/*":
        problems.append(f"the role reads {by_sid['ReadWhatIsReplicated']['Resource']}")
    owner = stack.parameters["ReplicaAccount"] or ACCOUNT
    if by_sid["WriteReplicas"]["Condition"] != {"StringEquals": {"aws:ResourceAccount": owner}}:
        problems.append(f"replicas go to {by_sid['WriteReplicas']['Condition']}")
    keyed = {"DecryptPacks", "EncryptReplicas"} <= set(by_sid)
    if keyed != bool(stack.parameters["ReplicaKmsKeyArn"]):
        problems.append(f"keys: {sorted(by_sid)}")
    return problems


def _listed(actions: Any) -> list[str]:
    return [actions] if isinstance(actions, str) else actions

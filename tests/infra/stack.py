"""The template as CloudFormation would see it: translated by SAM's own translator, offline, with
every intrinsic function computed.

Values that are unknown before a deployment get a realistic placeholder.
"""

from __future__ import annotations

import copy
import functools
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).parents[2]
ACCOUNT, REGION, STACK = "111122223333", "eu-west-1", "logs"
STACK_UUID = "12e04df0-8b7c-11ef-a1b2-0a1b2c3d4e5f"
MAIN_BUCKET = f"aws-controltower-logs-{ACCOUNT}-{REGION}"
DESTINATION = f"all-aggregated-logs-{ACCOUNT}-{REGION}"
KEY = "arn:aws:kms:eu-west-1:444455556666:key/00000000-0000-0000-0000-000000000000"
OTHER_KEY = f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/11111111-1111-1111-1111-111111111111"
SEARCH_KEY = f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/33333333-3333-3333-3333-333333333333"
SIGNING_KEY = f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/44444444-4444-4444-4444-444444444444"
STACK_KEY = f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/22222222-2222-2222-2222-222222222222"
LAYER = f"arn:aws:lambda:{REGION}:580247275435:layer:LambdaInsightsExtension-Arm64:20"

PARAMETER_SETS: Mapping[str, Mapping[str, str]] = {
    "default": {"OtherBuckets": "flow-logs,example-*"},
    "no other buckets": {},
    "two main buckets": {
        "ControlTowerBucket": f"{MAIN_BUCKET},aws-controltower-cloudtrail-logs-{ACCOUNT}-abc-def"
    },
    "in place": {"OtherBuckets": "flow-logs,example-*", "UseCommonDestinationBucket": "No"},
    "keys": {
        "OtherBuckets": "flow-logs",
        "SourceKmsKeyArns": f"{KEY},{OTHER_KEY}",
        "DestinationKmsKeyArn": OTHER_KEY,
    },
    "in place with keys": {"UseCommonDestinationBucket": "No", "SourceKmsKeyArns": KEY},
    "search with a key": {"DestinationKmsKeyArn": OTHER_KEY, "SearchKmsKeyArn": SEARCH_KEY},
    "in place, search with a key": {
        "UseCommonDestinationBucket": "No",
        "SourceKmsKeyArns": KEY,
        "SearchKmsKeyArn": SEARCH_KEY,
    },
    "no search": {
        "Search": "off",
        "SearchKmsKeyArn": SEARCH_KEY,
        "DestinationKmsKeyArn": OTHER_KEY,
    },
    "signed with a key of the stack": {"SignRecordsWith": "new", "DestinationKmsKeyArn": OTHER_KEY},
    "signed in place": {"UseCommonDestinationBucket": "No", "SignRecordsWith": SIGNING_KEY},
    "no drills": {"DrillEveryDays": "0", "OtherBuckets": "flow-logs"},
    "no reports": {"MonthlyReport": "No", "OtherBuckets": "flow-logs"},
    "inventories": {"InventoryBuckets": "inventories,more-inventories", "SourceKmsKeyArns": KEY},
    "other accounts": {
        "OtherBuckets": "flow-logs,theirs-*",
        "InventoryBuckets": "inventories",
        "BucketAccounts": "theirs-*=444455556666,inventories=777788889999",
    },
    "other accounts in place": {
        "OtherBuckets": "flow-logs,theirs-*",
        "BucketAccounts": "theirs-*=444455556666",
        "UseCommonDestinationBucket": "No",
    },
    "insights": {"LambdaInsightsLayerArn": LAYER},
    "access logs": {
        "ControlTowerBucketAccessLogBucket": f"aws-controltower-s3-access-logs-{ACCOUNT}-{REGION}"
    },
    "in place with access logs": {
        "UseCommonDestinationBucket": "No",
        "ControlTowerBucketAccessLogBucket": "access-logs",
    },
    "locked": {"ObjectLockMode": "COMPLIANCE", "ObjectLockDays": "730"},
    "after the older stack": {
        "OlderAggregatesPrefix": "example-flow-logs/",
        "ExpirationInDays": "400",
        "GlacierObjectSize": "1000000",
    },
    "own topic": {"AlarmTopicArn": f"arn:aws:sns:{REGION}:{ACCOUNT}:security"},
    "mail": {"AlarmEmail": "security@example.org"},
    "by hand": {"ScheduleState": "DISABLED"},
    "platform": {
        "PermissionsBoundaryArn": f"arn:aws:iam::{ACCOUNT}:policy/boundary",
        "RolePath": "/log/aggregation/",
        "StackKmsKeyArn": STACK_KEY,
        "ServerAccessLogBucket": "central-access-logs",
        "WorkBucketVersioning": "Yes",
        "EventBusArn": "arn:aws:events:eu-west-1:444455556666:event-bus/security",
        "SuccessNotice": "Yes",
        "ControlTowerBucketAccessLogBucket": "access-logs",
    },
    "platform in place": {
        "UseCommonDestinationBucket": "No",
        "StackKmsKeyArn": STACK_KEY,
        "AlarmTopicArn": f"arn:aws:sns:{REGION}:{ACCOUNT}:security",
        "SuccessNotice": "Yes",
    },
    "replicated": {"ReplicaBucketArn": "arn:aws:s3:::replicas"},
    "replicated into an account with keys": {
        "ReplicaBucketArn": "arn:aws:s3:::replicas",
        "ReplicaAccount": "444455556666",
        "DestinationKmsKeyArn": OTHER_KEY,
        "ReplicaKmsKeyArn": KEY,
        "PermissionsBoundaryArn": f"arn:aws:iam::{ACCOUNT}:policy/boundary",
        "RolePath": "/log/",
    },
    "a beginning that means too much": {"OtherBuckets": "a*,logs*"},
}

Template = dict[str, Any]


@dataclass(frozen=True)
class Stack:
    """The result of the template for one set of parameters. Resources whose condition fails are
    missing.
    """

    parameters: Mapping[str, str]
    resources: Mapping[str, dict[str, Any]]
    outputs: Mapping[str, Any]

    @property
    def in_place(self) -> bool:
        return self.parameters["UseCommonDestinationBucket"] == "No"

    @property
    def reports(self) -> bool:
        """Pages for auditors are kept in the one bucket of all packs."""
        return self.parameters["MonthlyReport"] == "Yes" and not self.in_place

    def of_type(self, kind: str) -> dict[str, dict[str, Any]]:
        """Properties by logical id."""
        return {
            name: found.get("Properties", {})
            for name, found in self.resources.items()
            if found["Type"] == kind
        }

    def properties(self, logical_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.resources[logical_id]["Properties"]
        return found


@functools.cache
def _template() -> Template:
    template: Template = yaml_parse((ROOT / "template.yaml").read_text(encoding="utf-8"))
    return template


def load_template() -> Template:
    """A copy, which may be changed."""
    return copy.deepcopy(_template())


def deploy(template: Template, parameters: Mapping[str, str]) -> Stack:
    """Translate and resolve. `parameters` are those that differ from the defaults."""
    return resolve(translate(template), parameters)


def translate(template: Template) -> Template:
    """What `sam deploy` would hand to CloudFormation; code and definitions are somewhere in S3."""
    source = copy.deepcopy(template)
    for resource in source["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = "s3://artifacts/code"
        if resource["Type"] == "AWS::Serverless::StateMachine":
            resource["Properties"]["DefinitionUri"] = "s3://artifacts/definition"
    source["Globals"]["Function"].pop("CodeUri", None)
    with patch.dict(os.environ, {"AWS_DEFAULT_REGION": REGION}):
        translated: Template = transform(source, {}, _NoManagedPolicies())
    return translated


def resolve(translated: Template, parameters: Mapping[str, str]) -> Stack:
    values = {name: str(row.get("Default", "")) for name, row in translated["Parameters"].items()}
    values["ControlTowerBucket"] = MAIN_BUCKET
    values |= parameters
    resolver = _Resolver(translated, values)
    resources = {
        name: {**resolver.value(resource), "Type": resource["Type"]}
        for name, resource in translated["Resources"].items()
        if resolver.holds(resource.get("Condition"))
    }
    outputs = {
        name: resolver.value(output["Value"])
        for name, output in translated["Outputs"].items()
        if resolver.holds(output.get("Condition"))
    }
    return Stack(values, resources, outputs)


class _NoManagedPolicies:
    def load(self) -> dict[str, str]:
        return {}


class _Nothing:
    """AWS::NoValue."""


_NOTHING = _Nothing()
_PSEUDO = {
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
    "AWS::AccountId": ACCOUNT,
    "AWS::StackName": STACK,
    "AWS::StackId": f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{STACK}/{STACK_UUID}",
    "AWS::URLSuffix": "amazonaws.com",
    "AWS::NoValue": _NOTHING,
}


class _Resolver:
    def __init__(self, template: Template, parameters: Mapping[str, str]) -> None:
        self._template = template
        self._parameters = parameters

    def value(self, node: Any) -> Any:
        """The node with every intrinsic function replaced by its value. NoValue also removes its
        property or list entry.
        """
        if isinstance(node, list):
            return [found for found in map(self.value, node) if found is not _NOTHING]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            name, argument = next(iter(node.items()))
            if name == "Ref" or name.startswith("Fn::"):
                return self._function(name, argument)
        resolved = {name: self.value(found) for name, found in node.items()}
        return {name: found for name, found in resolved.items() if found is not _NOTHING}

    def holds(self, condition: Any) -> bool:
        """`condition` is a name, an expression, or None for always."""
        if condition is None:
            return True
        if isinstance(condition, str):
            return self.holds(self._template["Conditions"][condition])
        [(name, argument)] = condition.items()
        match name:
            case "Condition":
                found = self.holds(argument)
            case "Fn::Equals":
                found = str(self.value(argument[0])) == str(self.value(argument[1]))
            case "Fn::Not":
                found = not self.holds(argument[0])
            case "Fn::And":
                found = all(map(self.holds, argument))
            case "Fn::Or":
                found = any(map(self.holds, argument))
            case _:
                raise NotImplementedError(name)
        return found

    def _function(self, name: str, argument: Any) -> Any:
        match name:
            case "Ref":
                found = self._ref(argument)
            case "Fn::GetAtt":
                found = self._attribute(
                    *(argument.split(".", 1) if isinstance(argument, str) else argument)
                )
            case "Fn::If":
                found = self.value(argument[1] if self.holds(argument[0]) else argument[2])
            case "Fn::Sub":
                text, variables = (argument, {}) if isinstance(argument, str) else argument
                found = self._substitute(
                    text, {key: self.value(inner) for key, inner in variables.items()}
                )
            case "Fn::Join":
                found = _literal(argument[0]).join(map(str, self.value(argument[1])))
            case "Fn::Split":
                found = str(self.value(argument[1])).split(_literal(argument[0]))
            case "Fn::Select":
                found = self.value(argument[1])[int(argument[0])]
            case "Fn::FindInMap":
                first, second, third = self.value(argument)
                found = self._template["Mappings"][first][second][third]
            case _:
                raise NotImplementedError(name)
        return found

    def _substitute(self, text: str, variables: Mapping[str, str]) -> str:
        def replace(found: re.Match[str]) -> str:
            name = found[1]
            if name.startswith("!"):
                return "${" + name[1:] + "}"
            if name in variables:
                return variables[name]
            return str(self._attribute(*name.split(".", 1)) if "." in name else self._ref(name))

        return re.sub(r"\$\{([^}]+)\}", replace, text)

    def _ref(self, name: str) -> Any:
        if name in _PSEUDO:
            return _PSEUDO[name]
        return self._parameters[name] if name in self._parameters else self._identifier(name)

    def _identifier(self, name: str) -> Any:
        """The value of Ref for a resource."""
        match self._template["Resources"][name]["Type"]:
            case "AWS::S3::Bucket":
                properties = self._template["Resources"][name].get("Properties", {})
                return (
                    self.value(properties["BucketName"])
                    if "BucketName" in properties
                    else f"{STACK}-{name.lower()}-1a2b3c"
                )
            case "AWS::StepFunctions::StateMachine":
                return _arn("states", f"stateMachine:{self._named(name, 'StateMachineName')}")
            case "AWS::SNS::Topic":
                return _arn("sns", f"{STACK}-{name}")
            case "AWS::Logs::LogGroup":
                return self._named(name, "LogGroupName")
        return f"{STACK}-{name}"

    def _attribute(self, name: str, attribute: str) -> Any:
        arns = {
            "AWS::S3::Bucket": f"arn:aws:s3:::{self._identifier(name)}",
            "AWS::IAM::Role": f"arn:aws:iam::{ACCOUNT}:role/{STACK}-{name}",
            "AWS::Lambda::Function": _arn("lambda", f"function:{self._identifier(name)}"),
            "AWS::Logs::LogGroup": _arn("logs", f"log-group:{self._identifier(name)}:*"),
            "AWS::CloudWatch::Alarm": _arn("cloudwatch", f"alarm:{self._identifier(name)}"),
            "AWS::KMS::Key": _arn("kms", f"key/{name}"),
        }
        if attribute != "Arn":
            raise NotImplementedError(f"{name}.{attribute}")
        return arns[self._template["Resources"][name]["Type"]]

    def _named(self, name: str, property_name: str) -> Any:
        return self.value(self._template["Resources"][name]["Properties"][property_name])


def _literal(delimiter: Any) -> str:
    """CloudFormation accepts no function in this place."""
    if not isinstance(delimiter, str):
        raise TypeError("the delimiter of Join and Split must be a literal")
    return delimiter


def _arn(service: str, rest: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{rest}"

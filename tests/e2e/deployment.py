"""Deploys a built template through CloudFormation: uploads artifacts, creates a change set and
waits until it is done.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from botocore.exceptions import WaiterError
from tests.e2e.building import BuiltTemplate, resources_of
from tests.e2e.changes import PROGRAMS, adapt, adapt_definition
from tests.e2e.local_aws import LocalAws
from tests.e2e.packaging import fingerprint, make_artifact
from tests.support.waiting import SECONDS_MAX

from log_aggregator_lab.upload import create_bucket

ARTIFACTS = "e2e-artifacts"
STACK = "log-aggregator"
_NUMBERS = count(1)
CAPABILITIES = ("CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND")
WAIT = {"Delay": 1, "MaxAttempts": SECONDS_MAX}


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployed stack. `resources`: logical id -> physical id."""

    aws: LocalAws
    outputs: Mapping[str, str]
    resources: Mapping[str, str]
    types: Mapping[str, str]

    @property
    def functions(self) -> dict[str, str]:
        """Logical id -> function name."""
        return {
            name: self.resources[name]
            for name, kind in self.types.items()
            if kind == "AWS::Lambda::Function"
        }

    def state_machine(self, logical_id: str) -> str:
        """The ARN."""
        return self.resources[logical_id]


def deploy(aws: LocalAws, built: BuiltTemplate, parameters: Mapping[str, str]) -> Deployment:
    """Creates or updates the stack. Raises AssertionError with the events of what failed."""
    template = adapt(built.template, is_enforcing=aws.is_enforcing)
    _upload_artifacts(aws, template, built.folder)
    cloudformation = aws.client("cloudformation")
    is_new = not [
        stack for stack in cloudformation.describe_stacks()["Stacks"] if stack["StackName"] == STACK
    ]
    name = {"StackName": STACK, "ChangeSetName": f"e2e-{next(_NUMBERS)}"}
    cloudformation.create_change_set(
        **name,
        ChangeSetType="CREATE" if is_new else "UPDATE",
        TemplateURL=_upload_template(aws, template),
        Parameters=[
            {"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()
        ],
        Capabilities=list(CAPABILITIES),
    )
    try:
        cloudformation.get_waiter("change_set_create_complete").wait(**name, WaiterConfig=WAIT)
        cloudformation.execute_change_set(**name)
        waiter = cloudformation.get_waiter(f"stack_{'create' if is_new else 'update'}_complete")
        waiter.wait(StackName=STACK, WaiterConfig=WAIT)
    except WaiterError as error:
        raise AssertionError(
            f"the stack is not up: {_reasons(cloudformation)}\n{aws.log_tail()}"
        ) from error
    return _describe(aws, cloudformation)


def _describe(aws: LocalAws, cloudformation: Any) -> Deployment:
    (stack,) = cloudformation.describe_stacks(StackName=STACK)["Stacks"]
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=STACK)
    resources = [resource for page in pages for resource in page["StackResourceSummaries"]]
    return Deployment(
        aws=aws,
        outputs={output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])},
        resources={
            resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in resources
        },
        types={resource["LogicalResourceId"]: resource["ResourceType"] for resource in resources},
    )


def _reasons(cloudformation: Any) -> str:
    events = cloudformation.describe_stack_events(StackName=STACK)["StackEvents"]
    failed = [
        event
        for event in events
        if "FAILED" in event["ResourceStatus"] or "ROLLBACK" in event["ResourceStatus"]
    ]
    return "\n".join(
        f"{event['LogicalResourceId']}: {event['ResourceStatus']}: "
        f"{event.get('ResourceStatusReason')}"
        for event in failed
    )


def _upload_template(aws: LocalAws, template: dict[str, Any]) -> str:
    """Returns its address. A template over 51,200 bytes, like ours, can only be passed this way."""
    aws.client("s3").put_object(
        Bucket=ARTIFACTS, Key="template.json", Body=json.dumps(template).encode()
    )
    return f"{aws.endpoint_url}/{ARTIFACTS}/template.json"


def _upload_artifacts(aws: LocalAws, template: dict[str, Any], folder: Path) -> None:
    """Does what `sam package` does: uploads local paths into a bucket and puts their addresses into
    the template.
    """
    s3 = aws.client("s3")
    create_bucket(ARTIFACTS, aws, is_versioned=False)
    codes: dict[str, dict[str, str]] = {}
    for properties in resources_of(template, "AWS::Serverless::Function").values():
        path = folder / properties["CodeUri"]
        print_of_it = fingerprint(path)
        if print_of_it not in codes:
            codes[print_of_it] = {"Bucket": ARTIFACTS, "Key": f"{print_of_it}.zip"}
            s3.put_object(**codes[print_of_it], Body=make_artifact(path, PROGRAMS).data)
        properties["CodeUri"] = codes[print_of_it]
    for name, properties in resources_of(template, "AWS::Serverless::StateMachine").items():
        definition = (folder / properties["DefinitionUri"]).resolve()
        address = {"Bucket": ARTIFACTS, "Key": f"{name}.asl.json"}
        body = adapt_definition(definition.read_text(encoding="utf-8")).encode()
        s3.put_object(**address, Body=body)
        properties["DefinitionUri"] = address

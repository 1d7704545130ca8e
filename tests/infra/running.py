"""Checks of functions, state machines, schedules and logs. Each returns a list of problems."""

from __future__ import annotations

import importlib
import json
import re
from typing import Any

from tests.infra.access import statements_of
from tests.infra.stack import ROOT, STACK, STACK_UUID, Stack, Template

from log_aggregator.errors import SettingsError
from log_aggregator.handlers.entry import settings_of
from log_aggregator.settings import SETTINGS
from log_aggregator.telemetry.metrics import STACK_VARIABLE

OLDER_PARAMETERS = frozenset(
    {
        "ControlTowerBucket",
        "ControlTowerBucketAccessLogBucket",
        "OtherBuckets",
        "FinalAggregationPrefix",
        "OrganizationId",
        "UseCommonDestinationBucket",
        "ExpirationInDays",
        "DaysUntilGlacierDeepArchive",
        "GlacierObjectSize",
        "AggregationRegions",
        "DashboardName",
    }
)
"""Who runs the older stack moves by updating it, so these keep their names."""

DEFINITIONS = {
    "CombineLogFilesSM": "statemachines/combine_log_files.asl.json",
    "ProcessHistoricalMainLogsSM": "statemachines/process_historical_main_logs.asl.json",
}

_ENVIRONMENT_BYTES_MAX = 4096
_NAMED_EXTRAS = {
    "LOG_AGGREGATOR_WORK_BUCKET",
    "LOG_AGGREGATOR_ACCESS_LOG_BUCKET",
    "LOG_AGGREGATOR_LOG_LEVEL",
    "LOG_AGGREGATOR_DRILL_EVERY_DAYS",
    "LOG_AGGREGATOR_DRILL_DOLLARS_MAX",
    STACK_VARIABLE,
}


def check_handlers_exist(stack: Stack) -> list[str]:
    problems = []
    for name, properties in stack.of_type("AWS::Lambda::Function").items():
        module, _, function = properties["Handler"].rpartition(".")
        try:
            found = getattr(importlib.import_module(module), function, None)
        except ModuleNotFoundError:
            found = None
        if not callable(found):
            problems.append(f"{name}: there is no {properties['Handler']}")
    return problems


def check_functions(stack: Stack) -> list[str]:
    problems = []
    for name, properties in stack.of_type("AWS::Lambda::Function").items():
        wanted = {
            "Runtime": "python3.12",
            "Architectures": [stack.parameters["Architecture"]],
            "Timeout": 900,
            "TracingConfig": {"Mode": "Active"},
        }
        problems += [
            f"{name}: {key} = {properties.get(key)}"
            for key, value in wanted.items()
            if properties.get(key) != value
        ]
        if "ReservedConcurrentExecutions" in properties:
            problems.append(f"{name}: reserves concurrency, of which new accounts have too little")
        layer = stack.parameters["LambdaInsightsLayerArn"]
        if properties.get("Layers") != ([layer] if layer else None):
            problems.append(f"{name}: Layers = {properties.get('Layers')}")
    emptying = "EmptyAccessLogsFunction" in stack.of_type("AWS::Lambda::Function")
    if emptying != bool(stack.parameters["ControlTowerBucketAccessLogBucket"]):
        problems.append("EmptyAccessLogsFunction is there only with its parameter")
    drilling = "DrillFunction" in stack.of_type("AWS::Lambda::Function")
    if drilling != (str(stack.parameters["DrillEveryDays"]) != "0"):
        problems.append("DrillFunction is there only with its parameter")
    reporting = "ReportFunction" in stack.of_type("AWS::Lambda::Function")
    if reporting != stack.reports:
        problems.append("ReportFunction is there only with its parameter, and one bucket of packs")
    return problems


def check_logs_are_kept(stack: Stack) -> list[str]:
    """Every function and state machine writes into its own log group, which the template makes with
    a retention.
    """
    groups = {
        properties["LogGroupName"]: properties
        for properties in stack.of_type("AWS::Logs::LogGroup").values()
    }
    problems = [
        f"{name}: {properties.get('RetentionInDays')} days"
        for name, properties in groups.items()
        if properties.get("RetentionInDays") != stack.parameters["LogRetentionDays"]
    ]
    users: dict[str, str] = {}
    for name, properties in stack.of_type("AWS::Lambda::Function").items():
        logging = properties.get("LoggingConfig", {})
        users[name] = logging.get("LogGroup", "")
        if (logging.get("LogFormat"), logging.get("ApplicationLogLevel")) != ("JSON", "INFO"):
            problems.append(f"{name}: metrics are log lines, and these are dropped: {logging}")
    for name, properties in stack.of_type("AWS::StepFunctions::StateMachine").items():
        logging = properties.get(
            "LoggingConfiguration",
            {"Destinations": [{"CloudWatchLogsLogGroup": {"LogGroupArn": ":::::::"}}]},
        )
        users[name] = logging["Destinations"][0]["CloudWatchLogsLogGroup"]["LogGroupArn"].split(
            ":"
        )[6]
        if (logging.get("Level"), logging.get("IncludeExecutionData")) != ("ERROR", False):
            problems.append(
                f"{name}: {logging.get('Level')}, execution data "
                f"{logging.get('IncludeExecutionData')}"
            )
        if not users[name].startswith("/aws/vendedlogs/states/"):
            problems.append(f"{name}: {users[name]}")
    problems += [
        f"{name}: its log group is not made here: {group!r}"
        for name, group in users.items()
        if group not in groups
    ]
    return problems + [
        f"{group}: belongs to nobody" for group in groups if list(users.values()).count(group) != 1
    ]


def check_logs_stay(stack: Stack) -> list[str]:
    """A log group outlives its stack, and its name never clashes with a later stack's, which
    otherwise could not be made.
    """
    own = STACK_UUID.split("-")[0]
    return [
        f"{name}: {found}"
        for name, found in stack.resources.items()
        if found["Type"] == "AWS::Logs::LogGroup"
        and (
            found.get("DeletionPolicy") != "RetainExceptOnCreate"
            or found.get("UpdateReplacePolicy") != "Retain"
            or not found["Properties"]["LogGroupName"].endswith(f"-{own}")
        )
    ]


def check_environment(stack: Stack) -> list[str]:
    """Names are settings, values are allowed by them, and everything fits."""
    settings = {f"LOG_AGGREGATOR_{row.name.upper()}" for row in SETTINGS}
    problems = []
    for name, properties in stack.of_type("AWS::Lambda::Function").items():
        variables = {
            key: str(value) for key, value in properties["Environment"]["Variables"].items()
        }
        problems += [
            f"{name}: there is no setting {variable}"
            for variable in sorted(set(variables) - settings - _NAMED_EXTRAS)
        ]
        size = sum(len(key.encode()) + len(value.encode()) for key, value in variables.items())
        if size > _ENVIRONMENT_BYTES_MAX:
            problems.append(f"{name}: {size} bytes of environment")
        if ("LOG_AGGREGATOR_ACCESS_LOG_BUCKET" in variables) != (name == "EmptyAccessLogsFunction"):
            problems.append(f"{name}: the access-log bucket is for EmptyAccessLogsFunction alone")
        if ("LOG_AGGREGATOR_DRILL_EVERY_DAYS" in variables) != (name == "DrillFunction"):
            problems.append(f"{name}: how often there are drills is for DrillFunction alone")
        try:
            parsed = settings_of(variables)
        except SettingsError as error:
            problems.append(f"{name}: {error}")
        else:
            if (parsed.destination_bucket is None) != stack.in_place:
                problems.append(f"{name}: destination_bucket = {parsed.destination_bucket}")
    return problems


def check_schedules(stack: Stack) -> list[str]:
    machine = "arn:aws:states:eu-west-1:111122223333:stateMachine:logs-CombineLogFilesSM"
    weekly = {"look_back_days": int(stack.parameters["WeeklyLookBackDays"])}
    wanted: dict[str, tuple[str, str, Any]] = {
        "CombineLogFilesSMNightly": ("cron(0 1 * * ? *)", machine, {}),
        "CombineLogFilesSMWeekly": ("cron(0 5 ? * SUN *)", machine, weekly),
    }
    if stack.parameters["ControlTowerBucketAccessLogBucket"]:
        emptying = "arn:aws:lambda:eu-west-1:111122223333:function:logs-EmptyAccessLogsFunction"
        wanted["EmptyAccessLogsFunctionHourly"] = ("rate(1 hour)", emptying, {})
    if str(stack.parameters["DrillEveryDays"]) != "0":
        drilling = "arn:aws:lambda:eu-west-1:111122223333:function:logs-DrillFunction"
        wanted["DrillFunctionDaily"] = ("cron(0 9 * * ? *)", drilling, {})
    if stack.reports:
        reporting = "arn:aws:lambda:eu-west-1:111122223333:function:logs-ReportFunction"
        wanted["ReportFunctionMonthly"] = ("cron(0 11 1 * ? *)", reporting, {})
    found = {
        name: (
            properties["ScheduleExpression"],
            properties["Target"]["Arn"],
            json.loads(properties["Target"]["Input"]),
        )
        for name, properties in stack.of_type("AWS::Scheduler::Schedule").items()
    }
    states = {
        properties["State"] for properties in stack.of_type("AWS::Scheduler::Schedule").values()
    }
    problems = [
        f"{name}: {found.get(name)}"
        for name in {*wanted, *found}
        if found.get(name) != wanted.get(name)
    ]
    return problems + (
        [f"schedules are {states}"] if states != {stack.parameters["ScheduleState"]} else []
    )


def check_machines(stack: Stack) -> list[str]:
    problems = []
    for name, properties in stack.of_type("AWS::StepFunctions::StateMachine").items():
        if (
            properties["StateMachineType"] != "STANDARD"
            or properties["StateMachineName"] != f"{STACK}-{name}"
        ):
            problems.append(
                f"{name}: {properties['StateMachineType']}, {properties['StateMachineName']}"
            )
        if properties.get("TracingConfiguration") != {"Enabled": True}:
            problems.append(f"{name}: is not traced")
        text = (ROOT / DEFINITIONS[name]).read_text(encoding="utf-8")
        used, given = (
            set(re.findall(r"\$\{(\w+)\}", text)),
            set(properties["DefinitionSubstitutions"]),
        )
        if used != given:
            problems.append(
                f"{name}: substitutions {sorted(used ^ given)} are either not given or not used"
            )
        problems += _missing_permissions(stack, name)
    return problems


def _missing_permissions(stack: Stack, name: str) -> list[str]:
    """A machine with Distributed Maps starts and follows its own executions, under its
    actual name.
    """
    prefix, machine = "arn:aws:states:eu-west-1:111122223333", f"{STACK}-{name}"
    wanted = {
        ("states:StartExecution", f"{prefix}:stateMachine:{machine}"),
        *(
            (f"states:{verb}Execution", f"{prefix}:execution:{machine}/Label:id")
            for verb in ("Describe", "Stop", "Redrive")
        ),
    }
    if name == "ProcessHistoricalMainLogsSM":
        runs = f"{STACK}-CombineLogFilesSM"
        wanted |= {("states:StartExecution", f"{prefix}:stateMachine:{runs}")}
        wanted |= {
            (f"states:{verb}Execution", f"{prefix}:execution:{runs}:id")
            for verb in ("Describe", "Stop")
        }
        rule = (
            "arn:aws:events:eu-west-1:111122223333:rule/"
            "StepFunctionsGetEventsForStepFunctionsExecutionRule"
        )
        wanted |= {(f"events:{verb}", rule) for verb in ("PutTargets", "PutRule", "DescribeRule")}
    mine = [found for found in statements_of(stack) if found.owner == name]
    return [
        f"{name}: may not {action} on {arn}"
        for action, arn in sorted(wanted)
        if not any(found.covers(action, arn) for found in mine)
    ]


def check_names(stack: Stack) -> list[str]:
    """Control Tower's guardrails forbid changing resources named like its own."""
    texts = [*stack.resources]
    for resource in stack.resources.values():
        properties = resource.get("Properties", {})
        texts += [
            str(properties[key])
            for key in properties
            if key.endswith("Name") and isinstance(properties[key], str)
        ]
    return [text for text in texts if "controltower" in text.lower()]


def check_parameters(template: Template) -> list[str]:
    """Older names stay; each parameter has a description, a default and a bound, is used, and is
    shown in a group.
    """
    parameters = template["Parameters"]
    problems = [f"{name}: is gone" for name in sorted(OLDER_PARAMETERS - set(parameters))]
    shown = [
        name
        for group in template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
        for name in group["Parameters"]
    ]
    problems += [
        f"{name}: is shown {shown.count(name)} times"
        for name in {*parameters, *shown}
        if shown.count(name) != 1 or name not in parameters
    ]
    used = set(
        _references(
            {
                key: value
                for key, value in template.items()
                if key not in {"Parameters", "Metadata", "Rules"}
            }
        )
    )
    problems += [f"{name}: is not used" for name in parameters if name not in used]
    for name, row in parameters.items():
        if not row.get("Description"):
            problems.append(f"{name}: has no description")
        if "Default" not in row and name != "ControlTowerBucket":
            problems.append(f"{name}: has no default")
        bounded = (
            "AllowedValues" in row
            or "AllowedPattern" in row
            or {"MinValue", "MaxValue"} <= set(row)
        )
        if not bounded or ("AllowedValues" not in row and "ConstraintDescription" not in row):
            problems.append(f"{name}: is not bounded, or does not say how")
        if (
            "AllowedPattern" in row
            and "Default" in row
            and not re.fullmatch(row["AllowedPattern"], str(row["Default"]))
        ):
            problems.append(f"{name}: its own default is not allowed")
    return problems


def _references(node: Any) -> list[str]:
    """Names in Ref and Sub."""
    if isinstance(node, list):
        return [name for item in node for name in _references(item)]
    if not isinstance(node, dict):
        return []
    names = []
    for key, value in node.items():
        if key == "Ref":
            names.append(value)
        elif key == "Fn::Sub":
            text = value if isinstance(value, str) else value[0]
            names += re.findall(r"\$\{([\w:]+)\}", text)
            names += [] if isinstance(value, str) else _references(value[1])
        else:
            names += _references(value)
    return names

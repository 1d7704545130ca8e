"""Checks of alarms and the dashboard. Each returns a list of problems."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

from tests.infra.stack import ROOT, STACK, Stack

from log_aggregator.telemetry.metrics import METRICS, NAMESPACE

RUNBOOK = "docs/how-to/respond-to-alarms.md"
DESCRIPTION = re.compile(
    r"\S.* What to do: \S.*\. "
    r'More: "(?P<page>[^"]+)" in the project\'s documentation, section "(?P<section>[^"]+)"\.'
)
"""Who reads it has a mail before him and no folder of ours: the advice itself stands there, and
titles instead of paths.
"""
DESCRIPTION_CHARS_MAX = 1024
"""https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html"""
COLUMNS = 24
_OF_AWS: dict[str, tuple[set[str], set[tuple[str, ...]]]] = {
    "AWS/States": (
        {
            "ExecutionsStarted",
            "ExecutionsSucceeded",
            "ExecutionsFailed",
            "ExecutionsTimedOut",
            "ExecutionsAborted",
        },
        {("StateMachineArn",)},
    ),
    "AWS/Lambda": ({"Errors", "Duration", "Throttles", "Invocations"}, {("FunctionName",)}),
    "AWS/S3": ({"BucketSizeBytes", "NumberOfObjects"}, {("BucketName", "StorageType")}),
}
"""https://docs.aws.amazon.com/step-functions/latest/dg/procedure-cw-metrics.html and its like for
Lambda and S3.
"""
_EXPECTED_SECTIONS = {
    "A run failed",
    "No night in 36 hours",
    "Objects left behind",
    "Objects retained",
    "Calls refused by Lambda",
    "Something has changed",
    "Terms not merged",
    "A drill failed",
    "A report failed",
    "The evidence is not in order",
}

Named = tuple[str, str, tuple[str, ...]]
"""Namespace, metric, names of the dimensions."""


def check_metrics_exist(stack: Stack) -> list[str]:
    """The code or AWS writes each metric of alarms and dashboard, with exactly these dimensions."""
    used = [("the dashboard", found) for found in _of_dashboard(stack)]
    used += [
        (name, found)
        for name, properties in stack.of_type("AWS::CloudWatch::Alarm").items()
        for found in _of_alarm(properties)
    ]
    return [f"{where}: nobody writes {found}" for where, found in used if not _is_written(found)]


def check_alarms(stack: Stack) -> list[str]:
    topic = (
        stack.parameters["AlarmTopicArn"]
        or f"arn:aws:sns:eu-west-1:111122223333:{STACK}-AlarmTopic"
    )
    sections: set[str] = set()
    problems = []
    for name, properties in stack.of_type("AWS::CloudWatch::Alarm").items():
        text = properties["AlarmDescription"]
        found = DESCRIPTION.fullmatch(text)
        sections |= {found["section"]} if found else set()
        if not found or len(text) > DESCRIPTION_CHARS_MAX or "docs/" in text:
            problems.append(f"{name}: does not say what to do, and where more is")
        if properties.get("AlarmActions") != [topic]:
            problems.append(f"{name}: tells nobody")
        problems += [f"{name}: {problem}" for problem in _too_long(properties)]
    expected = set(_EXPECTED_SECTIONS)
    if stack.parameters["Search"] == "off":
        expected.remove("Terms not merged")
    if str(stack.parameters["DrillEveryDays"]) == "0":
        expected.remove("A drill failed")
    if not stack.reports:
        expected -= {"A report failed", "The evidence is not in order"}
    return problems + ([f"sections: {sections ^ expected}"] if sections != expected else [])


def check_everything_that_must_alarm(stack: Stack) -> list[str]:
    """Alarms cover a failed run of either machine, calls that Lambda refuses, no nightly run in 36
    hours, unmerged terms, objects left behind and objects retained: the last two until a run sees
    that they are gone.
    """
    failures = {"ExecutionsFailed", "ExecutionsTimedOut", "ExecutionsAborted"}
    machines = {
        f"arn:aws:states:eu-west-1:111122223333:stateMachine:{STACK}-{name}"
        for name in ("CombineLogFilesSM", "ProcessHistoricalMainLogsSM")
    }
    alarms = list(stack.of_type("AWS::CloudWatch::Alarm").values())
    seen = {
        (alarm["MetricName"], _value(alarm))
        for alarm in alarms
        if alarm.get("Namespace") == "AWS/States" and _fires_above_zero(alarm)
    }
    problems = [
        f"no alarm for {metric} of {machine}"
        for metric, machine in set(itertools.product(failures, machines)) - seen
    ]
    own = {
        (alarm["MetricName"], _value(alarm))
        for alarm in alarms
        if alarm.get("Namespace") == NAMESPACE
        and _fires_above_zero(alarm)
        and alarm["TreatMissingData"] == "ignore"
    }
    problems += [
        f"no alarm for {metric}"
        for metric in ("OutstandingLeftBehind", "OutstandingRetained", "Drift")
        if (metric, STACK) not in own
    ]
    merging = f"{STACK}-MergeTermsFunction"
    is_told = any(
        alarm.get("Namespace") == "AWS/Lambda"
        and (alarm["MetricName"], _value(alarm)) == ("Errors", merging)
        and _fires_above_zero(alarm)
        for alarm in alarms
    )
    if is_told == (stack.parameters["Search"] == "off"):
        problems.append("terms that are not merged: no alarm, or one although none are kept")
    drilling = f"{STACK}-DrillFunction"
    is_told = any(
        alarm.get("Namespace") == "AWS/Lambda"
        and (alarm["MetricName"], _value(alarm)) == ("Errors", drilling)
        and _fires_above_zero(alarm)
        for alarm in alarms
    )
    if is_told == (str(stack.parameters["DrillEveryDays"]) == "0"):
        problems.append("drills that fail: no alarm, or one although there are none")
    problems += _check_reports_alarm(stack, alarms)
    if not any(_is_refusal_of_calls(alarm) for alarm in alarms):
        problems.append("no alarm for calls that Lambda refuses")
    if not any(_is_silence_of_36_hours(alarm, stack) for alarm in alarms):
        problems.append("no alarm for no night's run in 36 hours")
    return problems


def _check_reports_alarm(stack: Stack, alarms: list[Any]) -> list[str]:
    """Alarms cover a report that cannot be made and one that shows a fault."""
    named = {
        (alarm.get("Namespace"), alarm.get("MetricName"), _value(alarm))
        for alarm in alarms
        if _fires_above_zero(alarm)
    }
    due = {
        ("AWS/Lambda", "Errors", f"{STACK}-ReportFunction"),
        (NAMESPACE, "ReportPartsWrong", STACK),
    }
    wanted = due if stack.reports else set()
    return [f"reports: {missing}" for missing in sorted((due & named) ^ wanted)]


def check_topic(stack: Stack) -> list[str]:
    """A topic made here is encrypted with a key that CloudWatch can use, as it cannot use SNS's
    own.
    """
    made = "AlarmTopic" in stack.resources
    problems = (
        ["a topic is made beside the given one"]
        if made == bool(stack.parameters["AlarmTopicArn"])
        else []
    )
    if made:
        statements = stack.properties("AlarmTopicKey")["KeyPolicy"]["Statement"]
        allowed = [
            set(found["Action"])
            for found in statements
            if found["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
        ]
        if allowed != [
            {"kms:Decrypt", "kms:GenerateDataKey"}
        ] or "key/AlarmTopicKey" not in stack.properties("AlarmTopic").get("KmsMasterKeyId", ""):
            problems.append("alarms cannot be published encrypted")
    mail = bool(stack.parameters["AlarmEmail"]) and made
    if ("AlarmSubscription" in stack.resources) != mail:
        problems.append("the mail address is not subscribed")
    return problems


def check_dashboard(stack: Stack) -> list[str]:
    """It is valid JSON within 24 columns, without overlaps; every widget has a title and a
    region.
    """
    try:
        widgets = json.loads(_body(stack))["widgets"]
    except (json.JSONDecodeError, KeyError) as error:
        return [f"not a dashboard: {error!r}"]
    problems = [
        f"outside: {_box(found)}"
        for found in widgets
        if found["x"] < 0 or found["x"] + found["width"] > COLUMNS or found["width"] < 1
    ]
    problems += [
        f"{_box(one)} lies on {_box(other)}"
        for one, other in itertools.combinations(widgets, 2)
        if _overlap(one, other)
    ]
    for found in widgets:
        if found["type"] == "metric" and not {
            "title",
            "region",
            "stat",
            "period",
            "metrics",
        } <= set(found["properties"]):
            problems.append(f"{_box(found)}: incomplete")
    text = " ".join(found["properties"].get("markdown", "") for found in widgets)
    return problems + (
        []
        if all(f"*{title}*" in text for title in ("Respond to alarms", *_EXPECTED_SECTIONS))
        else ["it does not name the runbook"]
    )


def missing_sections(stack: Stack) -> list[str]:
    """The runbook's title and sections that an alarm names, but that are not headings."""
    headings = re.findall(r"^(#+ .+)$", (ROOT / RUNBOOK).read_text(encoding="utf-8"), re.MULTILINE)
    named: set[str] = set()
    for properties in stack.of_type("AWS::CloudWatch::Alarm").values():
        if found := DESCRIPTION.fullmatch(properties["AlarmDescription"]):
            named |= {f"# {found['page']}", f"## {found['section']}"}
    return sorted(named - set(headings)) if named else ["no alarm names a section"]


def _is_written(found: Named) -> bool:
    namespace, metric, dimensions = found
    if namespace == NAMESPACE:
        return any(
            row.name == metric
            and any(sorted(names) == sorted(dimensions) for names in row.dimension_sets)
            for row in METRICS
        )
    names, sets = _OF_AWS.get(namespace, (set(), set()))
    return metric in names and dimensions in sets


def _of_alarm(properties: dict[str, Any]) -> Iterator[Named]:
    metrics = (
        [properties]
        if "MetricName" in properties
        else [row["MetricStat"]["Metric"] for row in properties["Metrics"] if "MetricStat" in row]
    )
    for metric in metrics:
        yield (
            metric["Namespace"],
            metric["MetricName"],
            tuple(row["Name"] for row in metric["Dimensions"]),
        )


def _of_dashboard(stack: Stack) -> Iterator[Named]:
    for widget in json.loads(_body(stack))["widgets"]:
        for row in widget["properties"].get("metrics", []):
            if isinstance(row[0], dict):
                yield _of_search(row[0]["expression"])
            else:
                names = [item for item in row if isinstance(item, str)]
                yield names[0], names[1], tuple(names[2::2])


def _of_search(expression: str) -> Named:
    found = re.match(r"SEARCH\('\{([^}]+)\} MetricName=\"(\w+)\"", expression)
    if not found:
        return expression, "", ()
    namespace, *dimensions = found[1].split(",")
    return namespace, found[2], tuple(dimensions)


def _fires_above_zero(alarm: dict[str, Any]) -> bool:
    return (alarm["ComparisonOperator"], alarm["Threshold"], alarm["EvaluationPeriods"]) == (
        "GreaterThanThreshold",
        0,
        1,
    ) and alarm["Statistic"] in {"Sum", "Maximum"}


def _is_refusal_of_calls(alarm: dict[str, Any]) -> bool:
    """The alarm must cover every function that runs in parallel copies."""
    if "Metrics" not in alarm:
        return False
    metrics = [row["MetricStat"]["Metric"] for row in alarm["Metrics"] if "MetricStat" in row]
    refused = {_value(metric) for metric in metrics if metric["MetricName"] == "Throttles"}
    names = ("List", "Combine", "Verify", "Delete")
    return refused == {f"{STACK}-{name}Function" for name in names} and any(
        row.get("Expression") == "SUM(METRICS())" for row in alarm["Metrics"]
    )


def _is_silence_of_36_hours(alarm: dict[str, Any], stack: Stack) -> bool:
    if "Metrics" not in alarm or alarm.get("ActionsEnabled") is not (
        stack.parameters["ScheduleState"] == "ENABLED"
    ):
        return False
    expression, metric = alarm["Metrics"]
    seconds = metric["MetricStat"]["Period"] * alarm["EvaluationPeriods"]
    return (
        metric["MetricStat"]["Metric"]["MetricName"] == "NightsDone"
        and _value(metric["MetricStat"]["Metric"]) == STACK
        and expression["Expression"] == f"FILL({metric['Id']}, 0)"
        and (alarm["ComparisonOperator"], alarm["Threshold"], alarm["TreatMissingData"])
        == ("LessThanThreshold", 1, "breaching")
        and seconds == 36 * 3600
        and alarm["DatapointsToAlarm"] == alarm["EvaluationPeriods"]
    )


def _too_long(alarm: dict[str, Any]) -> list[str]:
    """The limit is a day for periods under an hour, otherwise seven.
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
    """
    periods = (
        [alarm["Period"]]
        if "Period" in alarm
        else [row["MetricStat"]["Period"] for row in alarm["Metrics"] if "MetricStat" in row]
    )
    total = max(periods) * alarm["EvaluationPeriods"]
    return (
        [f"looks at {total} seconds"]
        if total > (86_400 if min(periods) < 3600 else 604_800)
        else []
    )


def _value(metric: dict[str, Any]) -> str:
    return str(metric["Dimensions"][0]["Value"])


def _body(stack: Stack) -> str:
    return str(stack.properties("Dashboard")["DashboardBody"])


def _box(widget: dict[str, Any]) -> str:
    return f"{widget['properties'].get('title', widget['type'])!r} at {widget['x']},{widget['y']}"


def _overlap(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return all(
        one[at] < other[at] + other[size] and other[at] < one[at] + one[size]
        for at, size in (("x", "width"), ("y", "height"))
    )

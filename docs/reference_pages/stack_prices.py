"""Prices of the stack: what it costs beside S3, counted from template.yaml, the state machine and the table of metrics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from log_aggregator.telemetry.metrics import METRICS, STACK
from reference_pages.table import ROOT, table
from reference_pages.template import alarms_of, load_definition, load_template

MILLION = 1_000_000
ALARM_MONTH, DASHBOARD_MONTH, METRIC_MONTH, KEY_MONTH = 0.10, 3.00, 0.30, 1.00
LAMBDA_GB_SECOND, TRANSITION = 0.0000133334, 0.000025
HOURS_MONTH = 730
RUNS_MONTH = 34
"""Thirty nights and four Sundays."""
OBJECTS_PER_SECOND = 400
"""What a work item is cut for: see `ItemLimits`."""


def make_stack_prices() -> Iterator[str]:
    template = load_template()
    yield "## The stack"
    yield ""
    yield "What the serverless deployment costs beside S3, at list prices of us-east-1 and without any free tier."
    yield ""
    rows = [*_monthly(template), *_per_million(template)]
    yield from table(("what", "price", "how much", "dollars"), rows)
    yield ""
    yield "Metrics are billed for the hours in which they are written; a run writes them at its end."
    yield "Those of groups come on top, ten for each source bucket and ten for each of its log types, billed in the same way."
    yield "CloudWatch keeps the functions' logs for `LogRetentionDays` and bills them by size."
    yield "At the level INFO a function writes a few lines for each call."
    yield f"Lambda is counted at {OBJECTS_PER_SECOND} log objects a second, the rate that work items are cut for."
    yield "That is no measurement on AWS."


def _monthly(template: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    alarms = sum("Condition" not in found for found in alarms_of(template).values())
    yield "alarms", f"${ALARM_MONTH:.2f} each", f"{alarms}", f"{alarms * ALARM_MONTH:.2f} a month"
    yield "key of the topic that the stack makes", f"${KEY_MONTH:.2f}", "1, none with `AlarmTopicArn`", f"{KEY_MONTH:.2f} a month"
    metrics = sum(len(row.dimension_sets) for row in METRICS if row.dimension_sets == ((), (STACK,)) and not row.name.startswith("Access"))
    price = metrics * METRIC_MONTH * RUNS_MONTH / HOURS_MONTH
    yield "metrics of runs", f"${METRIC_MONTH:.2f} for {HOURS_MONTH} hours", f"{metrics}, in {RUNS_MONTH} hours", f"{price:.2f} a month"
    yield "these together", "", "", f"**{alarms * ALARM_MONTH + KEY_MONTH + price:.2f} a month**"
    yield "dashboard", f"${DASHBOARD_MONTH:.2f}, an account's first three are free", "1", f"0 to {DASHBOARD_MONTH:.2f} a month"


def _per_million(template: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    memory = int(template["Parameters"]["CombineMemorySize"]["Default"])
    gb_seconds = MILLION / OBJECTS_PER_SECOND * memory / 1024
    price = gb_seconds * LAMBDA_GB_SECOND
    yield (
        "Lambda (arm64), combining",
        f"${LAMBDA_GB_SECOND:.10f} a GB-second",
        f"{gb_seconds:,.0f} GB-seconds",
        f"{price:.3f} per million log objects",
    )
    states = _states_of_item()
    yield (
        "Step Functions",
        f"${TRANSITION * 1000} per 1,000 transitions",
        f"{states} states of each work item",
        f"{states * TRANSITION * 1000:.3f} per 1,000 work items",
    )


def _states_of_item() -> int:
    definition = load_definition(ROOT / "statemachines" / "combine_log_files.asl.json")
    branch = definition["States"]["PackLogs"]["Branches"][0]
    return next(len(state["ItemProcessor"]["States"]) for state in branch["States"].values() if "ItemProcessor" in state)

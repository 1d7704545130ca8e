"""Prices of the stack: what it costs besides S3, counted from template.yaml, the state machine and
the table of metrics.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from cost_model.stack import STACK_PRICES
from cost_model.transitions import Transitions, count_transitions
from cost_model.work import (
    STEPS,
    Load,
    Rates,
    Stack,
    estimate_item_transitions_dollars,
    estimate_kms_dollars,
    estimate_lambda_dollars,
    estimate_search_requests,
    estimate_steps,
)

from log_aggregator.core.costs import estimate_dollars
from log_aggregator.core.planning import PackLimits
from log_aggregator.limits import KIB
from log_aggregator.steps.fanout.workitems import ItemLimits
from log_aggregator.telemetry.metrics import METRICS, STACK
from reference_pages.table import ROOT, table
from reference_pages.template import alarms_of, load_definition, load_template

MILLION = 1_000_000
ALARM_MONTH, DASHBOARD_MONTH = STACK_PRICES.alarm_month, STACK_PRICES.dashboard_month
METRIC_MONTH, KEY_MONTH = STACK_PRICES.metric_month, STACK_PRICES.key_month
LAMBDA_GB_SECOND, TRANSITION = (
    STACK_PRICES.lambda_arm64_gb_second,
    STACK_PRICES.transition_1000 / 1000,
)
HOURS_MONTH = 730
RUNS_MONTH = 34
"""Thirty nights and four Sundays."""
OBJECTS_PER_SECOND = 400
"""What a work item is cut for: see `ItemLimits`."""


SIZES_KIB = (1, 4, 12, 43, 128, 1024)
SEARCHED_KIB = 12
SMALL_GROUPS = 11_111
"""Of 90 log objects, as the demo's."""
GROUPS = 100
"""Of the million: as many accounts, say."""
ALL_THERE = {
    "$.main.count": 1,
    "$.auxiliary.count": 1,
    "$.dry_run": False,
    "$.nightly": True,
}
"""A night with something to list and to pack on both sides."""


def make_stack_prices() -> Iterator[str]:
    template = load_template()
    transitions = count_transitions(
        load_definition(ROOT / "statemachines" / "combine_log_files.asl.json"), ALL_THERE
    )
    yield from _make_by_size(template, transitions)
    yield from _make_with_search()
    yield "## The stack"
    yield ""
    yield (
        "What the serverless deployment costs besides S3, at list prices of us-east-1 and without "
        "any free tier."
    )
    yield ""
    rows = [*_monthly(template), *_per_million(template, transitions)]
    yield from table(("what", "price", "how much", "dollars"), rows)
    yield ""
    yield (
        "Metrics are billed for the hours in which they are written; a run writes them when it "
        "ends."
    )
    yield (
        "Metrics of groups come on top, ten for each source bucket and ten for each of its log "
        "types, billed in the same way."
    )
    yield "CloudWatch keeps the functions' logs for `LogRetentionDays` and bills them by size."
    yield "At the level INFO a function writes a few lines for each call."
    yield (
        f"Lambda is counted at {OBJECTS_PER_SECOND} log objects a second, the rate that work "
        "items are cut for."
    )
    yield "This was not measured on AWS."


def _make_with_search() -> Iterator[str]:
    yield "## With search"
    yield ""
    yield (
        f"Dollars of requests for a million log objects of {SEARCHED_KIB} KiB, without search and "
        "with it (`search` is `plain` or `hashed`)."
    )
    yield (
        "The terms of each pack are written once, and read once when they are merged into the "
        "month's table."
    )
    yield ""
    rows = [_search_row(groups) for groups in (GROUPS, SMALL_GROUPS)]
    yield from table(("groups", "without", "terms", "merging", "with"), rows)
    yield ""
    yield "Compute and the bytes that stay warm come on top: [costs](../internals/costs.md#search)."
    yield ""


def _search_row(groups: int) -> tuple[str, ...]:
    load, limits = Load(MILLION, SEARCHED_KIB * KIB, groups), PackLimits()
    without = estimate_dollars(sum(estimate_steps(load, limits).values(), Counter[str]()))
    added = estimate_search_requests(load, limits)
    merging = Counter({**added, "PutObject": 1})
    both = estimate_dollars(added)
    parts = without, both - estimate_dollars(merging), estimate_dollars(merging)
    return f"{groups:,}", *(f"{part:.4f}" for part in parts), f"**{without + both:.3f}**"


def _monthly(template: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    alarms = sum(
        _metrics_of(found["Properties"])
        for found in alarms_of(template).values()
        if "Condition" not in found
    )
    yield (
        "metrics of alarms",
        f"${ALARM_MONTH:.2f} each",
        f"{alarms}",
        f"{alarms * ALARM_MONTH:.2f} a month",
    )
    yield (
        "key of the topic that the stack creates",
        f"${KEY_MONTH:.2f}",
        "1, none with `AlarmTopicArn`",
        f"{KEY_MONTH:.2f} a month",
    )
    metrics = sum(
        len(row.dimension_sets)
        for row in METRICS
        if row.dimension_sets == ((), (STACK,)) and not row.name.startswith(("Access", "Drill"))
    )
    price = metrics * METRIC_MONTH * RUNS_MONTH / HOURS_MONTH
    yield (
        "metrics of runs",
        f"${METRIC_MONTH:.2f} for {HOURS_MONTH} hours",
        f"{metrics}, in {RUNS_MONTH} hours",
        f"{price:.2f} a month",
    )
    yield "these together", "", "", f"**{alarms * ALARM_MONTH + KEY_MONTH + price:.2f} a month**"
    yield (
        "dashboard",
        f"${DASHBOARD_MONTH:.2f}, an account's first three are free",
        "1",
        f"0 to {DASHBOARD_MONTH:.2f} a month",
    )


def _metrics_of(alarm: Mapping[str, Any]) -> int:
    """An alarm on an expression is billed for each metric in it
    (https://aws.amazon.com/cloudwatch/pricing/).
    """
    return sum("MetricStat" in row for row in alarm["Metrics"]) if "Metrics" in alarm else 1


def _per_million(
    template: Mapping[str, Any], transitions: Transitions
) -> Iterator[tuple[str, str, str, str]]:
    memory = int(template["Parameters"]["CombineMemorySize"]["Default"])
    gb_seconds = MILLION / OBJECTS_PER_SECOND * memory / 1024
    price = gb_seconds * LAMBDA_GB_SECOND
    yield (
        "Lambda (arm64), combining",
        f"${LAMBDA_GB_SECOND:.10f} a GB-second",
        f"{gb_seconds:,.0f} GB-seconds",
        f"{price:.3f} per million log objects",
    )
    states = transitions.children["PackAuxiliaryLogs"]
    yield (
        "Step Functions, work items",
        f"${TRANSITION * 1000} per 1,000 transitions",
        f"{states} transitions of each work item",
        f"{states * TRANSITION * 1000:.3f} per 1,000 work items",
    )
    once = transitions.execution
    yield (
        "Step Functions, each run",
        f"${TRANSITION * 1000} per 1,000 transitions",
        f"{once}, and {transitions.children['ListAuxiliaryLogs']} for each listing task",
        f"{once * TRANSITION:.5f} a run",
    )


def _make_by_size(template: Mapping[str, Any], transitions: Transitions) -> Iterator[str]:
    stack = _stack_of(template, transitions)
    yield "## A million log objects, by size"
    yield ""
    yield (
        f"Dollars for a million log objects of one size in {GROUPS} groups, packed by the stack, "
        "in a versioned bucket."
    )
    yield (
        "KMS is the most that source buckets encrypted with it can cost; Bucket Keys save up to 99 "
        "percent of it."
    )
    yield (
        "Lambda is counted at the rates of [sizes of the "
        "functions](../internals/lambda-sizes.md), with answers 100 ms late."
    )
    yield (
        "State transitions are counted by walking the definition of the state machine; those of "
        "the run itself come on top, once."
    )
    yield ""
    head = (
        "average size",
        *STEPS,
        "requests",
        "KMS, no Bucket Keys",
        "KMS, Bucket Keys",
        "Lambda",
        "Step Functions",
    )
    yield from table(head, (_size_row(size_kib * KIB, stack) for size_kib in SIZES_KIB))
    yield ""


def _size_row(size_bytes: int, stack: Stack) -> tuple[str, ...]:
    load = Load(MILLION, size_bytes, GROUPS)
    steps = estimate_steps(load, PackLimits())
    dollars = [estimate_dollars(requests) for requests in steps.values()]
    kms = [estimate_kms_dollars(steps, with_bucket_keys=has_keys) for has_keys in (False, True)]
    compute = [
        estimate_lambda_dollars(load, stack, Rates()),
        estimate_item_transitions_dollars(load, stack),
    ]
    return (
        f"{size_bytes // KIB:,} KiB",
        *(f"{each:.4f}" for each in dollars),
        f"**{sum(dollars):.3f}**",
        *(f"{each:.3f}" for each in (*kms, *compute)),
    )


def _stack_of(template: Mapping[str, Any], transitions: Transitions) -> Stack:
    resources, default = template["Resources"], ItemLimits()

    def memory(name: str) -> int:
        return int(resources[name]["Properties"]["MemorySize"])

    return Stack(
        item_objects_max=default.objects_max,
        item_bytes_max=default.bytes_max,
        item_groups_max=default.groups_max,
        combine_mb=int(template["Parameters"]["CombineMemorySize"]["Default"]),
        list_mb=memory("ListFunction"),
        verify_mb=memory("VerifyFunction"),
        delete_mb=memory("DeleteFunction"),
        item_transitions=transitions.children["PackAuxiliaryLogs"],
    )

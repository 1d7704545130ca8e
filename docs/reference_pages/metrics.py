"""Metrics: the table of `log_aggregator.telemetry.metrics`, and the alarms of template.yaml."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from log_aggregator.telemetry.metrics import METRICS, NAMESPACE, STACK, DimensionSets
from reference_pages.table import TEXTS, table
from reference_pages.template import alarms_of, load_template


def make_metrics() -> Iterator[str]:
    yield "# Metrics"
    yield ""
    yield (
        "The metrics and alarms of the stack. The functions write metrics into their logs in "
        "CloudWatch's embedded metric format."
    )
    yield f"CloudWatch turns them into metrics in the namespace `{NAMESPACE}`."
    yield (
        "A run's metrics are written once, when the run ends; a group's when the last step of its "
        "work item ends."
    )
    yield "A dry run writes no metrics."
    yield ""
    rows = (
        (f"`{row.name}`", row.unit, _dimensions(row.dimension_sets), row.meaning) for row in METRICS
    )
    yield from table(("metric", "unit", "dimensions", "meaning"), rows)
    yield ""
    yield from PROPERTIES
    yield ""
    yield "## Alarms"
    yield ""
    yield "The stack's alarms; [respond to alarms](../how-to/respond-to-alarms.md) says what to do."
    yield ""
    yield from table(
        ("alarm", "watches", "in", "what it says"),
        map(_alarm, *zip(*alarms_of(load_template()).items(), strict=True)),
    )


def _dimensions(sets: DimensionSets) -> str:
    return "; ".join(
        ", ".join(f"`{name}`" for name in names) if names else "none" for names in sets
    )


def _alarm(name: str, found: Mapping[str, Any]) -> tuple[str, str, str, str]:
    properties = found["Properties"]
    watched = properties if "MetricName" in properties else _inner_metric(properties)
    period, count = int(watched["Period"]), int(properties["EvaluationPeriods"])
    text, _, advice = " ".join(properties["AlarmDescription"].split()).partition(" What to do: ")
    anchor = advice.rpartition("section")[2].strip(' ".').lower().replace(" ", "-")
    where = f" Only {TEXTS['conditions'][found['Condition']]}." if "Condition" in found else ""
    seconds = period * count
    span = (
        f"{seconds // 3600} hours"
        if seconds > 3600
        else "an hour"
        if seconds == 3600
        else f"{seconds // 60} minutes"
    )
    return (
        f"[`{name}`](../how-to/respond-to-alarms.md#{anchor})",
        f"`{watched['Namespace']}` `{watched['MetricName']}`",
        span,
        re.sub(r"\.$", "", text) + "." + where,
    )


def _inner_metric(properties: Mapping[str, Any]) -> dict[str, Any]:
    inner = next(query["MetricStat"] for query in properties["Metrics"] if "MetricStat" in query)
    return {
        "Namespace": inner["Metric"]["Namespace"],
        "MetricName": inner["Metric"]["MetricName"],
        "Period": inner["Period"],
    }


PROPERTIES = f"""\
`{STACK}` is the stack's name; the alarms use it, so a second stack does not disturb them.
A metric without dimensions covers all stacks of the account and region.

## Properties

Accounts, dates and runs are not dimensions, because each combination would be billed as a separate metric.
They are properties next to the numbers, and CloudWatch Logs Insights finds them.

| for | properties |
|---|---|
| a run, in the log group of `FinishFunction` | `run`, `first_date`, `last_date` |
| a group, in the log group of `DeleteFunction` | `run`, `account`, `date`, and the dimensions `SourceBucket` and `LogType` |

Each account's CloudTrail total, from the log group `/aws/lambda/<stack>-Delete-<id>`:

```text
filter ispresent(GroupBytesIn) and LogType = "CloudTrail"
| stats sum(GroupObjects) as objects, sum(GroupBytesIn) as bytes by account
| sort bytes desc
```
""".splitlines()

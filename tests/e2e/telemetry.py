"""What the functions wrote: their log lines as JSON, metrics in the Embedded Metric Format, and
what they sent to X-Ray.

The local AWS makes no metrics from the lines and does not keep all of them, so they are read as
CloudWatch Logs would read them, from the files written by `tests.e2e.runtime`.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.e2e.deployment import Deployment
from tests.support.xray import find_problems

AWS_METRICS = (
    "ExecutionsFailed",
    "ExecutionsTimedOut",
    "ExecutionsAborted",
    "ExecutionsStarted",
    "Errors",
    "Throttles",
)
"""Metrics written by AWS's own services, which alarms may also use."""


@dataclass(frozen=True, slots=True)
class Datum:
    """One value of one metric."""

    namespace: str
    name: str
    unit: str
    dimension_sets: tuple[tuple[str, ...], ...]
    value: float
    line: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Trace:
    """One invocation: the function's own segment, written by Lambda, and all subsegments of the
    trace.
    """

    function: str
    segment: dict[str, Any]
    subsegments: list[dict[str, Any]]

    @property
    def is_whole(self) -> bool:
        """Each subsegment belongs to another one or to the segment, and did not begin earlier."""
        above = {each["id"]: each for each in (self.segment, *self.subsegments)}
        return len(above) == 1 + len(self.subsegments) and all(
            each["parent_id"] in above
            and each["start_time"] >= above[each["parent_id"]]["start_time"]
            for each in self.subsegments
        )


def read_traces(deployment: Deployment) -> list[Trace]:
    """All invocations so far. Also checks that X-Ray would accept what arrived, and that nothing of
    another trace arrived.
    """
    datagrams = deployment.aws.daemon.read_all()
    assert [problem for datagram in datagrams for problem in find_problems(datagram)] == []
    arrived: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for datagram in datagrams:
        document = json.loads(datagram.partition(b"\n")[2])
        arrived[document["trace_id"]].append(document)
    logical_ids = {name: logical_id for logical_id, name in deployment.functions.items()}
    traces = []
    for path in (deployment.aws.output_path / "traces").iterdir():
        for line in path.read_text(encoding="utf-8").splitlines():
            segment = json.loads(line)
            subsegments = arrived.pop(segment["trace_id"], [])
            traces.append(Trace(logical_ids[segment["name"]], segment, subsegments))
    assert not arrived, f"of no invocation: {sorted(arrived)}"
    return traces


def read_lines(deployment: Deployment, function: str) -> list[str]:
    """Every line of the function with this logical id."""
    files = deployment.aws.output_path.glob(f"{deployment.functions[function]}.*")
    return [line for path in files for line in path.read_text(encoding="utf-8").splitlines()]


def read_records(deployment: Deployment, function: str) -> list[dict[str, Any]]:
    """Every line that is a JSON object."""
    return [json.loads(line) for line in read_lines(deployment, function) if line.startswith("{")]


def read_metrics(deployment: Deployment, function: str) -> Iterator[Datum]:
    """Also checks the format:
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html.
    """
    for record in read_records(deployment, function):
        if "_aws" not in record:
            continue
        assert record["_aws"]["Timestamp"] > 1_600_000_000_000, "milliseconds since 1970"
        for directive in record["_aws"]["CloudWatchMetrics"]:
            sets = tuple(tuple(names) for names in directive["Dimensions"])
            assert all(isinstance(record[name], str) for names in sets for name in names), (
                "a dimension's value is text"
            )
            for metric in directive["Metrics"]:
                value = record[metric["Name"]]
                assert isinstance(value, int | float), metric["Name"]
                yield Datum(
                    directive["Namespace"], metric["Name"], metric["Unit"], sets, value, record
                )


def sum_metrics(deployment: Deployment, function: str, run: str | None = None) -> dict[str, float]:
    """Name -> sum of all values that this function wrote, for one run or for all."""
    sums: dict[str, float] = defaultdict(float)
    for datum in read_metrics(deployment, function):
        if run is None or datum.line.get("run") == run:
            sums[datum.name] += datum.value
    return dict(sums)

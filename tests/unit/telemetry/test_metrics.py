"""Metrics: lines that follow CloudWatch's specification of the Embedded Metric Format, for metrics
in the table.
"""

from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime
from typing import Any

import pytest

from log_aggregator.telemetry.metrics import (
    METRICS,
    NAMESPACE,
    Metric,
    encode_metrics,
    write_metrics,
)

NOW = datetime(2025, 4, 4, 1, 0, 7, 123_000, tzinfo=UTC)
GROUP = {"SourceBucket": "example-elb-logs", "LogType": "elasticloadbalancing"}
VALUES_OF_DIMENSIONS = {"Stack": "prod", "Operation": "GetObject", **GROUP}

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html
CLOUDWATCH_UNITS = {"Seconds", "Bytes", "Count", "None"}
IN_DIRECTIVE_MAX = 100
"""The format's own limit. The whole table is shorter, so no directive has to be split."""


def check_emf(line: str) -> dict[str, Any]:
    """Check the rules of the specification's text and JSON schema, and return the document."""
    assert "\n" not in line
    document: dict[str, Any] = json.loads(line, parse_constant=pytest.fail)
    assert set(document["_aws"]) == {"Timestamp", "CloudWatchMetrics"}
    assert type(document["_aws"]["Timestamp"]) is int
    assert isinstance(document["_aws"]["CloudWatchMetrics"], list)
    for directive in document["_aws"]["CloudWatchMetrics"]:
        assert set(directive) == {"Namespace", "Dimensions", "Metrics"}
        assert 1 <= len(directive["Namespace"]) <= 1024
        assert len(directive["Dimensions"]) >= 1
        for names in directive["Dimensions"]:
            assert len(names) <= 30
            for name in names:
                assert 1 <= len(name) <= 250
                assert isinstance(document[name], str)
                assert 1 <= len(document[name]) <= 1024
        assert 1 <= len(directive["Metrics"]) <= 100
        for definition in directive["Metrics"]:
            assert set(definition) == {"Name", "Unit"}
            assert definition["Unit"] in CLOUDWATCH_UNITS
            value = document[definition["Name"]]
            assert isinstance(value, (int, float))
            assert not isinstance(value, bool)
    return document


def find_sets(document: dict[str, Any], metric: str) -> list[list[str]]:
    """The dimension sets of all directives that name the metric."""
    directives = document["_aws"]["CloudWatchMetrics"]
    return [
        names
        for directive in directives
        for names in directive["Dimensions"]
        if {"Name": metric} in _names(directive)
    ]


def _names(directive: dict[str, Any]) -> list[dict[str, str]]:
    return [{"Name": definition["Name"]} for definition in directive["Metrics"]]


def test_the_whole_table_can_be_written_at_once() -> None:
    """Every metric is in exactly one directive, with its unit, and all rules of the specification
    hold.
    """
    document = check_emf(
        encode_metrics({metric.name: 1 for metric in METRICS}, VALUES_OF_DIMENSIONS, {}, NOW)
    )
    defined = [
        definition
        for directive in document["_aws"]["CloudWatchMetrics"]
        for definition in directive["Metrics"]
    ]
    assert sorted((each["Name"], each["Unit"]) for each in defined) == sorted(
        (metric.name, metric.unit) for metric in METRICS
    )
    assert {directive["Namespace"] for directive in document["_aws"]["CloudWatchMetrics"]} == {
        NAMESPACE
    }
    assert document["_aws"]["Timestamp"] == 1_743_728_407_123


def test_the_table_is_consistent() -> None:
    """No duplicate names, a meaning for each, nothing that the format could not hold, no account or
    date among the dimensions.
    """
    assert len({metric.name for metric in METRICS}) == len(METRICS) <= IN_DIRECTIVE_MAX
    assert all(metric.meaning.endswith(".") for metric in METRICS)
    used = {name for metric in METRICS for names in metric.dimension_sets for name in names}
    assert used == {"Stack", "Operation", "SourceBucket", "LogType"}


def test_a_metric_of_the_run_counts_for_all_and_for_its_stack() -> None:
    """With a stack's name there are two sets, without one only the empty set, which the format
    allows.
    """
    values = {"ObjectsListed": 4900, "RunSeconds": 61.25}
    with_stack = check_emf(encode_metrics(values, {"Stack": "prod"}, {}, NOW))
    assert (
        find_sets(with_stack, "ObjectsListed")
        == find_sets(with_stack, "RunSeconds")
        == [[], ["Stack"]]
    )
    without = check_emf(encode_metrics(values, {}, {}, NOW))
    assert find_sets(without, "ObjectsListed") == [[]]
    assert (without["ObjectsListed"], without["RunSeconds"]) == (4900, 61.25)


def test_request_metrics_have_their_operation() -> None:
    """Every set of a metric with its own dimension includes it."""
    document = check_emf(
        encode_metrics({"Requests": 5}, {"Stack": "prod", "Operation": "GetObject"}, {}, NOW)
    )
    assert find_sets(document, "Requests") == [["Operation"], ["Stack", "Operation"]]


def test_account_and_date_are_not_dimensions() -> None:
    """Account, date and run are members of the document and in no dimension set: each value would
    be a metric to pay for.
    """
    properties = {
        "account": "111111111111",
        "date": date(2025, 4, 3),
        "run": "2025-04-03",
        "objects": 3,
        "is_first": True,
        "region": None,
    }
    document = check_emf(
        encode_metrics(
            {"GroupObjects": 3, "GroupBytesIn": 9}, GROUP | {"Stack": "prod"}, properties, NOW
        )
    )
    assert find_sets(document, "GroupObjects") == [["SourceBucket"], ["SourceBucket", "LogType"]]
    assert {name: document[name] for name in properties} == properties | {"date": "2025-04-03"}


@pytest.mark.parametrize(
    ("values", "dimensions", "properties", "message"),
    [
        ({"ObjectsLost": 1}, {}, {}, "no metric 'ObjectsLost'"),
        ({}, {}, {}, "no metrics"),
        ({"Requests": 1}, {}, {}, "without a value: Operation"),
        ({"GroupObjects": 1}, {"SourceBucket": "b"}, {}, "without a value: LogType"),
        (
            {"ObjectsListed": 1},
            {"account": "111111111111"},
            {},
            "none of these metrics has: account",
        ),
        (
            {"GroupObjects": 1},
            GROUP | {"date": "2025-04-03"},
            {},
            "none of these metrics has: date",
        ),
        ({"GroupObjects": 1}, GROUP | {"LogType": ""}, {}, "LogType = ''"),
        ({"GroupObjects": 1}, GROUP | {"LogType": " "}, {}, "LogType = ' '"),
        ({"GroupObjects": 1}, GROUP | {"LogType": "a\nb"}, {}, "printable ASCII"),
        ({"GroupObjects": 1}, GROUP | {"LogType": "ü"}, {}, "printable ASCII"),
        ({"GroupObjects": 1}, GROUP | {"LogType": "x" * 1025}, {}, "1024"),
        ({"RunSeconds": math.nan}, {}, {}, "finite"),
        ({"RunSeconds": math.inf}, {}, {}, "finite"),
        ({"RunSeconds": True}, {}, {}, "finite"),
        ({"RunSeconds": "3"}, {}, {}, "finite"),
        ({"RunSeconds": 1}, {}, {"RunSeconds": 2}, "used twice: RunSeconds"),
        ({"RunSeconds": 1}, {"Stack": "s"}, {"Stack": "t"}, "used twice: Stack"),
        ({"RunSeconds": 1}, {}, {"_aws": 2}, "used twice: _aws"),
        ({"RunSeconds": 1}, {}, {"data": b"contents"}, "not bytes"),
        ({"RunSeconds": 1}, {}, {"share": math.nan}, "JSON"),
    ],
)
def test_an_invalid_metric_is_refused(
    values: Any, dimensions: Any, properties: Any, message: str
) -> None:
    """CloudWatch silently drops what it rejects, so a mistake must be found earlier."""
    with pytest.raises(ValueError, match=message):
        encode_metrics(values, dimensions, properties, NOW)


@pytest.mark.parametrize(
    ("unit", "sets"), [("Dollars", ((),)), ("Count", ()), ("Count", (tuple(map(str, range(31))),))]
)
def test_a_row_checks_itself(unit: str, sets: Any) -> None:
    """An unknown unit, no dimension set at all, or one that is too large is refused."""
    with pytest.raises(ValueError, match="x"):
        Metric("x", unit, "X.", sets)


def test_a_metric_is_written_as_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Metrics go to stdout, with the stack's name from the environment, and the present time."""
    monkeypatch.setenv("LOG_AGGREGATOR_STACK", "prod")
    write_metrics({"GroupObjects": 3}, dimensions=GROUP, properties={"account": "111111111111"})
    write_metrics({"RunSeconds": 2.5})
    monkeypatch.setenv("LOG_AGGREGATOR_STACK", "")
    write_metrics({"RunSeconds": 3.5})
    group, run, alone = (check_emf(line) for line in capsys.readouterr().out.splitlines())
    assert group["account"] == "111111111111"
    assert find_sets(run, "RunSeconds") == [[], ["Stack"]]
    assert run["Stack"] == "prod"
    assert find_sets(alone, "RunSeconds") == [[]]
    assert abs(alone["_aws"]["Timestamp"] / 1000 - datetime.now(UTC).timestamp()) < 5

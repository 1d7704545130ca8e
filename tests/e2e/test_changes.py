"""What is changed for the local AWS, and that its page says so."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest
from tests.e2e.changes import CHANGES, CUSTOM_RUNTIME, LEFT_OUT, Change, LeftOut, adapt
from tests.e2e.local_aws import ROOT

PAGE = ROOT / "docs" / "internals" / "deployment-test.md"


def make_template() -> dict[str, Any]:
    tls = {
        "Effect": "Deny",
        "Action": "s3:*",
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    once = {
        "Effect": "Deny",
        "Action": "s3:PutObject",
        "Condition": {"Null": {"s3:if-none-match": "true"}},
    }
    delete = {"Effect": "Deny", "Action": "s3:DeleteObject"}
    allow = {
        "Effect": "Allow",
        "Action": "s3:GetObject",
        "Condition": {"Bool": {"aws:SecureTransport": "true"}},
    }
    statistic = {"Metric": {"Namespace": "N", "MetricName": "M"}, "Period": 3600, "Stat": "Sum"}
    return {
        "Globals": {"Function": {"Runtime": "python3.12", "Timeout": 900}},
        "Resources": {
            "F": {
                "Type": "AWS::Serverless::Function",
                "Properties": {
                    "Handler": "a.b",
                    "Policies": [{"Fn::If": ["C", "arn", "no"]}, {"Statement": [once, allow]}],
                },
            },
            "P": {
                "Type": "AWS::S3::BucketPolicy",
                "Properties": {
                    "PolicyDocument": {"Statement": [tls, once, delete, {"Fn::If": []}]}
                },
            },
            "A": {
                "Type": "AWS::CloudWatch::Alarm",
                "Properties": {
                    "Metrics": [
                        {"Id": "e", "Expression": "FILL(m, 0)"},
                        {"Id": "m", "MetricStat": statistic},
                    ],
                    "Threshold": 1,
                },
            },
            "B": {
                "Type": "AWS::CloudWatch::Alarm",
                "Properties": {"MetricName": "X", "Statistic": "Maximum"},
            },
        },
    }


def test_only_necessary_changes_are_made() -> None:
    """The runtime, and the alarm on an expression; policies stay complete; the given template is
    not touched.
    """
    template = make_template()
    adapted = adapt(template)
    assert template == make_template()
    wanted = make_template()
    wanted["Globals"]["Function"]["Runtime"] = CUSTOM_RUNTIME
    wanted["Resources"]["A"]["Properties"] = {
        "Threshold": 1,
        "Namespace": "N",
        "MetricName": "M",
        "Period": 3600,
        "Statistic": "Sum",
    }
    assert adapted == wanted


def test_enforced_permissions_drop_only_two_denials() -> None:
    """Only denials that the local AWS misjudges are dropped; every permission and every other
    denial stays.
    """
    adapted = adapt(make_template(), is_enforcing=True)
    policies = adapted["Resources"]["F"]["Properties"]["Policies"]
    assert [statement["Effect"] for statement in policies[1]["Statement"]] == ["Allow"]
    statements = adapted["Resources"]["P"]["Properties"]["PolicyDocument"]["Statement"]
    assert statements == [{"Effect": "Deny", "Action": "s3:DeleteObject"}, {"Fn::If": []}]


def test_an_unknown_runtime_is_an_error() -> None:
    """A function that is not Python would not run under the runtime client."""
    template = copy.deepcopy(make_template())
    template["Globals"]["Function"]["Runtime"] = "nodejs22.x"
    with pytest.raises(AssertionError, match="nodejs"):
        adapt(template)


@pytest.mark.parametrize("row", [*CHANGES, *LEFT_OUT], ids=lambda row: row.what)
def test_each_row_is_tested_elsewhere_and_documented(row: Change | LeftOut) -> None:
    """Every test named in a row exists, and the row is on the page."""
    assert row.covered_by
    for name in row.covered_by:
        file, _, function = name.partition("::")
        assert re.search(
            rf"^ *def {function}\b",
            (ROOT / "tests" / file).read_text(encoding="utf-8"),
            re.MULTILINE,
        ), name
    tests = ", ".join(f"`{name}`" for name in row.covered_by)
    why = f" {row.why} |" if isinstance(row, Change) else ""
    assert f"| {row.what} |{why} {tests} |" in PAGE.read_text(encoding="utf-8")

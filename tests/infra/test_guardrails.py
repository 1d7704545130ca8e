"""The page on guardrails is right about Control Tower's proactive controls and the template."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import NamedTuple

import pytest
from tests.infra.hooks import HOOKS, Hook
from tests.infra.stack import (
    ACCOUNT,
    OTHER_KEY,
    PARAMETER_SETS,
    REGION,
    ROOT,
    STACK_KEY,
    Stack,
    Template,
    load_template,
    resolve,
    translate,
)

PAGE = (ROOT / "docs" / "how-to" / "live-with-guardrails.md").read_text(encoding="utf-8")
VALUES: Mapping[str, str] = {
    "ServerAccessLogBucket": "central-access-logs",
    "DestinationKmsKeyArn": OTHER_KEY,
    "StackKmsKeyArn": STACK_KEY,
    "WorkBucketVersioning": "Yes",
    "AlarmTopicArn": f"arn:aws:sns:{REGION}:{ACCOUNT}:security",
}
"""What to set a parameter to that the page names."""
WARNINGS = {
    "CT.CLOUDWATCH.PR.2": ("LogRetentionDays", "180"),
    "CT.CLOUDWATCH.PR.4": ("ScheduleState", "DISABLED"),
}
"""What the defaults pass, and with which value of a parameter it is refused."""
WHOLE = {"all functions": "AWS::Lambda::Function", "all log groups": "AWS::Logs::LogGroup"}


class Row(NamedTuple):
    """The page's row for a control."""

    asks: str
    default: str
    remedy: str


@functools.cache
def _translated() -> Template:
    return translate(load_template())


def _deploy(parameters: Mapping[str, str]) -> Stack:
    return resolve(_translated(), parameters)


def _rows() -> dict[str, Row]:
    found = re.findall(
        r"^\| \[(CT\.\w+\.PR\.\d+)\]\(\S+\) \|(.*)\|(.*)\|(.*)\|$", PAGE, re.MULTILINE
    )
    return {control: Row(*(cell.strip() for cell in cells)) for control, *cells in found}


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook.control)
def test_controls_pass_with_default_parameters_as_documented(hook: Hook) -> None:
    """It passes, or refuses exactly the resources that the page names."""
    stack = _deploy({})
    said = _rows()[hook.control].default
    refused = hook.refused(stack)
    assert stack.of_type(hook.kind), "nothing was looked at"
    if said == "passes":
        assert refused == set()
        return
    assert said.startswith("refused: ")
    names = said.removeprefix("refused: ")
    assert refused == (
        set(stack.of_type(WHOLE[names])) if names in WHOLE else set(re.findall(r"`(\w+)`", names))
    )


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook.control)
def test_documented_parameters_make_a_control_pass(hook: Hook) -> None:
    """The parameters that the page names suffice together and are all needed; where it names none,
    all parameters together do not suffice.
    """
    row = _rows()[hook.control]
    if row.default == "passes":
        return
    if row.remedy.startswith("no"):
        assert hook.refused(_deploy({**VALUES, "ObjectLockMode": "GOVERNANCE"})) != set()
        return
    named = set(re.findall(r"`(\w+)`", row.remedy))
    assert hook.refused(_deploy({name: VALUES[name] for name in named})) == set()
    for left_out in named:
        given = {name: VALUES[name] for name in named - {left_out}}
        assert hook.refused(_deploy(given)) != set(), f"{left_out} is not needed"


@pytest.mark.parametrize(("control", "value"), WARNINGS.items(), ids=list(WARNINGS))
def test_documented_warnings_are_real(control: str, value: tuple[str, str]) -> None:
    """A value fails a control that the defaults pass."""
    [hook] = [hook for hook in HOOKS if hook.control == control]
    assert _rows()[control].remedy.startswith(f"`{value[0]}` must not be")
    assert hook.refused(_deploy(dict([value]))) != set()


@pytest.mark.parametrize("parameters", PARAMETER_SETS.values(), ids=PARAMETER_SETS)
def test_no_other_parameter_makes_a_passing_control_fail(parameters: Mapping[str, str]) -> None:
    """No parameter makes the stack fail a control that passes without it, except those that the
    page warns of.
    """
    stack = _deploy(parameters)
    for hook in HOOKS:
        warned = hook.control in WARNINGS and WARNINGS[hook.control] in parameters.items()
        if _rows()[hook.control].default == "passes" and not warned:
            assert hook.refused(stack) == set(), hook.control


def test_every_resource_type_is_on_the_page() -> None:
    """A control looks at it, or the page says that none does; the page has the controls
    known here.
    """
    [sentence] = re.findall(r"^For these types of resources .*$", PAGE, re.MULTILINE)
    without = set(re.findall(r"`(AWS::\w+::\w+)`", sentence))
    kinds = {found["Type"] for found in _translated()["Resources"].values()}
    assert kinds == without | {hook.kind for hook in HOOKS}
    assert not without & {hook.kind for hook in HOOKS}
    assert list(_rows()) == [hook.control for hook in HOOKS]


def test_the_calculated_costs_are_right() -> None:
    """In the table of watching costs each sum is records times price."""
    rows = re.findall(r"^\|.*\| ([\d,]+) \| ([\d.]+) \| ([\d.]+) \|$", PAGE, re.MULTILINE)
    assert len(rows) == 4
    for records, price, dollars in rows:
        assert int(records.replace(",", "")) * float(price) / 1e6 == pytest.approx(float(dollars))


def test_roles_on_the_page_exist_in_the_stack() -> None:
    """Everything that the SOC must look for exists, and every function that touches logs is
    listed.
    """
    told = set(re.findall(r"`log-aggregator-(\w+Role)-\*`", PAGE))
    roles = set(_deploy(PARAMETER_SETS["access logs"]).of_type("AWS::IAM::Role"))
    assert told <= roles
    assert {"ListFunctionRole", "CombineFunctionRole", "DeleteFunctionRole"} <= told

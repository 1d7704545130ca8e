"""The lines that the page for platform teams says to add."""

from __future__ import annotations

import re
from typing import Any

from samtranslator.yaml_helper import yaml_parse
from tests.infra.stack import PARAMETER_SETS, ROOT, Stack, deploy, load_template

_PAGE = ROOT / "docs" / "how-to" / "meet-platform-rules.md"
_POLICY = "arn:aws:iam::aws:policy/service-role/AWSLambdaVPCAccessExecutionRole"


def _lines_of_the_page() -> dict[str, Any]:
    [block] = re.findall(r"```yaml\n(.*?)```", _PAGE.read_text(encoding="utf-8"), re.DOTALL)
    parsed: dict[str, Any] = yaml_parse(block)
    return parsed


def _with_the_lines() -> Stack:
    template = load_template()
    template["Globals"]["Function"] |= _lines_of_the_page()
    return deploy(template, PARAMETER_SETS["access logs"])


def test_every_function_is_in_the_vpc() -> None:
    """Each has the lines of the page, and can make the network interface that it needs there."""
    stack, wanted = _with_the_lines(), _lines_of_the_page()["VpcConfig"]
    for name, properties in stack.of_type("AWS::Lambda::Function").items():
        assert properties["VpcConfig"] == wanted, name
        assert _POLICY in stack.properties(f"{name}Role")["ManagedPolicyArns"], name


def test_without_these_lines_no_role_may_make_network_interfaces() -> None:
    """A stack outside a VPC keeps its narrow roles."""
    stack = deploy(load_template(), PARAMETER_SETS["access logs"])
    assert _POLICY not in str(stack.resources)
    assert not any(
        "VpcConfig" in found for found in stack.of_type("AWS::Lambda::Function").values()
    )

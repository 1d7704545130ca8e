"""template.yaml, computed as far as it can be before a deployment: parameters stay as `<Name>`,
names that AWS makes up as well.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from samtranslator.yaml_helper import yaml_parse

from reference_pages.table import ROOT

ABSENT = object()
"""What `AWS::NoValue` leaves."""

PSEUDO_PARAMETERS = {
    "AWS::Partition": "aws",
    "AWS::Region": "<region>",
    "AWS::AccountId": "<account>",
    "AWS::StackName": "<stack>",
    "AWS::NoValue": ABSENT,
}


@functools.cache
def load_template() -> dict[str, Any]:
    """All pages share it: reading it takes a second."""
    parsed: dict[str, Any] = yaml_parse((ROOT / "template.yaml").read_text(encoding="utf-8"))
    return parsed


def load_definition(path: Path) -> dict[str, Any]:
    """A state machine's definition before CloudFormation puts values into it: `${Name}` stays, as
    text.
    """
    text = re.sub(r'": \$\{(\w+)\}', r'": "${\1}"', path.read_text(encoding="utf-8"))
    definition: dict[str, Any] = json.loads(text)
    return definition


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Intrinsic functions under some conditions. Those that are not named in `conditions` hold."""

    template: Mapping[str, Any]
    conditions: Mapping[str, bool] = field(default_factory=dict)

    def value(self, node: Any) -> Any:
        """The node with all functions computed. Raises ValueError for a function that is not known
        here.
        """
        if isinstance(node, list):
            found = (self.value(item) for item in node)
            return [item for item in found if item is not ABSENT]
        if not isinstance(node, Mapping):
            return node
        if len(node) == 1:
            name, argument = next(iter(node.items()))
            if name == "Ref" or name.startswith("Fn::"):
                return self._compute(name, argument)
        values = {key: self.value(item) for key, item in node.items()}
        return {key: item for key, item in values.items() if item is not ABSENT}

    def holds(self, condition: str) -> bool:
        return self.conditions.get(condition, True)

    def _compute(self, name: str, argument: Any) -> Any:
        known: dict[str, Callable[[Any], Any]] = {
            "Ref": lambda argument: PSEUDO_PARAMETERS.get(argument, f"<{argument}>"),
            "Fn::If": lambda argument: self.value(
                argument[1] if self.holds(argument[0]) else argument[2]
            ),
            "Fn::GetAtt": lambda argument: self._attribute(
                *(argument.split(".", 1) if isinstance(argument, str) else argument)
            ),
            "Fn::Sub": self._substitute,
            "Fn::Join": lambda argument: argument[0].join(self.value(argument[1])),
            "Fn::Split": lambda argument: self.value(argument[1]).split(argument[0]),
            "Fn::FindInMap": lambda argument: f"<{argument[0]}>",
        }
        if name not in known:
            raise ValueError(name)
        return known[name](argument)

    def _attribute(self, logical_id: str, attribute: str) -> str:
        kind = self.template["Resources"].get(logical_id, {}).get("Type", "")
        return (
            f"arn:aws:s3:::<{logical_id}>"
            if (kind, attribute) == ("AWS::S3::Bucket", "Arn")
            else f"<{logical_id}>"
        )

    def _substitute(self, argument: Any) -> str:
        text, names = (argument, {}) if isinstance(argument, str) else argument

        def replace(found: re.Match[str]) -> str:
            name = found[1]
            if name.startswith("!"):
                return f"${{{name[1:]}}}"
            if name in names:
                return str(self.value(names[name]))
            if "." in name:
                return self._attribute(*name.split(".", 1))
            return str(self.value({"Ref": name}))

        return re.sub(r"\$\{([^}]+)\}", replace, text)


def statements_of(properties: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The statements of a role's own policies, as they are written, each with the name of the
    condition that it depends on.
    """
    for policy in properties.get("Policies", ()):
        for node in policy.get("Statement", ()) if isinstance(policy, Mapping) else ():
            if "Fn::If" in node:
                condition, statement, _ = node["Fn::If"]
                yield condition, statement
            else:
                yield "", node


def functions_of(template: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The Lambda functions by logical id, in the order of the template."""
    return {
        name: found
        for name, found in template["Resources"].items()
        if found["Type"] == "AWS::Serverless::Function"
    }


def state_machines_of(template: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The state machines by logical id, in the order of the template."""
    return {
        name: found
        for name, found in template["Resources"].items()
        if found["Type"] == "AWS::Serverless::StateMachine"
    }


def alarms_of(template: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The alarms by logical id, in the order of the template."""
    return {
        name: found
        for name, found in template["Resources"].items()
        if found["Type"] == "AWS::CloudWatch::Alarm"
    }

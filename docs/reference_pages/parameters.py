"""Parameters: those of template.yaml, in the groups in which the console of CloudFormation shows
them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from reference_pages.table import TEXTS, table
from reference_pages.template import load_template


def make_parameters() -> Iterator[str]:
    template = load_template()
    parameters = template["Parameters"]
    older = TEXTS["parameters"]["older"]
    yield "# Parameters"
    yield ""
    yield (
        "The stack's parameters: [deploying](../how-to/deploy.md) sets them in `samconfig.toml` "
        "or with `./deploy --parameter NAME=VALUE`."
    )
    yield "Only `ControlTowerBucket` is required; all others have defaults."
    yield "A parameter that an update does not name keeps its value."
    yield f"The {len(older)} that are marked \\* have the names of the older stack."
    yield "[Moving](../how-to/move-from-the-older-stack.md) says what they mean now."
    yield "[Settings](settings.md) explains what most of them do in the program."
    for group in template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]:
        yield ""
        yield f"## {group['Label']['default']}"
        yield ""
        rows = (_row(name, parameters[name], older) for name in group["Parameters"])
        yield from table(("parameter", "default", "allowed", "meaning"), rows)
    yield ""
    yield "## Rules between parameters"
    yield ""
    yield "CloudFormation refuses a stack that breaks one of these."
    yield ""
    for rule in template["Rules"].values():
        yield from (f"- {_one_line(part['AssertDescription'])}" for part in rule["Assertions"])
    yield ""
    yield "## Outputs"
    yield ""
    outputs = (
        (f"`{name}`", _one_line(found["Description"]))
        for name, found in template["Outputs"].items()
    )
    yield from table(("output", "what it is"), outputs)


def _row(name: str, found: Mapping[str, Any], older: list[str]) -> tuple[str, str, str, str]:
    mark = " \\*" if name in older else ""
    return f"`{name}`{mark}", _default(found), _allowed(found), _one_line(found["Description"])


def _default(found: Mapping[str, Any]) -> str:
    if "Default" not in found:
        return "none; must be given"
    return f"`{found['Default']}`" if found["Default"] != "" else "empty"


def _allowed(found: Mapping[str, Any]) -> str:
    if "AllowedValues" in found:
        return ", ".join(
            f"`{value}`" if value != "" else "empty" for value in found["AllowedValues"]
        )
    return _one_line(found["ConstraintDescription"])


def _one_line(text: str) -> str:
    return " ".join(text.split()).rstrip(".").replace("*", "\\*").replace("<", "&lt;") + "."

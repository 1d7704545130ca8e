"""Makes terraform/parameters.tf from template.yaml: `make docs`. tests/infra/test_terraform.py
holds the two together.
"""  # noqa: INP001 - a script

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from reference_pages.table import ROOT
from reference_pages.template import load_template

PARAMETERS = ROOT / "terraform" / "parameters.tf"
NOTE = "# Made by `make docs` from template.yaml. Do not edit: change the template."
TYPES = {"String": "string", "Number": "number"}


def main() -> None:
    """Writes the file."""
    PARAMETERS.write_text(make_parameters(load_template()["Parameters"]), encoding="utf-8")


def make_parameters(parameters: Mapping[str, Any]) -> str:
    """A variable for each parameter, and the map of them that the stack gets, as `terraform fmt`
    writes them.
    """
    lines = [NOTE]
    for name, found in parameters.items():
        lines += ["", *_variable(name, found)]
    width = max(map(len, parameters))
    lines += ["", "locals {", "  parameters = {"]
    lines += [f"    {name:<{width}} = var.{to_snake_case(name)}" for name in parameters]
    lines += ["  }", "}"]
    return "\n".join(lines) + "\n"


def to_snake_case(name: str) -> str:
    """`KeepOriginalsDays` as `keep_originals_days`, as variables of Terraform are named."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _variable(name: str, found: Mapping[str, Any]) -> Iterator[str]:
    yield f'variable "{to_snake_case(name)}" {{'
    yield f"  description = {_quote(' '.join(found['Description'].split()))}"
    yield f"  type        = {TYPES[found['Type']]}"
    if "Default" in found:
        default = found["Default"]
        yield f"  default     = {default if found['Type'] == 'Number' else _quote(default)}"
    # So that a caller may pass null for a default.
    yield "  nullable    = false"
    yield "}"


def _quote(text: str) -> str:
    """A literal: what begins a template in Terraform is doubled."""
    return json.dumps(text, ensure_ascii=False).replace("${", "$${").replace("%{", "%%{")


if __name__ == "__main__":
    main()

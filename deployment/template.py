"""The parameters of template.yaml, read without CloudFormation.

Its YAML has CloudFormation's own tags, which a YAML library alone cannot read. Our template is
written in one style (two spaces per level, `Default:` on one line), and only that is read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from log_aggregator.errors import SettingsError


def choose_values(
    text: str, given: Mapping[str, str], previous: Mapping[str, str]
) -> dict[str, str]:
    """The value of every parameter: the given one, or else the stack's, or else the default. Raises
    SettingsError for an unknown name, which sam would ignore silently.
    """
    defaults = parse_defaults(text)
    for name in given:
        if name not in defaults:
            raise SettingsError(
                f"{name}: the template has no such parameter; expected "
                f"{', '.join(sorted(defaults))}"
            )
    values = {**defaults, **previous, **given}
    return {name: values[name] for name in defaults}


def parse_defaults(text: str) -> dict[str, str]:
    """Names and defaults of the section Parameters; empty where there is no default."""
    section = re.search(r"^Parameters:\s*\n((?:[ #].*\n|\n)*)", text, re.MULTILINE)
    found: dict[str, str] = {}
    name = ""
    for line in section[1].splitlines() if section else ():
        if head := re.fullmatch(r"  (\w+):\s*(?:#.*)?", line):
            name = head[1]
            found[name] = ""
        elif default := re.fullmatch(r"    Default:(.*)", line):
            found[name] = default[1].strip().strip("\"'")
    return found

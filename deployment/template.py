"""The parameters of template.yaml, before CloudFormation has seen it.

Its YAML has tags of its own, so a YAML library alone would not do. Our template is written in one
style (two spaces a level, `Default:` on one line), and that is all that is read here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from log_aggregator.errors import SettingsError


def choose_values(
    text: str, given: Mapping[str, str], previous: Mapping[str, str]
) -> dict[str, str]:
    """The value of every parameter: as given, else the stack's, else the default.
    Raises SettingsError for a name that is not one: sam leaves it out without a word.
    """
    defaults = parse_defaults(text)
    for name in given:
        if name not in defaults:
            raise SettingsError(
                f"{name}: the template has no such parameter; there are "
                f"{', '.join(sorted(defaults))}"
            )
    values = {**defaults, **previous, **given}
    return {name: values[name] for name in defaults}


def parse_defaults(text: str) -> dict[str, str]:
    """Names and defaults of the section Parameters; a default is empty where there is none."""
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

"""What the deployment must know of template.yaml before CloudFormation has seen it: its parameters
and the runtime.

CloudFormation's YAML has tags of its own, so a YAML library alone would not do. Our template is
written in one style (two spaces a level, `Default:` on one line), and that is all that is read
here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from log_aggregator.errors import CannotStart, SettingsError


@dataclass(frozen=True, slots=True)
class Template:
    """`defaults` holds every parameter; None where there is no default. `python_version` such as
    3.12.
    """

    path: Path
    defaults: Mapping[str, str | None]
    python_version: str | None

    def check_names(self, names: Mapping[str, str]) -> None:
        """Raises SettingsError for a parameter that there is not."""
        for name in names:
            if name not in self.defaults:
                raise SettingsError(
                    f"{name}: the template has no such parameter; there are "
                    f"{', '.join(sorted(self.defaults))}"
                )

    def effective(self, given: Mapping[str, str], previous: Mapping[str, str]) -> dict[str, str]:
        """The value of every parameter: as given, else as the stack has it, else the default.
        Raises SettingsError where there is none.
        """
        values = {
            name: given.get(name, previous.get(name, default))
            for name, default in self.defaults.items()
        }
        missing = sorted(name for name, value in values.items() if value is None)
        if missing:
            raise SettingsError(
                f"{', '.join(missing)}: no value is given, and the template has no default"
            )
        return {name: value for name, value in values.items() if value is not None}


def read_template(path: Path) -> Template:
    """Raises CannotStart where there is none."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise CannotStart(f"{path}: {error.strerror}") from None
    runtime = re.search(r"^ +Runtime: *['\"]?python(3\.\d+)", text, re.MULTILINE)
    return Template(path, parse_parameters(text), runtime[1] if runtime else None)


def parse_parameters(text: str) -> dict[str, str | None]:
    """Names and defaults of the section Parameters."""
    section = re.search(r"^Parameters:\s*\n((?:[ #].*\n|\n)*)", text, re.MULTILINE)
    found: dict[str, str | None] = {}
    name = ""
    for line in section[1].splitlines() if section else ():
        if head := re.fullmatch(r"  (\w+):\s*(?:#.*)?", line):
            name = head[1]
            found[name] = None
        elif default := re.fullmatch(r"    Default:(.*)", line):
            found[name] = _scalar(default[1])
    return found


def _scalar(text: str) -> str:
    text = text.strip()
    if text[:1] in ("'", '"'):
        quote = text[0]
        inner = text[1 : text.rindex(quote)]
        return inner.replace("''", "'") if quote == "'" else inner.replace('\\"', '"')
    return re.sub(r"\s+#.*$", "", text)

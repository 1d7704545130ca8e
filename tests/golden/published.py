"""Names that programs and people rely on, as releases have published them: published.txt.

python -m tests.golden.published           adds new names to it; it removes none
python -m tests.golden.published --anew    writes it anew: only before the first release
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import click

from log_aggregator.settings import SETTINGS
from log_aggregator.telemetry.metrics import METRICS, NAMESPACE

ROOT = Path(__file__).resolve().parents[2]
FILE = Path(__file__).parent / "published.txt"

sys.path.insert(0, str(ROOT / "docs"))
COMMAND_LINE: Any = importlib.import_module("reference_pages.command_line")
ERRORS: Any = importlib.import_module("reference_pages.errors")
JSON: Any = importlib.import_module("reference_pages.json_fields")
EXAMPLES: dict[str, Callable[[], Any]] = {"run": JSON._example_run, "plan": JSON._example_plan}
PYTHON: Any = importlib.import_module("reference_pages.python_api")
TEMPLATE: Any = importlib.import_module("reference_pages.template")
TEXTS: dict[str, Any] = importlib.import_module("reference_pages.table").TEXTS


def list_names() -> set[str]:
    """A line for each name that there is now."""
    return set(_list_names())


def read_published() -> set[str]:
    return set(FILE.read_text(encoding="utf-8").splitlines())


def _list_names() -> Iterator[str]:
    for command, found in COMMAND_LINE._all_commands():
        yield f"command: {command}"
        yield from (f"option: {command} {name}" for name in _parameters(found))
    yield from (f"exit code: {code} {meaning}" for code, meaning in COMMAND_LINE._exit_codes())
    for kind in ERRORS.error_classes():
        yield f"error: {kind.__name__}, exit code {kind.exit_code}"
    for command in set(TEXTS["json"]) - {"common"}:
        yield from (f"json: {command} {name}" for name in _json_fields(command))
    yield from (f"setting: {row.name}" for row in SETTINGS)
    template = TEMPLATE.load_template()
    yield from (f"parameter: {name}" for name in template["Parameters"])
    yield from (f"output: {name}" for name in template["Outputs"])
    yield from (f"alarm: {name}" for name in TEMPLATE.alarms_of(template))
    for row in METRICS:
        for names in row.dimension_sets:
            yield f"metric: {NAMESPACE} {row.name} ({row.unit}) by {', '.join(names) or 'nothing'}"
    yield from (f"python: {line}" for line in PYTHON.public_signatures())


def _json_fields(command: str) -> Iterable[str]:
    """As docs/reference/json.md has them: of `run` and `plan` those that are written."""
    if command in EXAMPLES:
        return JSON.flatten(EXAMPLES[command]())  # type: ignore[no-any-return]
    return TEXTS["json"][command] if command == "error" else JSON.json_fields(command)  # type: ignore[no-any-return]


def _parameters(command: click.Command) -> Iterator[str]:
    """Options by all their names; arguments as the usage shows them."""
    for found in command.params:
        if isinstance(found, click.Option):
            yield from (*found.opts, *found.secondary_opts)
        else:
            yield found.metavar or str(found.name).upper()


def main() -> None:
    before = set() if "--anew" in sys.argv else read_published()
    FILE.write_text("\n".join(sorted(before | list_names())) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

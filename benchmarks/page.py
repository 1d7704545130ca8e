"""Makes docs/performance.md and its picture of what `benchmarks/run.py --json` wrote:
`python benchmarks/page.py`.

The words stand in performance.template.md, the numbers in measured.json. A line `{{tables NAME}}`
becomes all tables of a benchmark, `{{table NAME 2}}` one of them, `{{NAME.fact:.1f}}` a number,
`{{NAME[0]:.1f}}` what was measured for a target of it. `{{others}}` is every benchmark that the
words do not name.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.picture import draw_where_the_time_goes
from benchmarks.report import format_cell

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE = ROOT / "benchmarks" / "performance.template.md"
MEASURED = ROOT / "benchmarks" / "measured.json"
PAGE = ROOT / "docs" / "performance.md"
PICTURE = ROOT / "docs" / "pictures" / "where-the-time-goes.svg"

_LINE = re.compile(r"\{\{(\w+)((?: \w+)*)\}\}")
_FACT = re.compile(r"\{\{(\w+)\.(\w+):([^}]*)\}\}")
_TARGET = re.compile(r"\{\{(\w+)\[(\d+)\]:([^}]*)\}\}")

Measured = Mapping[str, Any]


def main() -> int:
    measured = json.loads(MEASURED.read_text(encoding="utf-8"))
    PAGE.write_text(make_page(measured), encoding="utf-8")
    PICTURE.write_text(draw_where_the_time_goes(measured), encoding="utf-8")
    return 0


def make_page(measured: Measured) -> str:
    """Raises KeyError for a benchmark, a table or a fact that the words name and that was not
    measured.
    """
    words = TEMPLATE.read_text(encoding="utf-8")
    named = {arguments.split()[0] for _, arguments in _LINE.findall(words) if arguments}
    lines: list[str] = []
    for line in words.splitlines():
        directive = _LINE.fullmatch(line)
        if directive is None:
            lines.append(_fill_numbers(line, measured))
        else:
            lines += _fill(directive[1], directive[2].split(), measured, named)
    return "\n".join(lines) + "\n"


def _fill_numbers(line: str, measured: Measured) -> str:
    line = _FACT.sub(lambda found: format(measured[found[1]]["facts"][found[2]], found[3]), line)
    return _TARGET.sub(
        lambda found: format(measured[found[1]]["targets"][int(found[2])]["measured"], found[3]),
        line,
    )


def _fill(
    directive: str, arguments: Sequence[str], measured: Measured, named: set[str]
) -> Iterator[str]:
    match directive:
        case "tables":
            yield from _all_tables(arguments[0], measured)
        case "table":
            yield from _table(measured[arguments[0]]["tables"][int(arguments[1])])
        case "measured":
            yield from _conditions(arguments[0], measured)
        case "conditions":
            yield from _machine(measured)
        case "targets":
            yield from _targets(measured)
        case "others":
            for name in sorted(measured.keys() - named):
                yield from (
                    f"## {name.replace('_', ' ').capitalize()}",
                    "",
                    *_all_tables(name, measured),
                    "",
                )
        case _:
            raise KeyError(directive)


def _all_tables(name: str, measured: Measured) -> Iterator[str]:
    for table in measured[name]["tables"]:
        yield from (f"{table['title']}:", "", *_table(table), "")
    yield from (f"- {note}" for note in measured[name]["notes"])
    if measured[name]["notes"]:
        yield ""
    yield from _conditions(name, measured)


def _table(table: Mapping[str, Any]) -> Iterator[str]:
    columns: Mapping[str, str] = table["columns"]
    yield "| " + " | ".join(columns) + " |"
    yield "|" + "|".join("---:" if spec else "---" for spec in columns.values()) + "|"
    for row in table["rows"]:
        yield (
            "| "
            + " | ".join(format_cell(row[name], spec).strip() for name, spec in columns.items())
            + " |"
        )


def _conditions(name: str, measured: Measured) -> Iterator[str]:
    """When, at which commit, how long, and how to do it again."""
    found = measured[name]
    machine = found["machine"]
    quick = " In quick mode: the numbers mean little." if found["quick"] else ""
    commit = machine["code"].rpartition(", ")[2]
    usual = _find_machine(measured)["processor"]
    processor = "" if machine["processor"] == usual else f", {machine['processor']}"
    yield (
        f"*`.venv/bin/python benchmarks/run.py --only {name}`, {found['seconds']:.0f} s; "
        f"{machine['measured']}, {commit}{processor}.{quick}*"
    )


def _machine(measured: Measured) -> Iterator[str]:
    """The usual one; every table gives its own date, load and commit."""
    yield "| | |"
    yield "|---|---|"
    yield from (f"| {name} | {value} |" for name, value in _find_machine(measured).items())


def _find_machine(measured: Measured) -> Mapping[str, str]:
    """Where most benchmarks ran, as it was for the latest of them."""
    machines = [found["machine"] for found in measured.values()]
    usual = Counter(machine["processor"] for machine in machines).most_common(1)[0][0]
    return max(
        (machine for machine in machines if machine["processor"] == usual),
        key=lambda machine: machine["measured"],
    )


def _targets(measured: Measured) -> Iterator[str]:
    yield "| benchmark | what | measured | bound | |"
    yield "|---|---|---:|---|---|"
    for name, found in measured.items():
        for target in found["targets"]:
            bound = (
                f"at least {target['at_least']:,.6g}"
                if "at_least" in target
                else f"at most {target['at_most']:,.6g}"
            )
            verdict = "met" if target["met"] else "**not met**"
            yield (
                f"| {name} | {target['what']} | {target['measured']:,.4g} | {bound} "
                f"{target['unit']}".rstrip()
                + f" | {verdict} |"
            )


if __name__ == "__main__":
    sys.exit(main())

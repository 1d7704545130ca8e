"""What a benchmark hands back, and how it is printed: tables, notes, and targets that are met or
not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

WIDTH = 100


@dataclass(frozen=True, slots=True)
class Options:
    """`is_quick`: small sizes. `is_full`: what takes a quarter of an hour, too."""

    is_quick: bool = False
    is_full: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """`columns`: heading -> how a number below it is written (a format specification). Text is
    written as it is.
    """

    title: str
    columns: Mapping[str, str]
    rows: list[tuple[Any, ...]] = field(default_factory=list)

    def describe(self) -> dict[str, Any]:
        return {
            "title": self.title,
            "columns": dict(self.columns),
            "rows": [dict(zip(self.columns, row, strict=True)) for row in self.rows],
        }


@dataclass(frozen=True, slots=True)
class Target:
    """A bound for a measured number: at most, or (`is_minimum`) at least."""

    what: str
    measured: float
    bound: float
    unit: str = ""
    is_minimum: bool = False

    @property
    def is_met(self) -> bool:
        return self.measured >= self.bound if self.is_minimum else self.measured <= self.bound

    def describe(self) -> dict[str, Any]:
        bound = {"at_least" if self.is_minimum else "at_most": self.bound}
        return {
            "what": self.what,
            "measured": self.measured,
            **bound,
            "unit": self.unit,
            "met": self.is_met,
        }


@dataclass(slots=True)
class Outcome:
    """Everything that one benchmark found."""

    tables: list[Table]
    notes: list[str] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)
    is_quick: bool = False
    facts: dict[str, float] = field(default_factory=dict)
    """Numbers that docs/performance.md names in its text."""

    def describe(self) -> dict[str, Any]:
        return {
            "quick": self.is_quick,
            "tables": [table.describe() for table in self.tables],
            "notes": self.notes,
            "targets": [target.describe() for target in self.targets],
            "facts": self.facts,
        }


class BenchmarkBroken(Exception):
    """What was to be measured did not do its work, so that its time says nothing."""


def render_outcome(outcome: Outcome) -> list[str]:
    lines = [line for table in outcome.tables for line in (*_render_table(table), "")]
    return lines + [f"  {note}" for note in outcome.notes]


def render_summary(outcomes: Mapping[str, Outcome], seconds: float) -> list[str]:
    lines = ["", "=" * WIDTH, f"Targets ({seconds:.0f} s in all)", ""]
    for name, outcome in outcomes.items():
        for target in outcome.targets:
            sign = "at least" if target.is_minimum else "at most"
            bound = f"{sign} {target.bound:,.6g} {target.unit}".rstrip()
            verdict = ("met" if target.is_met else "NOT MET") + (
                " (quick)" if outcome.is_quick else ""
            )
            lines.append(
                f"  {name:<15}{target.what:<47}{target.measured:>10,.4g}  {bound:<22}{verdict}"
            )
    return lines


def _render_table(table: Table) -> list[str]:
    cells = [
        tuple(table.columns),
        *(tuple(map(format_cell, row, table.columns.values())) for row in table.rows),
    ]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    is_text = [not spec for spec in table.columns.values()]
    lines = [
        "  ".join(
            _justify(cell, width, left)
            for cell, width, left in zip(row, widths, is_text, strict=True)
        )
        for row in cells
    ]
    return [
        table.title,
        "",
        f"  {lines[0]}",
        f"  {'-' * len(lines[0])}",
        *(f"  {line.rstrip()}" for line in lines[1:]),
    ]


def format_cell(value: Any, spec: str) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else format(value, spec)


def _justify(cell: str, width: int, is_left: bool) -> str:
    return cell.ljust(width) if is_left else cell.rjust(width)

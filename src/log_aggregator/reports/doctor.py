"""What the doctor found: as a dictionary for programs (`--json`), as a page for people."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from log_aggregator.ports.account import ConfiguredValue
from log_aggregator.reports.numbers import format_count
from log_aggregator.steps.doctor.findings import Finding, Level

LINE_LENGTH_MAX = 120
INDENT = 28
ACCOUNT = "account"


def describe_findings(
    findings: Sequence[Finding], configuration: Sequence[ConfiguredValue] = ()
) -> dict[str, Any]:
    """In the order in which they were made. The names are documented in docs/reference/json.md."""
    return {
        "configuration": [asdict(value) for value in configuration],
        "problems": sum(finding.level is Level.PROBLEM for finding in findings),
        "warnings": sum(finding.level is Level.WARNING for finding in findings),
        "findings": [asdict(finding) for finding in findings],
    }


def render_findings(described: Mapping[str, Any]) -> Iterator[str]:
    """The same, for people: by place, places with problems first, and within a place the worst
    first.
    """
    yield from _render_configuration(described["configuration"])
    by_place: dict[str, list[Mapping[str, str]]] = {}
    for finding in described["findings"]:
        by_place.setdefault(finding["where"], []).append(finding)
    for where, found in sorted(
        by_place.items(), key=lambda item: (-max(map(_rank, item[1])), item[0] != ACCOUNT)
    ):
        yield where
        for finding in sorted(found, key=_rank, reverse=True):
            yield from _render(finding)
        yield ""
    yield _summary(described)


def _render_configuration(values: Sequence[Mapping[str, str]]) -> Iterator[str]:
    if values:
        yield "configuration"
        for value in values:
            yield from _wrap(f"  {value['name']:<25} ", f"{value['value']} ({value['source']})")
        yield ""


def _render(finding: Mapping[str, str]) -> Iterator[str]:
    level = finding["level"].upper() if finding["level"] == Level.PROBLEM else finding["level"]
    yield from _wrap(f"  {level:<9}{finding['check']:<16} ", finding["seen"])
    if finding["advice"]:
        yield from _wrap(" " * (INDENT - 3) + "-> ", finding["advice"])


def _wrap(first: str, text: str) -> list[str]:
    return textwrap.wrap(
        text,
        LINE_LENGTH_MAX,
        initial_indent=first,
        subsequent_indent=" " * INDENT,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _rank(finding: Mapping[str, str]) -> int:
    return Level(finding["level"]).rank


def _summary(described: Mapping[str, Any]) -> str:
    problems, warnings = described["problems"], described["warnings"]
    if not problems and not warnings:
        return "No problems and no warnings. Nothing was changed."
    verdict = "A run would fail, or not do all of its work." if problems else "A run can begin."
    return (
        f"{format_count(problems, 'problem')}, {format_count(warnings, 'warning')}. {verdict} "
        "Nothing was changed."
    )

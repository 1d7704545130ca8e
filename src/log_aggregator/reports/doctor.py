"""What the doctor found: as a dictionary for programs (`--json`), as a page for people."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from log_aggregator.ports.account import ConfiguredValue
from log_aggregator.reports.numbers import format_count
from log_aggregator.steps.doctor.findings import Finding, Level

WIDTH_DEFAULT = 120
WIDTH_MIN = 60
"""Less than that leaves no room for a text next to its label."""
INDENT = 28
ACCOUNT = "account"
BUCKET = "<bucket>"
WELL_NAMED_MAX = 8
"""Most buckets without problems that are named; an account may have hundreds."""

_IN_S3 = "s3://"


def describe_findings(
    findings: Sequence[Finding], configuration: Sequence[ConfiguredValue] = ()
) -> dict[str, Any]:
    """In the order in which they were made; what several buckets have in common is said once. The
    names are documented in docs/reference/json.md.
    """
    return {
        "configuration": [asdict(value) for value in configuration],
        "problems": sum(finding.level is Level.PROBLEM for finding in findings),
        "warnings": sum(finding.level is Level.WARNING for finding in findings),
        "findings": [
            {**asdict(finding), "where": where} for finding, where in group_findings(findings)
        ],
    }


def group_findings(findings: Sequence[Finding]) -> Iterator[tuple[Finding, list[str]]]:
    """Each finding with the places that it holds for. If there are several, its text says `BUCKET`
    in place of the bucket's name.
    """
    groups: dict[Finding, list[Finding]] = {}
    for finding in findings:
        groups.setdefault(_anywhere(finding), []).append(finding)
    for general, found in groups.items():
        where = list(dict.fromkeys(each.where for each in found))
        yield found[0] if len(where) == 1 else general, where


def _anywhere(finding: Finding) -> Finding:
    bucket = finding.where.removeprefix(_IN_S3)
    if bucket == finding.where:
        return finding
    seen, advice = (text.replace(bucket, BUCKET) for text in (finding.seen, finding.advice))
    return replace(finding, where=_IN_S3 + BUCKET, seen=seen, advice=advice)


def render_findings(described: Mapping[str, Any], width: int = WIDTH_DEFAULT) -> Iterator[str]:
    """The same, for people: by place, those with problems first, and the worst first within a
    place. No line is longer than `width`, unless a word is.
    """
    width = max(width, WIDTH_MIN)
    yield from _render_values(described["configuration"], width)
    by_place: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for finding in described["findings"]:
        by_place.setdefault(tuple(finding["where"]), []).append(finding)
    for where, found in sorted(
        by_place.items(), key=lambda item: (-max(map(_rank, item[1])), item[0] != (ACCOUNT,))
    ):
        is_well = max(map(_rank, found)) < Level.WARNING.rank
        yield from _render_places(where, WELL_NAMED_MAX if is_well else len(where), width)
        for finding in sorted(found, key=_rank, reverse=True):
            yield from _render(finding, width)
        yield ""
    yield _summary(described)


def render_configuration(
    values: Sequence[ConfiguredValue], width: int = WIDTH_DEFAULT
) -> Iterator[str]:
    """The configuration alone, where AWS could not be asked."""
    yield from _render_values([asdict(value) for value in values], max(width, WIDTH_MIN))


def _render_values(values: Sequence[Mapping[str, str]], width: int) -> Iterator[str]:
    if values:
        yield "configuration"
        for value in values:
            text = f"{value['value']} ({value['source']})"
            yield from _wrap(f"  {value['name']:<25} ", text, width)
        yield ""


def _render_places(where: Sequence[str], named_max: int, width: int) -> Iterator[str]:
    if len(where) == 1:
        yield where[0]
        return
    names = ", ".join(where[:named_max])
    if more := len(where[named_max:]):
        names += f" and {more:,} more"
    yield from textwrap.wrap(
        f"{len(where)} buckets: {names}",
        width,
        subsequent_indent="  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _render(finding: Mapping[str, Any], width: int) -> Iterator[str]:
    level = finding["level"].upper() if finding["level"] == Level.PROBLEM else finding["level"]
    yield from _wrap(f"  {level:<9}{finding['check']:<16} ", finding["seen"], width)
    if finding["advice"]:
        yield from _wrap(" " * (INDENT - 3) + "-> ", finding["advice"], width)


def _wrap(first: str, text: str, width: int) -> list[str]:
    return textwrap.wrap(
        text,
        width,
        initial_indent=first,
        subsequent_indent=" " * INDENT,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _rank(finding: Mapping[str, Any]) -> int:
    return Level(finding["level"]).rank


def _summary(described: Mapping[str, Any]) -> str:
    problems, warnings = described["problems"], described["warnings"]
    if not problems and not warnings:
        return "No problems and no warnings. Nothing was changed."
    verdict = "A run would fail, or leave work undone." if problems else "A run can begin."
    return (
        f"{format_count(problems, 'problem')}, {format_count(warnings, 'warning')}. {verdict} "
        "Nothing was changed."
    )

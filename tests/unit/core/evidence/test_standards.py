"""What standards require: each part of a report answers a requirement, and names its source."""

from __future__ import annotations

import pytest

from log_aggregator.core.evidence.standards import (
    REQUIREMENTS,
    Requirement,
    Section,
    list_requirements,
)


def test_every_part_but_the_savings_answers_something() -> None:
    """And each row stands in one part."""
    found = {section: list(list_requirements(section)) for section in Section}
    assert [section for section, rows in found.items() if not rows] == [Section.SAVED]
    assert sum(map(len, found.values())) == len(REQUIREMENTS)


@pytest.mark.parametrize("name", ["PCI DSS 4.0.1", "NIS2", "17a-4", "SOC 2", "ISO/IEC 27001"])
def test_the_standards_that_auditors_ask_by_are_there(name: str) -> None:
    """By their names, with a paragraph each."""
    rows = [row for row in REQUIREMENTS if name in row.standard]
    assert rows
    assert all(row.paragraph and row.text and row.answer for row in rows)


def test_a_source_is_an_address() -> None:
    """It becomes a link, so it must not be one that runs."""
    with pytest.raises(ValueError, match="https"):
        Requirement(Section.COVERAGE, "X", "1", "text", False, "javascript:alert(1)", "answer")

"""What standards require: each part of a report answers a requirement, and names its source."""

from __future__ import annotations

import pytest

from log_aggregator.core.evidence.standards import (
    REQUIREMENTS,
    Requirement,
    Section,
    list_requirements,
)


def test_every_part_except_savings_answers_a_standard() -> None:
    """Each row is in one part."""
    found = {section: list(list_requirements(section)) for section in Section}
    assert [section for section, rows in found.items() if not rows] == [Section.SAVED]
    assert sum(map(len, found.values())) == len(REQUIREMENTS)


@pytest.mark.parametrize("name", ["PCI DSS 4.0.1", "NIS2", "17a-4", "SOC 2", "ISO/IEC 27001"])
def test_the_usual_standards_are_covered(name: str) -> None:
    """Each is listed by its name with a paragraph."""
    rows = [row for row in REQUIREMENTS if name in row.standard]
    assert rows
    assert all(row.paragraph and row.text and row.answer for row in rows)


def test_a_source_is_a_safe_link() -> None:
    """It becomes a link, so it must be https and never a script."""
    with pytest.raises(ValueError, match="https"):
        Requirement(Section.COVERAGE, "X", "1", "text", False, "javascript:alert(1)", "answer")

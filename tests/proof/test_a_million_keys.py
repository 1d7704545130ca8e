"""Inventories of a million keys, each in about ten files with unordered rows, are planned
completely and in bounded memory.
"""

from __future__ import annotations

import pytest
from benchmarks.planning import CASES, INVENTORY_OBJECTS, PEAK_MB_MAX, Case, plan


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.format], ids=lambda case: case.format.value
)
def test_an_inventory_of_a_million_keys(case: Case) -> None:
    """Every log object is planned once, and memory stays within the bound."""
    took = plan(case, INVENTORY_OBJECTS)
    assert took["failures"] == []
    assert took["objects"] >= INVENTORY_OBJECTS
    assert took["peak_bytes"] / 1e6 <= PEAK_MB_MAX

"""Inventories of a million keys, each in some ten files whose rows are in no order, are planned
whole and in bounded memory.
"""

from __future__ import annotations

import pytest
from benchmarks.planning import CASES, INVENTORY_OBJECTS, PEAK_MB_MAX, Case, plan


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.format], ids=lambda case: case.format.value
)
def test_an_inventory_of_a_million_keys(case: Case) -> None:
    """Every log object is planned, once; nothing is held that grows beyond the bound."""
    took = plan(case, INVENTORY_OBJECTS)
    assert took["failures"] == []
    assert took["objects"] >= INVENTORY_OBJECTS
    assert took["peak_bytes"] / 1e6 <= PEAK_MB_MAX

"""Concurrency: as requested, within the quota."""

from __future__ import annotations

import pytest

from log_aggregator.core.concurrency import fit_branches, fit_history


@pytest.mark.parametrize(
    ("wanted", "unreserved", "expected"),
    [(20, 1000, 20), (20, 10, 4), (3, 10, 3), (20, 3, 1), (20, 0, 1), (500, 1000, 400)],
)
def test_two_branches_share_the_quota(wanted: int, unreserved: int, expected: int) -> None:
    """Of 10, eight are ours, so each branch has four; never zero, which would mean no limit."""
    assert fit_branches({"pack": wanted}, unreserved) == {"pack": expected}


@pytest.mark.parametrize(
    ("unreserved", "sort", "windows"), [(10, 8, 1), (100, 20, 2), (1000, 20, 3)]
)
def test_windows_of_history_share_the_quota(unreserved: int, sort: int, windows: int) -> None:
    """Sorting runs alone and has all of it."""
    fitting = fit_history({"sort": 20, "windows": 3, "pack": 20}, unreserved)
    assert (fitting["sort"], fitting["windows"]) == (sort, windows)

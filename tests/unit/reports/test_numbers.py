"""Numbers for people: the fitting unit, singular and plural."""

from __future__ import annotations

import pytest

from log_aggregator.reports.numbers import (
    format_bytes,
    format_count,
    format_dollars,
    format_times,
)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1000, "1.0 KB"),
        (1234, "1.2 KB"),
        (999_949, "999.9 KB"),
        (999_999, "1.0 MB"),
        (2**30, "1.1 GB"),
        (999_999_999_999, "1.0 TB"),
        (1_234_000_000_000_000, "1,234.0 TB"),
    ],
)
def test_bytes(count: int, text: str) -> None:
    """Decimal units, never a thousand of one where the next is one, and no unit above the last."""
    assert format_bytes(count) == text


@pytest.mark.parametrize(
    ("dollars", "text"),
    [
        (0, "$0"),
        (0.000005, "$0.000005"),
        (0.00041, "$0.00041"),
        (0.012345, "$0.0123"),
        (1, "$1.00"),
        (1234.567, "$1,234.57"),
    ],
)
def test_dollars(dollars: float, text: str) -> None:
    """A sum that is not nothing is not shown as nothing, and large ones have cents."""
    assert format_dollars(dollars) == text


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 indexes"), (1, "1 index"), (2, "2 indexes"), (1234, "1,234 indexes")]
)
def test_counts(count: int, text: str) -> None:
    """Only one is one."""
    assert format_count(count, "index", "indexes") == text
    assert format_count(count, "index") == text.replace("indexes", "indexs")


@pytest.mark.parametrize(
    ("ratio", "text"), [(2.04, "2.0 times"), (9.9, "9.9 times"), (1234.5, "1,234 times")]
)
def test_times(ratio: float, text: str) -> None:
    """A digit behind the point says something only of small ratios."""
    assert format_times(ratio) == text

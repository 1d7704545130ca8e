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
def test_bytes_have_a_fitting_unit(count: int, text: str) -> None:
    """Units are decimal; a thousand of one becomes the next, and the last has no limit."""
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
def test_small_sums_are_not_shown_as_zero(dollars: float, text: str) -> None:
    """A small sum is not shown as nothing, and large ones have cents."""
    assert format_dollars(dollars) == text


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 indexes"), (1, "1 index"), (2, "2 indexes"), (1234, "1,234 indexes")]
)
def test_only_one_is_singular(count: int, text: str) -> None:
    """Only 1 is singular."""
    assert format_count(count, "index", "indexes") == text
    assert format_count(count, "index") == text.replace("indexes", "indexs")


@pytest.mark.parametrize(
    ("ratio", "text"), [(2.04, "2.0 times"), (9.9, "9.9 times"), (1234.5, "1,234 times")]
)
def test_small_ratios_have_a_decimal(ratio: float, text: str) -> None:
    """Only small ratios have a decimal place."""
    assert format_times(ratio) == text

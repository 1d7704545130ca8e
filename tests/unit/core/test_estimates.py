"""What a sample says about the whole."""

from __future__ import annotations

import math
from random import Random

import pytest

from log_aggregator.core.estimates import Estimate, estimate_total


def test_counted_figures_are_exact() -> None:
    """Without draws there is no uncertainty."""
    estimate = estimate_total([], 42)
    assert estimate == Estimate.exact(42)
    assert estimate.is_exact
    assert estimate.percent == 0


def test_draws_are_averaged_and_strata_are_added() -> None:
    """Each draw represents all of its stratum; counted amounts are added."""
    estimate = estimate_total([[10, 20, 30], [5, 5, 5]], 100)
    assert estimate.value == pytest.approx(125)
    assert 100 < estimate.low < 125 < estimate.high
    assert estimate_total([[7, 7, 7]]) == Estimate.exact(7)


def test_the_interval_is_skewed_and_shrinks() -> None:
    """The interval is wider above, as for a log-normal figure, and more draws narrow it."""
    draws = [1.0, 2.0, 3.0, 10.0]
    few, many = estimate_total([draws]), estimate_total([draws * 8])
    assert few.high - few.value > few.value - few.low > 0
    assert many.percent < few.percent / 2


def test_one_dominant_draw_widens_the_interval() -> None:
    """Where one draw makes up almost the whole sample, Student's t widens the interval."""
    even = estimate_total([[8, 9, 10, 11, 12] * 4])
    uneven = estimate_total([[0.1] * 19 + [198.1]])
    assert uneven.value == pytest.approx(even.value)
    assert uneven.percent > 20 * even.percent


def test_a_single_draw_is_uncertain() -> None:
    """It shows no variance, and is not taken for exact."""
    estimate = estimate_total([[100.0]])
    assert estimate.low < 10
    assert estimate.high > 1_000
    assert math.isfinite(estimate.high)


def test_finding_nothing_estimates_zero() -> None:
    """Zero has no logarithm and gives no error."""
    assert estimate_total([[0.0, 0.0]]) == Estimate.exact(0)
    assert estimate_total([[]], 3) == Estimate.exact(3)


@pytest.mark.parametrize("skew", [0.3, 1.0, 1.6])
def test_intervals_contain_the_truth_as_often_as_promised(skew: float) -> None:
    """The test takes 400 samples of 25 draws each, also with draws as skewed as accounts are."""
    chance, truth = Random(4), math.exp(skew**2 / 2)
    held = 0
    for _ in range(400):
        estimate = estimate_total([[chance.lognormvariate(0, skew) for _ in range(25)]])
        held += estimate.low <= truth <= estimate.high
    assert held >= 400 * (0.95 if skew < 1.5 else 0.91)

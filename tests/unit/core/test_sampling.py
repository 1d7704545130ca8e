"""Samples that can be repeated."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from log_aggregator.core.sampling import choose_sample


@given(st.sets(st.text(max_size=4), max_size=40), st.floats(0.001, 100), st.integers(0, 5))
def test_a_sample_is_that_share_and_always_the_same(
    names: set[str], percent: float, seed: int
) -> None:
    """Rounded up, at least one of any; the order of the names does not matter; nothing comes from
    elsewhere.
    """
    chosen = choose_sample(sorted(names), percent, seed)
    assert chosen == choose_sample(sorted(names, reverse=True), percent, seed)
    assert chosen <= names
    assert len(names) * percent / 100 <= len(chosen) < len(names) * percent / 100 + 1 or not names
    assert bool(chosen) == bool(names)


def test_another_seed_is_another_sample() -> None:
    """Over some seeds everything is chosen once."""
    names = [str(number) for number in range(50)]
    assert len({choose_sample(names, 10, seed) for seed in range(20)}) > 15
    assert frozenset().union(*(choose_sample(names, 10, seed) for seed in range(100))) == set(names)


@pytest.mark.parametrize("percent", [0, -1, 100.1, float("nan")])
def test_impossible_shares(percent: float) -> None:
    """Refused."""
    with pytest.raises(ValueError, match="expected a sample of more than 0"):
        choose_sample(["a"], percent, 1)

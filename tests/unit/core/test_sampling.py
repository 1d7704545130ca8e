"""Samples that can be repeated."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from log_aggregator.core.sampling import choose_sample


@given(st.sets(st.text(max_size=4), max_size=40), st.floats(0.001, 100), st.integers(0, 5))
def test_a_sample_has_the_requested_share_and_is_repeatable(
    names: set[str], percent: float, seed: int
) -> None:
    """The size is rounded up to at least one; the order of names does not matter; no other name
    appears.
    """
    chosen = choose_sample(sorted(names), percent, seed)
    assert chosen == choose_sample(sorted(names, reverse=True), percent, seed)
    assert chosen <= names
    assert len(names) * percent / 100 <= len(chosen) < len(names) * percent / 100 + 1 or not names
    assert bool(chosen) == bool(names)


def test_another_seed_gives_another_sample() -> None:
    """Over enough seeds every name is chosen."""
    names = [str(number) for number in range(50)]
    assert len({choose_sample(names, 10, seed) for seed in range(20)}) > 15
    assert frozenset().union(*(choose_sample(names, 10, seed) for seed in range(100))) == set(names)


@pytest.mark.parametrize("percent", [0, -1, 100.1, float("nan")])
def test_impossible_shares_are_refused(percent: float) -> None:
    """They are refused."""
    with pytest.raises(ValueError, match="expected a sample of more than 0"):
        choose_sample(["a"], percent, 1)

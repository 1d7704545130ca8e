"""What a drill proves, in numbers and in words."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.core.test_custody_record import DRILL

from log_aggregator.core.evidence.drills import RecoveryTime, describe_drill, parse_drill
from log_aggregator.core.evidence.proportions import bound_bad_share, plan_sample_size


@pytest.mark.parametrize(
    ("confidence", "bad_share_max", "members"),
    [(0.95, 0.01, 299), (0.95, 0.05, 59), (0.99, 0.01, 459), (0.90, 0.10, 22), (0.5, 0.5, 1)],
    ids=["95-1", "95-5", "99-1", "90-10", "50-50"],
)
def test_sample_sizes_match_textbooks(
    confidence: float, bad_share_max: float, members: int
) -> None:
    """One member fewer would not prove it."""
    assert plan_sample_size(confidence, bad_share_max) == members
    assert bound_bad_share(members, 0, confidence) <= bad_share_max + 1e-9
    if members > 1:
        assert bound_bad_share(members - 1, 0, confidence) > bad_share_max


@pytest.mark.parametrize(
    ("checked", "bad", "bound"),
    [(10, 3, 0.6066), (20, 1, 0.2161), (299, 1, 0.01577), (100, 5, 0.10225)],
    ids=str,
)
def test_the_bound_matches_clopper_and_pearson(checked: int, bad: int, bound: float) -> None:
    """The expected values are those of R's binom.test(bad, checked, alternative =
    "less")$conf.int.
    """
    assert bound_bad_share(checked, bad, 0.95) == pytest.approx(bound, abs=6e-5)


@given(st.integers(1, 400), st.data())
def test_the_bound_solves_its_equation(checked: int, data: st.DataObject) -> None:
    """At the bound's share of bad members, this many or fewer appear with exactly the remaining
    chance.
    """
    bad = data.draw(st.integers(0, checked - 1))
    share = bound_bad_share(checked, bad, 0.95)
    chance = sum(
        math.comb(checked, n) * share**n * (1 - share) ** (checked - n) for n in range(bad + 1)
    )
    assert chance == pytest.approx(0.05, rel=1e-6)


def test_impossible_values_are_refused() -> None:
    for confidence, share in ((0, 0.1), (1, 0.1), (0.9, 0), (0.9, 1)):
        with pytest.raises(ValueError, match="between 0 and 1"):
            plan_sample_size(confidence, share)
    with pytest.raises(ValueError, match="expected at most 2 bad of 2 checked, not 3"):
        bound_bad_share(2, 3, 0.95)
    assert bound_bad_share(0, 0, 0.95) == bound_bad_share(3, 3, 0.95) == 1.0


def test_the_proof_is_not_exaggerated() -> None:
    assert DRILL.proof == "95% sure that fewer than 1% of all members are bad"
    assert replace(DRILL, bad=1).proof == "95% sure that fewer than 1.6% of all members are bad"
    assert (
        replace(DRILL, population=299).proof == "all 299 members were read back; 0 of them are bad"
    )
    assert "nothing is proven" in replace(DRILL, members=0).proof
    about = replace(DRILL, population=299, is_counted=False)
    assert about.proof == DRILL.proof  # that all were drawn is not known


def test_a_drill_passes_only_if_everything_came_back() -> None:
    assert DRILL.is_sound
    assert not replace(DRILL, bad=1).is_sound
    assert not replace(DRILL, packs_bad=1).is_sound
    assert not replace(DRILL, digests_invalid=1).is_sound
    assert not replace(DRILL, members=0).is_sound


def test_times_use_the_nearest_rank() -> None:
    assert RecoveryTime.of([]) is None
    assert RecoveryTime.of([3.0]) == RecoveryTime(1, 3.0, 3.0)
    assert RecoveryTime.of([n / 10 for n in range(100, 0, -1)]) == RecoveryTime(100, 5.0, 9.5)


def test_a_drill_survives_encoding() -> None:
    assert parse_drill(describe_drill(DRILL)) == DRILL

"""Every member has the same chance, and the same seed draws the same members."""

from __future__ import annotations

from collections import Counter
from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from log_aggregator.core.evidence.draws import iter_places


@given(st.integers(), st.lists(st.integers(0, 6), max_size=6))
def test_every_place_is_drawn_exactly_once(seed: int, places: list[int]) -> None:
    drawn = list(iter_places(seed, places))
    assert sorted(drawn) == [(pack, n) for pack, count in enumerate(places) for n in range(count)]
    assert list(iter_places(seed, places)) == drawn


def test_another_seed_draws_another_sample() -> None:
    first, second = (list(islice(iter_places(seed, [1000] * 9), 20)) for seed in (1, 2))
    assert first != second


def test_members_are_drawn_evenly() -> None:
    """A pack of 900 members is hit nine times as often as one of 100, evenly over its members.
    Seeds are fixed; the bounds are six standard deviations wide.
    """
    hits, halves, draws = Counter[int](), Counter[bool](), 2_000
    for seed in range(draws):
        pack, member = next(iter_places(seed, [100, 900]))
        hits[pack] += 1
        halves[member < (50, 450)[pack]] += 1
    assert abs(hits[1] - 0.9 * draws) < 81
    assert abs(halves[True] - draws / 2) < 135


def test_places_without_a_member_do_not_bias_the_draw() -> None:
    """Of packs with 10 and 30 members, each drawn from 100 places, hits go to the second three
    times as often. Six standard deviations, fixed seeds.
    """
    members = (10, 30)
    hits = Counter(
        next(pack for pack, place in iter_places(seed, [100, 100]) if place < members[pack])
        for seed in range(1_000)
    )
    assert abs(hits[1] - 750) < 83

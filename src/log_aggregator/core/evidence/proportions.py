"""What a sample proves: how many members to draw, and how large the bad share of all members can
be, given the bad ones in the sample.

If n of very many members are drawn at random and none is bad, then with `confidence` fewer than
1 - (1 - confidence)^(1/n) of all are bad. If some are bad, the limit is the one-sided bound of
Clopper and Pearson (https://www.itl.nist.gov/div898/handbook/prc/section2/prc241.htm), of which the
former is a special case. Members are drawn without replacement, so both err on the safe side.
"""

from __future__ import annotations

import math

CONFIDENCE = 0.95
BAD_SHARE_MAX = 0.01

_HALVINGS = 100


def plan_sample_size(confidence: float = CONFIDENCE, bad_share_max: float = BAD_SHARE_MAX) -> int:
    """The number of members that prove it if none is bad: 299 by default. Both arguments must be
    between 0 and 1.
    """
    for name, value in (("confidence", confidence), ("bad_share_max", bad_share_max)):
        if not 0 < value < 1:
            raise ValueError(f"expected {name} between 0 and 1, not {value}")
    needed = math.log1p(-confidence) / math.log1p(-bad_share_max)
    return max(1, math.ceil(needed - 1e-9))


def bound_bad_share(checked: int, bad: int, confidence: float) -> float:
    """With `confidence`, at most this share of all members is bad. 1.0 if nothing was checked, or
    everything was bad.
    """
    if not 0 <= bad <= checked:
        raise ValueError(f"expected at most {checked} bad of {checked} checked, not {bad}")
    if bad == checked:
        return 1.0
    low, high = bad / checked, 1.0
    # Bisection: the chance falls as the share grows.
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _chance_of_at_most(bad, checked, middle) > 1 - confidence:
            low = middle
        else:
            high = middle
    return high


def _chance_of_at_most(bad: int, checked: int, share: float) -> float:
    """The chance that at most `bad` of `checked` members are bad, if `share` of all are."""
    if share >= 1:
        return 0.0
    terms = (
        _log_choices(checked, count)
        + (count * math.log(share) if count else 0.0)
        + (checked - count) * math.log1p(-share)
        for count in range(bad + 1)
    )
    return math.fsum(math.exp(term) for term in terms)


def _log_choices(total: int, count: int) -> float:
    return math.lgamma(total + 1) - math.lgamma(count + 1) - math.lgamma(total - count + 1)

"""What a sample says of the whole, and how sure that is.

Each draw is an estimate of the whole by itself: what it found, divided by the probability of
finding it (Hansen and Hurwitz 1943; for trees, Knuth 1975, "Estimating the efficiency of backtrack
programs"). Their mean has no bias, also where the probabilities of a draw were learned from those
before it: then the draws are uncorrelated, all with the same mean, which is all that the variance
of the mean below needs.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

CONFIDENCE_PERCENT = 95


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure, and the interval that holds the truth in 95 of 100 surveys. `low` equals `high`
    where everything was counted.
    """

    value: float
    low: float
    high: float

    @property
    def is_exact(self) -> bool:
        return self.low == self.high

    @property
    def percent(self) -> float:
        """How far the farther end of the interval is from the value."""
        if self.is_exact:
            return 0.0
        if self.value == 0:
            return math.inf
        return 100 * max(self.high - self.value, self.value - self.low) / abs(self.value)

    @classmethod
    def exact(cls, value: float) -> Estimate:
        return cls(value, value, value)


def estimate_total(strata: Iterable[Sequence[float]], counted: float = 0.0) -> Estimate:
    """What was counted, and the sum over the strata of the means of their draws.

    Nothing in a log bucket is negative and a few draws are far larger than the others, so the
    interval is that of a log-normal figure, which reaches farther up than down; and large draws
    count as few: Student's t has the degrees of freedom of as many equal draws as would say the
    same (Kish 1965), and upwards the interval is longer by the skewness of the mean, because the
    largest parts are the ones that most samples have missed. So it holds the truth in 91 to 97 of
    100 samples of 25 draws, if these are skewed up to a log-normal sigma of 1.6. A stratum with a
    single draw has no variance to learn from: it is open to an error of many times.
    """
    value, variance, third, degrees = 0.0, 0.0, 0.0, math.inf
    for draws in strata:
        if not draws:
            continue
        mean = sum(draws) / len(draws)
        value += mean
        spread = _variance_of_mean(draws, mean)
        variance += spread
        third += sum((draw - mean) ** 3 for draw in draws) / len(draws) ** 3
        if spread > 0:
            degrees = min(degrees, _equal_draws(draws) - 1)
    if value <= 0 or variance <= 0:
        return Estimate.exact(counted + value)
    reach = _t_quantile(max(1.0, degrees)) * math.sqrt(math.log1p(variance / value**2))
    skewness = max(0.0, third / variance**1.5)
    down, up = (math.exp(min(each, _REACH_MAX)) for each in (reach, reach * (1 + skewness)))
    return Estimate(counted + value, counted + value / down, counted + value * up)


def _variance_of_mean(draws: Sequence[float], mean: float) -> float:
    if len(draws) == 1:
        return 9 * mean**2
    return sum((draw - mean) ** 2 for draw in draws) / (len(draws) * (len(draws) - 1))


def _equal_draws(draws: Sequence[float]) -> float:
    squares = sum(draw * draw for draw in draws)
    return sum(draws) ** 2 / squares if squares > 0 else 1.0


def _t_quantile(degrees: float) -> float:
    """Of 97.5 percent, by Cornish and Fisher's expansion (Abramowitz and Stegun 26.7.5), which is
    right to 1 percent from 3 degrees of freedom on; below, the table's own values.
    """
    if degrees < len(_T_FEW):
        low = int(degrees)
        share = degrees - low
        return _T_FEW[low - 1] * (1 - share) + _T_FEW[min(low, len(_T_FEW) - 1)] * share
    z = _Z
    return (
        z
        + (z**3 + z) / (4 * degrees)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * degrees**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * degrees**3)
    )


_Z = 1.959964
_REACH_MAX = math.log(10_000)
"""Farther than anybody could use, and still a number."""
_T_FEW = (12.706, 4.303, 3.182, 2.776)

"""Estimates of the whole from a sample, and how certain they are.

Each draw is an estimate of the whole by itself: what it found, divided by the probability of
finding it (Hansen and Hurwitz 1943; for trees, Knuth 1975, "Estimating the efficiency of backtrack
programs"). Their mean has no bias, even if the probabilities of a draw were learned from earlier
ones: the draws are still uncorrelated and have the same mean, and the variance of the mean below
needs no more than that.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

CONFIDENCE_PERCENT = 95


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure, and the interval that contains the true one in 95 of 100 surveys. `low` equals
    `high` if everything was counted.
    """

    value: float
    low: float
    high: float

    @property
    def is_exact(self) -> bool:
        return self.low == self.high

    @property
    def percent(self) -> float:
        """The distance of the value from the farther end of the interval, in percent."""
        if self.is_exact:
            return 0.0
        if self.value == 0:
            return math.inf
        return 100 * max(self.high - self.value, self.value - self.low) / abs(self.value)

    @classmethod
    def exact(cls, value: float) -> Estimate:
        return cls(value, value, value)


def estimate_total(strata: Iterable[Sequence[float]], counted: float = 0.0) -> Estimate:
    """What was counted, plus the sum over the strata of the means of their draws.

    Nothing in a log bucket is negative and a few draws are far larger than the others. So the
    interval is that of a log-normal figure, which reaches farther up than down. Unequal draws count
    as fewer equal ones: Student's t gets the degrees of freedom of the effective sample size (Kish
    1965). The upper end is extended by the skewness of the mean, because most samples miss the
    largest parts. With 25 draws, skewed up to a log-normal sigma of 1.6, the interval contains the
    true figure in 91 to 97 of 100 samples. A stratum with a single draw has no variance to learn
    from, so its error may be manifold.
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
        # Unknown; a standard deviation of three times the mean makes the interval very wide.
        return 9 * mean**2
    return sum((draw - mean) ** 2 for draw in draws) / (len(draws) * (len(draws) - 1))


def _equal_draws(draws: Sequence[float]) -> float:
    squares = sum(draw * draw for draw in draws)
    return sum(draws) ** 2 / squares if squares > 0 else 1.0


def _t_quantile(degrees: float) -> float:
    """The 97.5 percent quantile, by Cornish and Fisher's expansion (Abramowitz and Stegun 26.7.5),
    which is accurate to 1 percent from 3 degrees of freedom on; for fewer, values of a table.
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
"""Beyond any use, but still finite."""
_T_FEW = (12.706, 4.303, 3.182, 2.776)

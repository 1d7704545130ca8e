"""A random sample that anyone can draw again: the same names, share and seed give the same sample,
whatever the order of the names.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable


def choose_sample(names: Iterable[str], percent: float, seed: int) -> frozenset[str]:
    """A share of the names, rounded up, so that it has at least one if there are any. `percent`
    must be more than 0 and at most 100.
    """
    if not 0 < percent <= 100:
        raise ValueError(f"expected a sample of more than 0 and at most 100 percent, not {percent}")
    ranked = sorted(set(names), key=lambda name: hashlib.sha256(f"{seed} {name}".encode()).digest())
    return frozenset(ranked[: math.ceil(len(ranked) * percent / 100)])

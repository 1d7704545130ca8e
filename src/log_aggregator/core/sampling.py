"""A sample that anybody can draw again: the same names, share and seed give the same sample, in
whatever order they come.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable


def choose_sample(names: Iterable[str], percent: float, seed: int) -> frozenset[str]:
    """That share of the names, rounded up: at least one of any. `percent` is more than 0 and at
    most 100.
    """
    if not 0 < percent <= 100:
        raise ValueError(f"a sample is more than 0 and at most 100 percent, not {percent}")
    ranked = sorted(set(names), key=lambda name: hashlib.sha256(f"{seed} {name}".encode()).digest())
    return frozenset(ranked[: math.ceil(len(ranked) * percent / 100)])

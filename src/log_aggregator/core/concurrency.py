"""How many functions a state machine may have at once: what was asked for, as far as Lambda's quota
has room.

New accounts have a quota of 10, and so have those that Control Tower makes for audit and for logs
(https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html).
"""

from __future__ import annotations

from collections.abc import Mapping

BRANCHES = 2
"""Main and auxiliary logs go side by side."""

OTHERS_PERCENT = 20
"""Of what no function has reserved; left to whatever else runs in the account."""


def fit_branches(wanted: Mapping[str, int], unreserved: int) -> dict[str, int]:
    """Of a run: step -> how many for each of its branches. At least one; what is too much all the
    same, Lambda refuses, and it is tried again.
    """
    return {step: _fit(count, unreserved, BRANCHES) for step, count in wanted.items()}


def fit_history(wanted: Mapping[str, int], unreserved: int) -> dict[str, int]:
    """Of the work on history: `sort`, with nothing beside it, and `windows`, whole runs that pack
    `pack` in each of their branches.
    """
    pack = _fit(wanted["pack"], unreserved, BRANCHES)
    return {
        "sort": _fit(wanted["sort"], unreserved, 1),
        "windows": _fit(wanted["windows"], unreserved, BRANCHES * pack),
        "pack": pack,
    }


def _fit(wanted: int, unreserved: int, share: int) -> int:
    room = unreserved * (100 - OTHERS_PERCENT) // 100 // share
    return max(1, min(wanted, room))

"""How many functions a state machine may run at the same time: the number that was asked for, as
far as Lambda's quota allows.

New accounts have a quota of 10, including the audit and log archive accounts that Control Tower
makes (https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html).
"""

from __future__ import annotations

from collections.abc import Mapping

BRANCHES = 2
"""Main and auxiliary logs are packed at the same time."""

OTHERS_PERCENT = 20
"""The share of the unreserved concurrency that is left to other functions in the account."""


def fit_branches(wanted: Mapping[str, int], unreserved: int) -> dict[str, int]:
    """For a run: step -> number for each of its branches, at least one. If that is still too many,
    Lambda refuses a call and Step Functions retries it.
    """
    return {step: _fit(count, unreserved, BRANCHES) for step, count in wanted.items()}


def fit_history(wanted: Mapping[str, int], unreserved: int) -> dict[str, int]:
    """For work on history: `sort`, which runs alone, and `windows`, which are whole runs with
    `pack` functions in each of their branches.
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

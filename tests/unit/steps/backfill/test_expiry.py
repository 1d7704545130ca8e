"""What lifecycle rules delete, and where that is unknown."""

from __future__ import annotations

from datetime import date
from typing import cast

import pytest

from log_aggregator.errors import AccessDenied, NotAuthenticated, RequestFailed, Unreachable
from log_aggregator.ports.account import AccountInspector, LifecycleRule, Transition
from log_aggregator.steps.backfill.expiry import read_expiry

RULES: dict[str, tuple[LifecycleRule, ...] | RequestFailed] = {
    "years": (LifecycleRule("keep", expiration_days=365), LifecycleRule("abort", abort_days=7)),
    "once": (LifecycleRule("end", expiration_date=date(2026, 1, 1)),),
    "tagged": (LifecycleRule("some", has_tags=True, expiration_days=1),),
    "moved": (LifecycleRule("cold", transitions=(Transition("GLACIER", 30),)),),
    "none": (),
}


class Inspector:
    def __init__(self, refusals: dict[str, RequestFailed]) -> None:
        self._answers = {**RULES, **refusals}

    def get_bucket_lifecycle_configuration(self, bucket: str) -> tuple[LifecycleRule, ...]:
        answer = self._answers[bucket]
        if isinstance(answer, RequestFailed):
            raise answer
        return answer


def inspector(**refusals: RequestFailed) -> AccountInspector:
    return cast("AccountInspector", Inspector(refusals))


def test_rules_that_delete_delivered_logs_count() -> None:
    """Rules count by age and date; a rule for tags deletes nothing without tags."""
    found = read_expiry(inspector(), RULES)
    assert found.rules == [365, date(2026, 1, 1)]
    assert found.unknown == {}


@pytest.mark.parametrize("kind", [AccessDenied, NotAuthenticated, Unreachable])
def test_unreadable_rules_are_reported(kind: type[RequestFailed]) -> None:
    """Unreadable lifecycle rules are reported; they only affect the order, so they stop nothing."""
    found = read_expiry(inspector(once=kind("no")), ["once", "years"])
    assert found.rules == [365]
    assert found.unknown == {"once": "no"}

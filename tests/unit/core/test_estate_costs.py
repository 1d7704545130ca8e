"""What an estate costs: the linear model against the exact ones."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from log_aggregator.core.costs import PRICES, estimate_dollars
from log_aggregator.core.costs.estate import (
    Load,
    PackingCosts,
    find_payback_months,
    month_rates,
)
from log_aggregator.core.costs.storage import (
    INDEX_BYTES_PER_MEMBER,
    Packed,
    Sizes,
    estimate_packed,
    estimate_storage,
)
from log_aggregator.core.planning import PackLimits, Source, estimate_requests, plan_packs
from log_aggregator.limits import KIB, MIB
from log_aggregator.model import ContentKind, Group, KeyFacts, LogObject, PackPlan, Target

DAY = date(2025, 4, 3)
LIMITS = PackLimits()
COSTS = PackingCosts(LIMITS)


def plan(objects: int, size_bytes: int, groups: int) -> list[PackPlan]:
    plans: list[PackPlan] = []
    for number in range(groups):
        account = f"{number:012d}"
        facts = KeyFacts("CloudTrail", DAY, account, None, None, ContentKind.GZIP_DOCUMENT)
        sources = [
            Source(_make(f"{account}/{index}", size_bytes), facts)
            for index in range(objects // groups)
        ]
        group = Group("logs", "CloudTrail", account, DAY)
        plans += plan_packs(group, sources, Target("dest"), LIMITS)
    return plans


def _make(key: str, size_bytes: int) -> LogObject:
    written = datetime(2025, 4, 3, tzinfo=UTC)
    return LogObject("logs", key, None, "e", size_bytes, written)


@pytest.mark.parametrize("name", list(PRICES.storage))
@pytest.mark.parametrize("size_bytes", [700, 5_000, 127 * KIB, 128 * KIB, 3 * MIB])
def test_a_months_storage_matches_the_exact_model(name: str, size_bytes: int) -> None:
    """It agrees with the exact model for each size and class, over the minimum billed days."""
    of_object, of_byte = month_rates(name, size_bytes.bit_length(), PRICES)
    sizes = Sizes.of([size_bytes] * 1_000)
    months = 1 if PRICES.storage[name].cools_after else 12
    exact = estimate_storage(sizes, name, months) / months
    assert 1_000 * (of_object + of_byte * size_bytes) == pytest.approx(exact)


def test_a_class_without_a_price_counts_as_standard() -> None:
    """The survey continues, for example with EXPRESS_ONEZONE."""
    assert month_rates("NEW_CLASS", 12, PRICES) == month_rates("STANDARD", 12, PRICES)


@pytest.mark.parametrize(
    ("objects", "size_bytes", "groups"), [(600, 2_000, 300), (1_000, 9_000, 4), (900, 200_000, 3)]
)
def test_packing_costs_match_a_plan(objects: int, size_bytes: int, groups: int) -> None:
    """Its requests and a run's listings agree with a plan within a tenth."""
    packs = plan(objects, size_bytes, groups)
    requests = estimate_requests(packs, LIMITS) + Counter(
        ListObjectsV2=2 * groups, ListObjectVersions=-(-objects // 1000)
    )
    load = Load(objects, objects * size_bytes, groups)
    assert COSTS.once(load, "STANDARD") == pytest.approx(estimate_dollars(requests), rel=0.1)
    terms = estimate_dollars({"PutObject": len(packs)})
    with_terms = replace(COSTS, has_terms=True).once(load, "STANDARD")
    assert with_terms - COSTS.once(load, "STANDARD") == pytest.approx(terms, rel=0.1)
    sizes = Sizes.of(pack.size_bytes + len(pack.sources) * INDEX_BYTES_PER_MEMBER for pack in packs)
    for name in ("STANDARD", "GLACIER_IR", "DEEP_ARCHIVE"):
        packed = Packed(requests, sizes, objects * INDEX_BYTES_PER_MEMBER)
        way = estimate_packed(packed, name, 12)
        assert COSTS.once(load, name) == pytest.approx(way.once, rel=0.1)
        assert COSTS.month(load, name) == pytest.approx(way.storage / 12, rel=0.1)


def test_time_depends_on_the_slower_factor() -> None:
    """Small objects mean many requests, large ones many bytes."""
    assert Load(9_000, 9_000).seconds == pytest.approx(10)
    assert Load(10, 750e6).seconds == pytest.approx(10)


def test_payback_is_cost_divided_by_savings() -> None:
    """It is the one-off cost divided by the monthly saving."""
    assert find_payback_months(10, 3, 1) == 5
    assert find_payback_months(10, 1, 1) is None
    assert find_payback_months(10, 1, 2) is None

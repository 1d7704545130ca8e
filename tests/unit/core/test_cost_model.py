"""The cost model, compared with worked examples by others and with the plans that it models."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
from cost_model.break_even import find_break_even_bytes
from cost_model.transitions import count_transitions
from cost_model.work import (
    Load,
    Rates,
    Stack,
    estimate_item_transitions_dollars,
    estimate_kms_dollars,
    estimate_lambda_dollars,
    estimate_load_packed,
    estimate_search_requests,
    estimate_steps,
)
from hypothesis import given
from hypothesis import strategies as st

from log_aggregator.core.costs import PRICES, estimate_dollars
from log_aggregator.core.costs.overrides import override_prices
from log_aggregator.core.costs.storage import (
    Packed,
    Sizes,
    estimate_each,
    estimate_left,
    estimate_packed,
    estimate_payback_months,
    estimate_storage,
)
from log_aggregator.core.planning import PackLimits, estimate_requests, group_of, plan_packs
from log_aggregator.core.planning import Source as PlannedSource
from log_aggregator.errors import SettingsError
from log_aggregator.limits import GIB, KIB, MIB
from log_aggregator.model import ContentKind, KeyFacts, LogObject, PackPlan, Target

MILLION = 1_000_000
SEVEN_YEARS = 84
STACK = Stack(50_000, 4 * GIB, 200, 1769, 1769, 1024, 1024, 4)


def million(size_bytes: int) -> Sizes:
    sizes = Sizes()
    sizes.add(size_bytes, MILLION)
    return sizes


@pytest.mark.parametrize(
    ("size_kib", "left", "each", "packed"),
    [
        (1, 1.84, 67.36, 0.48),
        (4, 7.37, 67.60, 0.72),
        (16, 29.48, 68.55, 1.68),
        (43, 79.23, 70.69, 3.82),
        (128, 235.84, 77.43, 10.57),
        (512, 943.36, 107.88, 41.05),
    ],
)
def test_seven_years_of_a_million_objects(
    size_kib: int, left: float, each: float, packed: float
) -> None:
    """A worked example: $0.405 for requests, storage in Deep Archive, and no index. Ours adds the
    index, once warm and once archived.
    """
    sizes = million(size_kib * KIB)
    assert estimate_left(sizes, SEVEN_YEARS).total == pytest.approx(left, abs=0.01)
    assert estimate_each(sizes, "DEEP_ARCHIVE", SEVEN_YEARS).total == pytest.approx(each, abs=0.01)
    example = 0.405 + estimate_storage(Sizes.of([sizes.total_bytes]), "DEEP_ARCHIVE", SEVEN_YEARS)
    assert example == pytest.approx(packed, abs=0.05)
    ours = estimate_packed(
        estimate_load_packed(Load(MILLION, size_kib * KIB), PackLimits()),
        "DEEP_ARCHIVE",
        SEVEN_YEARS,
    ).total
    assert example < ours < example * 1.01 + 0.3


def test_search_costs_one_write_and_one_read_per_pack() -> None:
    """A pack of a group of 90 log objects costs as much as seventy-five GETs."""
    steps = estimate_steps(Load(MILLION, 12 * KIB, 100), PackLimits())
    assert steps["verifying"]["GetObject"] == 100  # packs
    added = estimate_search_requests(Load(MILLION, 12 * KIB, 100), PackLimits())
    assert added == {"PutObject": 101, "GetObject": 100, "ListObjectsV2": 1}
    assert estimate_dollars(added) == pytest.approx(0.00055, abs=0.00001)


def test_requests_for_a_million_objects() -> None:
    """One GET each and almost nothing else costs $0.41. One more request of the GET class doubles
    it; one upload each costs $20.
    """
    steps = estimate_steps(Load(MILLION, 8 * KIB), PackLimits())
    requests = sum(steps.values(), Counter[str]())
    assert estimate_dollars(requests) == pytest.approx(0.41, abs=0.005)
    assert estimate_dollars(requests + Counter(HeadObject=MILLION)) == pytest.approx(
        0.81, abs=0.005
    )
    assert (
        estimate_dollars(
            {
                "CreateMultipartUpload": MILLION,
                "UploadPartCopy": 2 * MILLION,
                "CompleteMultipartUpload": MILLION,
            }
        )
        == 20
    )
    assert PRICES.storage["DEEP_ARCHIVE"].transition_1000 * 1000 == 50


def test_kms_adds_a_decrypt_per_object() -> None:
    """A Decrypt for each object read costs three dollars a million; Bucket Keys save 99 percent."""
    steps = estimate_steps(Load(MILLION, 8 * KIB), PackLimits())
    assert estimate_kms_dollars(steps, with_bucket_keys=False) == pytest.approx(3.0)
    assert estimate_kms_dollars(steps, with_bucket_keys=True) == pytest.approx(0.03)


def test_break_even_falls_with_retention() -> None:
    """Over two years an object archived by itself pays from about 110 KiB; longer retention lowers
    the size, and packs need far less.
    """

    def left(years: float) -> Any:
        return lambda size: estimate_left(million(size), 12 * years).total

    def each(years: float) -> Any:
        return lambda size: estimate_each(million(size), "DEEP_ARCHIVE", 12 * years).total

    sizes = [find_break_even_bytes(left(years), each(years), 16 * MIB) for years in (1, 2, 7)]
    assert None not in sizes
    found = [size for size in sizes if size is not None]
    assert found == sorted(found, reverse=True)
    assert found[1] == pytest.approx(110 * KIB, rel=0.02)
    for years, size in zip((1, 2, 7), found, strict=True):
        assert each(years)(size) <= left(years)(size)
        assert each(years)(size - 1) > left(years)(size - 1)
    assert find_break_even_bytes(lambda _: 1.0, lambda _: 2.0, MIB) is None


@pytest.mark.parametrize("size_kib", [1, 16, 43])
def test_payback_of_a_million_objects(size_kib: int) -> None:
    """Packs of a million objects have paid for themselves in the month in which both ways cost the
    same.
    """
    sizes, packed = (
        million(size_kib * KIB),
        estimate_load_packed(Load(MILLION, size_kib * KIB), PackLimits()),
    )
    left, packs = estimate_left(sizes, 120), estimate_packed(packed, "DEEP_ARCHIVE", 120)
    months = estimate_payback_months(left, packs, 120)
    assert months is not None
    assert estimate_left(sizes, months).total == pytest.approx(
        packs.once + packs.storage * months / 120
    )
    assert estimate_payback_months(packs, left, 120) is None


@pytest.mark.parametrize(
    ("objects", "size_bytes", "groups"),
    [
        (1, 100, 1),
        (2_500, 8_000, 1),
        (2_501, 8_000, 3),
        (40, 20 * MIB, 2),
        (3, 2 * GIB, 1),
        (5_000, 500_000, 1),
    ],
    ids=["one", "one pack", "three groups", "copied by S3", "copied alone", "several packs"],
)
def test_modelled_requests_match_a_plan(objects: int, size_bytes: int, groups: int) -> None:
    """The model's steps for a load are those that a plan has, except listings, which a plan does
    not know.
    """
    limits = PackLimits()
    packs: list[PackPlan] = []
    for number in range(groups):
        facts = KeyFacts(
            "vpcflowlogs",
            date(2025, 4, 3),
            f"{number:012d}",
            "eu-west-1",
            None,
            ContentKind.GZIP_LINES,
        )
        count = objects // groups + (number < objects % groups)
        sources = [
            PlannedSource(
                LogObject(
                    "logs",
                    f"{number}/{each:06d}",
                    "v",
                    "e",
                    size_bytes,
                    datetime(2025, 4, 4, tzinfo=UTC),
                ),
                facts,
            )
            for each in range(count)
        ]
        packs += plan_packs(group_of("logs", facts), sources, Target("dest"), limits)
    steps = estimate_steps(Load(objects, size_bytes, groups), limits)
    model = sum((requests for step, requests in steps.items() if step != "listing"), Counter[str]())
    planned = estimate_requests(packs, limits)
    assert +model == +planned


@given(
    size=st.integers(0, 2 * GIB),
    more=st.integers(0, GIB),
    months=st.floats(0.1, 240),
    longer=st.floats(0, 120),
    name=st.sampled_from(sorted(PRICES.storage)),
)
def test_costs_grow_with_size_and_time(
    size: int, more: int, months: float, longer: float, name: str
) -> None:
    """In every class cost grows with size and time and is never negative; nothing costs nothing."""
    one = estimate_storage(Sizes.of([size]), name, months)
    assert 0 <= one <= estimate_storage(Sizes.of([size]), name, months + longer) * (1 + 1e-9)
    if name != "INTELLIGENT_TIERING":  # there a larger object may cool, and a smaller one may not
        assert one <= estimate_storage(Sizes.of([size + more]), name, months) * (1 + 1e-9)
    assert estimate_storage(Sizes(), name, months) == 0


@given(sizes=st.lists(st.integers(0, 4 * MIB), max_size=30))
def test_size_classes_keep_minimum_sizes_exact(sizes: list[int]) -> None:
    """Sizes counted by powers of two cost the same as one by one, because every minimum is a power
    of two.
    """
    for name in PRICES.storage:
        together = estimate_storage(Sizes.of(sizes), name, 36)
        assert together == pytest.approx(
            sum(estimate_storage(Sizes.of([size]), name, 36) for size in sizes)
        )


def test_minimum_days_and_sizes_are_charged() -> None:
    """A month in Deep Archive is billed as six; a small object in Standard-IA as 128 KiB."""
    assert estimate_storage(million(MIB), "DEEP_ARCHIVE", 1) == estimate_storage(
        million(MIB), "DEEP_ARCHIVE", 6
    )
    assert estimate_storage(million(1), "STANDARD_IA", 12) == estimate_storage(
        million(128 * KIB - 1), "STANDARD_IA", 12
    )
    assert estimate_storage(million(1), "STANDARD_IA", 12) == pytest.approx(
        0.0125 * 12 * MILLION * 128 * KIB / GIB
    )


def test_packs_pay_the_class_price_once() -> None:
    """Only the request that completes a pack is billed at Deep Archive's price, not all its
    parts.
    """
    packed = Packed({}, Sizes.of([GIB] * 1000), 0)
    dearer = (
        estimate_packed(packed, "DEEP_ARCHIVE", 12).once
        - estimate_packed(packed, "STANDARD", 12).once
    )
    assert dearer == pytest.approx(0.05 - 0.005)


def test_lambda_and_step_functions_are_charged() -> None:
    """A million objects are twenty items of four transitions; Lambda's price follows memory and
    rate.
    """
    load = Load(MILLION, 4 * KIB)
    assert estimate_item_transitions_dollars(load, STACK) == pytest.approx(20 * 4 * 0.000025)
    slow = estimate_lambda_dollars(load, STACK, replace(Rates(), combine_objects=463))
    fast = estimate_lambda_dollars(load, STACK, Rates())
    assert slow - fast == pytest.approx(MILLION / 926 * 1769 / 1024 * 0.0000133334)
    assert estimate_lambda_dollars(Load(0, 0), STACK, Rates()) == 0


MACHINE: dict[str, Any] = {
    "StartAt": "A",
    "States": {
        "A": {"Type": "Task", "Next": "B"},
        "B": {
            "Type": "Parallel",
            "Next": "C",
            "Branches": [{"StartAt": "X", "States": {"X": {"Type": "Pass", "End": True}}}] * 2,
        },
        "C": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.n", "NumericGreaterThan": 0, "Next": "D"}],
            "Default": "E",
        },
        "D": {
            "Type": "Map",
            "Next": "E",
            "ItemProcessor": {
                "ProcessorConfig": {"Mode": "DISTRIBUTED"},
                "StartAt": "Y",
                "States": {"Y": {"Type": "Task", "Next": "Z"}, "Z": {"Type": "Task", "End": True}},
            },
        },
        "E": {"Type": "Succeed"},
    },
}


def test_transitions_are_counted_from_a_definition() -> None:
    """Every state entered counts, in both branches, and each child's start and states, along the
    choices taken.
    """
    found = count_transitions(MACHINE, {"$.n": 1})
    assert (found.execution, found.children) == (7, {"D": 3})
    assert count_transitions(MACHINE, {"$.n": 0}).execution == 6
    with pytest.raises(ValueError, match="no value"):
        count_transitions(MACHINE, {})
    looping = {"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "A"}}}
    with pytest.raises(ValueError, match="twice"):
        count_transitions(looping, {})


def test_custom_prices_replace_built_in_ones() -> None:
    """A file's prices replace those that it names, and no others."""
    own = override_prices(
        PRICES, {"region": "eu-central-1", "storage": {"STANDARD": {"gb_month": 0.0245}}}
    )
    assert (own.region, own.date) == ("eu-central-1", PRICES.date)
    assert own.standard == replace(PRICES.standard, gb_month=0.0245)
    assert own.storage["DEEP_ARCHIVE"] is PRICES.storage["DEEP_ARCHIVE"]
    assert estimate_left(million(KIB), 12, own).total == pytest.approx(
        estimate_left(million(KIB), 12).total * 0.0245 / 0.023
    )


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"regin": "x"}, "did you mean region?"),
        ({"storage": {"STANDART": {}}}, "did you mean STANDARD?"),
        ({"storage": {"STANDARD": {"gb_months": 1}}}, "did you mean gb_month?"),
        ({"storage": {"STANDARD": {"days_min": 1}}}, "no such price"),
        ({"storage": {"STANDARD": {"gb_month": -1}}}, "0 or more"),
        ({"storage": {"STANDARD": {"gb_month": float("nan")}}}, "0 or more"),
        ({"storage": {"STANDARD": {"gb_month": True}}}, "0 or more"),
        ({"storage": 3}, "a table of prices"),
        ({"region": "a\nb"}, "one line of text"),
        ({"storage": {"INTELLIGENT_TIERING": {"cooled_gb_month": [1]}}}, "a list of 2 prices"),
    ],
    ids=[
        "name",
        "class",
        "price",
        "no price",
        "negative",
        "nan",
        "boolean",
        "no table",
        "two lines",
        "list",
    ],
)
def test_mistakes_in_a_price_file_are_reported(values: dict[str, Any], said: str) -> None:
    """An unknown name or an invalid price is an error that names its place."""
    with pytest.raises(SettingsError, match=said.replace("?", r"\?")):
        override_prices(PRICES, values)

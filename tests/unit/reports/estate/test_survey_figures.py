"""The figures of a survey: equal to a plan of all its days, if everything was counted."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from tests.support.world import document, flow_key, make_world, trail_key

from log_aggregator.core.costs.estate import PackingCosts
from log_aggregator.core.planning import PackLimits
from log_aggregator.core.windows import DateWindow
from log_aggregator.reports.estate.figures import Question, describe_estate
from log_aggregator.reports.estate.lines import render_estate
from log_aggregator.reports.estate.words import word_between, word_count, word_spread, word_time
from log_aggregator.reports.plan import describe_plan
from log_aggregator.reports.ways import Comparison
from log_aggregator.steps.estate.draws import Draw
from log_aggregator.steps.estate.survey import BucketFigures, Estate, Extent, Way, find_yards
from log_aggregator.steps.estate.survey import survey as survey_estate
from log_aggregator.steps.estate.tally import Cell, Due, Fate
from log_aggregator.steps.packing.listing import Progress
from log_aggregator.steps.packing.plan import plan_run

TODAY = date(2025, 7, 1)
ALL_DAYS = DateWindow(date(2006, 1, 1), date(2099, 12, 31))
QUESTION = Question(PackingCosts(PackLimits(), has_terms=True))


def test_a_survey_and_a_plan_of_the_same_logs_agree() -> None:
    """Objects and bytes agree exactly, packs and dollars within a tenth, and exclusions by their
    reasons.
    """
    world = make_world()
    for number in range(40):
        world.put("logs", trail_key(number), document(number))
        world.put("logs", flow_key(f"{number}.log.gz"), bytes(40_000))
    world.put("logs", "unknown", b"x")
    job = world.job()
    planned = plan_run(job, Progress())
    plan = describe_plan(
        planned, {"ListObjectVersions": 1, "ListObjectsV2": 4}, Comparison(years=1)
    )
    every_day = job.for_days(ALL_DAYS)
    estate = survey_estate(every_day, find_yards(every_day, None), {}, Extent())
    survey = describe_estate(estate, replace(QUESTION, years=1))
    total, compared = survey["total"], plan["comparison"]
    assert total["objects"]["value"] == plan["objects"]["to_pack"] == 80
    assert total["bytes"]["value"] == compared["bytes"]
    assert total["groups"]["value"] == sum(row["groups"] for row in plan["summary"])
    ways = {(way["way"], way["storage_class"]): way for way in compared["ways"]}
    dollars = {name: each["value"] for name, each in total["dollars"].items()}
    assert dollars["now_month"] * 12 == pytest.approx(ways["left", "STANDARD"]["storage"], rel=0.01)
    for name, place in (("packed", "STANDARD"), ("archived", "DEEP_ARCHIVE")):
        way = ways["packs", place]
        assert dollars[f"{name}_month"] * 12 == pytest.approx(way["storage"], rel=0.1)
    assert dollars["packing"] == pytest.approx(ways["packs", "STANDARD"]["once"], rel=0.1)
    assert [(row["left"], row["objects"]) for row in survey["left"]] == [
        (row["left"], row["objects"]) for row in plan["left"]
    ]


def make_draw(objects: float, size_bytes: float, day: date = TODAY) -> Draw:
    cell = Cell("logs", "Config", day, "STANDARD", 12)
    due = Due("logs", Fate.EXPIRED, 30)
    return Draw(
        {cell: [objects, size_bytes]},
        {("logs", "Config"): objects},
        {},
        {due: [objects, size_bytes]},
    )


def sampled(*draws: Draw) -> dict[str, Any]:
    figures = BucketFigures("logs", Way.SAMPLED, draws=list(draws))
    return describe_estate(Estate(TODAY, [figures], 50), QUESTION)


def test_draws_are_averaged_everywhere() -> None:
    """Totals, types, months, sizes, ages and the lifecycle's share all average draws; none adds
    them up.
    """
    old = date(2024, 1, 1)
    described = sampled(make_draw(100, 200_000), make_draw(300, 600_000, old))
    assert described["total"]["objects"]["value"] == 200
    assert described["total"]["bytes"]["value"] == 400_000
    assert described["types"][0]["objects"]["value"] == 200
    for name in ("months", "sizes", "ages", "classes", "lifecycle"):
        assert sum(row["objects"] for row in described[name]) == 200
        assert sum(row["bytes"] for row in described[name]) == 400_000
    low, high = (described["total"]["objects"][end] for end in ("low", "high"))
    assert low < 200 < high


def test_packing_can_cost_more_than_it_saves() -> None:
    """With Config logs of 2 KB per day and account, a pack costs more than ten years of keeping
    them.
    """
    described = sampled(make_draw(1_000, 2_000_000), make_draw(1_100, 2_200_000))
    [row] = described["types"]
    assert not row["pays"]
    assert row["bytes_per_group"] == 2_000
    text = "\n".join(render_estate(described))
    assert "packing these does not pay over 10 years: 2.0 KB per day and account" in text


def test_an_estimate_shows_only_certain_digits() -> None:
    """An estimate has three digits and its interval; a count has all its digits and no interval."""
    estimate = {"value": 1_234_567.0, "low": 1_000_499.0, "high": 2_000_499.0}
    assert word_count(estimate) == "1,230,000"
    assert word_spread(estimate) == "±62 %"
    assert word_between(estimate, "count") == "1,000,000 to 2,000,000"
    counted = dict.fromkeys(estimate, 1_234_567.0)
    assert (word_count(counted), word_spread(counted)) == ("1,234,567", "")
    assert word_between(counted, "count") == ""


def test_an_existing_class_is_priced_as_it_is() -> None:
    """Packing objects already in an infrequent-access class saves less."""
    now = {}
    for name in ("STANDARD", "GLACIER_IR"):
        world = make_world()
        world.put("logs", flow_key("a.log.gz"), bytes(500_000), storage_class=name)
        job = world.job().for_days(ALL_DAYS)
        estate = survey_estate(job, find_yards(job, None), {}, Extent())
        described = describe_estate(estate, QUESTION)
        assert [row["storage_class"] for row in described["classes"]] == [name]
        now[name] = described["total"]["dollars"]["now_month"]["value"]
    assert now["STANDARD"] > 5 * now["GLACIER_IR"]


def test_one_second_is_singular() -> None:
    assert [word_time(seconds) for seconds in (1, 2)] == ["1 second", "2 seconds"]

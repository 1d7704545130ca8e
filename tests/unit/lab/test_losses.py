"""What the second part of the demo accepts as found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from tests.support.reports import FIRST, make_calendar, make_drill, make_place, make_record
from tests.support.reports import make_report as make_whole_report

from log_aggregator.core.custody import RecordKind
from log_aggregator.core.evidence.calendar import DayState, Gap, GapKind, RowName
from log_aggregator.steps.evidence.report import Report
from log_aggregator_lab.cli.losses import Loss, find_problems

ACCOUNTS = ("111122223333", "222233334444", "333344445555")
LOSS = Loss("AWSLogs/digest", "AWSLogs/log", "packs/pack", ACCOUNTS, members=5)
GAPS = (
    Gap(GapKind.HOLE, RowName("CloudTrail", ACCOUNTS[0]), FIRST),
    Gap(
        GapKind.MISSING, RowName("CloudTrail", ACCOUNTS[1]), FIRST, samples=("s3://a/AWSLogs/log",)
    ),
    Gap(GapKind.MISSING, RowName("Config", ACCOUNTS[2]), FIRST, samples=("s3://b/packs/pack",)),
)


def make_report(gaps: Sequence[Gap], *, bad: int = 5, failures: Sequence[str] = ()) -> Report:
    rows = [(RowName("CloudTrail", ACCOUNTS[0]), bytes([DayState.HOLE]))]
    drill = replace(make_drill(members=299, bad=bad), packs_bad=1)
    place = make_place([make_record(2, kind=RecordKind.DRILL, drill=drill)])
    report = make_whole_report(make_calendar(rows, gaps, failures))
    return replace(report, places=(place,))


def test_exactly_three_losses_are_no_problem() -> None:
    assert list(find_problems(LOSS, make_report(GAPS))) == []


@pytest.mark.parametrize("number", range(3), ids=("digest", "log", "pack"))
def test_a_missed_loss_is_a_problem(number: int) -> None:
    left = [gap for each, gap in enumerate(GAPS) if each != number]
    assert any("not found" in each for each in find_problems(LOSS, make_report(left)))


def test_an_unnamed_loss_is_a_problem() -> None:
    """The account is right, but the key is another."""
    gaps = [GAPS[0], replace(GAPS[1], samples=("s3://a/AWSLogs/other",)), GAPS[2]]
    assert list(find_problems(LOSS, make_report(gaps))) == ["not named: AWSLogs/log"]


def test_a_false_alarm_is_a_problem() -> None:
    other = Gap(GapKind.HOLE, RowName("CloudTrail", ACCOUNTS[2]), FIRST)
    problems = list(find_problems(LOSS, make_report([*GAPS, other])))
    assert len(problems) == 1
    assert "found, but not lost" in problems[0]


def test_an_unreadable_place_is_a_problem() -> None:
    problems = list(find_problems(LOSS, make_report(GAPS, failures=["s3://a/b"])))
    assert problems == ["could not be read: s3://a/b"]


@pytest.mark.parametrize("bad", [0, 4, 6], ids=("none", "fewer", "more"))
def test_a_drill_must_miss_exactly_the_members_of_the_pack(bad: int) -> None:
    problems = list(find_problems(LOSS, make_report(GAPS, bad=bad)))
    assert any(f"the drill found {bad} bad members" in each for each in problems)

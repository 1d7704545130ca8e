"""The verdicts of a report: nothing wrong or unknown is called in order."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.support.reports import (
    FIRST,
    MADE,
    make_calendar,
    make_check,
    make_drill,
    make_place,
    make_protection,
    make_proven,
    make_record,
    make_report,
)

from log_aggregator.core.evidence.at_rest import Verdict as PackVerdict
from log_aggregator.core.evidence.calendar import Calendar, DayState, Gap, GapKind, RowName
from log_aggregator.core.evidence.standards import Section
from log_aggregator.core.signatures import Proven
from log_aggregator.ports.account import LifecycleRule, ObjectLock
from log_aggregator.reports.evidence.verdicts import State, judge_report
from log_aggregator.steps.custody.once import Finding
from log_aggregator.steps.evidence.report import Answer, Place, Protection, Report

NAME = RowName("CloudTrail", "111122223333")
DENIED: Answer[object] = Answer(None, "AccessDenied: s3:GetBucketObjectLockConfiguration")


def calendar(*states: DayState, failures: int = 0) -> Calendar:
    gaps = [Gap(GapKind.MISSING, NAME, FIRST)] if DayState.MISSING in states else []
    return make_calendar([(NAME, bytes(states))], gaps, ["digests"] * failures)


def state_of(report: Report, section: Section) -> State:
    [found] = [each.state for each in judge_report(report) if each.section is section]
    return found


@pytest.mark.parametrize(
    ("states", "failures", "expected"),
    [
        ((DayState.ARCHIVED, DayState.ORIGINALS), 0, State.GOOD),
        ((DayState.PACKED, DayState.NOTHING_DUE), 0, State.GOOD),
        ((DayState.PACKED, DayState.UNKNOWN), 0, State.UNKNOWN),
        ((DayState.PACKED, DayState.UNCHECKED), 0, State.UNKNOWN),
        ((DayState.PACKED,), 1, State.UNKNOWN),
        ((DayState.NOTHING_DUE,), 0, State.UNKNOWN),
        ((DayState.PACKED, DayState.MISSING), 0, State.WRONG),
        ((DayState.PACKED, DayState.HOLE), 1, State.WRONG),
    ],
    ids=["there", "nothing-due", "unknown", "unchecked", "failed", "empty", "missing", "hole"],
)
def test_a_missing_day_is_wrong(
    states: tuple[DayState, ...], failures: int, expected: State
) -> None:
    """A missing day is wrong, and days that could not be checked do not count as present."""
    report = make_report(calendar(*states, failures=failures))
    assert state_of(report, Section.COVERAGE) is expected


def test_unread_digests_leave_coverage_unknown() -> None:
    """Without digests a day with some logs looks whole."""
    quick = replace(calendar(DayState.PACKED), has_every_digest=False)
    assert state_of(make_report(quick), Section.COVERAGE) is State.UNKNOWN


def test_unchecked_coverage_is_unknown() -> None:
    """An answer without rows does not count as good either."""
    assert state_of(make_report(None), Section.COVERAGE) is State.UNKNOWN
    assert state_of(make_report(make_calendar([])), Section.COVERAGE) is State.UNKNOWN


def broken() -> Place:
    return make_place(findings=[Finding("custody/x", "it is missing")])


def at_rest(verdict: PackVerdict, *, foreign: int = 0) -> Place:
    """A place whose newest check at rest has this verdict; an older one was good."""
    check = replace(make_check(verdict), foreign_rows=foreign)
    return make_place([make_record(5, at_rest=check), make_record(4, at_rest=make_check())])


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        (make_place(), State.GOOD),
        (broken(), State.WRONG),
        (make_place([]), State.OPEN),
        (at_rest(PackVerdict.DAMAGED), State.WRONG),
        (at_rest(PackVerdict.UNPROVEN), State.UNKNOWN),
        (at_rest(PackVerdict.GOOD, foreign=1), State.UNKNOWN),
        (make_place([make_record(0)]), State.OPEN),
    ],
    ids=["sound", "broken", "no-record", "damaged", "unproven", "foreign", "never-hashed"],
)
def test_a_break_or_a_damaged_pack_is_wrong(place: Place, expected: State) -> None:
    """A break and a damaged pack are wrong; a check never made is open."""
    assert state_of(make_report(None, place), Section.INTEGRITY) is expected


@pytest.mark.parametrize(
    ("proven", "expected", "words"),
    [
        (make_proven(), State.GOOD, "Proven by key ours"),
        (make_proven(is_trusted=False), State.OPEN, "which was not named"),
        (Proven(), State.OPEN, "not signed"),
    ],
    ids=["named", "not-named", "unsigned"],
)
def test_only_named_keys_prove_a_chain(proven: Proven, expected: State, words: str) -> None:
    """Only a named key proves anything, and only for an unbroken chain."""
    place = make_place(proven=proven)
    assert state_of(make_report(None, place), Section.INTEGRITY) is expected
    assert words in say(place)
    place.walked.findings.append(Finding("custody/x", "it is missing"))
    assert state_of(make_report(None, place), Section.INTEGRITY) is State.WRONG
    assert words not in say(place)


def say(place: Place) -> str:
    verdicts = judge_report(make_report(None, place))
    return " ".join(each.text for verdict in verdicts for each in verdict.sentences)


def protected(**more: object) -> Protection:
    return replace(make_protection(), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("protection", "expected"),
    [
        (protected(), State.GOOD),
        (protected(lock=DENIED), State.UNKNOWN),
        (protected(lifecycle=DENIED), State.UNKNOWN),
        (protected(lock=Answer(ObjectLock())), State.OPEN),
        (protected(lock=Answer(ObjectLock(is_enabled=True))), State.OPEN),
        (protected(lifecycle=Answer((LifecycleRule("e", expiration_days=364),))), State.OPEN),
        (protected(lifecycle=Answer((LifecycleRule("e", expiration_days=365),))), State.GOOD),
        (protected(lifecycle=Answer((LifecycleRule("e", expiration_date=FIRST),))), State.OPEN),
        (
            protected(lifecycle=Answer((LifecycleRule("e", "indexes/", expiration_days=1),))),
            State.GOOD,
        ),
    ],
    ids=["sound", "lock?", "rules?", "off", "no-default", "364", "365", "dated", "elsewhere"],
)
def test_unknown_retention_is_unknown(protection: Protection, expected: State) -> None:
    """What S3 did not answer is unknown; packs that expire within a year are open."""
    report = make_report(None, make_place(protection=protection))
    assert state_of(report, Section.RETENTION) is expected


@pytest.mark.parametrize(
    ("members", "bad", "age_days", "expected"),
    [
        (299, 0, 1, State.GOOD),
        (299, 0, 92, State.GOOD),
        (299, 0, 93, State.OPEN),
        (299, 1, 1, State.WRONG),
        (0, 0, 1, State.WRONG),
    ],
    ids=["sound", "a-quarter-old", "older", "bad", "nothing-drawn"],
)
def test_the_newest_drill_decides(members: int, bad: int, age_days: int, expected: State) -> None:
    """The newest drill counts, whatever older ones found."""
    row = make_record(
        9,
        drill=make_drill(members=members, bad=bad),
        ended=MADE - timedelta(days=age_days),
    )
    older = make_record(8, drill=make_drill())
    assert state_of(make_report(None, make_place([row, older])), Section.DRILLS) is expected


def test_a_missing_drill_is_open() -> None:
    """The text says how to run one."""
    report = make_report(None, make_place([make_record(0)]))
    assert state_of(report, Section.DRILLS) is State.OPEN


def test_the_worst_bucket_decides() -> None:
    """Each sentence names its own bucket."""
    report = make_report(None, make_place(), broken())
    [verdict] = [each for each in judge_report(report) if each.section is Section.INTEGRITY]
    assert verdict.state is State.WRONG
    assert all(each.text.startswith("s3://example-packs: ") for each in verdict.sentences)
    assert {each.record[0] for each in verdict.sentences if each.record} == {0, 1}

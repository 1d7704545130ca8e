"""A calendar is readable without colours and in any width, and folding hides no bad day."""

from __future__ import annotations

import importlib
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from log_aggregator.core.evidence.calendar import (
    By,
    Calendar,
    DayState,
    Gap,
    GapKind,
    Row,
    RowName,
)
from log_aggregator.errors import Failure
from log_aggregator.reports.evidence.calendar import (
    SYMBOLS,
    WORDS,
    describe_calendar,
    fold_days,
    render_calendar,
)

sys.path.insert(0, str(Path(__file__).resolve().parents[4] / "docs"))
JSON_FIELDS: Any = importlib.import_module("reference_pages.json_fields")
ACCOUNT = "111122223333"
NAME = RowName("CloudTrail", ACCOUNT)
FIRST = date(2026, 2, 26)


def calendar_of(states: list[DayState], *gaps: Gap, **more: Any) -> Calendar:
    last = FIRST + timedelta(days=len(states) - 1)
    return Calendar(FIRST, last, By.ACCOUNT, (Row(NAME, bytes(states)),), gaps, **more)


def gap_of(**more: Any) -> Gap:
    return Gap(GapKind.MISSING, NAME, date(2026, 3, 1), 12, 12, text="a text", **more)


def test_a_calendar_is_printed() -> None:
    states = [DayState.PACKED, DayState.PACKED, DayState.ORIGINALS, DayState.MISSING, DayState.BOTH]
    gap = Gap(
        GapKind.MISSING, NAME, date(2026, 3, 1), text="no log object, but the digests name 12"
    )
    *lines, verdict = render_calendar(calendar_of(states, gap), 80)
    assert verdict.startswith("Something is missing: 1 day in 1 row. docs/how-to/")
    assert lines == [
        "CloudTrail",
        "              02  2026-03",
        "              678 12",
        "111122223333  ppo Xb",
        "",
        "X  MISSING: named by a digest or an index, and found nowhere: 1 day",
        "o  originals only: 1 day",
        "b  packed, and originals: 1 day",
        "p  packed: 2 days",
        "",
        "2026-03-01  CloudTrail 111122223333: no log object, but the digests name 12",
        "",
    ]


@pytest.mark.parametrize(
    ("width", "unit"), [(400, "day"), (90, "week"), (20, "month"), (1, "month")]
)
def test_long_ranges_are_folded(width: int, unit: str) -> None:
    columns = fold_days(calendar_of([DayState.PACKED] * 365), width)
    assert {column.unit for column in columns} == {unit}
    days = [number for column in columns for number in range(column.begin, column.end)]
    assert days == list(range(365))


@given(st.lists(st.sampled_from(list(DayState)), min_size=1, max_size=500), st.integers(20, 200))
@example([*[DayState.PACKED] * 200, DayState.MISSING, *[DayState.PACKED] * 299], 80)
def test_folding_hides_no_missing_day(states: list[DayState], width: int) -> None:
    """A row shows that something is missing, however narrow the terminal, and fits a wide one."""
    calendar = calendar_of(states)
    row = next(line for line in render_calendar(calendar, width) if line.startswith(ACCOUNT))
    shown = row.removeprefix(ACCOUNT)
    assert (SYMBOLS[DayState.MISSING] in shown) == (DayState.MISSING in states)
    if DayState.MISSING not in states:
        assert (SYMBOLS[DayState.HOLE] in shown) == (DayState.HOLE in states)
    if width > 60:
        assert len(row) <= width


def test_every_state_has_its_own_symbol_and_words() -> None:
    assert set(SYMBOLS) == set(WORDS) == set(DayState)
    assert len(set(SYMBOLS.values())) == len(DayState)


def test_many_gaps_are_counted() -> None:
    gaps = [
        Gap(GapKind.HOLE, NAME, FIRST + timedelta(days=number), text=f"t{number}")
        for number in range(25)
    ]
    lines = list(render_calendar(calendar_of([DayState.HOLE] * 25, *gaps, unlisted=3), 80))
    assert "8 more days with something missing; --json lists them" in lines


def test_days_with_the_same_gap_share_a_line() -> None:
    gaps = [
        Gap(GapKind.HOLE, NAME, FIRST + timedelta(days=number), text="no digest")
        for number in (0, 1, 2, 4)
    ]
    missing = Gap(GapKind.MISSING, NAME, FIRST + timedelta(days=3), text="no object")
    lines = list(render_calendar(calendar_of([DayState.HOLE] * 5, *gaps, missing), 80))
    assert [line for line in lines if ": no " in line and line.startswith("2026")] == [
        "2026-03-01  CloudTrail 111122223333: no object",
        "2026-02-26 to 2026-02-28  CloudTrail 111122223333: no digest",
        "2026-03-02  CloudTrail 111122223333: no digest",
    ]


def test_unchecked_days_are_not_called_complete() -> None:
    failure = Failure("s3://dest/pack", "ObjectFrozen", "frozen", "Thaw it.")
    calendar = calendar_of([DayState.UNCHECKED], failures=(failure,))
    lines = list(render_calendar(calendar, 80))
    assert "Nothing was found missing, but not everything could be checked." in lines
    assert any("Thaw it." in line for line in lines)
    sound = list(render_calendar(calendar_of([DayState.PACKED]), 80))
    assert sound[-1] == "Nothing is missing that is known to be expected."


def test_an_empty_calendar_is_incomplete() -> None:
    nothing = Calendar(FIRST, FIRST, By.ACCOUNT, ())
    assert not nothing.is_complete
    first, verdict = render_calendar(nothing, 80)
    assert first == "No logs and no packs from 2026-02-26 to 2026-02-26."
    assert verdict.startswith("There is nothing to show.")


def test_a_name_cannot_send_escape_sequences_to_the_terminal() -> None:
    gap = Gap(GapKind.MISSING, NAME, FIRST, text="\x1b]0;t")
    row = Row(RowName("\x1b[2J", "\x1b[1m", "\x1b[1m"), b"\x03")
    calendar = Calendar(FIRST, FIRST, By.REGION, (row,), (gap,))
    assert "\x1b" not in "".join(render_calendar(calendar, 80))


def test_every_field_is_documented() -> None:
    hour = datetime(2026, 3, 1, 5, tzinfo=UTC)
    gap = gap_of(hours=((hour, hour),), samples=("s3://b/k",))
    failure = Failure("s3://dest/pack", "ObjectFrozen", "frozen", "Thaw it.")
    described = describe_calendar(calendar_of([DayState.PACKED], gap, failures=(failure,)))
    assert described["rows"][0]["days"] == "p"
    assert set(JSON_FIELDS.flatten(described)) == set(JSON_FIELDS.json_fields("coverage"))

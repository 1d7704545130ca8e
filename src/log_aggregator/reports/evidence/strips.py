"""A coverage calendar in a page: a table for each log type, with a strip of days in each row.

A strip is one SVG path for each state, with a stroke for every run of days, so that a year of 1,000
accounts takes a few hundred KB and no script. States differ by the height and thickness of their
strokes, so that they can be told apart without colours; and each row says the same in words.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from log_aggregator.core.evidence.calendar import Calendar, DayState, Gap, GapKind, Row, RowName
from log_aggregator.reports.numbers import format_count

HEIGHT = 12
GAPS_MAX = 1_000
TABLE_ROWS_MAX = 50
DAYS_NAMED_MAX = 3
MONTHS_LABELLED_MAX = 13
_RUN = re.compile(rb"(.)\1*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Mark:
    """How a state is drawn: the heights of its strokes' middles. The style sheet says how thick
    they are, by the state's number.
    """

    heights: tuple[float, ...]
    name: str
    meaning: str


MARKS = {
    DayState.ORIGINALS: Mark((4,), "originals", "only originals, at the top: not packed yet"),
    DayState.BOTH: Mark((7,), "both", "packs and originals: full height"),
    DayState.PACKED: Mark((8.5,), "packed", "packs only: the lower two thirds"),
    DayState.ARCHIVED: Mark((10.5,), "archived", "frozen packs only, at the foot: thaw first"),
    DayState.NOTHING_DUE: Mark(
        (11.75,), "none expected", "no log, and none expected: a thin line at the foot"
    ),
    DayState.UNKNOWN: Mark(
        (7,), "unknown", "no log, and nothing says whether there should be one: a line half way up"
    ),
    DayState.UNCHECKED: Mark((5, 9), "not checked", "digests could not be read: two lines"),
    DayState.HOLE: Mark(
        (1, 6, 11), "hole", "no digest covers some hours: three stripes, taller than all others"
    ),
    DayState.MISSING: Mark(
        (6,),
        "missing",
        "named by a digest or an index, and found nowhere: solid, taller than all others",
    ),
}
"""In the order of the legend."""


@dataclass(frozen=True, slots=True)
class Link:
    """A text, and the anchor that it leads to."""

    text: str
    anchor: str


@dataclass(frozen=True, slots=True)
class StripRow:
    """`paths` are (number of a state, path)."""

    account: str
    region: str
    paths: Sequence[tuple[int, str]]
    words: str
    gaps: Sequence[Link]


@dataclass(frozen=True, slots=True)
class StripTable:
    """Some rows of a log type, and their label."""

    label: str
    rows: Sequence[StripRow]


@dataclass(frozen=True, slots=True)
class StripPart:
    """A log type, in tables of at most `TABLE_ROWS_MAX` rows: a browser lays out only the tables in
    view.
    """

    log_type: str
    words: str
    has_regions: bool
    tables: Sequence[StripTable]


@dataclass(frozen=True, slots=True)
class GapRow:
    """What is wrong with a day. `samples` are keys."""

    anchor: str
    kind: str
    name: RowName
    date: date
    text: str
    samples: Sequence[str]


def make_parts(calendar: Calendar) -> Iterator[StripPart]:
    """One for each log type; rows with something missing come first."""
    anchors = {(gap.name, gap.date): f"gap-{number}" for number, gap in _listed(calendar)}
    by_type: dict[str, list[Row]] = {}
    for row in calendar.rows:
        by_type.setdefault(row.name.log_type, []).append(row)
    gaps: dict[RowName, list[Gap]] = {}
    for gap in calendar.gaps:
        gaps.setdefault(gap.name, []).append(gap)
    for log_type, rows in by_type.items():
        counts: Counter[DayState] = sum((row.count() for row in rows), Counter())
        ordered = sorted(rows, key=lambda row: (-_count_bad(row.count()), row.name))
        yield StripPart(
            log_type,
            f"{format_count(len(rows), 'row')}: {_say_counts(counts)}",
            any(row.name.region for row in rows),
            list(
                _cut(log_type, [_make_row(row, gaps.get(row.name, ()), anchors) for row in ordered])
            ),
        )


def _cut(log_type: str, rows: Sequence[StripRow]) -> Iterator[StripTable]:
    label = f"Coverage of {log_type}"
    if len(rows) <= TABLE_ROWS_MAX:
        yield StripTable(label, rows)
        return
    for begin in range(0, len(rows), TABLE_ROWS_MAX):
        some = rows[begin : begin + TABLE_ROWS_MAX]
        yield StripTable(f"{label}, rows {begin + 1:,} to {begin + len(some):,}", some)


def make_gaps(calendar: Calendar) -> list[GapRow]:
    """The first `GAPS_MAX`, with the anchors that rows lead to."""
    return [
        GapRow(f"gap-{number}", _KINDS[gap.kind], gap.name, gap.date, _say_gap(gap), gap.samples)
        for number, gap in _listed(calendar)
    ]


def list_months(calendar: Calendar) -> list[tuple[float, str]]:
    """Where months begin, in per cent of the width. The first and every January are labelled with
    the year; only years where there are too many months.
    """
    begins = [
        (round(100 * number / calendar.days, 2), day)
        for number, day in enumerate(calendar.each_day())
        if number == 0 or day.day == 1
    ]
    if len(begins) > MONTHS_LABELLED_MAX:
        begins = [(place, day) for place, day in begins if place == 0 or day.month == 1]
    return [
        (place, f"{day:%Y}" if place == 0 or day.month == 1 else f"{day:%m}")
        for place, day in begins
    ]


def draw_strip(states: bytes) -> list[tuple[int, str]]:
    """(number of a state, path): days from the left to the right, a unit each."""
    paths: dict[int, list[str]] = {}
    for run in _RUN.finditer(states):
        state = DayState(run[0][0])
        length = run.end() - run.start()
        paths.setdefault(state, []).extend(
            f"M{run.start()} {height:g}h{length}" for height in MARKS[state].heights
        )
    return [(state, "".join(parts)) for state, parts in sorted(paths.items())]


def draw_legend() -> Iterator[tuple[list[tuple[int, str]], Mark]]:
    for state, mark in MARKS.items():
        yield draw_strip(bytes([state] * 3)), mark


_KINDS = {
    GapKind.MISSING: "missing",
    GapKind.HOLE: "hole",
    GapKind.UNCHECKED: "not checked",
}


def _listed(calendar: Calendar) -> Iterator[tuple[int, Gap]]:
    return enumerate(calendar.gaps[:GAPS_MAX])


def _make_row(
    row: Row, gaps: Iterable[Gap], anchors: Mapping[tuple[RowName, date], str]
) -> StripRow:
    links = [
        Link(f"{gap.date:%Y-%m-%d}", anchors[gap.name, gap.date])
        for gap in gaps
        if (gap.name, gap.date) in anchors
    ]
    return StripRow(
        row.name.account,
        row.name.region,
        draw_strip(row.states),
        _say_counts(row.count()),
        links[:DAYS_NAMED_MAX],
    )


def _count_bad(counts: Counter[DayState]) -> int:
    return sum(count for state, count in counts.items() if state.is_bad)


def _say_counts(counts: Counter[DayState]) -> str:
    """The worst first."""
    shown = [f"{counts[state]:,} {MARKS[state].name}" for state in sorted(counts, reverse=True)]
    return ", ".join(shown) or "no day"


def _say_gap(gap: Gap) -> str:
    if gap.text:
        return gap.text
    if gap.kind is GapKind.MISSING:
        return f"{gap.missing:,} of {gap.named:,} log files that digests name are missing"
    hours = ", ".join(f"{begin:%H:%M} to {end:%H:%M}" for begin, end in gap.hours)
    return f"no digest covers {hours or 'some hours'}"

"""A coverage calendar: as a dictionary for programs (`--json`), and as a page for the terminal.

A day is one character, so that it can be read without colours. Where the days do not fit, each week
or month is one character: that of its worst day.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from itertools import groupby
from typing import Any

from log_aggregator.core.evidence.calendar import Calendar, DayState, Gap, GapKind
from log_aggregator.core.times import encode_time
from log_aggregator.escapes import escape
from log_aggregator.reports.failures import render_failed
from log_aggregator.reports.numbers import format_count

SYMBOLS = {
    DayState.NOTHING_DUE: "-",
    DayState.UNKNOWN: "?",
    DayState.ARCHIVED: "a",
    DayState.PACKED: "p",
    DayState.BOTH: "b",
    DayState.ORIGINALS: "o",
    DayState.UNCHECKED: "~",
    DayState.HOLE: "H",
    DayState.MISSING: "X",
}
WORDS = {
    DayState.NOTHING_DUE: "no log, and none expected",
    DayState.UNKNOWN: "no log, and nothing says whether there should be one",
    DayState.ARCHIVED: "packed; must be thawed before it can be read",
    DayState.PACKED: "packed",
    DayState.BOTH: "packed, and originals",
    DayState.ORIGINALS: "originals only",
    DayState.UNCHECKED: "not checked: digests could not be read",
    DayState.HOLE: "no digest covers some hours, so nothing shows what to expect",
    DayState.MISSING: "MISSING: named by a digest or an index, and found nowhere",
}
GAPS_SHOWN_MAX = 20
_KINDS = (GapKind.MISSING, GapKind.HOLE, GapKind.UNCHECKED)
_TABLE = bytes(ord(SYMBOLS[DayState(state)]) if state in SYMBOLS else 63 for state in range(256))
_WEEK = 7
_MONTH_LETTERS = "JFMAMJJASOND"


def describe_calendar(calendar: Calendar) -> dict[str, Any]:
    """What `coverage --json` writes. The names are documented in docs/reference/json.md."""
    return {
        "complete": calendar.is_complete,
        "first": calendar.first.isoformat(),
        "last": calendar.last.isoformat(),
        "by": calendar.by.value,
        "symbols": {state.name.lower(): symbol for state, symbol in SYMBOLS.items()},
        "days": {state.name.lower(): count for state, count in sorted(calendar.count().items())},
        "rows": [
            {**asdict(row.name), "days": row.states.translate(_TABLE).decode()}
            for row in calendar.rows
        ],
        "gaps": [_describe_gap(gap) for gap in calendar.gaps],
        "unlisted": calendar.unlisted,
        "every_digest": calendar.has_every_digest,
        "failures": [asdict(failure) for failure in calendar.failures],
    }


def render_calendar(calendar: Calendar, width: int) -> Iterator[str]:
    """The same, for people, at most `width` columns wide."""
    if not calendar.rows:
        yield f"No logs and no packs from {calendar.first} to {calendar.last}."
    label = max(
        (len(_label(row.name.account, row.name.region)) for row in calendar.rows), default=0
    )
    columns = fold_days(calendar, max(1, width - label - 2))
    heads = list(_render_heads(columns))
    for log_type, rows in groupby(calendar.rows, key=lambda row: row.name.log_type):
        yield escape(log_type)
        yield from (f"{'':{label}}  {head}".rstrip() for head in heads)
        for row in rows:
            name = escape(_label(row.name.account, row.name.region))
            yield f"{name:{label}}  {_render_row(row.states, columns)}"
        yield ""
    yield from _render_legend(calendar, columns)
    yield from _render_gaps(calendar)
    yield from _render_verdict(calendar)


@dataclass(frozen=True, slots=True)
class Column:
    """The days that one character stands for, numbered from the calendar's first day; `end` is not
    included.
    """

    begin: int
    end: int
    day: date
    """The first of them."""
    unit: str


def fold_days(calendar: Calendar, width: int) -> list[Column]:
    """Days where they fit, with a space between months; or else weeks; or else months."""
    for unit in ("day", "week", "month"):
        columns = list(_columns(calendar, unit))
        if _width_of(columns) <= width:
            break
    return columns


def _columns(calendar: Calendar, unit: str) -> Iterator[Column]:
    def key(day: date) -> object:
        if unit == "day":
            return day
        return day - timedelta(days=day.weekday()) if unit == "week" else (day.year, day.month)

    numbered = enumerate(calendar.each_day())
    for _, found in groupby(numbered, key=lambda item: key(item[1])):
        days = list(found)
        yield Column(days[0][0], days[-1][0] + 1, days[0][1], unit)


def _parts(columns: Sequence[Column]) -> Iterator[list[Column]]:
    """Columns without a space between them: the days or weeks of a month, the months of a year."""
    for _, found in groupby(
        columns, key=lambda at: at.day.year if at.unit == "month" else (at.day.year, at.day.month)
    ):
        yield list(found)


def _width_of(columns: Sequence[Column]) -> int:
    return len(columns) + sum(1 for _ in _parts(columns)) - 1 if columns else 0


def _render_heads(columns: Sequence[Column]) -> Iterator[str]:
    """Months (or years) above, days (or months) below."""
    if not columns:
        return
    unit = columns[0].unit
    above, below = [], []
    parts = list(_parts(columns))
    for number, part in enumerate(parts, 1):
        day = part[0].day
        texts = [f"{day:%Y}"] if unit == "month" else [f"{day:%Y-%m}", f"{day:%y-%m}", f"{day:%m}"]
        # nothing follows the last one, so it may be longer than its days
        fitting = (text for text in texts if len(text) <= len(part) or number == len(parts))
        above.append(f"{next(fitting, ''):{len(part)}}")
        below.append("".join(_letter(column) for column in part))
    yield " ".join(above)
    yield " ".join(below)


def _letter(column: Column) -> str:
    """The last digit of a day, or of the day on which a week begins; the letter of a month."""
    return _MONTH_LETTERS[column.day.month - 1] if column.unit == "month" else f"{column.day:%d}"[1]


def _render_row(states: bytes, columns: Sequence[Column]) -> str:
    return " ".join(
        "".join(SYMBOLS[DayState(max(states[column.begin : column.end]))] for column in part)
        for part in _parts(columns)
    )


def _render_legend(calendar: Calendar, columns: Sequence[Column]) -> Iterator[str]:
    counts = calendar.count()
    for state in sorted(counts, reverse=True):
        yield f"{SYMBOLS[state]}  {WORDS[state]}: {format_count(counts[state], 'day')}"
    if columns and columns[0].unit != "day":
        yield f"Each character stands for a {columns[0].unit}, and shows its worst day."
    if counts:
        yield ""


def _render_gaps(calendar: Calendar) -> Iterator[str]:
    """The missing files first. Consecutive days that lack the same are one line."""
    gaps = sorted(calendar.gaps, key=lambda gap: (_KINDS.index(gap.kind), gap.name, gap.date))
    runs = list(_runs_of(gaps))
    for run in runs[:GAPS_SHOWN_MAX]:
        name, last = run[0].name, f" to {run[-1].date}" if len(run) > 1 else ""
        row = escape(f"{name.log_type} {_label(name.account, name.region)}")
        yield f"{run[0].date}{last}  {row}: {escape(run[0].text)}"
    more = sum(map(len, runs[GAPS_SHOWN_MAX:])) + calendar.unlisted
    if more > 0:
        yield f"{format_count(more, 'more day')} with something missing; --json lists them"
    if calendar.gaps:
        yield ""


def _runs_of(gaps: Iterable[Gap]) -> Iterator[list[Gap]]:
    run: list[Gap] = []
    for gap in gaps:
        if run and (
            (gap.kind, gap.name, gap.text, gap.date)
            != (run[-1].kind, run[-1].name, run[-1].text, run[-1].date + timedelta(days=1))
        ):
            yield run
            run = []
        run.append(gap)
    if run:
        yield run


def _render_verdict(calendar: Calendar) -> Iterator[str]:
    bad = sum(count for state, count in calendar.count().items() if state.is_bad)
    if bad:
        rows = sum(any(state.is_bad for state in row.count()) for row in calendar.rows)
        yield (
            f"Something is missing: {format_count(bad, 'day')} in {format_count(rows, 'row')}. "
            "docs/how-to/see-what-is-missing.md says what to do."
        )
    elif not calendar.rows:
        yield (
            "There is nothing to show. Check the buckets that the settings name, with "
            "`log-aggregator doctor`."
        )
    elif calendar.is_complete:
        yield "Nothing is missing that is known to be expected."
    else:
        yield "Nothing was found missing, but not everything could be checked."
    if calendar.failures:
        yield ""
        yield from render_failed(
            [asdict(failure) for failure in calendar.failures],
            f"{format_count(len(calendar.failures), 'place')} could not be read",
        )


def _label(account: str, region: str) -> str:
    return f"{account} {region}".rstrip()


def _describe_gap(gap: Gap) -> Mapping[str, Any]:
    return {
        "kind": gap.kind.value,
        **asdict(gap.name),
        "date": gap.date.isoformat(),
        "named": gap.named,
        "missing": gap.missing,
        "hours": [
            {"first": encode_time(begin, "seconds"), "last": encode_time(end, "seconds")}
            for begin, end in gap.hours
        ],
        "samples": list(gap.samples),
        "text": gap.text,
    }

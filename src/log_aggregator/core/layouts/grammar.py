"""How dates are written in keys.

A grammar reads a date at a given position of a key, and spells a date in every way in which it
would read it: every text that `read` accepts for a day begins with one that `spell` returns.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

YEAR_MIN = 2006
"""S3 opened in March 2006, so no log was written to it before."""
YEAR_MAX = 2099
CENTURY = "20"
"""Every year between the two begins with it."""
CENTURIES = ("19", "20")

_YEAR = "(?P<year>[0-9]{4})"
_PADDED = "(?P<month>[0-9]{2})%s(?P<day>[0-9]{2})"
_FREE = "(?P<month>[0-9]{1,2})%s(?P<day>[0-9]{1,2})"


class Read(NamedTuple):
    """A date that was read, and its end in the key."""

    date: date
    end: int


@dataclass(frozen=True, slots=True)
class DateGrammar:
    """One way to write dates.

    `year_form` is the text from the beginning of a date up to its month, always followed by a
    digit; for a declared layout, what all its dates begin with. `forms` are the spellings of a
    whole date, including the separator after it if the grammar demands one. `centuries` are digits
    that may begin another year in the place of the month ("logs-2024/2025-04-03-..."), because no
    month begins with them. `neighbours` are the forms of dates that keys of other layouts may have
    in the same place.
    """

    name: str
    pattern: re.Pattern[str]
    year_form: str
    forms: tuple[str, ...]
    centuries: tuple[str, ...] = ()
    neighbours: tuple[str, ...] = ()

    def read(self, key: str, start: int) -> Read | None:
        """The date that begins at `start`, and its end, without the separator after it. None if
        there is no valid date.
        """
        found = self.pattern.match(key, start)
        if found is None:
            return None
        day = valid_date(int(found["year"]), int(found["month"]), int(found["day"]))
        return None if day is None else Read(day, found.end())

    def spell(self, day: date) -> frozenset[str]:
        """Every text with which a date of that day can begin."""
        return frozenset(form.format(day) for form in self.forms)

    def stops(self, day: date) -> frozenset[str]:
        """The same, including a neighbour's dates of that day."""
        return self.spell(day).union(form.format(day) for form in self.neighbours)

    def year_text(self, year: int) -> str:
        """The beginning of a date of that year, up to its month."""
        return self.year_form.format(year)


def valid_date(year: int, month: int, day: int) -> date | None:
    """None if there is no such day, or if S3 cannot hold logs of it."""
    if not YEAR_MIN <= year <= YEAR_MAX:
        return None
    try:
        return date(year, month, day)
    except ValueError:  # 2025/02/31 is not a date
        return None


def _forms(form: str) -> tuple[str, ...]:
    """`form` with month and day padded or not, in all four combinations: in "2025/4/12" only the
    month is unpadded.
    """
    return tuple(form.replace("MM", month).replace("DD", day) for month in _MONTHS for day in _DAYS)


_MONTHS = ("{0.month:02d}", "{0.month}")
_DAYS = ("{0.day:02d}", "{0.day}")

SLASHED = DateGrammar(
    name="YYYY/MM/DD/",
    pattern=re.compile(_YEAR + "/" + _PADDED % "/" + "(?=/)"),
    year_form="{:04d}/",
    forms=("{0:%Y/%m/%d}/",),
)
SLASHED_UNPADDED = DateGrammar(
    name="YYYY/M/D/",
    pattern=re.compile(_YEAR + "/" + _FREE % "/" + "(?=/)"),
    year_form="{:04d}/",
    forms=_forms("{0.year:04d}/MM/DD/"),
)
SLASHED_OPEN = DateGrammar(
    name="YYYY/M/D",  # "2025/04/03/10/x" and "2025/04/03.log" alike
    pattern=re.compile(_YEAR + "/" + _FREE % "/" + "(?![0-9])"),
    year_form="{:04d}/",
    forms=_forms("{0.year:04d}/MM/DD"),
    centuries=CENTURIES,
)
DASHED = DateGrammar(
    name="YYYY-MM-DD",  # and "2025-04/03", a folder for each month
    pattern=re.compile(_YEAR + "-" + _PADDED % "[-/]" + "(?![0-9])"),
    year_form="{:04d}-",
    forms=("{0:%Y-%m-%d}", "{0:%Y-%m/%d}"),
    centuries=CENTURIES,
)
HIVE = DateGrammar(
    name="year=YYYY/month=M/day=D/",
    pattern=re.compile("year=" + _YEAR + "/month=" + _FREE % "/day=" + "(?=/)"),
    year_form="year={:04d}/month=",
    forms=_forms("year={0.year:04d}/month=MM/day=DD/"),
)
COMPACT = DateGrammar(
    name="YYYYMMDD",
    pattern=re.compile(_YEAR + _PADDED % "" + "(?![0-9])"),
    year_form="{:04d}",
    forms=("{0:%Y%m%d}",),
)

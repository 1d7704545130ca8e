"""How dates are written in keys.

A grammar reads a date at a given place of a key, and spells a date in every way in which it would
read it: what `spell` gives, taken together, begins every text that `read` accepts for that day.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

YEAR_MIN = 2006
"""S3 began in March 2006; nothing that it holds was logged to it before."""
YEAR_MAX = 2099
CENTURY = "20"
"""Every year between the two begins so."""
CENTURIES = ("19", "20")

_YEAR = "(?P<year>[0-9]{4})"
_PADDED = "(?P<month>[0-9]{2})%s(?P<day>[0-9]{2})"
_FREE = "(?P<month>[0-9]{1,2})%s(?P<day>[0-9]{1,2})"


class Read(NamedTuple):
    """A date that was read, and where it ends in the key."""

    date: date
    end: int


@dataclass(frozen=True, slots=True)
class DateGrammar:
    """One way to write dates.

    `year_form` is the text from the beginning of a date up to its month, always followed by a
    digit; of a declared layout, what all its dates begin with. `forms` are the spellings of a whole
    date; they end in the separator where the grammar demands one. `centuries` are digits that,
    where the month should be, may begin another year: "logs-2024/2025-04-03-...". No month begins
    with them. `neighbours` are the forms of other dates that may stand at the same place of a key
    of another layout.
    """

    name: str
    pattern: re.Pattern[str]
    year_form: str
    forms: tuple[str, ...]
    centuries: tuple[str, ...] = ()
    neighbours: tuple[str, ...] = ()

    def read(self, key: str, start: int) -> Read | None:
        """The date that begins at `start`, and where it ends, without the separator behind it.
        None: there is no valid one.
        """
        found = self.pattern.match(key, start)
        if found is None:
            return None
        day = valid_date(int(found["year"]), int(found["month"]), int(found["day"]))
        return None if day is None else Read(day, found.end())

    def spell(self, day: date) -> frozenset[str]:
        """Every beginning that a date of that day can have."""
        return frozenset(form.format(day) for form in self.forms)

    def stops(self, day: date) -> frozenset[str]:
        """And every beginning that a neighbour's date of that day can have."""
        return self.spell(day).union(form.format(day) for form in self.neighbours)

    def year_text(self, year: int) -> str:
        """How a date of that year begins, up to its month."""
        return self.year_form.format(year)


def valid_date(year: int, month: int, day: int) -> date | None:
    """None where there is no such day, or none that S3 can have held."""
    if not YEAR_MIN <= year <= YEAR_MAX:
        return None
    try:
        return date(year, month, day)
    except ValueError:  # 2025/02/31 is not a date
        return None


def _forms(form: str) -> tuple[str, ...]:
    """`form` with month and day padded or not, in all four combinations: for "2025/4/12" the month
    alone is unpadded.
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

"""What a search finds in a free key: a hint, for people and for `find`. Nothing is ever packed,
grouped, excluded or deleted because of a hint.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from log_aggregator.core.layouts.content import content_kind
from log_aggregator.core.layouts.facts import find_hour, region_in
from log_aggregator.core.layouts.grammar import Read, valid_date
from log_aggregator.core.layouts.parse import ONE_DAY
from log_aggregator.core.layouts.regions import REGION
from log_aggregator.core.layouts.table import LAYOUTS, OTHER, Head, compiled
from log_aggregator.model import ContentKind


@dataclass(frozen=True, slots=True)
class FoundDate:
    """A date that was found, and its position. `writing` is the form in patterns, "YYYY/MM/DD"."""

    date: date
    start: int
    end: int
    writing: str


@dataclass(frozen=True, slots=True)
class Hint:
    """What a key looks like. `dates` are all that were found, from left to right, of which `date`
    is the most likely.
    """

    date: date | None
    account: str | None
    region: str | None
    hour: int | None
    log_type: str
    kind: ContentKind
    dates: tuple[FoundDate, ...]

    @property
    def disagrees(self) -> bool:
        """Whether its dates are more than a day apart."""
        days = [found.date for found in self.dates]
        return bool(days) and max(days) - min(days) > ONE_DAY


def hint_of(key: str) -> Hint:
    """If dates disagree, the hint has the date that most others are close to; of several, the last
    one in folders.
    """
    dates = tuple(find_dates(key))
    best = _most_agreed(dates)
    account = _account_in(key)
    return Hint(
        best.date if best else None,
        account,
        region_in(key) or _region_in_name(key),
        find_hour(key, Read(best.date, best.end)) if best else None,
        _log_type_of(key),
        content_kind(key, is_document=False),
        dates,
    )


def find_dates(key: str) -> Iterator[FoundDate]:
    """Every valid date, in every usual form, from left to right, but not inside another or inside a
    UUID.
    """
    place = 0
    while found := _DATE.search(key, place):
        if found["uuid"]:
            place = found.end()
            continue
        writing = next(name for name, text in found.groupdict().items() if text and name in _FORMS)
        numbers = [int(number) for number in found.groups()[_GROUP_AT[writing] :][:3]]
        year = numbers[0] + (2000 if writing == "YYMMDD" else 0)
        day = valid_date(year, numbers[1], numbers[2])
        # A year after "04-03-" ends a date. The search begins at `place`, so that the end of the
        # date before does not count: "2025-01-01/2025/04/03".
        if day is None or _DAY_FIRST.search(key, place, found.start()):
            place = found.start() + 1
            continue
        yield FoundDate(day, found.start(), found.end(), _FORMS[writing])
        place = found.end()


def _most_agreed(dates: tuple[FoundDate, ...]) -> FoundDate | None:
    if not dates:
        return None

    def rank(place: int) -> tuple[int, bool, int]:
        found = dates[place]
        near = sum(abs(other.date - found.date) <= ONE_DAY for other in dates)
        return near, found.writing in _FOLDERS, place

    best = dates[max(range(len(dates)), key=rank)]
    if best.writing in _FOLDERS:
        return best
    return next(found for found in dates if abs(found.date - best.date) <= ONE_DAY)


def _log_type_of(key: str) -> str:
    """The log type of a name or head (whose dates may disagree), or of a report, or `OTHER`."""
    for row in LAYOUTS:
        if row.head is Head.NAME and row.log_type and compiled(row.stem).search(key):
            return row.log_type
    service = _SERVICE.search(key)
    if service:
        return service[1]
    return next((name for name, pattern in _OTHER_TYPES.items() if pattern.search(key)), OTHER)


def _account_in(key: str) -> str | None:
    """A folder of twelve digits, or twelve digits at the beginning of the object's name, if they
    are not a time.
    """
    for found in _ACCOUNT.finditer(key):
        digits = found[1] or found[2]
        if not is_time(digits):
            return digits
    return None


def is_time(digits: str) -> bool:
    """Whether twelve digits are a time, YYYYMMDDhhmm."""
    day = valid_date(int(digits[:4]), int(digits[4:6]), int(digits[6:8]))
    return day is not None and int(digits[8:10]) < 24 and int(digits[10:]) < 60


def _region_in_name(key: str) -> str | None:
    found = _REGION_IN_NAME.search(key)
    return found[1] if found else None


_Y, _MD = "((?:19|20)[0-9]{2})", "([01][0-9])%s([0-3][0-9])"
_FREE_MD = "([01]?[0-9])%s([0-3]?[0-9])"
_ENDS = "(?![0-9])"
HIVE_WRITING = "hive"
"""The writing of dates in which every number has its name, such as "year=2025"."""
# (name of a group, regular expression, form in patterns of declared layouts)
_WRITINGS = (
    ("hive", f"[Yy]ear={_Y}/[Mm]onth={_FREE_MD % '/[Dd]ay='}{_ENDS}", HIVE_WRITING),
    ("short_hive", f"(?<![A-Za-z])y={_Y}/m={_FREE_MD % '/d='}{_ENDS}", HIVE_WRITING),
    ("slashed", f"(?<![0-9]){_Y}/{_MD % '/'}{_ENDS}", "YYYY/MM/DD"),
    ("slashed_free", f"(?<![0-9]){_Y}/{_FREE_MD % '/'}{_ENDS}", "YYYY/M/D"),
    ("month_folder", f"(?<![0-9]){_Y}-{_MD % '/'}{_ENDS}", "YYYY-MM/DD"),
    ("dashed", f"{_Y}-{_MD % '-'}{_ENDS}", "YYYY-MM-DD"),
    ("underscored", f"(?<![0-9]){_Y}_{_MD % '_'}{_ENDS}", "YYYY_MM_DD"),
    ("dotted", rf"(?<![0-9]){_Y}\.{_MD % '[.]'}{_ENDS}", "YYYY.MM.DD"),
    ("second", f"(?<![0-9]){_Y}{_MD % ''}(?=[0-2][0-9][0-5][0-9][0-5][0-9]{_ENDS})", "YYYYMMDD"),
    ("minute", f"(?<![0-9]){_Y}{_MD % ''}(?=[0-2][0-9][0-5][0-9]{_ENDS})", "YYYYMMDD"),
    ("hour", f"(?<![0-9]){_Y}{_MD % ''}(?=[0-2][0-9]{_ENDS})", "YYYYMMDD"),
    ("compact", f"(?<![0-9]){_Y}{_MD % ''}{_ENDS}", "YYYYMMDD"),
    ("YYMMDD", f"(?<=u_ex|u_in|u_nc)([0-9]{{2}}){_MD % ''}{_ENDS}", "YYMMDD"),
)
_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_HEX = "(?<![0-9A-Za-z])(?=[0-9a-f]*[a-f])[0-9a-f]{16,}(?![0-9A-Za-z])"
_DATE = re.compile(
    f"(?P<uuid>{_UUID}|{_HEX})|" + "|".join(f"(?P<{name}>{text})" for name, text, _ in _WRITINGS)
)
_FORMS = {name: writing for name, _, writing in _WRITINGS}
_GROUP_AT = {name: _DATE.groupindex[name] for name in _FORMS}
_FOLDERS = frozenset({"YYYY/MM/DD", "YYYY/M/D", "hive", "YYYY-MM/DD"})
_DAY_FIRST = re.compile(r"(?<![0-9])[0-9]{2}[-/][0-9]{2}[-/]\Z")
_ACCOUNT = re.compile(
    r"(?:\A|/)(?:[A-Za-z_-]+=)?([0-9]{12})(?=/)|(?:\A|/)([0-9]{12})(?=_[A-Za-z][^/]*\Z)"
)
_REGION_IN_NAME = re.compile(rf"_({REGION})(?:[_.]|\Z)")
_SERVICE = re.compile(r"(?:\A|/)AWSLogs/(?:o-[a-z0-9]+/)?[0-9]{12}/([A-Za-z0-9._-]+)/")
_OTHER_TYPES = {
    "Backup": re.compile(r"(?:\A|/)Backup/.*_report_[^/]*\Z"),
    "SecurityLake": re.compile(r"(?:\A|/)region=[^/]+/account(?:I|_i)d=[^/]+/event_?[Dd]ay="),
    "Connect": re.compile(r"(?:\A|/)connect/[^/]+/"),
}

"""What a key says: whose log it is and of which day.

A key is read from left to right. The first thing in it that is a *claim* decides, and nothing
behind it is looked at:

    head         a text that says whose key this is: `AWSLogs/`, a CloudFront distribution's id ...
                 (`table.Head`)
    year         four digits 19xx or 20xx, no digit before, "/" or "-" and a digit behind, but not
                 such a year again ("logs-2024/2025-04-03": the second one claims); or
                 `year=YYYY/month=` and a digit
    compact      eight digits 19xxxxxx or 20xxxxxx that stand alone and begin no UUID; weaker than
                 `AWSLogs/`, also where it comes first

A claim whose date is not there, or not valid, makes the key unknown; a later date is never taken
instead. One thing is passed over: the segment behind `<account>/<region>/`. There S3 writes a
bucket's name, which may look like a date.

Why: the skip-scan jumps over keys unseen, so a key's date must follow from what it has in common
with its neighbours.

    Law 1. Where a row with a head names every segment, every key that begins with the stem has its
    date right behind it, in the row's grammar, or has none (`whole_stem`).

    Proof. The stem begins with or holds the head. All that is tested in front of the head and in it
    lies inside the stem, so the head wins in every such key. The row's pattern matched inside the
    stem, each of its segments ends in a separator, and no two rows match one stem.

    Law 2. Let a free date stand at `stem`, in the year Y. Every key that begins with P, the stem
    and Y and what the grammar writes between year and month, and goes on with a digit, has its date
    at that place, in year Y, or has none; except for keys where "19" or "20" stands behind P
    (`DateGrammar.centuries`).

    Proof. In such a key the year at `stem` claims, since a digit follows that does not begin
    another year. Could anything in front of it win there that did not in the first key? It would
    begin inside the stem and be decided by characters behind P and its digit, so it would hold the
    whole year with separator and digit. No head can hold one (see `table.Head`), nor can eight
    digits; an earlier year looks at five characters behind its separator, and the later one is six
    long; where that one would be the second group of what looks like a UUID, "20250403-2025-04ab-",
    it is no valid date; and the passed-over segment ends before the claim, while what is tested at
    its beginning is again a head or a year.

Keys of other years under the same stem prove nothing: among flat access logs "2024-12-01-..." and
"2025-04-03-..." there may be "202412345678/us-east-1/bucket/2025/04/03/...", which is dated
elsewhere. A compact date proves nothing at all (between "20250401" and "20250403" lies the account
202504021234), so only rows with a head jump by compact dates; and what has a position never depends
on a compact date before it, since only `AWSLogs/`, inside the stem, goes before one.

When no claim is found, and only then, a key that ends like an S3 access log is taken for one:
`logs202025-04-03-10-...` with the prefix "logs20". It carries no position, so nothing jumps from
it, and no other key's law speaks of it: those keys hold a claim.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from log_aggregator.core.layouts.facts import Read, facts_of_free_date, facts_of_row
from log_aggregator.core.layouts.grammar import COMPACT, DASHED, HIVE, SLASHED_OPEN, DateGrammar
from log_aggregator.core.layouts.markers import marker_reason
from log_aggregator.core.layouts.table import (
    ACCESS_LOG_END,
    HEAD_TEXTS,
    LAYOUTS,
    REGION,
    UNDATED_SERVICES,
    Head,
    Layout,
    compiled,
)
from log_aggregator.model import KeyFacts


@dataclass(frozen=True, slots=True)
class DatePosition:
    """Where the date stands in a key; enough for the skip-scan to jump safely.

    `whole_stem`: every key that begins with `stem` has its date at this very position or has none.
    Otherwise only those that begin with the stem, this year in the grammar's writing, and a digit.
    `year` is None where no date was found there.
    """

    stem: str
    grammar: DateGrammar
    year: int | None
    whole_stem: bool


@dataclass(frozen=True, slots=True)
class Dated:
    """A log object's key: it can be packed. `position` None: nothing may be jumped over from
    here.
    """

    facts: KeyFacts
    position: DatePosition | None


@dataclass(frozen=True, slots=True)
class Unknown:
    """Left alone and reported. `position` is where the date should have been, if a head says so."""

    reason: str
    position: DatePosition | None = None


@dataclass(frozen=True, slots=True)
class Marker:
    """Never packed, never deleted: not a log, or written over in place, or a pack of ours."""

    reason: str


Parsed = Dated | Unknown | Marker

NO_DATE = "no date in the key"
INVALID_DATE = "what stands where the date should be is no valid date"
AMBIGUOUS_DATE = "a date stands in front of AWSLogs/"
OTHER_LAYOUT = "the key does not look as its log type's keys do"


def parse_key(key: str) -> Parsed:
    """What the key says by its layout. Every key has exactly one answer, and it depends on nothing
    but the key.
    """
    reason = marker_reason(key)
    if reason is not None:
        return Marker(reason)
    claim = _first_claim(key)
    if claim is None:
        return _parse_access_log_behind_digits(key)
    return _CLAIMS[claim.lastgroup or ""](key, claim.start())


def _first_claim(key: str) -> re.Match[str] | None:
    compact = None
    for found in _CLAIM.finditer(key):
        if found.lastgroup == "passed_over":
            continue
        if found.lastgroup == "compact":
            compact = compact or found
            continue
        # `AWSLogs/` is followed by a date of its own; in front of anything else the compact date is
        # the leftmost one.
        return found if compact is None or found.lastgroup == Head.AWSLOGS else compact
    return compact


def _parse_head(key: str, start: int, layouts: tuple[Layout, ...]) -> Dated | Unknown:
    for layout in layouts:
        stem = compiled(layout.stem).match(key, start)
        if stem is not None:
            return _parse_behind_stem(key, stem, layout)
    return Unknown(OTHER_LAYOUT)


def _parse_aws_logs(key: str, start: int) -> Dated | Unknown:
    front = _AWS_LOGS_SERVICE.match(key, start)
    if front is None:
        return Unknown(OTHER_LAYOUT)
    service = front["service"]
    if service in UNDATED_SERVICES:
        return Unknown(NO_DATE)
    return _parse_head(key, start, _AWS_LOGS_ROWS.get(service, _VENDED_ROWS))


def _parse_behind_stem(key: str, stem: re.Match[str], layout: Layout) -> Dated | Unknown:
    if layout.grammar is None:
        return _parse_first_date(key, stem, layout)
    read = layout.grammar.read(key, stem.end())
    position = DatePosition(
        key[: stem.end()], layout.grammar, read[0].year if read else None, whole_stem=True
    )
    if read is None:
        return Unknown(INVALID_DATE, position)
    return Dated(facts_of_row(key, stem, layout, read), position)


def _parse_first_date(key: str, stem: re.Match[str], layout: Layout) -> Dated | Unknown:
    found = _DATE_CLAIM.search(key, stem.end())
    if found is None:
        return Unknown(NO_DATE)
    grammar = _GRAMMARS[found.lastgroup or ""]
    read = grammar.read(key, found.start())
    if read is None:
        return Unknown(INVALID_DATE)
    return Dated(
        facts_of_row(key, stem, layout, read), _year_position(key, found.start(), grammar, read)
    )


def _parse_free(key: str, start: int, grammar: DateGrammar) -> Dated | Unknown:
    read = grammar.read(key, start)
    if read is None:
        return Unknown(INVALID_DATE)
    if "/AWSLogs/" in key[read[1] :]:
        return Unknown(AMBIGUOUS_DATE)
    return Dated(
        facts_of_free_date(key, start, grammar, read), _year_position(key, start, grammar, read)
    )


def _year_position(key: str, start: int, grammar: DateGrammar, read: Read) -> DatePosition | None:
    return (
        None
        if grammar is COMPACT
        else DatePosition(key[:start], grammar, read[0].year, whole_stem=False)
    )


def _parse_access_log_behind_digits(key: str) -> Dated | Unknown:
    found = _ACCESS_LOG.search(key)
    read = DASHED.read(key, found.start()) if found else None
    if found is None or read is None:
        return Unknown(NO_DATE)
    return Dated(facts_of_free_date(key, found.start(), DASHED, read), None)


_GRAMMARS = {"slashed": SLASHED_OPEN, "dashed": DASHED, "hive": HIVE, "compact": COMPACT}

_YEAR = "(?:19|20)[0-9]{2}"
_MONTH_BEHIND = f"(?=[0-9])(?!{_YEAR}[/-])"
_YEAR_CLAIMS = {
    "slashed": f"(?<![0-9]){_YEAR}/{_MONTH_BEHIND}",
    "dashed": f"(?<![0-9]){_YEAR}-{_MONTH_BEHIND}",
    "hive": f"year={_YEAR}/month=(?=[0-9])",
}
# Not a part of an identifier, and not the beginning of a UUID.
_COMPACT_CLAIM = {
    "compact": "(?<![0-9A-Za-z])(?:19|20)[0-9]{6}(?![0-9A-SU-Za-z])(?!-[0-9a-f]{4}-[0-9a-f]{4}-)"
}
_HEAD_CLAIMS = {head.value: rf"(?:\A|(?<=/))(?:{text})" for head, text in HEAD_TEXTS.items()}

# Behind `<account>/<region>/` stands a bucket's name, unless it is a head or begins as a date does.
_PASSED_OVER = {
    "passed_over": (
        f"(?<![0-9])[0-9]{{12}}/{REGION}/(?!{'|'.join(HEAD_TEXTS.values())}|"
        f"{'|'.join(_YEAR_CLAIMS.values())})[^/]*(?:/|\\Z)"
    )
}


def _any_of(named: dict[str, str]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?P<{name}>{pattern})" for name, pattern in named.items()))


_CLAIM = _any_of(_PASSED_OVER | _HEAD_CLAIMS | _YEAR_CLAIMS | _COMPACT_CLAIM)
_DATE_CLAIM = _any_of(_YEAR_CLAIMS | _COMPACT_CLAIM)
_ACCESS_LOG = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}" + ACCESS_LOG_END)


def _rows(head: Head) -> tuple[Layout, ...]:
    return tuple(row for row in LAYOUTS if row.head is head)


_AWS_LOGS_SERVICE = re.compile(
    r"AWSLogs/(?:o-[a-z0-9]+/)?(?:aws-account-id=)?[0-9]{12}/(?:aws-service=)?(?P<service>[^/]+)/"
)
_VENDED_ROWS = tuple(row for row in _rows(Head.AWSLOGS) if row.service is None)
_AWS_LOGS_ROWS = {
    row.service: tuple(r for r in _rows(Head.AWSLOGS) if r.service == row.service)
    for row in _rows(Head.AWSLOGS)
    if row.service
}

_CLAIMS: dict[str, Callable[[str, int], Dated | Unknown]] = {
    Head.AWSLOGS: _parse_aws_logs,
    **{
        head: partial(_parse_head, layouts=_rows(head))
        for head in HEAD_TEXTS
        if head is not Head.AWSLOGS
    },
    **{name: partial(_parse_free, grammar=grammar) for name, grammar in _GRAMMARS.items()},
}

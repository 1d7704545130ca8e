"""The facts that are certain from a key alone: which log it is, and of which day.

    head     a folder that says whose keys these are: `AWSLogs/`, `AWSAppFabric/`. The date follows
             it.
    name     the form of the object names that S3, Firehose and CloudFront write, in any folder.
    claim    four digits 19xx or 20xx, with no digit before, and "/" or "-" and a digit after, but
             not another year ("logs-2024/2025-04-03": the second one claims); or `year=YYYY/month=`
             and a digit. One segment is passed over: the one after `<account>/<region>/`, where
             S3 writes a bucket's name.

The row of its head gives the date of a key with a head; claims in front of the head must be the
same date. The first claim gives the date of a key with a name, and every claim must be a valid date
within a day of the one in the name. Otherwise dates disagree, and the key is unknown. A key with
neither is a free key: its layout must be declared (`declared`), and anything found in it is only a
hint (`hints`).

It is this strict because the skip-scan jumps over keys unseen: a key's date must follow from the
text that it shares with its neighbours.

    Law 1. If a row with a head covers every segment, and nothing claims in front of the head, then
    every key that begins with the stem has its date right after it, in the row's grammar, or has
    no date (`whole_stem`).

    Proof. The stem contains the head and everything in front of it. So the head wins in every key
    that begins with it; the row's pattern matched inside the stem, each of its segments ends in a
    separator, and no two rows match the same stem.

    Law 2. Let a key's first claim be a valid date at `stem`, in the year Y, in front of any head.
    Let P be the stem, Y, and what the grammar writes between year and month. Every key that begins
    with P and a digit has its date at that position, in year Y, or is unknown; except for keys
    with "19" or "20" after P (`DateGrammar.centuries`). For rows whose date may be anywhere after
    the service ("vended"), the same holds after their stem.

    Proof. In these keys the year at `stem` claims, because the digit after it does not begin
    another year. It is also the first claim: an earlier one would begin inside the stem and depend
    on characters after P and its digit, so it would contain the whole year with separator and
    digit. But a year's claim depends only on five characters after its separator, and the later
    year is six long; and the passed-over segment ends before the claim, while what is tested at
    its beginning is again a head or a claim. A key with a name has the date of its first claim. A
    key with a head after the claim has that date or is unknown, and no head can begin inside the
    stem and end after P (see `table.Head`). All other keys are unknown.

Keys of other years under the same stem prove nothing: among flat access logs "2024-12-01-..." and
"2025-04-03-..." there may be "202412345678/us-east-1/bucket/2025/04/03/...", whose date is
elsewhere. Compact dates do not claim (between "20250401" and "20250403" lies the account
202504021234). The skip-scan jumps by them only after a head's stem, and in declared layouts.

An access log whose prefix ends in a digit, `logs202025-04-03-10-...`, is known by its name and has
no claim. It has no position, so nothing jumps from it, and no other key's law covers it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta

from log_aggregator.core.layouts.facts import facts_of_row, region_in
from log_aggregator.core.layouts.grammar import (
    COMPACT,
    DASHED,
    HIVE,
    SLASHED_OPEN,
    DateGrammar,
    Read,
)
from log_aggregator.core.layouts.no_log import no_free_log_reason, no_log_reason
from log_aggregator.core.layouts.pattern import DISAGREEING_DATES
from log_aggregator.core.layouts.regions import REGION
from log_aggregator.core.layouts.table import (
    HEAD_TEXTS,
    LAYOUTS,
    UNDATED_SERVICES,
    Head,
    Layout,
    compiled,
)
from log_aggregator.model import KeyFacts


@dataclass(frozen=True, slots=True)
class DatePosition:
    """The position of the date in a key; enough for the skip-scan to jump safely.

    `whole_stem`: every key that begins with `stem` has its date at this position or has none.
    Otherwise only keys that begin with the stem, this year in the grammar's form, and a digit;
    `is_declared`: keys that begin with the stem, the grammar's `year_form`, and a digit. `year` is
    None if no date was found there.
    """

    stem: str
    grammar: DateGrammar
    year: int | None
    whole_stem: bool
    is_declared: bool = False


@dataclass(frozen=True, slots=True)
class Dated:
    """A log object's key: it can be packed. If `position` is None, the skip-scan must not jump from
    it. `layout` is the name of its row or declaration.
    """

    facts: KeyFacts
    position: DatePosition | None
    layout: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """Left alone and reported. `position` is where the date should have been."""

    reason: str
    position: DatePosition | None = None


@dataclass(frozen=True, slots=True)
class NoLog:
    """Never packed, never deleted: not a log, or overwritten in place, or a pack of ours.
    `position` is that of the first claim.
    """

    reason: str
    position: DatePosition | None = None


Parsed = Dated | Unknown | NoLog

NO_DATE = "no date in the key"
INVALID_DATE = "there is no valid date where the date should be"
DAY_FIRST = "the year may be the end of a date that is written day first"
OTHER_LAYOUT = "the key does not look like other keys of its log type"
NOT_DECLARED = "no declared layout matches"

NO_LAYOUT_REASONS = frozenset({NOT_DECLARED, DISAGREEING_DATES, DAY_FIRST})
"""The reasons for keys that a declaration can still turn into logs."""

ONE_DAY = timedelta(days=1)
"""Dates in one key may differ by this much: a log may begin before midnight and be written after.
"""


def parse_key(key: str) -> Parsed:
    """The certain facts in a key. Every key has exactly one result, and only the key decides it."""
    head, claims = _find_head_and_claims(key)
    reason = no_log_reason(key)
    if head is not None:
        parsed = _agree_with_front(key, claims, _HEAD_PARSERS[head.lastgroup or ""](key, head))
        return parsed if reason is None else NoLog(reason, parsed.position)
    if reason is not None:
        return NoLog(reason, _first_position(key, claims))
    return _parse_name(key, claims)


def _find_head_and_claims(key: str) -> tuple[re.Match[str] | None, list[re.Match[str]]]:
    """The first head, and the claims in front of it; without a head, those of the whole key."""
    claims: list[re.Match[str]] = []
    for found in _HEAD_OR_CLAIM.finditer(key):
        if found.lastgroup in HEAD_TEXTS:
            return found, claims
        if found.lastgroup != "passed_over":
            claims.append(found)
    return None, claims


def _agree_with_front(
    key: str, claims: list[re.Match[str]], parsed: Dated | Unknown
) -> Dated | Unknown:
    """A dated folder in front of a head must have the same date, because the skip-scan jumps by it
    and not by the date after the head.
    """
    if not claims:
        return parsed
    position = _first_position(key, claims)
    if not isinstance(parsed, Dated):
        return Unknown(parsed.reason, position)
    days = {read.date if (read := _read_claim(key, claim)) else None for claim in claims}
    if days == {parsed.facts.date}:
        return Dated(parsed.facts, position, parsed.layout)
    return Unknown(DISAGREEING_DATES, position)


def _parse_aws_logs(key: str, head: re.Match[str]) -> Dated | Unknown:
    front = _AWS_LOGS_SERVICE.match(key, head.start())
    if front is None:
        return Unknown(OTHER_LAYOUT)
    service = front["service"]
    if service in UNDATED_SERVICES:
        return Unknown(NO_DATE)
    return _parse_rows(key, head.start(), _AWS_LOGS_ROWS.get(service, _VENDED_ROWS))


def _parse_app_fabric(key: str, head: re.Match[str]) -> Dated | Unknown:
    return _parse_rows(key, head.start(), _APPFABRIC_ROWS)


def _parse_rows(key: str, start: int, layouts: tuple[Layout, ...]) -> Dated | Unknown:
    for layout in layouts:
        stem = compiled(layout.stem).match(key, start)
        if stem is not None:
            if layout.grammar is None:
                return _parse_first_date(key, stem, layout)
            return _parse_behind_stem(key, stem, layout, layout.grammar)
    return Unknown(OTHER_LAYOUT)


def _parse_behind_stem(
    key: str, stem: re.Match[str], layout: Layout, grammar: DateGrammar
) -> Dated | Unknown:
    read = grammar.read(key, stem.end())
    position = DatePosition(
        key[: stem.end()], grammar, read.date.year if read else None, whole_stem=True
    )
    if read is None:
        return Unknown(INVALID_DATE, position)
    return Dated(facts_of_row(key, stem.groupdict(), layout, read), position, layout.name)


def _parse_first_date(key: str, stem: re.Match[str], layout: Layout) -> Dated | Unknown:
    found = list(_DATE_CLAIM.finditer(key, stem.end()))
    if not found:
        return Unknown(NO_DATE)
    position = _first_position(key, found)
    read = _read_claim(key, found[0])
    if read is None:
        return Unknown(INVALID_DATE)
    if _DAY_FIRST.search(key, 0, found[0].start()):
        return Unknown(DAY_FIRST, position)
    others = (other.date for claim in found[1:] if (other := _read_claim(key, claim)))
    if any(abs(other - read.date) > ONE_DAY for other in others):
        return Unknown(DISAGREEING_DATES, position)
    named = stem.groupdict()
    region = region_in(key[stem.end() - 1 : found[0].start()])
    named |= {"region": region} if region else {}
    return Dated(facts_of_row(key, named, layout, read), position, layout.name)


def _parse_name(key: str, claims: list[re.Match[str]]) -> Parsed:
    position = _first_position(key, claims)
    found = next(
        ((row, name) for row in _NAMED_ROWS if (name := compiled(row.stem).search(key))), None
    )
    if found is None:
        reason = no_free_log_reason(key)
        return NoLog(reason, position) if reason else Unknown(NOT_DECLARED, position)
    layout, name = found
    named = DASHED.read(key, name.start("date"))
    if named is None:
        return Unknown(INVALID_DATE, position)
    reads = [_read_claim(key, claim) for claim in claims]
    if not all(read and abs(read.date - named.date) <= ONE_DAY for read in reads):
        return Unknown(DISAGREEING_DATES, position)
    read = reads[0] or named if reads else named
    return Dated(facts_of_row(key, name.groupdict(), layout, read), position, layout.name)


def _read_claim(key: str, claim: re.Match[str]) -> Read | None:
    return GRAMMARS[claim.lastgroup or ""].read(key, claim.start())


def _first_position(key: str, claims: list[re.Match[str]]) -> DatePosition | None:
    """The position of the first claim. None if that is a compact date, or not a date: then nothing
    may jump from it.
    """
    if not claims:
        return None
    claim = claims[0]
    grammar, read = GRAMMARS[claim.lastgroup or ""], _read_claim(key, claim)
    if read is None or grammar is COMPACT:
        return None
    return DatePosition(key[: claim.start()], grammar, read.date.year, whole_stem=False)


GRAMMARS = {"slashed": SLASHED_OPEN, "dashed": DASHED, "hive": HIVE, "compact": COMPACT}

_YEAR = "(?:19|20)[0-9]{2}"
_MONTH_BEHIND = f"(?=[0-9])(?!{_YEAR}[/-])"
_YEAR_CLAIMS = {
    "slashed": f"(?<![0-9]){_YEAR}/{_MONTH_BEHIND}",
    "dashed": f"(?<![0-9]){_YEAR}-{_MONTH_BEHIND}",
    "hive": f"year={_YEAR}/month=(?=[0-9])",
}
# Must not be a part of an identifier, or the beginning of a UUID.
_COMPACT_CLAIM = {
    "compact": "(?<![0-9A-Za-z])(?:19|20)[0-9]{6}(?![0-9A-SU-Za-z])(?!-[0-9a-f]{4}-[0-9a-f]{4}-)"
}
_HEAD_CLAIMS = {head.value: rf"(?:\A|(?<=/))(?:{text})" for head, text in HEAD_TEXTS.items()}

# After `<account>/<region>/` comes a bucket's name, unless it is a head or begins like a date. A
# year in a bucket's name must not claim.
_PASSED_OVER = {
    "passed_over": (
        f"(?<![0-9])[0-9]{{12}}/{REGION}/(?!{'|'.join(HEAD_TEXTS.values())}|"
        f"{'|'.join(_YEAR_CLAIMS.values())})[^/]*(?:/|\\Z)"
    )
}
# "04-03-2025-" is a date with day or month first, so what follows the year is not a month.
_DAY_FIRST = re.compile(r"(?<![0-9])[0-9]{2}[-/][0-9]{2}[-/]\Z")


def _any_of(named: dict[str, str]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?P<{name}>{pattern})" for name, pattern in named.items()))


_HEAD_OR_CLAIM = _any_of(_PASSED_OVER | _HEAD_CLAIMS | _YEAR_CLAIMS)
_DATE_CLAIM = _any_of(_YEAR_CLAIMS | _COMPACT_CLAIM)


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
_APPFABRIC_ROWS = _rows(Head.APPFABRIC)
_NAMED_ROWS = _rows(Head.NAME)
_HEAD_PARSERS = {Head.AWSLOGS.value: _parse_aws_logs, Head.APPFABRIC.value: _parse_app_fabric}

"""The facts that a key tells besides its date: log type, account, region, hour, content kind."""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache

from log_aggregator.core.layouts.content import content_kind
from log_aggregator.core.layouts.grammar import DateGrammar
from log_aggregator.core.layouts.table import LAYOUTS, OTHER, REGION, Head, Layout, compiled
from log_aggregator.model import ContentKind, KeyFacts

Read = tuple[date, int]
"""A date that was read, and where it ends in the key."""


def facts_of_row(key: str, stem: re.Match[str], layout: Layout, read: Read) -> KeyFacts:
    """The facts of a key that a row with a head describes."""
    named = stem.groupdict()
    return _share(
        log_type=_path_safe(layout.log_type or named["service"]),
        date=read[0],
        account=named.get("account"),
        region=named.get("region"),
        hour=_hour(key, read),
        kind=layout.kind or content_kind(key, is_document=layout.is_document),
    )


def facts_of_free_date(key: str, start: int, grammar: DateGrammar, read: Read) -> KeyFacts:
    """The facts of a key without a head, whose date stands at `start`: the first free row that
    fits.
    """
    stem = key[:start]
    layout = next(
        row
        for row in _FREE_ROWS[grammar]
        if compiled(row.stem).search(stem)
        and (row.tail is None or compiled(row.tail).match(key, read[1]))
    )
    account = _ACCOUNT_IN_STEM.search(stem) or _ACCOUNT_IN_NAME.search(key)
    region = _REGION_IN_STEM.search(stem)
    return _share(
        log_type=layout.log_type or OTHER,
        date=read[0],
        account=account["account"] if account else None,
        region=region["region"] if region else None,
        hour=_hour(key, read),
        kind=layout.kind or content_kind(key, is_document=False),
    )


@lru_cache(maxsize=8192)
def _share(
    *,
    log_type: str,
    date: date,
    account: str | None,
    region: str | None,
    hour: int | None,
    kind: ContentKind,
) -> KeyFacts:
    """A day's keys have few different facts; each is kept once."""
    return KeyFacts(log_type, date, account, region, hour, kind)


def _path_safe(log_type: str) -> str:
    return log_type if _PATH_SAFE.fullmatch(log_type) else OTHER


def _hour(key: str, read: Read) -> int | None:
    """The hour right behind the date ("/10/", "-10", "/hour=10"), or the one in the object's name
    ("20250403T1005Z").
    """
    found = _HOUR_BEHIND_DATE.match(key, read[1]) or _hour_in_name(key, read)
    if found is None:
        return None
    hour = int(found[1])
    return hour if hour < _HOURS_PER_DAY else None


def _hour_in_name(key: str, read: Read) -> re.Match[str] | None:
    dashed = read[0].isoformat()
    for written in (dashed.replace("-", ""), dashed):
        place = key.find(written, read[1])
        if place >= 0:
            return _HOUR_BEHIND_TIME.match(key, place + len(written))
    return None


_HOURS_PER_DAY = 24
_HOUR_BEHIND_DATE = re.compile(r"(?:(?:/hour=|/|-)(?=[0-9]{2}(?:[-/.]|\Z))|T)([0-9]{2})")
_HOUR_BEHIND_TIME = re.compile("[T-]?([0-9]{2})")
_PATH_SAFE = re.compile(r"(?=.*[A-Za-z0-9])[A-Za-z0-9._-]+")  # neither "." nor ".."

# An account is a directory of twelve digits in front of the date, or stands in front of the
# object's name as in "<account>_<service>_".
_ACCOUNT_IN_STEM = re.compile(r"(?:\A|/)(?:[A-Za-z_-]+=)?(?P<account>[0-9]{12})/")
_ACCOUNT_IN_NAME = re.compile(r"(?:\A|/)(?P<account>[0-9]{12})_[A-Za-z][^/]*\Z")
_REGION_IN_STEM = re.compile(rf"(?:\A|/)(?:[A-Za-z_-]+=)?(?P<region>{REGION})/")

_FREE_ROWS = {
    grammar: tuple(row for row in LAYOUTS if row.head is Head.FREE and row.grammar is grammar)
    for grammar in {row.grammar for row in LAYOUTS if row.head is Head.FREE and row.grammar}
}

"""The facts in a key apart from its date: log type, account, region, hour, content kind."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from functools import lru_cache

from log_aggregator.core.layouts.content import content_kind
from log_aggregator.core.layouts.grammar import Read
from log_aggregator.core.layouts.regions import GLOBAL_NAMES, REGION, is_region
from log_aggregator.core.layouts.table import OTHER, Layout
from log_aggregator.model import ContentKind, KeyFacts


def facts_of_row(key: str, named: Mapping[str, str], layout: Layout, read: Read) -> KeyFacts:
    """The facts of a key that a row matches; `named` are the groups of its stem."""
    return share_facts(
        log_type=_path_safe(layout.log_type or named["service"]),
        date=read.date,
        account=named.get("account"),
        region=known_region(named.get("region")),
        hour=find_hour(key, read),
        kind=layout.kind or content_kind(key, is_document=layout.is_document),
    )


def known_region(text: str | None) -> str | None:
    """The text in the place of a Region, if it is one, or a name that AWS writes instead. Anything
    else may be a folder that someone made.
    """
    return text if text is not None and (is_region(text) or text in GLOBAL_NAMES) else None


def region_in(stem: str) -> str | None:
    """The first folder in front of a date that is a Region, with or without Hive's `name=`."""
    found = _REGION_FOLDER.search(stem)
    return found[1] if found else None


@lru_cache(maxsize=8192)
def share_facts(
    *,
    log_type: str,
    date: date,
    account: str | None,
    region: str | None,
    hour: int | None,
    kind: ContentKind,
) -> KeyFacts:
    """KeyFacts, cached: the keys of a day have few different ones."""
    return KeyFacts(log_type, date, account, region, hour, kind)


def find_hour(key: str, read: Read) -> int | None:
    """The hour right after the date ("/10/", "-10", "/hour=10"), or the one in the object's name
    ("20250403T1005Z").
    """
    found = _HOUR_BEHIND_DATE.match(key, read.end) or _hour_in_name(key, read)
    if found is None:
        return None
    hour = int(found[1])
    return hour if hour < _HOURS_PER_DAY else None


def _path_safe(log_type: str) -> str:
    return log_type if _PATH_SAFE.fullmatch(log_type) else OTHER


def _hour_in_name(key: str, read: Read) -> re.Match[str] | None:
    dashed = read.date.isoformat()
    for written in (dashed.replace("-", ""), dashed):
        place = key.find(written, read.end)
        if place >= 0:
            return _HOUR_BEHIND_TIME.match(key, place + len(written))
    return None


_HOURS_PER_DAY = 24
_HOUR_BEHIND_DATE = re.compile(r"(?:(?:/hour=|/|-)(?=[0-9]{2}(?:[-/.]|\Z))|T)([0-9]{2})")
_HOUR_BEHIND_TIME = re.compile("[T-]?([0-9]{2})")
_PATH_SAFE = re.compile(r"(?=.*[A-Za-z0-9])[A-Za-z0-9._-]+")  # neither "." nor ".."
_REGION_FOLDER = re.compile(rf"(?:\A|/)(?:[A-Za-z_-]+=)?({REGION})(?=/)")

"""Explains how a key is read, and why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime

from log_aggregator.core.layouts.declarations import kind_word
from log_aggregator.core.layouts.declared import BucketLayouts
from log_aggregator.core.layouts.hints import hint_of
from log_aggregator.core.layouts.parse import NOT_DECLARED, Dated, NoLog, Unknown
from log_aggregator.core.layouts.pattern import DISAGREEING_DATES
from log_aggregator.core.layouts.suggest import suggest_pattern
from log_aggregator.model import KeyFacts

PACK, LEAVE = "pack", "leave"
HEAD, DECLARED, HINT, NONE = "head", "declared", "hint", "none"


@dataclass(frozen=True, slots=True)
class Explanation:
    """`certainty` says where the facts come from: a built-in row (`head`), a declaration
    (`declared`), a search in the key (`hint`), or nowhere (`none`).
    """

    key: str
    action: str
    reason: str
    layout: str | None
    certainty: str
    date: date | None
    account: str | None
    region: str | None
    log_type: str | None
    kind: str | None


def explain_key(key: str, layouts: BucketLayouts) -> Explanation:
    """What a run over the right days would do with an object of that key."""
    parsed = layouts.read(key, _ANY_TIME)
    if not isinstance(parsed, Dated):
        return _explain_left(key, parsed)
    declared = {layout.name: layout for layout in layouts.declared}.get(parsed.layout)
    if declared is None:
        return _explain_packed(key, parsed, HEAD, "a built-in layout names it")
    if declared.by_last_modified:
        reason = "its declared layout takes the date from LastModified"
        return _explain_packed(key, parsed, DECLARED, reason, has_date=False)
    return _explain_packed(key, parsed, DECLARED, "a declared layout names it")


def _explain_packed(
    key: str, parsed: Dated, certainty: str, reason: str, *, has_date: bool = True
) -> Explanation:
    facts: KeyFacts = parsed.facts
    return Explanation(
        key,
        PACK,
        reason,
        parsed.layout,
        certainty,
        facts.date if has_date else None,
        facts.account,
        facts.region,
        facts.log_type,
        kind_word(facts.kind),
    )


def _explain_left(key: str, parsed: Unknown | NoLog) -> Explanation:
    hint = hint_of(key)
    is_something = (hint.date, hint.account, hint.region) != (None, None, None)
    return Explanation(
        key,
        LEAVE,
        _reason(key, parsed),
        None,
        HINT if is_something else NONE,
        hint.date,
        hint.account,
        hint.region,
        hint.log_type,
        kind_word(hint.kind),
    )


def _reason(key: str, parsed: Unknown | NoLog) -> str:
    if parsed.reason != NOT_DECLARED:
        return parsed.reason
    pattern = suggest_pattern(key)
    if pattern is None and hint_of(key).disagrees:
        return f"{DISAGREEING_DATES}; declare a layout that says which one counts"
    if pattern is None:
        return f"{NOT_DECLARED}, and nothing in the key is clearly a date"
    return f'{NOT_DECLARED}; pattern = "{pattern}" would match it'


_ANY_TIME = datetime(2000, 1, 1, tzinfo=UTC)

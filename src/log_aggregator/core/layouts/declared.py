"""The layouts of a bucket: built-in ones, and those that the settings declare."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from fnmatch import fnmatchcase
from functools import lru_cache

from log_aggregator.core.layouts.content import content_kind
from log_aggregator.core.layouts.facts import share_facts
from log_aggregator.core.layouts.grammar import CENTURY
from log_aggregator.core.layouts.no_log import no_free_log_reason
from log_aggregator.core.layouts.parse import (
    INVALID_DATE,
    Dated,
    DatePosition,
    NoLog,
    Parsed,
    Unknown,
    parse_key,
)
from log_aggregator.core.layouts.pattern import DISAGREEING_DATES, Match, Pattern, PatternError
from log_aggregator.core.layouts.table import HEAD_TEXTS
from log_aggregator.model import ContentKind, ListedKey

NEEDS_LISTING = "its layout takes the date from LastModified"
"""The reason for a key without its listing, if only LastModified gives the date."""


@dataclass(frozen=True, slots=True)
class DeclaredLayout:
    """One `[[layouts]]` of the settings. `buckets` are names or globs; none means every auxiliary
    bucket. If `kind` is None, the suffix decides, and then the first bytes.
    """

    name: str
    pattern: Pattern
    buckets: tuple[str, ...] = ()
    kind: ContentKind | None = None
    by_last_modified: bool = False

    def is_for(self, bucket: str) -> bool:
        return not self.buckets or any(fnmatchcase(bucket, glob) for glob in self.buckets)


@dataclass(frozen=True)
class BucketLayouts:
    """Reads the keys of one bucket: by heads and names first, then by the declared layouts in the
    order of the settings.
    """

    declared: tuple[DeclaredLayout, ...] = ()

    def read(self, key: str, last_modified: datetime | None = None) -> Parsed:
        """The facts in the key. `last_modified` is that of its newest version. It is the date of
        keys whose layout says so; without it they are `Unknown`.
        """
        parsed = parse_key(key)
        if not self.declared:
            return parsed
        if isinstance(parsed, Dated):
            return self._check_fronts(key, parsed)
        if parsed.position is not None and parsed.position.whole_stem:
            return parsed
        reason = parsed.reason if isinstance(parsed, NoLog) else None
        return self._read_declared(key, reason, last_modified) or parsed

    def read_listed(self, listed: ListedKey) -> Parsed:
        """The same for a key that was listed."""
        newest = listed.versions[0].last_modified if listed.versions else None
        return self.read(listed.key, newest)

    def position(self, key: str) -> DatePosition | None:
        """The position by which the skip-scan may jump from a key; None if it must not.

        Law 3. Every key that begins with the position's scope and is packed has its date at that
        position, in the writing of the position's grammar or of a neighbour (`DateGrammar.stops`).

        Proof. For keys that `parse_key` reads, this follows from its laws. If the scope is the
        whole stem of a head, declared layouts are not tried for its keys. If it is that of a year
        or of a declared date, no declared layout can match a key that begins like this and has its
        date elsewhere (`Pattern.dates_at`). And a key with a head or a name that begins like a
        declared layout's keys has that layout's date, or is unknown (`_check_fronts`).
        """
        parsed = self.read(key)
        position = parsed.position
        if position is None or (position.whole_stem and not position.is_declared):
            return position
        safe = all(_dates_at(layout.pattern, position) for layout in self.declared)
        return position if safe else None

    def _read_declared(
        self, key: str, reason: str | None, last_modified: datetime | None
    ) -> Parsed | None:
        """None if no layout matches. If the table gives a `reason` why the key is not a log, a
        layout matches only if its pattern spells out the text that the reason is about.
        """
        for layout in self.declared:
            if not _names_it(layout.pattern.sample, key, reason):
                continue
            try:
                match = layout.pattern.match(key)
            except PatternError as error:
                return Unknown(str(error))
            if match is not None:
                return _parsed(key, layout, match, last_modified)
        return None

    def _check_fronts(self, key: str, parsed: Dated) -> Parsed:
        """Unknown if a declared layout expects another date at the beginning of this key."""
        for layout in self.declared:
            if not _agrees_with_front(layout.pattern, key, parsed):
                return Unknown(
                    f"{DISAGREEING_DATES}: by the layout {layout.name} it would have another date"
                )
        return parsed


@dataclass(frozen=True, slots=True)
class Layouts:
    """All layouts that the settings declare."""

    declared: tuple[DeclaredLayout, ...] = ()

    def of(self, bucket: str) -> BucketLayouts:
        """The layouts of an auxiliary bucket."""
        return _of_bucket(self.declared, bucket)


BUILT_IN = BucketLayouts()


@lru_cache(maxsize=256)
def _of_bucket(declared: tuple[DeclaredLayout, ...], bucket: str) -> BucketLayouts:
    return BucketLayouts(tuple(layout for layout in declared if layout.is_for(bucket)))


def _names_it(sample: str, key: str, reason: str | None) -> bool:
    """Whether a declaration, of which `sample` is a key, spells out what is special about `key`:
    the text because of which it is not a log (`reason`), or a head, whose accounts would mix.
    """
    if reason is not None and no_free_log_reason(sample) != reason:
        return False
    return all(head in sample for head in HEAD_TEXTS.values() if head in key)


def _parsed(
    key: str, layout: DeclaredLayout, match: Match, last_modified: datetime | None
) -> Dated | Unknown:
    if layout.by_last_modified:
        if last_modified is None:
            return Unknown(NEEDS_LISTING)
        day, position = last_modified.date(), None
    elif match.date is None:
        return Unknown(INVALID_DATE)
    else:
        day, position = match.date, _position(key, layout.pattern, match)
    facts = share_facts(
        log_type=layout.name,
        date=day,
        account=match.account,
        region=match.region,
        hour=match.hour,
        kind=layout.kind or content_kind(key, is_document=False),
    )
    return Dated(facts, position, layout.name)


def _position(key: str, pattern: Pattern, match: Match) -> DatePosition | None:
    if pattern.writing is None:
        return None
    return DatePosition(
        key[: match.date_start], pattern.writing, None, whole_stem=True, is_declared=True
    )


def _dates_at(pattern: Pattern, position: DatePosition) -> bool:
    """Whether all keys of a layout that begin with the position's stem, if any, have their date
    there, in a writing that the position's grammar covers.
    """
    year = position.year
    begun = position.grammar.year_form if year is None else position.grammar.year_text(year)
    scope = position.stem + begun
    if not pattern.begins(scope):
        return True
    writing = pattern.writing
    return (
        writing is not None
        and pattern.dates_at(position.stem)
        and all(
            text.startswith(tuple(position.grammar.stops(day)))
            for day in _SAMPLE_DAYS
            for text in writing.spell(day)
        )
    )


def _agrees_with_front(pattern: Pattern, key: str, parsed: Dated) -> bool:
    """Whether a key that begins like the layout's keys, up to their date, has that date, or its own
    date at the same place. Only for layouts by which the skip-scan may jump.
    """
    found = pattern.front.match(key) if pattern.front is not None else None
    if found is None or pattern.writing is None:
        return True
    if not _DIGIT_BEHIND[pattern.writing.year_form].match(key, found.end()):
        return True
    read = pattern.writing.read(key, found.end())
    if read is not None and read.date == parsed.facts.date:
        return True
    position = parsed.position
    return read is None and position is not None and len(position.stem) == found.end()


_DIGIT_BEHIND = {form: re.compile(form + "[0-9]") for form in ("", CENTURY)}
_SAMPLE_DAYS: Sequence[date] = (date(2024, 11, 23), date(2025, 3, 4))

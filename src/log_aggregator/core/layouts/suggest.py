"""Suggests declarations for free keys, which an operator can check and paste into the settings."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date

from log_aggregator.core.layouts.declarations import TAKEN_NAMES
from log_aggregator.core.layouts.hints import HIVE_WRITING, FoundDate, hint_of, is_time
from log_aggregator.core.layouts.parse import NO_LAYOUT_REASONS, Unknown, parse_key
from log_aggregator.core.layouts.pattern import PatternError, parse_pattern
from log_aggregator.core.layouts.regions import is_region
from log_aggregator.model import LogObject

VARIANTS_MIN = 4
"""When this many patterns differ in only one folder, they become one pattern."""

SAMPLES_MAX = 3


@dataclass(slots=True)
class Suggestion:
    """One declaration, and the objects that it would match."""

    name: str
    pattern: str
    objects: int = 0
    size_bytes: int = 0
    samples: list[str] = field(default_factory=list)
    first: date = date.max
    last: date = date.min

    def take(self, log_object: LogObject, day: date) -> None:
        self.objects += 1
        self.size_bytes += log_object.size_bytes
        self.first, self.last = min(self.first, day), max(self.last, day)
        if len(self.samples) < SAMPLES_MAX:
            self.samples.append(log_object.key)


def suggest_pattern(key: str) -> str | None:
    """The pattern of a free key: its dates, account and Region become fields, and what differs from
    object to object becomes {*}. None if nothing can be suggested, because the key is not a log, is
    known already, or has no date or dates that disagree.
    """
    parsed = parse_key(key)
    if not isinstance(parsed, Unknown) or parsed.reason not in NO_LAYOUT_REASONS:
        return None
    hint = hint_of(key)
    if hint.date is None or hint.disagrees or "{" in key or "}" in key:
        return None
    # A folder's date that is a day older says when the folder was made, not when the log was.
    first = next(place for place, found in enumerate(hint.dates) if found.date == hint.date)
    return _close_wildcards("".join(_pieces(key, hint.dates[first:])))


def suggest(objects: Iterable[LogObject]) -> tuple[list[Suggestion], list[LogObject]]:
    """Declarations for a bucket's free objects, those with the most objects first; and the objects
    for which none can be suggested.
    """
    found: dict[str, list[LogObject]] = defaultdict(list)
    rest = []
    for log_object in objects:
        pattern = suggest_pattern(log_object.key)
        if pattern is None:
            rest.append(log_object)
        else:
            found[pattern].append(log_object)
    merged = _absorb(_merge_unpadded(_merge_folders(found)))
    names: set[str] = set()
    suggestions = []
    for pattern, members in sorted(merged.items(), key=lambda each: (-len(each[1]), each[0])):
        suggestion = Suggestion(_name_of(pattern, names), pattern)
        names.add(suggestion.name)
        for member in members:
            day = hint_of(member.key).date
            if day is not None:
                suggestion.take(member, day)
        suggestions.append(suggestion)
    return suggestions, rest


def _pieces(key: str, dates: tuple[FoundDate, ...]) -> Iterator[str]:
    place, fields = 0, set[str]()
    for number, found in enumerate(dates):
        yield from _generalise(key, place, found.start, fields)
        yield _date_fields(key[found.start : found.end], found.writing)
        place = found.end
        times = _DIGITS.match(key, place)
        if found.writing == "YYYYMMDD" and times:
            yield f"{{{_TIMES[: len(times[0])]}}}"
            place = times.end()
        hour = _HOUR_FOLDER.match(key, place)
        if hour and number == 0:
            yield f"{hour[1]}{{hour}}"
            place = hour.end()
    yield from _generalise(key, place, len(key), fields)


def _date_fields(text: str, writing: str) -> str:
    """The text of a date, with its numbers replaced by fields."""
    if "/" not in writing and writing != HIVE_WRITING:
        return f"{{{writing}}}"
    numbers = iter(("YYYY", "MM", "DD"))

    def name(found: re.Match[str]) -> str:
        part = next(numbers)
        return f"{{{part[0] if len(found[0]) == 1 else part}}}"

    return _DIGITS.sub(name, text)


def _generalise(key: str, begin: int, end: int, fields: set[str]) -> Iterator[str]:
    """A part of a key, in which words that differ from object to object become {*}. `fields` are
    those that the pattern has already; each is allowed once.
    """
    for found in _WORD.finditer(key, begin, end):
        word = found[0]
        if found["account"]:
            is_field = not is_time(word) and "account" not in fields
            fields.update(["account"] if is_field else [])
            yield "{account}" if is_field else "{*}"
        elif found["region"] and is_region(word):
            yield "{*}" if "region" in fields else "{region}"
            fields.add("region")
        elif found["suffix"]:
            yield word
        elif found["random"] or (found["word"] and _looks_random(word)):
            yield "{*}"
        else:
            yield word


def _looks_random(word: str) -> bool:
    """Whether it has a digit, or is long and in mixed case."""
    is_mixed = word != word.lower() and word != word.upper() and word != word.capitalize()
    return bool(_DIGITS.search(word)) or (len(word) >= _RANDOM_LENGTH_MIN and is_mixed)


def _close_wildcards(pattern: str) -> str:
    """Wildcards in one folder with only punctuation between them become one, which also keeps their
    number small enough for reading keys quickly.
    """
    folders = [_RUN_OF_WILDCARDS.sub("{*}", folder) for folder in pattern.split("/")]
    return "/".join(folders)


def _merge_folders(found: dict[str, list[LogObject]]) -> dict[str, list[LogObject]]:
    """Patterns that differ in only one folder become one, if there are several. The folder may be
    the name of a host, for example.
    """
    merged = found
    for _ in range(_MERGES_MAX):
        masked: dict[str, set[str]] = defaultdict(set)
        for pattern in merged:
            for mask in _masks(pattern):
                masked[mask].add(pattern)
        masks = [mask for mask, patterns in masked.items() if len(patterns) >= VARIANTS_MIN]
        if not masks:
            return merged
        mask = max(masks, key=lambda each: (len(masked[each]), each))
        taken = [member for pattern in masked[mask] for member in merged[pattern]]
        rest = {pattern: value for pattern, value in merged.items() if pattern not in masked[mask]}
        merged = rest | {mask: [*taken, *rest.get(mask, [])]}
    return merged


def _masks(pattern: str) -> Iterator[str]:
    """The pattern with one folder replaced by {*}, for each folder of text and wildcards."""
    folders = pattern.split("/")
    for place, folder in enumerate(folders[:-1]):
        if not _FIELD.search(folder.replace("{*}", "")) and folder != "{*}":
            yield "/".join([*folders[:place], "{*}", *folders[place + 1 :]])


def _merge_unpadded(found: dict[str, list[LogObject]]) -> dict[str, list[LogObject]]:
    """Months and days with two digits belong to the same pattern as those with one digit, if there
    are any.
    """
    merged: dict[str, list[LogObject]] = defaultdict(list)
    unpadded = {
        pattern.replace("{M}", "{MM}").replace("{D}", "{DD}")
        for pattern in found
        if "{M}" in pattern or "{D}" in pattern
    }
    for pattern, members in found.items():
        padded = pattern.replace("{M}", "{MM}").replace("{D}", "{DD}")
        name = padded.replace("{MM}", "{M}").replace("{DD}", "{D}")
        merged[name if padded in unpadded else pattern] += members
    return dict(merged)


def _absorb(found: dict[str, list[LogObject]]) -> dict[str, list[LogObject]]:
    """Drops patterns whose keys all match a pattern with more keys."""
    kept: dict[str, list[LogObject]] = {}
    for pattern, members in sorted(found.items(), key=lambda each: (-len(each[1]), each[0])):
        larger = next((each for each in list(kept)[:_ABSORBING_MAX] if _reads(each, members)), None)
        kept.setdefault(larger or pattern, []).extend(members)
    return kept


def _reads(pattern: str, members: list[LogObject]) -> bool:
    """Whether all of the keys match, with the dates of their hints."""
    parsed = parse_pattern(pattern)
    try:
        found = ((parsed.match(each.key), hint_of(each.key).date) for each in members)
        return all(match is not None and match.date == day for match, day in found)
    except PatternError:
        return False


def _name_of(pattern: str, names: set[str]) -> str:
    """A name from the first words of the pattern, unlike all others and those of built-in rows."""
    words = [
        word
        for word in _LETTERS.findall(_FIELD.sub("/", pattern))
        if word.lower() not in _MEANINGLESS
    ]
    base = "-".join(words[:_NAME_WORDS])[:_NAME_LENGTH].strip("-") or "logs"
    candidates = (base if count == 1 else f"{base}-{count}" for count in range(1, len(names) + 3))
    return next(name for name in candidates if name not in names and name not in TAKEN_NAMES)


_MERGES_MAX = 50
_ABSORBING_MAX = 50
_RANDOM_LENGTH_MIN = 12
_NAME_WORDS = 2
_NAME_LENGTH = 40
_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_WORD = re.compile(
    rf"(?P<random>{_UUID})|"
    r"(?<![^/=])(?P<account>[0-9]{12})(?=[/_])|"
    r"(?<![^/=])(?P<region>[a-z]{2,4}(?:-[a-z]+)+-[0-9][a-z0-9-]*)(?=/)|"
    r"(?P<suffix>\.(?:gz|bz2|xz|zst|lz4|zip|7z|json|jsonl|log|txt|csv|tsv|xml|out|parquet)"
    r"(?![A-Za-z0-9]))|"
    r"(?P<word>[A-Za-z0-9]+)|[\s\S]"
)
_DIGITS = re.compile("[0-9]+")
_LETTERS = re.compile("[A-Za-z]{2,}")
_FIELD = re.compile(r"\{[^}]*\}")
_HOUR_FOLDER = re.compile(r"(/(?:hour=|HH=|h=|hh=)?)(?:[01][0-9]|2[0-3])(?=/)")
_TIMES = "HHmmss"
_RUN_OF_WILDCARDS = re.compile(r"\{\*\}(?:[^A-Za-z0-9{}/]*\{\*\})+")
_MEANINGLESS = frozenset(
    {"log", "logs", "gz", "json", "txt", "csv", "zip", "zst", "out", "xml", "dt", "of", "id"}
    | {"date", "year", "month", "day", "hour"}
)

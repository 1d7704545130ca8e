"""Patterns of declared layouts: "nginx/{host}/access.log-{YYYYMMDD}", which a whole key must match.

A pattern is a sequence of tokens: plain text, wildcards, and parts of a date. It is used in two
ways: as a regular expression that reads keys, and to find out how keys with a given beginning can
continue (`Pattern.dates_at`), which tells the skip-scan whether it may jump.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from itertools import pairwise

from log_aggregator.core.layouts.grammar import (
    CENTURY,
    DASHED,
    SLASHED_OPEN,
    YEAR_MAX,
    YEAR_MIN,
    DateGrammar,
    valid_date,
)
from log_aggregator.core.layouts.regions import REGION

WILDCARDS_MAX = 12
DEEP_WILDCARDS_MAX = 2
WAYS_MAX = 20_000
"""With more, a regular expression could take for ever on one strange key."""


@dataclass(frozen=True, slots=True)
class Field:
    """The text between braces: the characters that it matches, and how many ("" for one)."""

    characters: str
    repeat: str
    meaning: str

    @property
    def regex(self) -> str:
        return self.characters + self.repeat


_DIGIT = "[0-9]"
_DIGITS = "0123456789"
DATE_PARTS = {
    "YYYY": Field(_DIGIT, "{4}", "year"),
    "YY": Field(_DIGIT, "{2}", "year of this century, two digits"),
    "MM": Field(_DIGIT, "{2}", "month, two digits"),
    "M": Field(_DIGIT, "{1,2}", "month, one digit or two"),
    "DD": Field(_DIGIT, "{2}", "day, two digits"),
    "D": Field(_DIGIT, "{1,2}", "day, one digit or two"),
    "HH": Field(_DIGIT, "{2}", "hour"),
    "mm": Field(_DIGIT, "{2}", "minute"),
    "ss": Field(_DIGIT, "{2}", "second"),
}
"""Several may be in one pair of braces, with separators: {YYYY-MM-DD}, {YYYYMMDDHH}."""

FIELDS = {
    "account": Field(_DIGIT, "{12}", "twelve digits: an account, which gets packs of its own"),
    "region": Field("[a-z0-9-]", "+", "a Region, such as eu-west-1"),
    "hour": Field(_DIGIT, "{2}", "hour, the same as {HH}"),
    "epoch": Field(_DIGIT, "{10}", "seconds since 1970; the day is that of this moment, in UTC"),
    "epoch_ms": Field(_DIGIT, "{13}", "the same in milliseconds"),
    "*": Field("[^/]", "*", "anything up to the next slash"),
    "**": Field(r"[\s\S]", "*", "anything, over slashes too"),
}
"""Any other name, such as {host}, matches one character or more up to the next slash."""

_NAMED = Field("[^/]", "+", "")
_PARTS = re.compile("|".join(sorted(DATE_PARTS, key=len, reverse=True)))
_SEPARATORS = re.compile(r"[-_/.:T ]*")
_FIELD_NAME = re.compile(r"[a-z][a-z0-9_]{0,30}")
_SPELLED = {
    "YYYY": ("{0.year:04d}",),
    "YY": ("{0:%y}",),
    "MM": ("{0.month:02d}",),
    "M": ("{0.month:02d}", "{0.month}"),
    "DD": ("{0.day:02d}",),
    "D": ("{0.day:02d}", "{0.day}"),
}
_YEAR_PARTS, _MONTH_PARTS, _DAY_PARTS = ({"YYYY", "YY"}, {"MM", "M"}, {"DD", "D"})


DISAGREEING_DATES = "two dates in the key disagree"


class PatternError(ValueError):
    """What is wrong with a pattern, in one line."""


@dataclass(frozen=True, slots=True)
class Token:
    """One piece of a pattern. If `name` is None it is plain text."""

    text: str
    name: str | None = None

    @property
    def field(self) -> Field:
        if self.name is None:
            return Field(re.escape(self.text), "", "")
        return DATE_PARTS.get(self.name) or FIELDS.get(self.name) or _NAMED

    @property
    def is_wildcard(self) -> bool:
        return self.name is not None and self.field.repeat in ("*", "+")


@dataclass(frozen=True, slots=True)
class Match:
    """The facts of a key that matches. `date` is None if the pattern has none."""

    date: date | None
    date_start: int
    account: str | None
    region: str | None
    hour: int | None


@dataclass(frozen=True)
class Pattern:
    """A parsed pattern; see `parse_pattern`.

    The tokens from `date_begin` up to `date_end` spell the date. Both are -1 if there is none, or
    if it is a number of seconds (`{epoch}`).
    """

    text: str
    tokens: tuple[Token, ...]
    date_begin: int = -1
    date_end: int = -1

    @property
    def has_date(self) -> bool:
        return self.date_begin >= 0 or any(
            token.name in ("epoch", "epoch_ms") for token in self.tokens
        )

    @cached_property
    def sample(self) -> str:
        """A key that matches and contains no text that the pattern does not spell out."""
        return "".join(
            _SAMPLES.get(token.name, "x") if token.name else token.text for token in self.tokens
        )

    @cached_property
    def writing(self) -> DateGrammar | None:
        """The grammar of the date; None if it has none."""
        if self.date_begin < 0:
            return None
        tokens = self.tokens[self.date_begin : self.date_end]
        forms = [""]
        for token in tokens:
            spelled = _SPELLED[token.name] if token.name else (_escape_braces(token.text),)
            forms = [form + more for form in forms for more in spelled]
        return DateGrammar(
            name="".join(token.name or token.text for token in tokens),
            pattern=re.compile(
                "".join(
                    f"(?P<{_GROUPS[token.name]}>{token.field.regex})"
                    if token.name
                    else token.field.regex
                    for token in tokens
                )
            ),
            year_form=CENTURY if tokens[0].name == "YYYY" else "",
            forms=tuple(forms),
            neighbours=(*DASHED.forms, *SLASHED_OPEN.forms),
        )

    def match(self, key: str) -> Match | None:
        """The facts in the key; None if it does not match. Raises PatternError if it can be read in
        two ways with different days, if two dates in it disagree, or if there are so many ways that
        reading it could take for ever.
        """
        if self._ways(key) > WAYS_MAX:
            raise PatternError("its layout could be read in too many ways")
        # If the wildcards are ambiguous, the shortest and the longest match put the date in
        # different places.
        lazy = self._lazy.fullmatch(key)
        if lazy is None:
            return None
        found = self._read(lazy)
        if self._greedy is not None:
            greedy = self._greedy.fullmatch(key)
            if greedy is not None and _date_of(greedy.groupdict()) != found.date:
                raise PatternError("its layout can be read in two ways, with different dates")
        return found

    def _ways(self, key: str) -> int:
        """An upper limit of the ways to fit the wildcards to the key, all of which a regular
        expression may try before it gives up.
        """
        ways, folders = 1, key.split("/")
        for is_deep, after in self._after_wildcards:
            ways *= max(1, *(_count(text, after) for text in ((key,) if is_deep else folders)))
        return ways

    @cached_property
    def _after_wildcards(self) -> tuple[tuple[bool, str], ...]:
        """For each wildcard: whether it spans folders, and the text after it up to the end of the
        folder; empty if digits follow. Wildcards that end at a slash are left out, because they fit
        in only one way.
        """
        return tuple(
            (first.name == "**", second.text if first.name == "**" else second.text.split("/")[0])
            for first, second in pairwise(self.tokens)
            if first.is_wildcard
            and first.name != "region"
            and (first.name == "**" or not second.text.startswith("/"))
        )

    @cached_property
    def front(self) -> re.Pattern[str] | None:
        """The text before the date. None if the skip-scan cannot jump by this layout, because it
        has no date, or a wildcard before it spans folders.
        """
        before = self.tokens[: max(0, self.date_begin)]
        if self.date_begin < 0 or any(token.name == "**" for token in before):
            return None
        return re.compile("".join(token.field.regex for token in before))

    def begins(self, beginning: str) -> bool:
        """Whether a matching key can begin like this."""
        return bool(self._states_behind(beginning))

    def dates_at(self, beginning: str) -> bool:
        """Whether every matching key with this beginning has its date right after it. Also true if
        no matching key begins like this.
        """
        return self._states_behind(beginning) <= {(self.date_begin, 0)}

    def _states_behind(self, beginning: str) -> set[tuple[int, int]]:
        """The places in the pattern that a key with this beginning can have reached: the number of
        a token, and how many of its characters were read. (The pattern as a nondeterministic
        automaton.)
        """
        states = self._with_skips({(0, 0)})
        for character in beginning:
            states = self._with_skips(
                {after for state in states for after in self._steps(state, character)}
            )
            if not states:
                break
        return states

    def _steps(self, state: tuple[int, int], character: str) -> Iterator[tuple[int, int]]:
        number, seen = state
        if number == len(self.tokens):
            return
        token = self.tokens[number]
        if token.name is None:
            if token.text[seen] == character:
                yield _advanced(number, seen + 1, len(token.text))
        elif re.fullmatch(token.field.characters, character):
            low, high = _REPEATS[token.field.repeat]
            if high is None:
                yield (number, min(seen + 1, low + 1))
            else:
                yield _advanced(number, seen + 1, high)

    def _with_skips(self, states: set[tuple[int, int]]) -> set[tuple[int, int]]:
        """Also the places that need no further character: after a field that has enough."""
        found, remaining = set(states), list(states)
        while remaining:
            number, seen = remaining.pop()
            if number == len(self.tokens) or self.tokens[number].name is None:
                continue
            low, _ = _REPEATS[self.tokens[number].field.repeat]
            after = (number + 1, 0)
            if seen >= low and after not in found:
                found.add(after)
                remaining.append(after)
        return found

    def _read(self, found: re.Match[str]) -> Match:
        named = found.groupdict()
        region = named.get("region")
        hour = named.get("hour")
        day = _date_of(named)
        if day is not None and not _agree(day, named):
            raise PatternError(DISAGREEING_DATES)
        return Match(
            day,
            found.start("date") if self.date_begin >= 0 else -1,
            named.get("account"),
            region,
            int(hour) if hour is not None and int(hour) < 24 else None,
        )

    @cached_property
    def _lazy(self) -> re.Pattern[str]:
        return re.compile(self._regex(lazy="?"))

    @cached_property
    def _greedy(self) -> re.Pattern[str] | None:
        """None if there is only one way to read a key."""
        if not any(token.is_wildcard for token in self.tokens):
            return None
        return re.compile(self._regex(lazy=""))

    def _regex(self, lazy: str) -> str:
        """If there are several hours the first counts. Parts of other dates have groups such as
        "other_7_month".
        """
        groups: set[str] = set()
        pieces = []
        for number, token in enumerate(self.tokens):
            pieces.append("(?P<date>)" if number == self.date_begin else "")
            regex = _REGION_FIELD if token.name == "region" else token.field.regex
            regex += lazy if token.is_wildcard and token.name != "region" else ""
            group = _GROUPS.get(token.name or "")
            if token.name in _DATE_GROUPS and not self.date_begin <= number < self.date_end:
                group = f"{_OTHER}{number}_{group}"
            is_new = group is not None and group not in groups
            pieces.append(f"(?P<{group}>{regex})" if is_new else regex)
            groups.update([group] if group else [])
        return "".join(pieces)


def parse_pattern(text: str) -> Pattern:
    """Raises PatternError, which says in one line what is wrong and what is expected."""
    tokens = tuple(_merge(_tokens(text)))
    if not tokens:
        raise PatternError("it is empty; expected a whole key, such as app/{host}/{YYYY-MM-DD}.log")
    for first, second in pairwise(tokens):
        if first.is_wildcard and second.is_wildcard:
            raise PatternError(
                f"{{{first.name}}}{{{second.name}}}: expected something between two wildcards"
            )
    names = [token.name for token in tokens if token.name]
    if names.count("**") > DEEP_WILDCARDS_MAX or sum(t.is_wildcard for t in tokens) > WILDCARDS_MAX:
        raise PatternError(
            f"expected at most {DEEP_WILDCARDS_MAX} times {{**}} and {WILDCARDS_MAX} wildcards"
        )
    for name in ("account", "region"):
        if names.count(name) > 1:
            raise PatternError(f"{{{name}}} is there twice; expected it once, and {{*}} elsewhere")
    begin, end = _find_date(tokens)
    if begin < 0 and set(names) & (_DATE_GROUPS - {"HH"}):
        raise PatternError(
            "its date has no year, month and day next to each other; expected, for instance, "
            "{YYYY}/{MM}/{DD} or {YYYYMMDD}"
        )
    return Pattern(text, tokens, begin, end)


def _tokens(text: str) -> Iterator[Token]:
    place = 0
    while place < len(text):
        if text[place] == "}":
            raise PatternError("there is a } without a {")
        if text[place] != "{":
            end = min(end for end in (*_ends(text, place), len(text)) if end >= 0)
            yield Token(text[place:end])
            place = end
            continue
        end = text.find("}", place)
        if end < 0:
            raise PatternError("there is a { without a }")
        yield from _field_tokens(text[place + 1 : end])
        place = end + 1


def _ends(text: str, place: int) -> tuple[int, int]:
    return text.find("{", place), text.find("}", place)


def _field_tokens(name: str) -> Iterator[Token]:
    if name in FIELDS:
        yield Token("", name)
        return
    parts = list(_date_tokens(name))
    if parts:
        yield from parts
    elif _FIELD_NAME.fullmatch(name):
        yield Token("", name)
    else:
        known = ", ".join(f"{{{known}}}" for known in ("YYYY", "MM", "DD", "HH", *FIELDS))
        raise PatternError(
            f"{{{name}}}: expected {known}, several parts of a date such as {{YYYY-MM-DD}}, or a "
            "name in lower case such as {host}"
        )


def _date_tokens(name: str) -> Iterator[Token]:
    """Nothing if it has anything but parts of a date and separators."""
    tokens, place = [], 0
    while place < len(name):
        part = _PARTS.match(name, place)
        separator = _SEPARATORS.match(name, place)
        if part:
            tokens.append(Token("", part[0]))
            place = part.end()
        elif separator and separator[0]:
            tokens.append(Token(separator[0]))
            place = separator.end()
        else:
            return
    if any(token.name for token in tokens):
        yield from tokens


def _merge(tokens: Iterator[Token]) -> Iterator[Token]:
    """Joins neighbouring texts."""
    text = ""
    for token in tokens:
        if token.name is None:
            text += token.text
            continue
        if text:
            yield Token(text)
            text = ""
        yield token
    if text:
        yield Token(text)


def _find_date(tokens: tuple[Token, ...]) -> tuple[int, int]:
    """The first sequence of tokens with year, month and day, and only text between them."""
    for begin, token in enumerate(tokens):
        if token.name not in _DATE_GROUPS - {"HH", "mm", "ss"}:
            continue
        kinds: set[str] = set()
        for end in range(begin, len(tokens)):
            name = tokens[end].name
            if name is None:
                continue
            kind = _GROUPS.get(name, name)
            if kind not in ("year", "month", "day") or kind in kinds:
                break
            kinds.add(kind)
            if len(kinds) == 3:
                return begin, end + 1
    return -1, -1


def _count(text: str, after: str) -> int:
    return text.count(after) if after else sum(map(text.count, _DIGITS))


def _advanced(number: int, seen: int, length: int) -> tuple[int, int]:
    return (number + 1, 0) if seen == length else (number, seen)


def _date_of(named: dict[str, str]) -> date | None:
    if named.get("epoch"):
        seconds = int(named["epoch"][:10])
        day = datetime.fromtimestamp(seconds, UTC).date()
        return valid_date(day.year, day.month, day.day)
    if named.get("year") is None:
        return None
    year = int(named["year"])
    year += 2000 if len(named["year"]) == 2 else 0
    if not YEAR_MIN <= year <= YEAR_MAX:
        return None
    return valid_date(year, int(named["month"]), int(named["day"]))


def _agree(day: date, named: dict[str, str]) -> bool:
    """Whether the other parts of dates in the key are together those of this day, or of the day
    before or after.
    """
    others = [(group.rpartition("_")[2], text) for group, text in named.items() if _OTHER in group]
    return any(
        all(int(text) == _part_of(near, part, len(text)) for part, text in others)
        for near in (day, day - timedelta(days=1), day + timedelta(days=1))
    )


def _part_of(day: date, part: str, digits: int) -> int:
    value: int = getattr(day, part)
    return value % 100 if part == "year" and digits == 2 else value


def _escape_braces(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


_GROUPS = {
    "YYYY": "year",
    "YY": "year",
    "MM": "month",
    "M": "month",
    "DD": "day",
    "D": "day",
    "HH": "hour",
    "hour": "hour",
    "account": "account",
    "region": "region",
    "epoch": "epoch",
    "epoch_ms": "epoch",
}
_OTHER = "other_"
_DATE_GROUPS = frozenset({"YYYY", "YY", "MM", "M", "DD", "D"})
_REGION_FIELD = f"(?:{REGION}|global)"
_SAMPLES = {
    "YYYY": "2025",
    "YY": "25",
    "account": "123456789012",
    "region": "us-east-1",
    "epoch": "1743674400",
    "epoch_ms": "1743674400000",
    **dict.fromkeys(("MM", "M", "DD", "D", "HH", "mm", "ss", "hour"), "10"),
}
_REPEATS: dict[str, tuple[int, int | None]] = {
    "": (1, 1),
    "{2}": (2, 2),
    "{1,2}": (1, 2),
    "{4}": (4, 4),
    "{10}": (10, 10),
    "{12}": (12, 12),
    "{13}": (13, 13),
    "*": (0, None),
    "+": (1, None),
}

"""`[[layouts]]` in the settings: reads and writes the plain values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from log_aggregator.core.layouts.declared import DeclaredLayout, Layouts
from log_aggregator.core.layouts.pattern import PatternError, parse_pattern
from log_aggregator.core.layouts.table import LAYOUTS, OTHER
from log_aggregator.model import ContentKind

LAYOUTS_MAX = 200
LAST_MODIFIED = "last-modified"

KINDS = {
    "gzip": ContentKind.GZIP_LINES,
    "text": ContentKind.TEXT,
    "binary": ContentKind.BINARY,
}
"""The values of `kind`, and how content kinds are printed."""


def kind_word(kind: ContentKind) -> str:
    """`gzip`, `text` or `binary`."""
    return "gzip" if kind is ContentKind.GZIP_DOCUMENT else _KIND_WORDS[kind]


def read_declarations(rows: Any) -> Layouts:
    """Reads a list of tables. Raises PatternError, which names the declaration and what is wrong
    with it, in one line.
    """
    if not isinstance(rows, (list, tuple)) or not all(isinstance(row, Mapping) for row in rows):
        raise PatternError("layouts: expected tables that begin with [[layouts]]")
    if len(rows) > LAYOUTS_MAX:
        raise PatternError(f"layouts: there are {len(rows)}; expected at most {LAYOUTS_MAX}")
    declared = [_read_declaration(row, number) for number, row in enumerate(rows, 1)]
    names = [layout.name for layout in declared]
    for name in names:
        if names.count(name) > 1:
            raise PatternError(f"layouts: two are called {name!r}; expected a name for each")
    return Layouts(tuple(declared))


def describe_declarations(layouts: Layouts) -> list[dict[str, Any]]:
    """The inverse of `read_declarations`."""
    return [describe_declaration(layout) for layout in layouts.declared]


def describe_declaration(layout: DeclaredLayout) -> dict[str, Any]:
    """One declaration, without the settings that were left out."""
    row: dict[str, Any] = {"name": layout.name, "pattern": layout.pattern.text}
    if layout.buckets:
        row["buckets"] = list(layout.buckets)
    if layout.kind is not None:
        row["kind"] = kind_word(layout.kind)
    if layout.by_last_modified:
        row["date"] = LAST_MODIFIED
    return row


def render_declarations(rows: Iterable[Mapping[str, Any]]) -> str:
    """The same as TOML, to be pasted into the settings."""
    return "\n".join(
        "[[layouts]]\n" + "".join(f"{name} = {_toml(value)}\n" for name, value in row.items())
        for row in rows
    )


def _read_declaration(row: Mapping[str, Any], number: int) -> DeclaredLayout:
    name = row.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise PatternError(
            f"layouts: number {number}: name = {name!r}: expected up to 64 letters, digits, "
            "dots, dashes and underscores"
        )
    where = f"layouts: {name}"
    if name in TAKEN_NAMES:
        raise PatternError(f"{where}: this is the name of a built-in layout; expected another name")
    for unknown in sorted(set(row) - {"name", "pattern", "buckets", "kind", "date"}):
        raise PatternError(
            f"{where}: {unknown} is not known; expected name, pattern, buckets, kind, date"
        )
    buckets = row.get("buckets", [])
    buckets = [buckets] if isinstance(buckets, str) else buckets
    if not isinstance(buckets, (list, tuple)) or not all(
        isinstance(glob, str) and _BUCKET.fullmatch(glob) for glob in buckets
    ):
        raise PatternError(
            f"{where}: buckets = {buckets!r}: expected names of buckets; * stands for anything"
        )
    kind = row.get("kind")
    if kind is not None and (not isinstance(kind, str) or kind not in KINDS):
        raise PatternError(f"{where}: kind = {kind!r}: expected {', '.join(KINDS)}")
    day = row.get("date")
    if day not in (None, LAST_MODIFIED):
        raise PatternError(
            f'{where}: date = {day!r}: expected "{LAST_MODIFIED}", or nothing and the date in the '
            "pattern"
        )
    text = row.get("pattern")
    if not isinstance(text, str):
        raise PatternError(f"{where}: pattern = {text!r}: expected text")
    try:
        pattern = parse_pattern(text)
    except PatternError as error:
        raise PatternError(f"{where}: pattern = {text!r}: {error}") from None
    if not pattern.has_date and day is None:
        raise PatternError(
            f"{where}: pattern = {text!r}: it has no date; expected one, such as {{YYYY-MM-DD}}, "
            f'or date = "{LAST_MODIFIED}"'
        )
    return DeclaredLayout(
        name,
        pattern,
        tuple(buckets),
        KINDS[kind] if kind is not None else None,
        day == LAST_MODIFIED,
    )


def _toml(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    escaped = "".join(_escape(character) for character in str(value))
    return f'"{escaped}"'


def _escape(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    return character if character.isprintable() else f"\\U{ord(character):08x}"


_NAME = re.compile(r"(?=.*[A-Za-z0-9])[A-Za-z0-9._-]{1,64}")
_BUCKET = re.compile(r"[a-z0-9*?][a-z0-9.*?-]{0,62}")
_KIND_WORDS = {kind: word for word, kind in KINDS.items()}
TAKEN_NAMES = frozenset(
    {OTHER, "all"}
    | {row.name for row in LAYOUTS}
    | {row.service for row in LAYOUTS if row.service}
    | {row.log_type for row in LAYOUTS if row.log_type}
)

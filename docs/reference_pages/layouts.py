"""Layouts: what is built in, with the example keys of the tests; what may be declared; and what is
no log.
"""

from __future__ import annotations

import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from log_aggregator.core.layouts import LAYOUTS, Dated, Unknown, parse_key
from log_aggregator.core.layouts.content import content_kind
from log_aggregator.core.layouts.declarations import kind_word
from log_aggregator.core.layouts.no_log import FREE_ROWS, NO_LOG_ROWS, Row
from log_aggregator.core.layouts.parse import NOT_DECLARED
from log_aggregator.core.layouts.pattern import (
    DATE_PARTS,
    DEEP_WILDCARDS_MAX,
    FIELDS,
    WILDCARDS_MAX,
    Field,
    parse_pattern,
)
from reference_pages.table import ROOT, table

EXAMPLES = ROOT / "tests" / "unit" / "core" / "layouts" / "rows.toml"


def make_layouts() -> Iterator[str]:
    examples = tomllib.loads(EXAMPLES.read_text(encoding="utf-8"))
    yield from INTRODUCTION
    yield from table(
        ("layout", "log type", "date", "example key"),
        (_layout_row(name, grammar, examples["dated"]) for name, grammar in _layout_names()),
    )
    yield from BUILT_IN_NOTES
    yield from DECLARED
    yield from table(
        ("field", "stands for"),
        [*_field_rows(DATE_PARTS), *_field_rows(FIELDS), NAMED_FIELD],
    )
    yield from PATTERN_RULES
    yield from KINDS_OF_BYTES
    yield from table(("taken for", "goes into", "keys that end so"), _kind_rows())
    yield from KIND_NOTES
    yield from NO_LOG
    yield from table(
        ("why", "what"), _no_log_rows(row for row in NO_LOG_ROWS if row not in FREE_ROWS)
    )
    yield from NO_LOG_AMONG_FREE_KEYS
    yield from table(("why", "what"), _no_log_rows(FREE_ROWS))
    yield from NOT_CERTAIN
    yield from table(("key", "why"), _unknown_rows(examples["unknown"]))


def _layout_names() -> list[tuple[str, str]]:
    return [
        (row.name, row.grammar.name if row.grammar else "the first one behind the service")
        for row in LAYOUTS
    ]


def _layout_row(
    name: str, grammar: str, examples: list[dict[str, Any]]
) -> tuple[str, str, str, str]:
    key = next(str(example["key"]) for example in examples if example["layout"] == name)
    parsed = parse_key(key)
    if not isinstance(parsed, Dated):
        raise TypeError(f"the example of {name} is not dated")
    return name, parsed.facts.log_type, grammar, f"`{key}`"


def _field_rows(fields: dict[str, Field]) -> list[tuple[str, str]]:
    for name in fields:
        parse_pattern(f"{{{name}}}" if name in FIELDS else f"{{YYYYMMDD}}/{{{name}}}")
    return [(f"`{{{name}}}`", field.meaning) for name, field in fields.items()]


def _kind_rows() -> Iterator[tuple[str, str, str]]:
    endings = defaultdict(list)
    for ending in ENDINGS:
        endings[kind_word(content_kind(f"x{ending}", is_document=False))].append(ending)
    for word, into in GOES_INTO.items():
        shown = " ".join(f"`{ending}`" for ending in endings[word])
        yield word, into, f"{shown}{', and all others' if word == 'text' else ''}"


def _no_log_rows(table_rows: Iterable[Row]) -> Iterator[tuple[str, str]]:
    rows: dict[str, list[str]] = defaultdict(list)
    for row in table_rows:
        rows[row.reason].append(f"`{_simplify(row.pattern)}`")
    for reason, patterns in rows.items():
        yield reason, "<br>".join(dict.fromkeys(patterns))


def _simplify(pattern: str) -> str:
    """A regular expression with words for what stands in many of them."""
    for text, word in WORDS.items():
        pattern = pattern.replace(text, word)
    return pattern


def _unknown_rows(examples: Iterable[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """Without free keys, which are all unknown."""
    for example in examples:
        parsed = parse_key(example["key"])
        if not isinstance(parsed, Unknown):
            raise TypeError(f"{example['key']} is known")
        if parsed.reason != NOT_DECLARED:
            yield f"`{example['key']}`", parsed.reason


INTRODUCTION = """\
# Layouts

A layout is the key grammar of one log type.
It tells the log type, the account, the region and the log date; the log date is the day in the key.
Only what is certainly a log is taken: keys of the layouts below, and keys of those that you declare.
Every other key is left alone and reported.

`log-aggregator layouts list` prints the table, with your own declarations; `log-aggregator layouts explain KEY` says how a key is read, and why.

## Built in

These are taken in every auxiliary bucket, without a setting.
Anything may stand in front of `AWSLogs/`; the example keys are those of the tests.
How a key is read, and what its date must agree with, is told in [listing](../internals/listing.md#why-no-log-is-jumped-over).

""".splitlines()

BUILT_IN_NOTES = """
`vended` takes every service under `AWSLogs/<account>/` that has no row of its own; its name is the log type.
A Region is only what looks like one, such as `eu-west-1` or `us-west-2-lax-1a`; any other text in its place, such as `web-server-01`, gives none.
From a Control Tower bucket only CloudTrail (all its kinds) and Config are taken.
Whatever else is in it is reported and left alone.
""".splitlines()

DECLARED = """
## Declared

All other keys are *free keys*.
Whatever stands in them, such as the date in `app/2025/04/03/events.json` or `db/audit-2025-04-03.log`, nothing is known for certain.
The settings declare those that are logs, each kind by a table [`[[layouts]]`](settings.md#layouts); [declare your logs](../how-to/declare-your-logs.md) shows how.
A key is read by the built-in layouts first, then by the declarations in their order; the first one that matches decides.

### Patterns

A pattern is a whole key, not its beginning.
What is not a field is text that must stand there as it is, upper and lower case included; it cannot hold braces.
A year, a month and a day must stand together, with nothing but text between them, unless `date` says otherwise.
Parts of a date may share two braces, with `-`, `_`, `/`, `.`, `:`, `T` or blanks between them: `{YYYY/MM/DD}`, `{YYYYMMDDHH}`.

""".splitlines()

NAMED_FIELD = (
    "`{host}`, or another name of small letters, digits and underscores",
    "one character or more up to the next slash; the name is for you",
)

PATTERN_RULES = f"""
- `{{region}}` takes what looks like a Region, or `global`; `{{account}}` takes any twelve digits.
  Each may stand once.
- Wildcards are `{{*}}`, `{{**}}`, `{{region}}` and names such as `{{host}}`.
  There may be {WILDCARDS_MAX}, {DEEP_WILDCARDS_MAX} of them `{{**}}`, and something must stand between two of them.
- A date that is in the key more than once may be in the pattern more than once.
  The first whole one is the log date, and the others must be of that day or of one beside it; a key in which they disagree is left alone.
- A key that can be read in two ways, with different days, is left alone.
- The listing [jumps](../internals/listing.md#why-no-log-is-jumped-over) over the days that are not wanted where what stands in front of the date says where it begins: `nginx/{{host}}/access.log-{{YYYYMMDD}}`, but not `{{host}}-{{YYYYMMDD}}`.
""".splitlines()

KINDS_OF_BYTES = """
## What the bytes are taken for

The last suffix of the key decides, dates and numbers aside: `access.log.2025-04-03` and `access.log.1` are text.
The `kind` of a declaration wins over it.

""".splitlines()

KIND_NOTES = """
The bytes are looked at again when they are read: what is called `.gz` and is none is packed all the same, and flagged in the index.
""".splitlines()

ENDINGS = (
    ".gz",
    ".parquet",
    ".orc",
    ".avro",
    ".zip",
    ".bz2",
    ".xz",
    ".zst",
    ".lz4",
    ".snappy",
    ".tar",
    ".tgz",
    ".pcap",
    ".evtx",
    ".log",
    ".json",
    ".csv",
    ".xml",
)

GOES_INTO = {
    "gzip": "a gzip pack, its bytes as they are",
    "text": "a gzip pack, compressed together with others",
    "binary": "a tar pack",
}

NO_LOG = """
## Never packed: no logs

Much that lies among logs has a date in its key and is no log: it is in use, and somebody finds it by its key.
It is never packed; nor is what has zero bytes.
A declaration wins over a row only where its pattern names the very thing: `archive/{YYYY}/{MM}/{DD}/{*}.parquet` takes parquet files, `archive/{YYYY}/{MM}/{DD}/{*}` leaves them alone.

The patterns are regular expressions, searched for in the key.
In them `<folder>` is the beginning of a folder's name or of the object's, `<name>` that of the object's, `<uuid>` a UUID, and `<copy>` nothing or endings such as `.gz`, `.md5` or `.bak`; `(?i)` is for upper and lower case alike.

### Wherever they lie

""".splitlines()

NO_LOG_AMONG_FREE_KEYS = """
### Among free keys

Under `AWSLogs/`, and where a built-in name says that they are logs, these are taken.

""".splitlines()

NOT_CERTAIN = """
## Never packed: not certain

Free keys that no declaration matches are reported as unknown, and left where they are.
So are keys such as these, although AWS seems to have written them:

""".splitlines()

_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
WORDS = {
    _UUID: "<uuid>",
    r"(?:\.(?:gz|zst|bz2|lz4|xz|zip|md5|sha256|copy|bak|metadata))*\Z": "<copy>$",
    r"(?:\A|/)(?=[^/]*\Z)": "<name>",
    r"(?:\A|/)": "<folder>",
    r"\A": "^",
    r"\Z": "$",
    "(?:": "(",
}

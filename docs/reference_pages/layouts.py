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
        (row.name, row.grammar.name if row.grammar else "the first one after the service")
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
    """A regular expression with words for parts that many of them share."""
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

Which keys count as logs, and which are never packed.
A layout is the key grammar of one log type: it gives the log type, the account, the region and the log date, which is the day in the key.
Only certain logs are taken: keys of the layouts below, and keys that you declare.
All other keys are left alone and reported.

`log-aggregator layouts list` prints the table, with your own declarations; `log-aggregator layouts explain KEY` says how a key is read, and why.

## Built in

These are taken in every auxiliary bucket, without any setting.
Anything may precede `AWSLogs/`; the example keys come from the tests.
[Listing](../internals/listing.md#why-no-log-is-jumped-over) explains how a key is read, and what its date must agree with.

""".splitlines()

BUILT_IN_NOTES = """
`vended` takes every service under `AWSLogs/<account>/` without its own row; the service's name is the log type.
Only text that looks like a Region counts as one, such as `eu-west-1` or `us-west-2-lax-1a`; with other text in its place, such as `web-server-01`, there is no Region.
From a Control Tower bucket only CloudTrail (all its kinds) and Config are taken.
Everything else in it is reported and left alone.
""".splitlines()

DECLARED = """
## Declared

All other keys are *free keys*.
Even with a date, as in `app/2025/04/03/events.json` or `db/audit-2025-04-03.log`, it is not certain what they are.
Declare those that are logs in the settings, each kind by a table [`[[layouts]]`](settings.md#layouts); [declare your logs](../how-to/declare-your-logs.md) shows how.
A key is read by the built-in layouts first, then by the declarations in their order; the first one that matches decides.

### Patterns

A pattern is a whole key, not its beginning.
Everything outside fields is literal text, including upper and lower case; it cannot contain braces.
A year, a month and a day must be together, with only text between them, unless `date` says otherwise.
Parts of a date may share one pair of braces, with `-`, `_`, `/`, `.`, `:`, `T` or spaces between them: `{YYYY/MM/DD}`, `{YYYYMMDDHH}`.

""".splitlines()

NAMED_FIELD = (
    "`{host}`, or another name of small letters, digits and underscores",
    "one or more characters up to the next slash; the name is for your own use",
)

PATTERN_RULES = f"""
- `{{region}}` matches what looks like a Region, or `global`; `{{account}}` matches any twelve digits.
  Each may occur once.
- Wildcards are `{{*}}`, `{{**}}`, `{{region}}` and names such as `{{host}}`.
  There may be {WILDCARDS_MAX}, {DEEP_WILDCARDS_MAX} of them `{{**}}`, and there must be something between two of them.
- A date that is in the key more than once may be in the pattern more than once.
  The first complete one is the log date, and the others must be that day or an adjacent one; a key in which they disagree is left alone.
- A key that can be read in two ways, with different days, is left alone.
- The listing [jumps](../internals/listing.md#why-no-log-is-jumped-over) over unwanted days if the text before the date shows where the date begins: `nginx/{{host}}/access.log-{{YYYYMMDD}}`, but not `{{host}}-{{YYYYMMDD}}`.
""".splitlines()

KINDS_OF_BYTES = """
## What the bytes are taken for

The last suffix of the key decides, except dates and numbers: `access.log.2025-04-03` and `access.log.1` are text.
The `kind` of a declaration overrides it.

""".splitlines()

KIND_NOTES = """
The bytes are checked when they are read: a `.gz` object that is not gzip is still packed, and flagged in the index.
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

Many objects among logs have a date in their key but are not logs: a program uses them and finds them by their key.
They are never packed, and neither are empty objects.
A declaration overrides a row only if its pattern names exactly that kind: `archive/{YYYY}/{MM}/{DD}/{*}.parquet` takes parquet files, `archive/{YYYY}/{MM}/{DD}/{*}` leaves them alone.

The patterns are regular expressions, searched for in the key.
In them `<folder>` is the start of a folder's or the object's name, `<name>` the start of the object's name, `<uuid>` a UUID, and `<copy>` empty or endings such as `.gz`, `.md5` or `.bak`; `(?i)` ignores case.

### Anywhere

""".splitlines()

NO_LOG_AMONG_FREE_KEYS = """
### Among free keys

Under `AWSLogs/`, and where a built-in name marks them as logs, keys like these are taken.

""".splitlines()

NOT_CERTAIN = """
## Never packed: not certain

Free keys that no declaration matches are reported as unknown, and left where they are.
So are keys like these, although AWS seems to have written them:

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

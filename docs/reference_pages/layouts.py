"""Layouts: the table of log types, with the example keys of the tests."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from typing import Any

from log_aggregator.core.layouts import LAYOUTS, Dated, parse_key
from reference_pages.table import ROOT, table

EXAMPLES = ROOT / "tests" / "unit" / "core" / "layouts" / "rows.toml"


def make_layouts() -> Iterator[str]:
    examples = tomllib.loads(EXAMPLES.read_text(encoding="utf-8"))
    yield "# Layouts"
    yield ""
    yield "A layout is the key grammar of one log type."
    yield (
        "It tells the log type, the account, the region and the log date; the log date is the "
        "day in the key."
    )
    yield "Anything may stand in front of `AWSLogs/`; the example keys are those of the tests."
    yield (
        "How a key is read, and why the leftmost date decides, is told in "
        "[listing](../internals/listing.md)."
    )
    yield ""
    yield from table(
        ("layout", "log type", "date", "example key"),
        (_layout_row(name, grammar, examples["dated"]) for name, grammar in _layout_names()),
    )
    yield ""
    yield "The rows called `Other` take any key with a date in it that no other row knows."
    yield "From a Control Tower bucket only CloudTrail (all its kinds) and Config are taken."
    yield "Whatever else is in it is reported and left alone."
    yield ""
    yield "## What the bytes are taken for"
    yield ""
    yield from KINDS
    yield "## Never packed: markers"
    yield ""
    yield "Zero-byte objects, and keys such as these:"
    yield ""
    yield from (f"- `{example['key']}`" for example in examples["no_log"])
    yield ""
    yield "## Never packed: no certain date"
    yield ""
    yield "Such keys are reported as unknown and left where they are."
    yield ""
    yield from table(
        ("key", "why"), ((f"`{example['key']}`", example["why"]) for example in examples["unknown"])
    )


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


KINDS = """\
By the last suffix of the key:

| suffix | taken for | goes into |
|---|---|---|
| `.gz` | gzip | a gzip pack, its bytes as they are |
| none, `.log`, `.txt`, `.json`, `.jsonl`, `.ndjson`, `.csv`, `.tsv` | text | a gzip pack, compressed together with others |
| anything else (`.parquet`, `.zip`, `.snappy` ...) | binary | a tar pack |

The bytes are looked at again when they are read: what is called `.gz` and is none is packed all the same, and flagged in the index.
""".splitlines()

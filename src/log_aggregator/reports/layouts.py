"""Layouts: the table, how a key is read, and what could be declared, for programs and people."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from log_aggregator.core.layouts import LAYOUTS, Layout
from log_aggregator.core.layouts.declarations import describe_declarations, render_declarations
from log_aggregator.core.layouts.declared import Layouts
from log_aggregator.core.layouts.explain import Explanation
from log_aggregator.core.layouts.no_log import NO_LOG_ROWS
from log_aggregator.core.layouts.suggest import Suggestion
from log_aggregator.core.layouts.table import DISTRIBUTION
from log_aggregator.reports.numbers import format_bytes, format_count
from log_aggregator.steps.bucket_sample import BucketSample, Kept

_NAMES = {
    "S3AccessLogs": "any prefix, then YYYY-MM-DD-hh-mm-ss-<sixteen hex digits>",
    "S3AccessLogs-partitioned": "<account>/<region>/<bucket>/YYYY/MM/DD/, then a name as above",
    "Firehose": "<stream>-<number>-YYYY-MM-DD-hh-mm-ss-<uuid>, in any folder",
    "CloudFront-legacy": "<distribution>.YYYY-MM-DD-hh.<id>.<suffix>, in any folder",
}


def describe_layouts(layouts: Layouts) -> dict[str, Any]:
    """The whole table: built in, declared, and what is not a log."""
    return {
        "built_in": [_describe_row(row) for row in LAYOUTS],
        "declared": describe_declarations(layouts),
        "no_log": [{"reason": row.reason, "pattern": row.pattern} for row in NO_LOG_ROWS],
    }


def render_layouts(described: Mapping[str, Any]) -> Iterator[str]:
    """The same, for people."""
    yield "Built in, for every bucket"
    yield from _render_rows(described["built_in"], "keys")
    yield ""
    yield "Declared by the settings, for the buckets that they name"
    if described["declared"]:
        yield from _render_rows(described["declared"], "pattern")
    else:
        yield "  none; `log-aggregator layouts suggest BUCKET` proposes some"
    yield ""
    yield "Not logs: never packed, unless a declaration names exactly this kind of key"
    yield from (
        f"  {reason}" for reason in dict.fromkeys(row["reason"] for row in described["no_log"])
    )
    yield ""
    yield "Every other key is left alone. `log-aggregator layouts explain KEY` shows why."


def describe_explanation(explanation: Explanation) -> str:
    """As one line of JSON."""
    row = asdict(explanation)
    row["date"] = explanation.date.isoformat() if explanation.date else None
    return json.dumps(row, ensure_ascii=False)


def render_explanation(explanation: Explanation) -> Iterator[str]:
    """For people: the key, what a run does with it and why, and what it says."""
    yield explanation.key
    yield f"  {explanation.action:<9} {explanation.reason}"
    facts = {
        "layout": explanation.layout,
        "log type": explanation.log_type if explanation.layout else None,
        "date": explanation.date and explanation.date.isoformat(),
        "account": explanation.account,
        "region": explanation.region,
        "kind": explanation.kind,
    }
    known = ", ".join(f"{name} {value}" for name, value in facts.items() if value)
    if known:
        yield f"  {'hints' if explanation.layout is None else 'says':<9} {known}"


def describe_sample(sample: BucketSample) -> dict[str, Any]:
    """What was seen in a bucket, and what could be declared."""
    return {
        "bucket": sample.bucket,
        "pages": sample.pages,
        "objects": sample.objects,
        "is_whole": sample.is_whole,
        "known": dict(sample.known.most_common()),
        "layouts": [_describe_suggestion(sample.bucket, each) for each in sample.suggestions],
        "left": [
            {"reason": reason, "objects": kept.objects, "bytes": kept.size_bytes}
            | {"samples": kept.samples}
            for reason, kept in _by_size(sample)
        ],
    }


def render_sample(sample: BucketSample) -> Iterator[str]:
    """TOML to paste; everything that is not a declaration is a comment."""
    seen = (
        "all of it"
        if sample.is_whole
        else f"{format_count(sample.pages, 'page')} spread over its folders"
    )
    yield f"# {sample.bucket}: {format_count(sample.objects, 'object')} listed, {seen}."
    yield "# Read each declaration before you keep it: what it matches is packed and then deleted."
    for name, count in sample.known.most_common():
        yield f"# already known: {name}, {format_count(count, 'object')}"
    for suggestion in sample.suggestions:
        yield ""
        yield from _render_suggestion(sample.bucket, suggestion)
    if not sample.suggestions:
        yield "# There is nothing to declare."
    for reason, kept in _by_size(sample):
        yield ""
        yield (
            f"# left alone: {format_count(kept.objects, 'object')}, "
            f"{format_bytes(kept.size_bytes)}: {reason}"
        )
        yield from (f"#   {_comment(sample)}" for sample in kept.samples)


def _describe_row(row: Layout) -> dict[str, Any]:
    if row.name in _NAMES:
        keys = _NAMES[row.name]
    else:
        keys = f"[<prefix>/]{_readable(row.stem)}{row.grammar.name if row.grammar else '...'}"
    return {"name": row.name, "log_type": row.log_type or row.service, "keys": keys}


def _readable(stem: str) -> str:
    """The regular expression of a row's stem, as people write keys."""
    stem = _SERVICE.sub(r"\1", stem)
    for pattern, text in _READABLE:
        stem = stem.replace(pattern, text)
    return _GROUP.sub(r"<\1>", stem).replace("\\", "")


def _render_rows(rows: list[dict[str, Any]], column: str) -> Iterator[str]:
    width = max(len(row["name"]) for row in rows)
    for row in rows:
        where = f"  in {', '.join(row['buckets'])}" if row.get("buckets") else ""
        more = "".join(f", {name} {row[name]}" for name in ("kind", "date") if name in row)
        yield f"  {row['name']:<{width}}  {row[column]}{where}{more}"


def _describe_suggestion(bucket: str, suggestion: Suggestion) -> dict[str, Any]:
    return {
        "name": suggestion.name,
        "buckets": [bucket],
        "pattern": suggestion.pattern,
        "objects": suggestion.objects,
        "bytes": suggestion.size_bytes,
        "first_date": suggestion.first.isoformat(),
        "last_date": suggestion.last.isoformat(),
        "samples": suggestion.samples,
    }


def _render_suggestion(bucket: str, suggestion: Suggestion) -> Iterator[str]:
    yield (
        f"# {format_count(suggestion.objects, 'object')}, {format_bytes(suggestion.size_bytes)}, "
        f"of {suggestion.first} to {suggestion.last}, such as"
    )
    yield from (f"#   {_comment(sample)}" for sample in suggestion.samples)
    row = {"name": suggestion.name, "buckets": [bucket], "pattern": suggestion.pattern}
    yield from render_declarations([row]).splitlines()


def _comment(text: str) -> str:
    """Escapes line breaks and control characters, which a key may have and a TOML comment not."""
    return "".join(each if each.isprintable() else f"\\x{ord(each):02x}" for each in text)


_SERVICE = re.compile(r"\(\?P<service>([A-Za-z0-9-]+)\)")
_GROUP = re.compile(r"\(\?P<([a-z]+)>(?:[^()]*)\)")
_READABLE = (
    ("(?:o-[a-z0-9]+/)?", "[<organisation>/]"),
    ("(?:aws-account-id=)?", ""),
    ("(?:aws-service=)?", ""),
    ("(?:aws-)?region=", "region="),
    ("(?:RAW|OCSF)", "RAW or OCSF"),
    ("(?P<service>[^/]+)", "<service>"),
    (DISTRIBUTION, "<distribution>"),
    ("[^/]+/", "<name>/"),
)


def _by_size(sample: BucketSample) -> list[tuple[str, Kept]]:
    return sorted(sample.kept.items(), key=lambda each: -each[1].objects)

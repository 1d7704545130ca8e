"""Suggested declarations."""

from __future__ import annotations

import json
import tomllib
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from log_aggregator.core.layouts import Dated, parse_key
from log_aggregator.core.layouts.declarations import (
    kind_word,
    read_declarations,
    render_declarations,
)
from log_aggregator.core.layouts.suggest import Suggestion, suggest, suggest_pattern
from log_aggregator.model import LogObject

KEYS: list[dict[str, Any]] = [
    json.loads(line)
    for line in Path(__file__).with_name("keys.jsonl").read_text(encoding="utf-8").splitlines()
]
FREE = [
    entry
    for entry in KEYS
    if entry["expected_action"] == "pack" and not isinstance(parse_key(entry["key"]), Dated)
]
BY_HAND = {
    "fn-2024-01-01/2025/04/03/10/my-stream-1-2025-04-03-10-11-12-"
    "0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d": "fn-{*}/{YYYY}/{MM}/{DD}/{hour}/{*}",
    "github/20101105/2025/04/03/10/11/0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d.json.log.gz": (
        "github/{*}/{YYYY}/{MM}/{DD}/{hour}/{*}/{*}.gz"
    ),
    "release-2024-12-01/logs/2025/04/03/app.log": "release-{*}/logs/{YYYY}/{MM}/{DD}/app.log",
    "backfill/2026/03/20/AWSLogs/123456789123/GuardDuty/us-east-1/2026/03/25/"
    "9f7b0b8c-5ec8-32ec-8e77-c738515b4f6f.jsonl.gz": (
        "backfill/{*}/{*}/{*}/AWSLogs/{account}/GuardDuty/{region}/{YYYY}/{MM}/{DD}/{*}.gz"
    ),
}
"""Keys whose dates disagree: a person has to say which counts."""


@pytest.mark.parametrize("entry", FREE, ids=lambda entry: entry["key"])
def test_a_suggested_declaration_reads_the_log_correctly(entry: dict[str, Any]) -> None:
    """The pattern proposed for it gives the right facts."""
    key = entry["key"]
    pattern = BY_HAND.get(key) or suggest_pattern(key)
    assert (key in BY_HAND) == (suggest_pattern(key) is None)
    parsed = read_declarations([{"name": "own", "pattern": pattern}]).of("any").read(key)
    assert isinstance(parsed, Dated), parsed
    assert parsed.layout == "own"
    assert str(parsed.facts.date) == entry["expected_date"]
    assert parsed.facts.account == entry.get("expected_account")
    assert parsed.facts.region == entry.get("expected_region")
    kind = kind_word(parsed.facts.kind)
    assert kind == entry.get("expected_kind", kind)


@pytest.mark.parametrize(
    "entry",
    [entry for entry in KEYS if entry["expected_action"] == "leave"],
    ids=lambda e: e["key"],
)
def test_objects_that_must_stay_get_no_suggestion(entry: dict[str, Any]) -> None:
    """Nothing is proposed for a key that is not a log or has no reliable date."""
    assert suggest_pattern(entry["key"]) is None


@pytest.mark.parametrize(
    ("key", "pattern"),
    [
        ("nginx/web1/access.log-20250403.gz", "nginx/{*}/access.log-{YYYYMMDD}.gz"),
        ("a/2025/4/3/x.json", "a/{YYYY}/{M}/{D}/x.json"),
        ("a/2025040310/x", "a/{YYYYMMDD}{HH}/x"),
        ("a/y=2025/m=04/d=03/x", "a/y={YYYY}/m={MM}/d={DD}/x"),
        ("b/123456789012/eu-west-1/2025-04-03/x", "b/{account}/{region}/{YYYY-MM-DD}/x"),
        ("b/2024-12-31/x-2025-01-01.log", "b/{YYYY-MM-DD}/x-{YYYY-MM-DD}.log"),
        ("braces{}/2025-04-03", None),
        ("no-date", None),
        ("AWSLogs/123456789012/CloudTrail/us-east-1/2025/04/03/x.json.gz", None),
    ],
)
def test_a_key_is_generalised_to_fields(key: str, pattern: str | None) -> None:
    """Dates, accounts and Regions become fields, and differing parts become {*}."""
    assert suggest_pattern(key) == pattern


def log_object(key: str) -> LogObject:
    return LogObject("logs", key, None, "e", 10, datetime(2025, 4, 4, tzinfo=UTC))


def test_many_keys_get_few_declarations() -> None:
    """Hosts share one declaration, and so do one- and two-digit months; names differ, and every
    declaration reads all its keys.
    """
    keys = [f"web/{host}/access-2025-04-{day:02d}.log" for host in "abcdef" for day in (1, 2, 3)]
    keys += [f"dev/2025/{month}/3/x.log" for month in (4, 10)]
    keys += [f"web/{name}.txt.2025-04-03" for name in ("one", "two")]
    keys += [f"run-{name}.2025-04-03.out" for name in ("a1", "b2", "deface")]
    suggestions, rest = suggest(map(log_object, [*keys, "x", "t/dt=2025-04-03/x.parquet"]))
    assert [each.key for each in rest] == ["x", "t/dt=2025-04-03/x.parquet"]
    assert [(each.pattern, each.objects) for each in suggestions] == [
        ("web/{*}/access-{YYYY-MM-DD}.log", 18),
        ("run-{*}.{YYYY-MM-DD}.out", 3),
        ("dev/{YYYY}/{M}/{D}/x.log", 2),
        ("web/one.txt.{YYYY-MM-DD}", 1),
        ("web/two.txt.{YYYY-MM-DD}", 1),
    ]
    assert len({each.name for each in suggestions}) == 5
    first = suggestions[0]
    assert (first.first, first.last) == (date(2025, 4, 1), date(2025, 4, 3))
    assert first.size_bytes == 180
    declared = read_declarations(tomllib.loads(render(suggestions))["layouts"]).of("logs")
    assert all(isinstance(declared.read(key), Dated) for key in keys)
    assert declared.position(keys[0]) is not None


def render(suggestions: list[Suggestion]) -> str:
    return render_declarations({"name": each.name, "pattern": each.pattern} for each in suggestions)

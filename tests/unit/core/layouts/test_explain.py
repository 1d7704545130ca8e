"""How a key is read, in words."""

from __future__ import annotations

from datetime import date

import pytest

from log_aggregator.core.layouts.declarations import read_declarations
from log_aggregator.core.layouts.explain import Explanation, explain_key

LAYOUTS = read_declarations(
    [
        {"name": "own", "pattern": "app/{account}/{region}/{YYYY-MM-DD}/{*}"},
        {"name": "by-time", "pattern": "exports/{**}", "date": "last-modified"},
    ]
).of("any")


def test_a_built_in_layout_is_explained() -> None:
    """The facts are the key's own."""
    key = "AWSLogs/123456789012/Config/global/2025/4/3/x.json.gz"
    assert explain_key(key, LAYOUTS) == Explanation(
        key,
        "pack",
        "a built-in layout names it",
        "Config",
        "head",
        date(2025, 4, 3),
        "123456789012",
        "global",
        "Config",
        "gzip",
    )


def test_a_declared_layout_is_explained() -> None:
    """Its name is also the log type."""
    found = explain_key("app/123456789012/eu-west-1/2025-04-03/x.parquet.log", LAYOUTS)
    assert (found.action, found.certainty, found.layout) == ("pack", "declared", "own")
    assert (found.log_type, found.account, found.region) == ("own", "123456789012", "eu-west-1")


def test_a_key_dated_by_the_listing_is_explained() -> None:
    """It is packed although its key has no date."""
    found = explain_key("exports/2024-01-01/000000.gz", LAYOUTS)
    assert (found.action, found.date, found.certainty) == ("pack", None, "declared")
    assert "LastModified" in found.reason


@pytest.mark.parametrize(
    ("key", "certainty", "reason"),
    [
        ("x/2025-04-03/app.log", "hint", 'pattern = "x/{YYYY-MM-DD}/app.log"'),
        ("x/app.log", "none", "nothing in the key is clearly a date"),
        ("release-2024-12-01/logs/2025/04/03/app.log", "hint", "disagree"),
        ("x/2025-04-03/manifest.json", "hint", "manifest"),
        ("x/", "none", "folder marker"),
        ("AWSLogs/1/x", "none", "does not look"),
    ],
)
def test_an_unpacked_key_is_explained(key: str, certainty: str, reason: str) -> None:
    """The explanation gives the reason and what would change it."""
    found = explain_key(key, LAYOUTS)
    assert (found.action, found.layout, found.certainty) == ("leave", None, certainty)
    assert reason in found.reason

"""Every row of the table, with keys as AWS writes them."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from log_aggregator.core.layouts import LAYOUTS, Dated, NoLog, Unknown, parse_key
from log_aggregator.core.layouts.content import content_kind
from log_aggregator.core.layouts.grammar import COMPACT, SLASHED
from log_aggregator.core.layouts.table import Head
from log_aggregator.model import ContentKind, KeyFacts

EXAMPLES: dict[str, list[dict[str, Any]]] = tomllib.loads(
    Path(__file__).with_name("rows.toml").read_text(encoding="utf-8")
)


@pytest.mark.parametrize("example", EXAMPLES["dated"], ids=lambda example: example["key"])
def test_a_key_is_parsed_into_its_facts(example: dict[str, Any]) -> None:
    """A documented key's row, log type, date, account, region, hour and content kind match the
    example.
    """
    parsed = parse_key(example["key"])
    assert isinstance(parsed, Dated), parsed
    assert parsed.layout == example["layout"]
    assert parsed.facts == KeyFacts(
        log_type=example["log_type"],
        date=example["date"],
        account=example.get("account"),
        region=example.get("region"),
        hour=example.get("hour"),
        kind=ContentKind(example["kind"]),
    )


@pytest.mark.parametrize("example", EXAMPLES["dated"], ids=lambda example: example["key"])
def test_the_position_is_where_the_date_is(example: dict[str, Any]) -> None:
    """The grammar reads the key's date at the end of the position's stem."""
    parsed = parse_key(example["key"])
    assert isinstance(parsed, Dated)
    if parsed.position is None:
        return
    assert example["key"].startswith(parsed.position.stem)
    read = parsed.position.grammar.read(example["key"], len(parsed.position.stem))
    assert read is not None
    assert read[0] == parsed.facts.date
    assert parsed.position.year == parsed.facts.date.year


@pytest.mark.parametrize("example", EXAMPLES["unknown"], ids=lambda example: example["why"])
def test_a_key_without_a_certain_date_is_unknown(example: dict[str, Any]) -> None:
    """A key with no date, an invalid one or an ambiguous one is left alone, with a reason."""
    parsed = parse_key(example["key"])
    assert isinstance(parsed, Unknown), parsed
    assert parsed.reason


@pytest.mark.parametrize("example", EXAMPLES["no_log"], ids=lambda example: example["key"])
def test_objects_that_are_not_logs_are_never_packed(example: dict[str, Any]) -> None:
    """Probe files, folders, tables, data overwritten in place and packs are not logs, although some
    carry a date.
    """
    assert isinstance(parse_key(example["key"]), NoLog)


def test_every_row_has_an_example() -> None:
    """Every row of the table has an example, and every example names an existing row."""
    assert {row.name for row in LAYOUTS} == {example["layout"] for example in EXAMPLES["dated"]}
    assert len({row.name for row in LAYOUTS}) == len(LAYOUTS)


def test_rows_with_a_head_fix_the_position_of_the_date() -> None:
    """A row that names every segment up to the date lets the skip-scan jump over all years of its
    stem.
    """
    for example in EXAMPLES["dated"]:
        row = next(row for row in LAYOUTS if row.name == example["layout"])
        parsed = parse_key(example["key"])
        assert isinstance(parsed, Dated)
        if parsed.position is None or not parsed.position.stem.startswith("AWSLogs/"):
            continue
        assert parsed.position.whole_stem == (row.grammar is not None), example["key"]
        assert row.head is Head.AWSLOGS


def test_a_compact_date_without_a_head_allows_no_skip() -> None:
    """An account id may sort between two compact dates, so a compact date without a head gives no
    position.
    """
    parsed = parse_key("20250401/2025-04-03-10-11-12-0123456789ABCDEF")
    assert isinstance(parsed, Dated)
    assert parsed.position is not None
    assert parsed.position.stem == "20250401/"
    assert parse_key("x/20250401.log").position is None


def test_an_invalid_date_after_a_head_keeps_the_position() -> None:
    """A head's stem is known even if the date is invalid, so these keys can be jumped over."""
    parsed = parse_key("AWSLogs/123456789012/vpcflowlogs/us-east-1/2025/13/01/x.log.gz")
    assert isinstance(parsed, Unknown)
    assert parsed.position is not None
    assert parsed.position.stem == "AWSLogs/123456789012/vpcflowlogs/us-east-1/"
    assert parsed.position.grammar is SLASHED


def test_a_grammar_with_a_head_ends_in_its_separator() -> None:
    """An unpadded "2025/4/3/" is not a prefix of "2025/4/30/": whole days are jumped over."""
    config = parse_key("AWSLogs/123456789012/Config/us-east-1/2025/4/3/ConfigHistory/x.json.gz")
    assert isinstance(config, Dated)
    assert config.position is not None
    assert config.position.grammar.spell(config.facts.date) == {
        "2025/4/3/",
        "2025/04/3/",
        "2025/4/03/",
        "2025/04/03/",
    }
    assert COMPACT.spell(config.facts.date) == {"20250403"}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("x.gz", "gzip-lines"),
        ("x.csv.GZ", "gzip-lines"),
        ("x.log.gz.1", "gzip-lines"),
        ("x", "text"),
        ("x.log", "text"),
        ("x.log.2025-04-03-10", "text"),
        ("x.out", "text"),
        ("x.never-heard-of", "text"),
        ("x.", "text"),
        ("x.gz.parquet", "binary"),
        ("x.zip", "binary"),
        ("x.orc", "binary"),
        ("x.log.zst", "binary"),
        ("x.zst.20250403", "binary"),
    ],
)
def test_the_last_suffix_decides_the_kind(name: str, kind: str) -> None:
    """Dates and numbers after a dot are not suffixes. Only content known to be binary is kept out
    of the gzip packs, which can carry anything.
    """
    assert content_kind(f"some.zip/2025.parquet/{name}", is_document=False) == kind


@pytest.mark.parametrize("service", ["..", ".", "-", "a b", "é", "a:b"])
def test_a_log_type_is_a_safe_part_of_a_key(service: str) -> None:
    """A service name that cannot be part of a pack's key becomes `Other`."""
    parsed = parse_key(f"AWSLogs/123456789012/{service}/2025/04/03/x.log")
    assert isinstance(parsed, Dated)
    assert parsed.facts.log_type == "Other"

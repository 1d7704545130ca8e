"""Keys built from a row of the table give back what they were built from."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from log_aggregator.core.layouts import Dated, NoLog, Unknown, parse_key
from log_aggregator.core.layouts.grammar import (
    COMPACT,
    DASHED,
    HIVE,
    SLASHED,
    SLASHED_OPEN,
    SLASHED_UNPADDED,
    DateGrammar,
)

_EXAMPLES_PATH = Path(__file__).parents[1] / "unit" / "core" / "layouts" / "rows.toml"
EXAMPLES: list[dict[str, Any]] = tomllib.loads(_EXAMPLES_PATH.read_text(encoding="utf-8"))["dated"]
GRAMMARS = (SLASHED, SLASHED_UNPADDED, SLASHED_OPEN, DASHED, HIVE, COMPACT)

DAYS = st.dates(date(2006, 1, 1), date(2099, 12, 31))
ACCOUNTS = st.from_regex(r"[0-9]{12}", fullmatch=True)
REGIONS = st.sampled_from(
    [
        "us-east-1",
        "eu-central-2",
        "us-gov-west-1",
        "us-isob-east-1",
        "ap-southeast-7",
        "mx-central-1",
    ]
)


def _spellings(text: str, day: date, other: date) -> str:
    """`text` with each notation of `day` replaced by the same one of `other`, the long ones
    first.
    """
    writings: tuple[Callable[[date], str], ...] = (
        lambda d: f"{d:year=%Y/month=%m/day=%d}/",
        lambda d: f"year={d.year}/month={d.month}/day={d.day}/",
        lambda d: f"{d:%Y/%m/%d}",
        lambda d: f"{d:%Y-%m-%d}",
        lambda d: f"{d:%Y%m%d}",
        lambda d: f"/{d.year}/{d.month}/{d.day}/",
    )
    for writing in writings:
        text = text.replace(writing(day), writing(other))
    return text


def _rebuilt(example: dict[str, Any], day: date, account: str, region: str) -> str:
    key = example["key"].replace(
        example.get("account", "<none>"), "<account>"
    )  # some accounts look like dates
    key = _spellings(key, example["date"], day).replace("<account>", account)
    return key.replace(example["region"], region) if _is_a_region(example) else key


def _is_a_region(example: dict[str, Any]) -> bool:
    return example.get("region") not in {None, "global", "cloudfront"}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example["key"])
@settings(max_examples=15, deadline=None)
@given(day=DAYS, account=ACCOUNTS, region=REGIONS)
def test_a_key_gives_back_its_date_account_and_region(
    example: dict[str, Any], day: date, account: str, region: str
) -> None:
    """parse(build(row, date, account, region)) == (date, account, region), for all dates, accounts
    and regions.
    """
    parsed = parse_key(_rebuilt(example, day, account, region))
    assert isinstance(parsed, Dated), parsed
    assert parsed.facts.date == day
    assert parsed.facts.log_type == example["log_type"]
    assert parsed.facts.account == (account if "account" in example else None)
    assert parsed.facts.region == (region if _is_a_region(example) else example.get("region"))


@settings(max_examples=300, deadline=None)
@given(
    grammar=st.sampled_from(GRAMMARS),
    day=DAYS,
    stem=st.sampled_from(["", "logs", "a/b/"]),
    separator=st.sampled_from("/-.T_x"),
)
def test_a_grammar_reads_what_it_writes(
    grammar: DateGrammar, day: date, stem: str, separator: str
) -> None:
    """read(spell(day)) == day, at any position and before anything but a digit."""
    for text in grammar.spell(day):
        read = grammar.read(f"{stem}{text}{separator}", len(stem))
        assert read is not None
        assert read[0] == day
        assert text.startswith(grammar.year_text(day.year))


@settings(max_examples=2000, deadline=None)
@given(
    grammar=st.sampled_from(GRAMMARS),
    year=st.integers(1990, 2110),
    month=st.text("0123٣", min_size=1, max_size=2),
    day=st.text("0123٣", min_size=1, max_size=2),
    behind=st.sampled_from(["", "/", "/x", "-x", "0/", "T10"]),
)
def test_a_grammar_writes_what_it_reads(
    grammar: DateGrammar, year: int, month: str, day: str, behind: str
) -> None:
    """Any text that a grammar reads as a day begins with a spelling of that day: the skip-scan
    looks for nothing else.
    """
    between = {
        SLASHED: "/{}/",
        SLASHED_UNPADDED: "/{}/",
        SLASHED_OPEN: "/{}/",
        DASHED: "-{}-",
        HIVE: "/month={}/day=",
        COMPACT: "{}",
    }
    text = (
        "year=" if grammar is HIVE else ""
    ) + f"{year}{between[grammar].format(month)}{day}{behind}"
    read = grammar.read(text, 0)
    if read is not None:
        assert text.startswith(tuple(grammar.spell(read[0])))
        assert 2006 <= read[0].year <= 2099


@settings(max_examples=2000, deadline=None)
@given(st.text(max_size=60) | st.text(st.sampled_from("0123456789/-_.=AWSLogsE\n"), max_size=60))
def test_every_key_has_an_answer(key: str) -> None:
    """parse_key never raises for any key that S3 allows, and an unknown or a marker has its
    reason.
    """
    parsed = parse_key(key)
    assert isinstance(parsed, Dated) or (isinstance(parsed, Unknown | NoLog) and parsed.reason)

"""Laws of declared layouts, and of decoys: other parts of a key that look like dates."""

from __future__ import annotations

import tomllib
from datetime import date
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from log_aggregator.core.layouts import Dated, parse_key
from log_aggregator.core.layouts.declarations import read_declarations
from log_aggregator.core.layouts.declared import BucketLayouts, DeclaredLayout
from log_aggregator.core.layouts.pattern import PatternError, parse_pattern

_ROWS_PATH = Path(__file__).parents[1] / "unit" / "core" / "layouts" / "rows.toml"
EXAMPLES: list[dict[str, Any]] = tomllib.loads(_ROWS_PATH.read_text(encoding="utf-8"))["dated"]

DECOYS = (
    "release-{0}/",
    "release-{0:%Y%m%d}/",
    "{0:%Y/%m/%d}/",
    "{0}/",
    "{0:%Y%m%d}/",
    "{0:%Y-%m/%d}/",
    "year={0.year}/month={0.month}/day={0.day}/",
    "{0.year}/{0.month}/{0.day}/",
    "{0:%d-%m-%Y}-10-11/",
    "{0:%Y%m%d%H%M}/",
    "v{0.year}/",
    "{0:%Y}/",
)


@pytest.mark.parametrize("decoy", DECOYS)
@settings(max_examples=15, deadline=None)
@given(other=st.dates(date(2007, 1, 1), date(2098, 12, 31)), number=st.integers(0, 10**6))
def test_a_decoy_in_front_never_changes_the_date(decoy: str, other: date, number: int) -> None:
    """The key gives the same date as without it, or is left alone."""
    example = EXAMPLES[number % len(EXAMPLES)]
    parsed = parse_key(decoy.format(other) + example["key"])
    if isinstance(parsed, Dated):
        assert abs((parsed.facts.date - example["date"]).days) <= 1


_TEXTS = ("", "a", "/", "logs/", "-", "2024-01-01/", "[x]", "é", ".log", "AWSLogs/", "20")
_FIELDS = {
    "{YYYY}/{MM}/{DD}": "{0:%Y/%m/%d}",
    "{YYYY-MM-DD}": "{0:%Y-%m-%d}",
    "{YYYYMMDD}": "{0:%Y%m%d}",
    "{DD}.{MM}.{YYYY}": "{0:%d.%m.%Y}",
    "{YYYY}_{M}_{D}": "{0.year}_{0.month}_{0.day}",
}
_OTHERS = {"{host}": "web1", "{*}": "x", "{account}": "123456789012", "{region}": "eu-west-1"}


@settings(max_examples=2000, deadline=None)
@given(seed=st.integers(0, 2**48), day=st.dates(date(2006, 1, 1), date(2099, 12, 31)))
def test_a_pattern_reads_keys_built_from_it(seed: int, day: date) -> None:
    """The date, account and Region come back, unless the pattern has two readings, or a wide
    declaration meets a key that is not a log or is already certain.
    """
    random = Random(seed)
    pieces = [(text, text) for text in random.choices(_TEXTS, k=random.randrange(1, 5))]
    pieces += random.sample(list(_OTHERS.items()), random.randrange(3))
    random.shuffle(pieces)
    writing, form = random.choice(list(_FIELDS.items()))
    pieces.insert(random.randrange(len(pieces) + 1), (writing, form.format(day)))
    text, key = ("".join(each[side] for each in pieces) for side in (0, 1))
    try:
        pattern = parse_pattern(text)
    except PatternError:
        return
    assert parse_pattern(pattern.text) == pattern
    assert pattern.begins(key)
    layouts = BucketLayouts((DeclaredLayout("own", pattern),))
    parsed = layouts.read(key)
    if isinstance(parsed, Dated) and parsed.layout == "own":
        assert parsed.facts.date == day
        assert parsed.facts.account == ("123456789012" if "{account}" in text else None)
        position = layouts.position(key)
        assert position is None or key.startswith(
            tuple(position.stem + spelled for spelled in position.grammar.spell(day))
        )


NO_LOGS = (
    "{0}/manifest.json",
    "inventory/{0}T01-00Z/manifest.checksum",
    "hive/dt={0}-01-00/symlink.txt",
    "Unsaved/{0:%Y/%m/%d}/21704e69-c2cd-4856-82a1-88ed19a22d27.csv",
    "{0:%Y/%m/%d}/21704e69-c2cd-4856-82a1-88ed19a22d27.csv.metadata",
    "t/_delta_log/{0}.json",
    "t/metadata/{0:%Y%m%d}-m0.avro",
    "t/dt={0}/part-00000-21704e69-c2cd-4856-82a1-88ed19a22d27.c000.snappy.parquet",
    "t/dt={0}/x.orc",
    "backup/{0:%Y%m%d}-010203F/backup.manifest",
    "aws/VPC_FLOW/2.0/region=us-east-1/accountId=111122223333/eventDay={0:%Y%m%d}/x.gz.parquet",
    "connect/i/CallRecordings/{0:%Y/%m/%d}/x.wav",
    "StorageLens/1/d/V_1/reports/dt={0}/x.csv",
    "dd/dt={0:%Y%m%d}/hour=05/archive_051112.json.gz",
    "{0:%Y/%m/%d}/_temporary/0/x",
    "{0:%Y/%m/%d}/_SUCCESS",
    "{0:%Y/%m/%d}/x.tmp",
    "packs/b/CloudTrail/all/{0:%Y/%m/%d}/CloudTrail_20250403-0123456789abcdef0123456789abcdef.json.gz",
)
WIDE = (
    "{**}/{YYYY}/{MM}/{DD}/{**}",
    "{**}{YYYY-MM-DD}{**}",
    "{**}{YYYYMMDD}{**}",
    "{*}/{*}/{YYYY}/{MM}/{DD}/{*}",
    "{*}/dt={YYYY-MM-DD}/{*}",
)


@pytest.mark.parametrize("form", NO_LOGS)
@settings(max_examples=20, deadline=None)
@given(
    day=st.dates(date(2006, 1, 1), date(2099, 12, 31)),
    front=st.sampled_from(["", "a/", "x/y/", "logs-1/"]),
)
def test_objects_that_are_not_logs_are_never_planned(form: str, day: date, front: str) -> None:
    """No declaration, however wide, changes that."""
    key = front + form.format(day)
    rows = [{"name": f"wide{number}", "pattern": text} for number, text in enumerate(WIDE)]
    assert not isinstance(parse_key(key), Dated)
    assert not isinstance(read_declarations(rows).of("any").read(key), Dated)


@settings(max_examples=500, deadline=None)
@given(
    key=st.text(st.sampled_from("0123456789/-_.=ab{}*\n\U0001f600"), max_size=80),
    text=st.text(st.sampled_from("{}YMDHhost*/-_.a0"), max_size=40),
)
def test_any_text_is_a_pattern_or_says_why_not(key: str, text: str) -> None:
    """Only PatternError is raised, and reading any key ends."""
    try:
        layouts = BucketLayouts((DeclaredLayout("own", parse_pattern(text)),))
    except PatternError:
        return
    parsed = layouts.read(key)
    assert isinstance(parsed, Dated) or parsed.reason

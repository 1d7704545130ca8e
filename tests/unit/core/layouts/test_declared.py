"""The layouts of a bucket: built-in and declared ones together."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from log_aggregator.core.layouts import Dated, NoLog, Unknown
from log_aggregator.core.layouts.declarations import (
    describe_declarations,
    read_declarations,
    render_declarations,
)
from log_aggregator.core.layouts.declared import BucketLayouts, Layouts
from log_aggregator.core.layouts.pattern import PatternError
from log_aggregator.core.skipscan import next_start
from log_aggregator.core.windows import DateWindow
from log_aggregator.model import ContentKind, KeyFacts, ListedKey, LogObject

DAY = date(2025, 4, 3)


def layouts_of(*patterns: str, **more: str) -> BucketLayouts:
    rows = [{"name": f"own{n}", "pattern": text, **more} for n, text in enumerate(patterns)]
    return read_declarations(rows).of("logs")


def test_a_declared_key_is_a_log() -> None:
    """Its log type is the declaration's name, and its facts come from the fields."""
    layouts = layouts_of("app/{account}/{region}/{YYYY}/{MM}/{DD}/{hour}/{**}")
    key = "app/123456789012/eu-west-1/2025/04/03/10/x.log.gz"
    parsed = layouts.read(key)
    assert isinstance(parsed, Dated)
    assert parsed.layout == "own0"
    assert parsed.facts == KeyFacts(
        "own0", DAY, "123456789012", "eu-west-1", 10, ContentKind.GZIP_LINES
    )
    assert isinstance(Layouts().of("logs").read(key), Unknown)


def test_the_first_matching_declaration_wins() -> None:
    """The order is that of the settings."""
    parsed = layouts_of("a/{YYYYMMDD}/{*}", "{**}/{YYYYMMDD}/{*}").read("a/20250403/x")
    assert isinstance(parsed, Dated)
    assert parsed.layout == "own0"


def test_built_in_layouts_win_over_declarations() -> None:
    """A wide declaration takes no key that is already certain, because accounts would mix."""
    layouts = layouts_of("{**}/{YYYY}/{MM}/{DD}/{**}")
    key = "x/AWSLogs/123456789012/vpcflowlogs/us-east-1/2025/04/03/x.log.gz"
    parsed = layouts.read(key)
    assert isinstance(parsed, Dated)
    assert parsed.layout == "vpcflowlogs"
    named = layouts_of("{**}{YYYY-MM-DD}{**}").read("2025-04-03-10-11-12-0123456789ABCDEF")
    assert isinstance(named, Dated)
    assert named.layout == "S3AccessLogs"
    key = "x/2024/01/01/AWSLogs/123456789012/GuardDuty/us-east-1/2025/04/03/x.gz"
    assert isinstance(layouts.read(key), Unknown)
    by_hand = layouts_of("x/{*}/{*}/{*}/AWSLogs/{account}/{*}/{region}/{YYYY}/{MM}/{DD}/{*}")
    assert isinstance(by_hand.read(key), Dated)
    no_log = layouts_of("{**}/{YYYY}/{MM}/{DD}/manifest.json").read(
        "x/AWSLogs/123456789012/vpcflowlogs/us-east-1/2025/04/03/manifest.json"
    )
    assert isinstance(no_log, NoLog)
    bad = layouts.read("x/AWSLogs/123456789012/vpcflowlogs/us-east-1/2025/13/01/2025/04/03/x")
    assert isinstance(bad, Unknown)


def test_a_declaration_resolves_conflicting_dates() -> None:
    """The declaration says which date counts."""
    key = "fn-2024-01-01/2025/04/03/10/s-1-2025-04-03-10-11-12-0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d"
    assert isinstance(layouts_of().read(key), Unknown)
    parsed = layouts_of("fn-{*}/{YYYY}/{MM}/{DD}/{hour}/{*}").read(key)
    assert isinstance(parsed, Dated)
    assert parsed.facts.date == DAY


@pytest.mark.parametrize(
    ("pattern", "key", "is_log"),
    [
        ("{**}/{YYYY-MM-DD}/{*}", "inv/2025-04-03/manifest.json", False),
        ("inv/{YYYY-MM-DD}/manifest.json", "inv/2025-04-03/manifest.json", True),
        ("t/dt={YYYY-MM-DD}/{*}", "t/dt=2025-04-03/part-1.parquet", False),
        ("t/dt={YYYY-MM-DD}/{*}.parquet", "t/dt=2025-04-03/part-1.parquet", True),
        ("{**}/{YYYY-MM-DD}/{**}", "a/2025-04-03/_temporary/0/x", False),
        (
            "dd/dt={YYYYMMDD}/hour={hour}/{*}",
            "dd/dt=20250403/hour=05/archive_051112.json.gz",
            False,
        ),
        (
            "dd/dt={YYYYMMDD}/hour={hour}/archive_{*}",
            "dd/dt=20250403/hour=05/archive_051112.json.gz",
            True,
        ),
        ("{**}/{YYYY-MM-DD}/{*}", "a/2025-04-03/x.tmp", False),
        ("{YYYY-MM-DD}/{**}", "2025-04-03/", False),
    ],
)
def test_a_wildcard_does_not_match_other_objects(pattern: str, key: str, is_log: bool) -> None:
    """A wildcard does not turn a manifest, a table's file or a temporary file into a log."""
    assert isinstance(layouts_of(pattern).read(key), Dated if is_log else NoLog)


def test_a_key_can_be_dated_by_last_modified() -> None:
    """The date is the UTC day on which the newest version was written; a key alone does not give
    it.
    """
    layouts = layouts_of("exports/{**}", date="last-modified")
    assert isinstance(layouts.read("exports/a/000000.gz"), Unknown)
    written = datetime(2025, 4, 3, 23, 59, tzinfo=UTC)
    versions = tuple(
        LogObject("logs", "exports/a", version, "e", 1, when)
        for version, when in (("2", written), ("1", datetime(2024, 1, 1, tzinfo=UTC)))
    )
    parsed = layouts.read_listed(ListedKey("exports/a", versions))
    assert isinstance(parsed, Dated)
    assert parsed.facts.date == DAY
    assert layouts.position("exports/a/2025/04/03/x") is None


def test_a_log_that_looks_declared_is_left() -> None:
    """An access log in a folder that a declaration dates differently is left alone, because the
    skip-scan jumps over that folder.
    """
    layouts = layouts_of("app/{YYYYMMDD}/x.log")
    name = "2025-04-03-10-11-12-0123456789ABCDEF"
    assert isinstance(layouts.read(f"app/20250403/{name}"), Dated)
    assert isinstance(layouts.read(f"app/20250405/{name}"), Unknown)
    assert isinstance(layouts.read(f"app/20259999/{name}"), Unknown)
    assert isinstance(layouts.read(f"app/2025/{name}"), Unknown)
    assert isinstance(layouts.read(f"app/{name}"), Dated)
    assert isinstance(layouts.read(f"app/x/{name}"), Dated)
    wide = layouts_of("{YYYY}/{MM}/{DD}/{**}")
    key = "AWSLogs/123456789012/vpcflowlogs/us-east-1/2025/04/03/x.log.gz"
    for headed in (key, f"123456789012/{key}", f"2025/04/03/{key}", name):
        assert isinstance(wide.read(headed), Dated)


def test_which_declared_keys_are_skipped() -> None:
    """The scan jumps by the pattern's date, even a compact one, unless another key could hide
    there.
    """
    position = layouts_of("cf/{YYYYMMDD}/{*}.log.gz").position("cf/20250403/x.log.gz")
    assert position is not None
    assert (position.stem, position.whole_stem) == ("cf/", True)
    for patterns in (["{*}{YYYYMMDD}/{*}"], ["cf/{YYYYMMDD}/{*}", "{**}/{YYYY-MM-DD}"]):
        assert layouts_of(*patterns).position("cf/20250403/x.log.gz") is None
    both = layouts_of("cf/{YYYYMMDD}/{*}.log.gz", "cf/{YYYYMMDD}/{**}.json")
    assert both.position("cf/20250403/x.log.gz") is not None


def test_a_declaration_can_name_buckets() -> None:
    """Buckets are names or globs; without any, every bucket counts."""
    row = {"name": "own", "pattern": "{YYYYMMDD}", "buckets": ["app-logs-*", "other"]}
    declared = read_declarations([row])
    assert [bool(declared.of(name).declared) for name in ("app-logs-1", "other", "others")] == [
        True,
        True,
        False,
    ]


ROW: dict[str, Any] = {"name": "own", "pattern": "x/{YYYYMMDD}"}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("text", "tables that begin with"),
        (["text"], "tables that begin with"),
        ([{}], "number 1: name = None"),
        ([ROW | {"name": "a b"}], "letters, digits"),
        ([ROW | {"name": "CloudTrail"}], "name of a built-in layout"),
        ([ROW | {"name": "S3AccessLogs"}], "name of a built-in layout"),
        ([ROW | {"name": ".."}], "letters, digits"),
        ([ROW | {"patern": "x"}], "patern is not known"),
        ([{"name": "own"}], "pattern = None"),
        ([ROW | {"pattern": "x/{*}"}], "it has no date"),
        ([ROW | {"kind": "zip"}], "expected gzip, text, binary"),
        ([ROW | {"date": "today"}], 'expected "last-modified"'),
        ([ROW | {"buckets": ["Bad_Name"]}], "names of buckets"),
        ([ROW | {"buckets": 3}], "names of buckets"),
        ([ROW, ROW], "two are called 'own'"),
        ([ROW | {"name": f"n{number}"} for number in range(201)], "at most 200"),
    ],
)
def test_a_wrong_declaration_is_explained_in_one_line(rows: Any, message: str) -> None:
    """It names the declaration, the value and what is expected."""
    with pytest.raises(PatternError) as raised:
        read_declarations(rows)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_declaration_survives_encoding() -> None:
    """It comes back as plain values and as TOML."""
    import tomllib  # noqa: PLC0415

    rows = [
        ROW | {"pattern": 'a"b\\c\u0001é/{YYYYMMDD}', "buckets": ["b-*"], "kind": "text"},
        {"name": "by-time", "pattern": "{**}", "date": "last-modified"},
    ]
    declared = read_declarations(rows)
    assert describe_declarations(declared) == rows
    assert tomllib.loads(render_declarations(rows))["layouts"] == rows


@pytest.mark.parametrize(
    ("patterns", "last_key", "wanted"),
    [
        (["{YYYYMMDD}/{**}"], "20241231/x", "2025-04-03-10-11-12-0123456789ABCDEF"),
        (["{host}-{YYYYMMDD}.log"], "web-20250101.log", "web-20250101x-20250403.log"),
        (["{**}/{YYYY}/{MM}/{DD}/{*}"], "a/2025/01/01/x", "a/2025/01/0x/2025/04/03/x"),
        (["a/{YYYYMMDD}/{*}", "a/{*}/{YYYY-MM-DD}"], "a/20250101/x", "a/20250101x/2025-04-03"),
        (["a-{*}/{YYYY-MM-DD}"], "a-2025-01-01/y", "a-2025-02-02/2025-04-03"),
        (["{YYYYMMDD}/{**}"], "20250101/x", "AWSLogs/123456789012/Config/us-east-1/2025/4/3/x"),
        (["{**}/x.log"], "a/2025/01/01/x", "a/2025/01/02/x.log"),
    ],
)
def test_no_wanted_key_is_skipped(patterns: list[str], last_key: str, wanted: str) -> None:
    """The scan does not jump where another layout or reading may hide a key of the day."""
    by_time = {} if "DD}" in patterns[0] else {"date": "last-modified"}
    layouts = layouts_of(*patterns, **by_time)
    assert last_key < wanted
    parsed = layouts.read(wanted, datetime(2025, 4, 3, tzinfo=UTC))
    assert isinstance(parsed, Dated)
    assert parsed.facts.date == DAY
    start = next_start(last_key, DateWindow(DAY, DAY), layouts.position)
    assert start is None or start < wanted

"""Patterns of declared layouts."""

from __future__ import annotations

from datetime import date

import pytest

from log_aggregator.core.layouts.pattern import PatternError, parse_pattern

DAY = date(2025, 4, 3)


@pytest.mark.parametrize(
    ("pattern", "key"),
    [
        ("nginx/{host}/access.log-{YYYYMMDD}", "nginx/web1/access.log-20250403"),
        ("{YYYY}/{MM}/{DD}/{**}", "2025/04/03/a/b/c"),
        ("{YYYY}/{M}/{D}/{*}", "2025/4/3/x"),
        ("{YYYY}/{M}/{D}/{*}", "2025/04/03/"),
        ("{YYYY-MM-DD}", "2025-04-03"),
        ("app-{DD}-{MM}-{YYYY}-{HH}-{mm}.log", "app-03-04-2025-10-11.log"),
        ("u_ex{YYMMDD}.log", "u_ex250403.log"),
        ("{YYYYMMDDHH}/{*}", "2025040310/x"),
        ("app-{YYYYMMDDHHmmss}.log.gz", "app-20250403101112.log.gz"),
        ("app_{YYYY_MM_DD}.log", "app_2025_04_03.log"),
        ("{YYYY.MM.DDTHH:mm}Z", "2025.04.03T10:11Z"),
        ("Year={YYYY}/Month={MM}/Day={DD}/{*}", "Year=2025/Month=04/Day=03/x.json"),
        ("{YYYY}-{MM}/app-{YYYY}-{MM}-{DD}.log", "2025-04/app-2025-04-03.log"),
        ("{YYYY}/{MM}/{DD}/app-{YYYYMMDD}.log", "2025/04/03/app-20250404.log"),
        ("{epoch}-{*}.gz", "1743674400-a.gz"),
        ("{epoch_ms}-{*}.gz", "1743674400123-a.gz"),
        ("release-{*}/logs/{YYYY}/{MM}/{DD}/app.log", "release-2024-12-01/logs/2025/04/03/app.log"),
        ("{**}/{YYYY}/{MM}/{DD}/x", "a/b/2025/04/03/x"),
        ("[$LATEST]é {YYYY-MM-DD}(.*)+", "[$LATEST]é 2025-04-03(.*)+"),
        ("{YYYY-MM-DD}\n{*}", "2025-04-03\n\U0001f600"),
    ],
)
def test_which_keys_match_a_pattern(pattern: str, key: str) -> None:
    """Dates match in every usual notation, and plain text matches itself."""
    found = parse_pattern(pattern).match(key)
    assert found is not None
    assert found.date == DAY


def test_account_region_and_hour_are_read() -> None:
    """These fields become facts."""
    pattern = parse_pattern("{account}/{region}/{YYYY}/{MM}/{DD}/{hour}/{**}")
    found = pattern.match("123456789012/eu-west-1/2025/04/03/10/x")
    assert found is not None
    assert (found.account, found.region, found.hour) == ("123456789012", "eu-west-1", 10)
    assert pattern.match("123456789012/web-server-01/2025/04/03/10/x") is None
    assert pattern.match("12345678901/eu-west-1/2025/04/03/10/x") is None


@pytest.mark.parametrize(
    "key",
    [
        "nginx/web1/access.log-20250403.gz",
        "nginx/access.log-20250403",
        "nginx//access.log-20250403",
        "nginx/a/b/access.log-20250403",
        "x/nginx/web1/access.log-20250403",
        "nginx/web1/access_log-20250403",
        "nginx/web1/access.log-2025040",
        "nginx/web1/access.log-٢٠٢٥٠٤٠٣",
    ],
)
def test_only_whole_keys_match(key: str) -> None:
    """Nothing may precede or follow the match, and a wildcard ends at a slash."""
    assert parse_pattern("nginx/{host}/access.log-{YYYYMMDD}").match(key) is None


@pytest.mark.parametrize("key", ["app-20250231.log", "app-20251301.log", "app-19990101.log"])
def test_an_invalid_day_has_no_date(key: str) -> None:
    """An impossible day matches, but gives no date."""
    found = parse_pattern("app-{YYYYMMDD}.log").match(key)
    assert found is not None
    assert found.date is None


def test_dates_in_one_key_must_agree() -> None:
    """A second date must be of the same day or an adjacent one."""
    pattern = parse_pattern("{YYYY}/{MM}/{DD}/app-{YYYY}-{MM}-{DD}.log")
    assert pattern.match("2024/12/31/app-2025-01-01.log") is not None
    with pytest.raises(PatternError, match="disagree"):
        pattern.match("2025/04/03/app-2025-04-05.log")
    with pytest.raises(PatternError, match="disagree"):
        parse_pattern("{YYYY}-{MM}/{YYYY-MM-DD}").match("2025-03/2025-04-03")


def test_an_ambiguous_match_has_no_date() -> None:
    """A wildcard that could end in two places with different dates gives no date."""
    pattern = parse_pattern("{*}-{YYYYMMDD}{*}")
    with pytest.raises(PatternError, match="two ways"):
        pattern.match("a-20250403-20250404")
    assert pattern.match("a-20250403.log") is not None
    found = parse_pattern("{YYYYMMDD}/{YYYYMMDD}{*}_{YYYYMMDD}{*}").match(
        "20250403/20250403T_20250403T_45340305"
    )
    assert found is not None
    assert found.date == DAY


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("", "it is empty"),
        ("a{", "a { without a }"),
        ("a}", "a } without a {"),
        ("{}", "expected {YYYY}"),
        ("{yyyy!}", "expected {YYYY}"),
        ("{Host}", "expected {YYYY}"),
        ("{YYYY}/{MM}/x", "no year, month and day"),
        ("{YYYY}/{host}/{MM}/{DD}", "no year, month and day"),
        ("{*}{**}{YYYYMMDD}", "between two wildcards"),
        ("{**}/{**}/{**}/{YYYYMMDD}", "at most 2 times"),
        ("/".join(["{*}"] * 13) + "{YYYYMMDD}", "12 wildcards"),
        ("{account}/{account}/{YYYYMMDD}", "is there twice"),
    ],
)
def test_a_wrong_pattern_is_explained_in_one_line(pattern: str, message: str) -> None:
    """It says what is wrong and what is expected."""
    with pytest.raises(PatternError) as raised:
        parse_pattern(pattern)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_day_is_written_as_the_pattern_reads_it() -> None:
    """The day is padded or not, as in the pattern; literal braces stay."""
    writing = parse_pattern("{YYYY}/{M}/{DD}").writing
    assert writing is not None
    assert writing.spell(DAY) == {"2025/4/03", "2025/04/03"}
    assert parse_pattern("{epoch}").writing is None
    assert parse_pattern("x{YYYY}-{HH}-{MM}-{DD}{YYYYMMDD}").writing is not None


@pytest.mark.parametrize(
    ("pattern", "beginning", "begins", "dates_there"),
    [
        ("nginx/{host}/x-{YYYYMMDD}", "nginx/web1/x-", True, True),
        ("nginx/{host}/x-{YYYYMMDD}", "nginx/web1/", True, False),
        ("nginx/{host}/x-{YYYYMMDD}", "apache/", False, True),
        ("{host}-{YYYYMMDD}", "web-", True, False),
        ("{**}/{YYYYMMDD}", "a/", True, False),
        ("{YYYYMMDD}/x", "", True, True),
        ("{account}/{YYYYMMDD}", "123456789012/", True, True),
        ("{account}/{YYYYMMDD}", "12345678901/", False, True),
        ("a{*}", "a", True, False),
    ],
)
def test_where_a_prefix_leads(
    pattern: str, beginning: str, begins: bool, dates_there: bool
) -> None:
    """The skip-scan relies on knowing whether all matching keys with this beginning have their date
    next.
    """
    parsed = parse_pattern(pattern)
    assert parsed.begins(beginning) == begins
    assert parsed.dates_at(beginning) == dates_there


@pytest.mark.parametrize(
    ("pattern", "key"),
    [
        ("{**}a{**}b{YYYYMMDD}{*}c{*}d", "ab" * 500),
        ("{*}-{*}-{*}-{*}-{YYYYMMDD}", "-" * 400),
        ("{**}/{*}-{*}-{YYYYMMDD}/{**}x", "/-" * 50 + "-" * 400),
        ("{**}{YYYYMMDD}{**}-{*}-x", "20250403-" * 100),
    ],
)
def test_a_key_that_takes_too_long_to_match_is_refused(pattern: str, key: str) -> None:
    """A key that would take a regular expression years is unknown, with that reason."""
    with pytest.raises(PatternError, match="too many ways"):
        parse_pattern(pattern).match(key)


def test_an_ordinary_key_is_matched() -> None:
    """The number of wildcards in a pattern does not matter."""
    pattern = parse_pattern("/".join(["{*}-{*}"] * 5) + "/{YYYY}/{MM}/{DD}/{**}")
    found = pattern.match("/".join(["a-b"] * 5) + "/2025/04/03/" + "c/d-e/" * 20)
    assert found is not None
    assert found.date == DAY

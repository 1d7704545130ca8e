"""Hints: what a search finds in free keys."""

from __future__ import annotations

from datetime import date

import pytest

from log_aggregator.core.layouts.hints import find_dates, hint_of


@pytest.mark.parametrize(
    ("key", "writings"),
    [
        ("a/2025/04/03/x", ["YYYY/MM/DD"]),
        ("a/2025/4/3/x", ["YYYY/M/D"]),
        ("a/2025-04-03", ["YYYY-MM-DD"]),
        ("a2025-04-03", ["YYYY-MM-DD"]),
        ("a/2025-04/03/x", ["YYYY-MM/DD"]),
        ("a_2025_04_03", ["YYYY_MM_DD"]),
        ("a.2025.04.03", ["YYYY.MM.DD"]),
        ("a20250403", ["YYYYMMDD"]),
        ("a/2025040310/x", ["YYYYMMDD"]),
        ("a/202504031005/x", ["YYYYMMDD"]),
        ("a/20250403100512/x", ["YYYYMMDD"]),
        ("Year=2025/Month=04/Day=03/", ["hive"]),
        ("y=2025/m=4/d=3/", ["hive"]),
        ("u_ex250403.log", ["YYMMDD"]),
        ("2025/04/03/app-20250403.log", ["YYYY/MM/DD", "YYYYMMDD"]),
    ],
)
def test_dates_in_every_usual_form_are_found(key: str, writings: list[str]) -> None:
    """Each date is found once, in the notation of patterns."""
    found = list(find_dates(key))
    assert [each.writing for each in found] == writings
    assert {each.date for each in found} == {date(2025, 4, 3)}


@pytest.mark.parametrize(
    "key",
    [
        "a/04-03-2025-10-11.log",
        "a/04/03/2025/10/11.log",
        "20250403-4e5f-4a6b-8c7d-9e0f1a2b3c4d",
        "312bc026-2013-0405-ae9f-5940cf4ad9a6",
        "120250403",
        "202504031",
        "2025/13/01",
        "2025-02-31",
        "1999/04/03",
        "0a20250403b1c2d3e4f5",
        "v2.2025.1",
    ],
)
def test_other_numbers_are_not_dates(key: str) -> None:
    """Days before months, parts of identifiers and impossible days are not dates."""
    assert list(find_dates(key)) == []


def test_conflicting_dates_are_resolved() -> None:
    """The date closest to most others wins, then a folder's, then the last."""
    assert hint_of("release-2024-12-01/logs/2025/04/03/app.log").date == date(2025, 4, 3)
    assert hint_of("2025/04/03/app-2024-12-01.log").date == date(2025, 4, 3)
    assert hint_of("a-2024-12-01/b-2025-04-03/c-20250403").date == date(2025, 4, 3)
    assert hint_of("release-2024-12-01/logs/2025/04/03/app.log").disagrees
    assert not hint_of("2025/04/03/app-2025-04-04.log").disagrees
    assert not hint_of("no date").disagrees


@pytest.mark.parametrize(
    ("key", "account"),
    [
        ("logs/123456789012/x-2025-04-03", "123456789012"),
        ("account=123456789012/x", "123456789012"),
        ("x/123456789012_audit.log", "123456789012"),
        ("logs/202504031005/123456789012/x", "123456789012"),
        ("logs/202504031005/x", None),
        ("logs/1234567890123/x", None),
    ],
)
def test_accounts_are_told_from_times(key: str, account: str | None) -> None:
    """Twelve digits that form a time are not an account."""
    assert hint_of(key).account == account

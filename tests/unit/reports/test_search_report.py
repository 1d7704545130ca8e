"""What `search` reports about what it found, and about what it did not search."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from log_aggregator.core.terms.model import Unsearched
from log_aggregator.errors import Failure
from log_aggregator.reports.search import describe_unsearched, render_answer, render_gaps
from log_aggregator.steps.search.answers import Coverage


def make_value(value: str = "role", /, **months: int) -> dict[str, Any]:
    """`m2021_03=4` means four times in March 2021."""
    return {
        "asked": value,
        "value": value,
        "field": "name",
        "count": sum(months.values()),
        "first": "2021-03-05T00:00:00Z",
        "last": "2021-04-05T00:00:00Z",
        "accounts": ["111111111111"],
        "log_types": ["CloudTrail"],
        "packs": 1,
        "months": [
            {"month": month[1:].replace("_", "-"), "count": count}
            for month, count in months.items()
        ],
    }


def render(*values: Mapping[str, Any], **more: Any) -> list[str]:
    searched = {"packs_were_listed": True}
    empty = {"packs": [], "thaw": [], "not_found": [], "searched": searched}
    return list(render_answer({**empty, "found": values, **more}))


def timeline(**months: int) -> list[tuple[str, int, int]]:
    """Rows of time, length of bar and count."""
    rows = [line for line in render(make_value(**months)) if line.startswith("  2")]
    return [(row.split()[0], row.count("█"), int(row.split()[-1])) for row in rows]


def test_the_timeline_includes_empty_months() -> None:
    assert timeline(m2020_12=8, m2021_02=4) == [
        ("2020-12", 32, 8),
        ("2021-01", 0, 0),
        ("2021-02", 16, 4),
    ]


def test_a_long_timeline_is_by_year() -> None:
    assert timeline(m2019_05=3, m2019_06=1, m2021_06=2) == [
        ("2019", 32, 4),
        ("2020", 0, 0),
        ("2021", 16, 2),
    ]


def test_many_values_are_listed_by_frequency() -> None:
    lines = render(*(make_value(f"role-{number}", m2021_03=number) for number in range(1, 51)))
    assert lines[0].split()[:4] == ["role-50", "name", "50", "times"]
    assert lines[40] == "... and 10 more values; --json names all"
    assert len(lines) == 42


def test_packs_are_counted_by_class_and_state() -> None:
    packs = [
        {"storage_class": "DEEP_ARCHIVE", "pack_bytes": 1_000, "state": state}
        for state in ("thawed", "thawing", "frozen")
    ]
    gone = {"storage_class": None, "pack_bytes": None, "state": None}
    lines = render(make_value(m2021_03=1), packs=[*packs, gone])
    assert lines[-3:] == [
        "4 packs: DEEP_ARCHIVE 3 (3.0 KB), GONE 1",
        "  1 thawed, and can be read",
        "  1 thawing",
    ]


@pytest.mark.parametrize("reason", Unsearched)
def test_every_reason_has_an_example_and_a_remedy(reason: Unsearched) -> None:
    coverage = Coverage()
    coverage.add_unsearched("the-pack", reason)
    first, example, remedy = render_gaps(coverage)
    assert first == f"not searched: 1 pack: {reason.value}"
    assert example == "  such as the-pack"
    assert remedy.strip()


def test_an_unreadable_table_is_named_with_a_remedy() -> None:
    coverage = Coverage(failures=[Failure("s3://b/x.parquet", "BadTerms", "no table", "")] * 7)
    lines = list(render_gaps(coverage))
    assert lines[0] == "could not be read: s3://b/x.parquet: BadTerms: no table"
    assert lines[5] == "  ... and 2 more; --json names all"
    assert "index tables --rebuild" in lines[6]


def test_shared_remedies_are_shown_once() -> None:
    coverage = Coverage()
    coverage.add_searched("one", 9, {Unsearched.UNPARSABLE: 2})
    coverage.add_unsearched("two", Unsearched.LOG_TYPE)
    assert len(list(render_gaps(coverage))) == 5
    assert describe_unsearched(coverage) == "1 pack and 2 log objects in others"

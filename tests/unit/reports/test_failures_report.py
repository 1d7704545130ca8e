"""Failures for people: each once, the advice once, and a limit to their number."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from log_aggregator.errors import (
    AccessDenied,
    BadPack,
    Failure,
    IncompleteSearch,
    LogAggregatorError,
)
from log_aggregator.reports.failures import name_failed, render_failed


def describe(*failed: tuple[str, LogAggregatorError]) -> list[dict[str, str]]:
    return [asdict(Failure.of(where, error)) for where, error in failed]


def test_nothing_where_nothing_failed() -> None:
    """Not even the heading."""
    assert list(render_failed([], "0 packs failed")) == []


def test_a_line_for_each_and_each_advice_once() -> None:
    """Two with the same advice share it; it stands below all lines, in the order in which it came
    up.
    """
    described = describe(
        ("s3://b/1", AccessDenied("no")),
        ("s3://b/2", BadPack("torn")),
        ("s3://b/3", AccessDenied("no")),
    )
    heading, *lines = render_failed(described, "3 packs failed")
    assert heading == "3 packs failed:"
    assert lines[:3] == [
        "  s3://b/1: AccessDenied: no",
        "  s3://b/2: BadPack: torn",
        "  s3://b/3: AccessDenied: no",
    ]
    assert [line.strip() for line in lines[3:]] == [AccessDenied.advice, BadPack.advice]


def test_no_line_for_no_advice() -> None:
    """Some errors have none."""
    assert len(list(render_failed(describe(("x", LogAggregatorError("no"))), "failed"))) == 2


def test_a_place_is_named_once() -> None:
    """Most messages begin with what they are about; only there is it left out."""
    described = describe(("s3://b/k", BadPack("s3://b/k: torn, see s3://b/k: the tail")))
    assert list(render_failed(described, "failed"))[1] == (
        "  s3://b/k: BadPack: torn, see s3://b/k: the tail"
    )


def test_a_message_of_several_lines_stays_one() -> None:
    """What could not be searched is a list."""
    described = describe(("indexes", IncompleteSearch("not searched: 2", lines=["  one", "  two"])))
    text = "\n".join(render_failed(described, "failed"))
    assert "not searched: 2\n  one\n  two\n" in text


@pytest.mark.parametrize(("count", "hidden"), [(50, None), (51, "1"), (1300, "1,250")])
def test_many_are_cut_and_it_says_so(count: int, hidden: str | None) -> None:
    """So many lines at most; where there are more it says how many, and what names them. The
    advice of those that are not shown is given too.
    """
    described = describe(
        *((f"place {number}", AccessDenied("no")) for number in range(count - 1)),
        ("the last", BadPack("torn")),
    )
    lines = list(render_failed(described, "failed"))
    assert sum(line.startswith("  place ") for line in lines) == min(count - 1, 50)
    more = [line for line in lines if "more" in line]
    assert more == ([] if hidden is None else [f"  ... and {hidden} more; --json names all"])
    assert lines[-2:] == [f"    {AccessDenied.advice}", f"    {BadPack.advice}"]


@pytest.mark.parametrize(
    ("lost", "error", "heading"),
    [
        ("1 original could not be read", BadPack("torn"), "1 original could not be read"),
        (None, IncompleteSearch("gap"), "not everything could be searched"),
        ("2 failed", IncompleteSearch("gap"), "2 failed, and not everything could be searched"),
    ],
)
def test_the_heading_says_what_is_missing(
    lost: str | None, error: LogAggregatorError, heading: str
) -> None:
    """What was lost, and whether there may be more that nobody found, are two things."""
    assert name_failed(describe(("x", error)), lost) == heading

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


def test_without_failures_nothing_is_shown() -> None:
    """The heading is missing, too."""
    assert list(render_failed([], "0 packs failed")) == []


def test_each_failure_has_a_line_and_advice_comes_once() -> None:
    """Failures with the same advice share it; advice follows all lines in the order of
    first use.
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


def test_missing_advice_adds_no_line() -> None:
    """Some errors have no advice."""
    assert len(list(render_failed(describe(("x", LogAggregatorError("no"))), "failed"))) == 2


def test_a_place_is_named_only_once() -> None:
    """Most messages begin with their place, which is left out only there."""
    described = describe(("s3://b/k", BadPack("s3://b/k: torn, see s3://b/k: the tail")))
    assert list(render_failed(described, "failed"))[1] == (
        "  s3://b/k: BadPack: torn, see s3://b/k: the tail"
    )


def test_a_message_of_several_lines_is_kept() -> None:
    """A list of places that could not be searched stays one message."""
    described = describe(("indexes", IncompleteSearch("not searched: 2", lines=["  one", "  two"])))
    text = "\n".join(render_failed(described, "failed"))
    assert "not searched: 2\n  one\n  two\n" in text


@pytest.mark.parametrize(("count", "hidden"), [(50, None), (51, "1"), (1300, "1,250")])
def test_a_long_list_is_cut_with_a_count(count: int, hidden: str | None) -> None:
    """Lines are limited; the last one gives the number left out and how to list them. Advice for
    hidden failures is shown, too.
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
def test_the_heading_tells_what_is_missing(
    lost: str | None, error: LogAggregatorError, heading: str
) -> None:
    """Lost originals and possible unfound ones are reported separately."""
    assert name_failed(describe(("x", error)), lost) == heading

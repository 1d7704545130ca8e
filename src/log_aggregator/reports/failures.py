"""What failed, for people: the first failures, and what to do about them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from log_aggregator.errors import IncompleteSearch
from log_aggregator.escapes import escape

_SHOWN_MAX = 50


def render_failed(failures: Sequence[Mapping[str, str]], what: str) -> Iterator[str]:
    """A heading, a line for each failure, and each advice once. Empty where nothing failed."""
    if not failures:
        return
    yield f"{what}:"
    for failure in failures[:_SHOWN_MAX]:
        yield from _render_failure(failure)
    if len(failures) > _SHOWN_MAX:
        yield f"  ... and {len(failures) - _SHOWN_MAX:,} more; --json names all"
    for advice in dict.fromkeys(failure["advice"] for failure in failures if failure["advice"]):
        yield f"    {advice}"


def _render_failure(failure: Mapping[str, str]) -> Iterator[str]:
    """A line, and more where the message has more; its line breaks come from the error itself."""
    where = failure["where"]
    first, *more = failure["message"].removeprefix(f"{escape(where)}: ").split("\n")
    yield f"  {where}: {failure['error']}: {first}"
    yield from more


def name_failed(failures: Sequence[Mapping[str, str]], lost: str | None) -> str:
    """A heading: what was lost, if anything, and whether the search was incomplete."""
    is_incomplete = any(failure["error"] == IncompleteSearch.__name__ for failure in failures)
    return ", and ".join(
        filter(None, [lost, "not everything could be searched" if is_incomplete else None])
    )

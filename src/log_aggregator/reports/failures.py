"""What failed, for people: the first of it, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from log_aggregator.errors import IncompleteSearch

_SHOWN_MAX = 50


def render_failed(failures: Sequence[Mapping[str, str]], what: str) -> Iterator[str]:
    """A heading, a line for each, and each advice once. Nothing where nothing failed."""
    if not failures:
        return
    yield f"{what}:"
    for failure in failures[:_SHOWN_MAX]:
        message = failure["message"].removeprefix(f"{failure['where']}: ")
        yield f"  {printable(failure['where'])}: {failure['error']}: {printable_lines(message)}"
    if len(failures) > _SHOWN_MAX:
        yield f"  ... and {len(failures) - _SHOWN_MAX:,} more; --json names all"
    for advice in dict.fromkeys(failure["advice"] for failure in failures if failure["advice"]):
        yield f"    {advice}"


def name_failed(failures: Sequence[Mapping[str, str]], lost: str | None) -> str:
    """A heading: what was lost, if anything, and whether something may be missing that nobody
    found.
    """
    is_incomplete = any(failure["error"] == IncompleteSearch.__name__ for failure in failures)
    return ", and ".join(
        filter(None, [lost, "not everything could be searched" if is_incomplete else None])
    )


def printable(text: str) -> str:
    """A key may hold anything, line breaks and a terminal's commands included: whoever may write to
    a log bucket chooses it.
    """
    return text if text.isprintable() else text.encode("unicode_escape").decode("ascii")


def printable_lines(text: str) -> str:
    """The same of a text of several lines."""
    return "\n".join(map(printable, text.split("\n")))

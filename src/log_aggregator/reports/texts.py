"""What others named, as a terminal may show it."""

from __future__ import annotations


def printable(text: str) -> str:
    """A key may hold anything, line breaks and a terminal's commands included: whoever may write to
    a log bucket chooses it.
    """
    return text if text.isprintable() else text.encode("unicode_escape").decode("ascii")


def printable_lines(text: str) -> str:
    """The same of a text of several lines."""
    return "\n".join(map(printable, text.split("\n")))

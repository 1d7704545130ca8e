"""Plots are put into a page unescaped, so they escape their texts themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from html.parser import HTMLParser

import pytest

from log_aggregator.reports.page.plots import Bar, Plot, draw_columns, draw_rows

HOSTILE = "x</text></svg><script>alert(1)</script>\"'&\u202e"


class Tags(HTMLParser):
    """Collects the names of elements."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.add(tag)


@pytest.mark.parametrize("draw", [draw_rows, draw_columns], ids=["rows", "columns"])
def test_names_in_plots_are_escaped(draw: Callable[[Plot], Iterator[str]]) -> None:
    """This covers the plot's name, a bar's name and a value's label."""
    svg = "".join(draw(Plot(HOSTILE, [Bar(HOSTILE, (1.0,), HOSTILE)], lambda _: HOSTILE)))
    tags = Tags()
    tags.feed(svg)
    assert tags.found <= {"svg", "title", "rect", "text", "line"}
    assert "\u202e" not in svg

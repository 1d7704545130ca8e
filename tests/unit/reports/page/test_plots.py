"""Plots stand in a page as they are, so they escape their texts themselves."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from log_aggregator.reports.page.plots import Bar, Plot, draw_columns, draw_rows

HOSTILE = "x</text></svg><script>alert(1)</script>\"'&\u202e"


@pytest.mark.parametrize("draw", [draw_rows, draw_columns], ids=["rows", "columns"])
def test_names_are_text(draw: object) -> None:
    """Of the plot, of a bar, and what a value is called."""
    svg = "".join(draw(Plot(HOSTILE, [Bar(HOSTILE, (1.0,), HOSTILE)], lambda _: HOSTILE)))  # type: ignore[operator]
    tags: set[str] = set()
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, _: tags.add(tag)  # type: ignore[method-assign]
    parser.feed(svg)
    assert tags <= {"svg", "title", "rect", "text", "line"}
    assert "\u202e" not in svg

"""docs/performance.md shows what was measured, and nothing else."""

from __future__ import annotations

import json
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from benchmarks import page
from benchmarks.picture import COLORS, WIDTH, draw_where_the_time_goes
from benchmarks.report import format_cell

MEASURED: dict[str, Any] = json.loads(page.MEASURED.read_text(encoding="utf-8"))
SVG = "{http://www.w3.org/2000/svg}"


def test_the_page_is_up_to_date() -> None:
    """The page is made from its text and the measured numbers."""
    assert page.PAGE.read_text(encoding="utf-8") == page.make_page(MEASURED), (
        "run `.venv/bin/python benchmarks/page.py`"
    )


def test_the_picture_is_up_to_date() -> None:
    """The picture is drawn from the same numbers."""
    assert page.PICTURE.read_text(encoding="utf-8") == draw_where_the_time_goes(MEASURED), (
        "run `.venv/bin/python benchmarks/page.py`"
    )


def test_every_number_of_a_table_is_on_the_page() -> None:
    """No benchmark that was run, and no row of it, is left out."""
    text = page.make_page(MEASURED)
    rows = [
        (name, table, row)
        for name, found in MEASURED.items()
        for table in found["tables"]
        for row in table["rows"]
    ]
    assert len(rows) > 40
    for name, table, row in rows:
        cells = " | ".join(
            format_cell(row[column], spec).strip() for column, spec in table["columns"].items()
        )
        assert f"| {cells} |" in text, (name, table["title"])


def test_numbers_come_from_full_runs() -> None:
    """Results of a quick trial are not published, and the scale is that of 200,000 log objects."""
    assert [name for name, found in MEASURED.items() if found["quick"]] == []
    assert MEASURED["scale"]["facts"]["count"] == 200_000


def test_a_missing_benchmark_is_an_error() -> None:
    """A missing benchmark ends the making of the page instead of leaving a gap."""
    with pytest.raises(KeyError):
        page.make_page({name: found for name, found in MEASURED.items() if name != "peers"})


def test_unmentioned_benchmarks_get_their_own_heading() -> None:
    """A benchmark that the text does not name gets a heading and its tables."""
    table = {
        "title": "A new table",
        "columns": {"what": "", "count": ",d"},
        "rows": [{"what": "a row", "count": 1234}],
    }
    other = {**MEASURED["cpu"], "tables": [table], "notes": []}
    made = page.make_page({**MEASURED, "something_new": other})
    assert (
        "## Something new\n\nA new table:\n\n| what | count |\n|---|---:|\n| a row | 1,234 |\n"
        in made
    )


def test_the_picture_shows_everything_inside_its_frame() -> None:
    """Every text and bar is inside the frame, every step has its colour, and the bars add up to the
    whole.
    """
    picture = ET.fromstring(draw_where_the_time_goes(MEASURED))
    height = float(picture.attrib["height"])
    bars = [
        element
        for element in picture.iter(f"{SVG}rect")
        if element.attrib["fill"] in COLORS.values()
    ]
    for element in (*bars, *picture.iter(f"{SVG}text")):
        assert 0 <= float(element.attrib["x"]) + float(element.attrib.get("width", 0)) <= WIDTH, (
            ET.tostring(element)
        )
        assert 0 <= float(element.attrib["y"]) <= height, ET.tostring(element)
    assert {bar.attrib["fill"] for bar in bars} == set(COLORS.values())
    *rows, total = MEASURED["scale"]["tables"][2]["rows"]
    assert sum(row["us CPU an object"] for row in rows) == pytest.approx(total["us CPU an object"])

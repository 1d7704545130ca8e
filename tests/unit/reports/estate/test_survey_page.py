"""The page of a survey: complete, harmless, and readable without a network."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from tests.support.browser import Chromium, find_chromium

from log_aggregator.core.costs.estate import PackingCosts
from log_aggregator.core.inventory.sorting import gather_keys
from log_aggregator.core.planning import PackLimits
from log_aggregator.core.windows import DateWindow
from log_aggregator.model import LogObject
from log_aggregator.ports.account import LifecycleRule
from log_aggregator.reports.estate.figures import Question, describe_estate
from log_aggregator.reports.estate.page import render_page
from log_aggregator.reports.estate.words import word_size, word_size_from
from log_aggregator.reports.page.plots import WIDTH, Bar, Plot, draw_columns, draw_rows
from log_aggregator.steps.estate.draws import Draw, Means
from log_aggregator.steps.estate.survey import BucketFigures, Estate, Way
from log_aggregator.steps.estate.tally import Tally, Yard
from log_aggregator.steps.packing.buckets import SourceBucket
from log_aggregator.steps.rules import Rules

TODAY = date(2025, 7, 1)
ALL_DAYS = DateWindow(date(2006, 1, 1), date(2099, 12, 31))
HOSTILE = "x</td><script>alert(1)</script>'\"&\x1b[31m\u202e"
VOID = frozenset({"meta", "br"})
CHARACTER_WIDTH = 7.3
"""Of a wide font at 12 pixels, on average."""


def make_tally(keys: Sequence[str], size_bytes: int = 3_000) -> Tally:
    written = datetime(2025, 6, 1, tzinfo=UTC)
    rows = [LogObject("logs", key, None, "e", size_bytes, written) for key in sorted(keys)]
    expiring = (LifecycleRule("old", expiration_days=60),)
    return Yard(SourceBucket("logs", None), Rules(ALL_DAYS), TODAY, expiring).tally(
        gather_keys(rows)
    )


def list_keys(count: int) -> list[str]:
    days = [TODAY - timedelta(days=number * 9) for number in range(count)]
    return [
        f"AWSLogs/{100_000_000_000 + number % 7}/vpcflowlogs/eu-west-1/{day:%Y/%m/%d}/x.log.gz"
        for number, day in enumerate(days)
    ]


def describe(*, is_sampled: bool = False, keys: Sequence[str] = ()) -> dict[str, Any]:
    counted = make_tally([*list_keys(40), HOSTILE, *keys])
    figures = BucketFigures("logs", Way.COUNTED, counted)
    if is_sampled:
        figures = BucketFigures("logs", Way.SAMPLED)
        figures.accounts["111111111111"] = Means(2, 8.0, 24_000.0)
        for weight in (0.5, 1.0, 2.0, 1.2):
            draw = Draw()
            draw.take(counted, {("logs", "vpcflowlogs"): 40}, weight)
            figures.draws.append(draw)
    question = Question(PackingCosts(PackLimits()))
    return describe_estate(Estate(TODAY, [figures], 9), question)


def render(**more: Any) -> str:
    return render_page(describe(**more)).decode()


class Balance(HTMLParser):
    """Fails on an element that is not closed, or closed without being open."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs
        if tag not in VOID:  # and what closes itself, in SVG
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def parse(text: str) -> Balance:
    balance = Balance()
    balance.feed(text)
    balance.close()
    assert balance.open == []
    return balance


@pytest.mark.parametrize("is_sampled", [False, True])
def test_the_page_is_complete(is_sampled: bool) -> None:
    """Every element is closed, and all plots and tables are there."""
    text = render(is_sampled=is_sampled)
    page = parse(text)
    assert text.startswith("<!DOCTYPE html>")
    assert text.count("<svg ") == 4
    assert {"Dollars a month, by log type", "Largest accounts", "Months", "Log types"} <= set(
        page.texts
    )
    assert ("in 95 of 100" in text) is is_sampled


def test_text_from_outside_is_escaped() -> None:
    """A key with HTML, terminal commands and right-to-left text does nothing."""
    text = render()
    page = parse(text)
    assert "script" not in page.tags
    assert "x</td><script>alert(1)</script>'\"&\\x1b[31m\\u202e" in "".join(page.texts)
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_nothing_is_fetched() -> None:
    """The page has no address, script or import, and its own policy forbids them."""
    text = render(is_sampled=True)
    page = parse(text)
    names = {name for name, _ in page.attributes}
    assert not names & {"src", "href", "srcset", "xlink:href", "action", "data", "style"}
    assert not page.tags & {"script", "link", "img", "iframe", "object", "form", "a"}
    assert not re.search(r"url\(|@import|https?:|//", text)
    assert "default-src 'none'; style-src 'sha256-" in text
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text


def test_plots_stay_inside_their_frames() -> None:
    """No bar or text begins or ends outside, whatever the figures are."""
    text = render(keys=list_keys(160)[40:])
    for svg in re.findall(r"<svg .*?</svg>", text, re.DOTALL):
        found = re.search(r'viewBox="0 0 (\d+) (\d+)"', svg)
        assert found is not None
        width, height = float(found[1]), float(found[2])
        for x, y, wide, high in re.findall(
            r'<rect class="\w+" x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)"', svg
        ):
            assert float(x) + float(wide) <= width + 0.1
            assert float(y) + float(high) <= height + 0.1
        for x, y in re.findall(r'<text x="([\d.]+)" y="([\d.]+)"', svg):
            assert 0 <= float(x) <= width
            assert 0 <= float(y) <= height


def test_names_do_not_overlap() -> None:
    """Labels stay inside the left edge and clear of the next column's, even with all sizes
    present.
    """
    sizes = [2**power for power in range(8, 32)]
    bars = [
        Bar(word_size(row), (row["objects"],), word_size_from(row)) for row in describe_sizes(sizes)
    ]
    assert len(bars) == 9
    check_labels("\n".join(draw_columns(Plot("sizes", bars, str))))
    months = [
        Bar(f"20{year}-{month:02d}", (1.0,)) for year in (23, 24, 25) for month in range(1, 13)
    ]
    for count in range(1, len(months) + 1):
        check_labels("\n".join(draw_columns(Plot("months", months[:count], str))))
    rows = "\n".join(draw_rows(Plot("types", [Bar("W" * 60, (1.0,))], str)))
    for x, text in re.findall(r'<text x="([\d.]+)" y="[\d.]+" text-anchor="end">(.*?)<', rows):
        assert len(text) * CHARACTER_WIDTH <= float(x)


def check_labels(svg: str) -> None:
    ends = 0.0
    for x, text in re.findall(r'<text x="([\d.]+)" y="[\d.]+" text-anchor="middle">(.*?)<', svg):
        half = len(unescape(text)) * CHARACTER_WIDTH / 2
        assert float(x) - half > ends
        ends = float(x) + half
    assert 0 < ends <= WIDTH


def describe_sizes(sizes: Sequence[int]) -> list[dict[str, Any]]:
    counted = Tally()
    for size_bytes in sizes:
        counted.merge(make_tally(list_keys(1), size_bytes))
    estate = Estate(TODAY, [BucketFigures("logs", Way.COUNTED, counted)])
    rows: list[dict[str, Any]] = describe_estate(estate, Question(PackingCosts(PackLimits())))[
        "sizes"
    ]
    return rows


def test_an_empty_estate_has_a_page() -> None:
    """It says so, and nothing is divided by zero."""
    estate = Estate(TODAY, [BucketFigures("logs", Way.COUNTED)])
    described = describe_estate(estate, Question(PackingCosts(PackLimits())))
    text = render_page(described).decode()
    parse(text)
    assert "No log objects that a run would pack" in text


def test_a_browser_shows_the_page_light_dark_and_printed(tmp_path: Path) -> None:
    """The plots use the colours of either scheme, and print; skipped where there is no browser."""
    program = find_chromium()
    if program is None:
        pytest.skip("there is no Chromium on this machine")
    page = tmp_path / "survey.html"
    page.write_text(render(is_sampled=True), encoding="utf-8")
    chromium = Chromium(program, tmp_path)
    light, dark = (chromium.shoot(page, is_dark=is_dark) for is_dark in (False, True))
    assert (light.rows[0][0], dark.rows[0][0]) == ((0xFC, 0xFC, 0xFB), (0x19, 0x19, 0x18))
    assert {(0x2A, 0x6F, 0xC9), (0x12, 0x8A, 0x6C)} <= light.colors
    assert {(0x5B, 0x9D, 0xF0), (0x35, 0xB8, 0x92)} <= dark.colors
    assert chromium.print(page).startswith(b"%PDF")

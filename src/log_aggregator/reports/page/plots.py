"""Plots as SVG inside a page, drawn in the colours of its style and self-contained. Text in them is
escaped.

There is no plotting library. Those that draw in the browser need a script, which our pages must not
run. Those that draw in Python (matplotlib with numpy, 100 MB) do not fit into a function, fix their
colours, so that a dark page gets light plots, and need ten times the bytes. Bars are rectangles.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape as escape_html
from math import ceil, floor, log10

from log_aggregator.escapes import escape

WIDTH = 720
_ROW = 22
_BAR = 14
_LABEL = 236
_VALUE = 96
_HEIGHT = 200
_TOP = 18
_FOOT = 26
_LEFT = 64
_LABELS_MAX = 10
_LABEL_HALF = 30
_COLUMN_MAX = 64.0


@dataclass(frozen=True, slots=True)
class Bar:
    """A name, a value for each series, and a short name where there is little room."""

    name: str
    values: tuple[float, ...]
    short: str = ""


@dataclass(frozen=True, slots=True)
class Plot:
    """What a plot shows. Screen readers read `title` instead; `say` puts a value into words;
    `series` has a class of the style for each series.
    """

    title: str
    bars: Sequence[Bar]
    say: Callable[[float], str]
    series: tuple[str, ...] = ("s1",)


def html(text: str) -> str:
    """Any text, escaped for a page and its attributes."""
    return escape_html(escape(text))


def draw_rows(plot: Plot) -> Iterator[str]:
    """A horizontal bar for each name and series; suits long names."""
    most = _highest(plot)
    step = _BAR * len(plot.series) + (_ROW - _BAR)
    height = max(1, len(plot.bars)) * step + 4
    yield from _open(plot, height)
    for number, bar in enumerate(plot.bars):
        top = number * step + 4
        middle = top + _BAR * len(plot.series) / 2 + 4
        yield _text(_LABEL - 8, middle, _shorten(bar.name), "end", bar.name)
        for series, value in zip(plot.series, bar.values, strict=True):
            width = max(1.0, (WIDTH - _LABEL - _VALUE) * value / most) if value else 0.0
            words = html(plot.say(value))
            yield (
                f'<rect class="{series}" x="{_LABEL}" y="{top}" width="{width:.1f}" '
                f'height="{_BAR - 2}" rx="2"><title>{html(bar.name)}: {words}</title></rect>'
            )
            yield f'<text x="{_LABEL + width + 6:.1f}" y="{top + _BAR - 3}">{words}</text>'
            top += _BAR
    yield "</svg>"


def draw_columns(plot: Plot) -> Iterator[str]:
    """A vertical bar for each name; suits what has an order, such as sizes and months."""
    most = _round_up(_highest(plot))
    floor_y = _TOP + _HEIGHT
    yield from _open(plot, floor_y + _FOOT)
    for share in (0.0, 0.5, 1.0):
        y = floor_y - _HEIGHT * share
        yield f'<line class="grid" x1="{_LEFT}" x2="{WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield _text(_LEFT - 6, y + 4, plot.say(most * share), "end")
    step = (WIDTH - _LEFT) / max(1, len(plot.bars))
    every = max(1, ceil(len(plot.bars) / _LABELS_MAX))
    for number, bar in enumerate(plot.bars):
        [value] = bar.values
        height = max(1.0, _HEIGHT * value / most) if value else 0.0
        x, width = _LEFT + number * step, min(_COLUMN_MAX, max(1.0, step * 0.8))
        yield (
            f'<rect class="{plot.series[0]}" x="{x + (step - width) / 2:.1f}" '
            f'y="{floor_y - height:.1f}" width="{width:.1f}" height="{height:.1f}" rx="2">'
            f"<title>{html(bar.name)}: {html(plot.say(value))}</title></rect>"
        )
        if number % every == 0 and x + step / 2 + _LABEL_HALF <= WIDTH:
            yield _text(x + step / 2, floor_y + 17, bar.short or bar.name, "middle")
    yield "</svg>"


def _open(plot: Plot, height: float) -> Iterator[str]:
    title = html(plot.title)
    yield (
        f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{title}">'
        f"<title>{title}</title>"
    )


def _text(x: float, y: float, text: str, anchor: str, title: str = "") -> str:
    tip = f"<title>{html(title)}</title>" if title else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{html(text)}{tip}</text>'


def _shorten(name: str, characters: int = 30) -> str:
    return name if len(name) <= characters else f"{name[: characters - 1]}…"


def _highest(plot: Plot) -> float:
    return max((value for bar in plot.bars for value in bar.values), default=0.0) or 1.0


def _round_up(value: float) -> float:
    """To few digits, so that half of it has few digits too."""
    power = 10.0 ** floor(log10(value))
    return next(
        step * power for step in (1, 1.2, 1.6, 2, 3, 4, 5, 6, 8, 10) if step * power >= value
    )

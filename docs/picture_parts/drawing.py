"""A drawing: boxes, texts and arrows, as SVG. Coordinates are pixels, the origin at the top
left.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

INK, MUTED, LINE, PAPER = "#0f172a", "#475569", "#cbd5e1", "#ffffff"
ARROWS = {"plain": "#334155", "red": "#b91c1c", "green": "#15803d"}
FONT = "system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, 'DejaVu Sans', sans-serif"
CHARACTER_WIDTH = 0.62
"""Of the font's size, for a bold line of the widest of the fonts; what a text needs at most."""

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Look:
    """How a box is filled and framed."""

    fill: str
    stroke: str
    title: str = INK


PLAIN = Look("#f8fafc", "#cbd5e1")
STATE = Look("#eff6ff", "#93c5fd", "#1e3a8a")
CHOICE = Look("#fefce8", "#facc15", "#713f12")
GOOD = Look("#f0fdf4", "#86efac", "#14532d")
BAD = Look("#fef2f2", "#fca5a5", "#7f1d1d")
BUCKET = Look("#f0fdfa", "#5eead4", "#134e4a")
INNER = Look("#ffffff", "#cbd5e1")


@dataclass(slots=True)
class Drawing:
    """Elements in the order in which they are painted."""

    title: str
    description: str
    elements: list[str] = field(default_factory=list)
    made_by: str = (
        "Made by `make docs`. Do not edit: change docs/make_pictures.py, template.yaml or "
        "statemachines/."
    )

    def box(
        self, x: float, y: float, width: float, height: float, look: Look, *, dashed: bool = False
    ) -> None:
        dash = ' stroke-dasharray="5 4"' if dashed else ""
        size = f'width="{_n(width)}" height="{_n(height)}"'
        self.elements.append(
            f'<rect x="{_n(x)}" y="{_n(y)}" {size} rx="8" fill="{look.fill}" '
            f'stroke="{look.stroke}"{dash}/>'
        )

    def bar(self, x: float, y: float, width: float, height: float, fill: str) -> None:
        """A part of a diagram: no frame, no round corners."""
        self.elements.append(
            f'<rect x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}" '
            f'fill="{fill}"/>'
        )

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: int = 12,
        color: str = INK,
        bold: bool = False,
        anchor: str = "start",
    ) -> None:
        """`y` is the base line."""
        weight = ' font-weight="700"' if bold else ""
        self.elements.append(
            f'<text x="{_n(x)}" y="{_n(y)}" font-size="{size}" fill="{color}"{weight} '
            f'text-anchor="{anchor}">{escape(text)}</text>'
        )

    def texts(
        self,
        x: float,
        y: float,
        lines: Sequence[str],
        *,
        size: int = 12,
        color: str = MUTED,
        anchor: str = "start",
    ) -> None:
        """Lines, one under the other."""
        for number, line in enumerate(lines):
            self.text(x, y + number * (size + 4), line, size=size, color=color, anchor=anchor)

    def arrow(self, points: Sequence[Point], *, kind: str = "plain", dashed: bool = False) -> None:
        """A line through these points, with a head at its end."""
        path = " ".join(
            f"{'M' if number == 0 else 'L'}{_n(x)},{_n(y)}" for number, (x, y) in enumerate(points)
        )
        dash = ' stroke-dasharray="5 4"' if dashed else ""
        line = f'stroke="{ARROWS[kind]}" stroke-width="1.5"{dash} stroke-linejoin="round"'
        self.elements.append(f'<path d="{path}" fill="none" {line} marker-end="url(#{kind})"/>')

    def render(self, width: float, height: float) -> str:
        """The whole file. The background is white in light and dark mode."""
        return "\n".join([*self._head(width, height), *self.elements, "</svg>", ""])

    def _head(self, width: float, height: float) -> Iterator[str]:
        w, h = _n(width), _n(height)
        yield (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {w} {h}" width="{w}" '
            f'height="{h}" role="img"'
            f' aria-labelledby="t d" font-family="{FONT}">'
        )
        yield f"<!-- {self.made_by} -->"
        yield f'<title id="t">{escape(self.title)}</title>'
        yield f'<desc id="d">{escape(self.description)}</desc>'
        heads = (
            f'<marker id="{name}" viewBox="0 0 10 10" refX="8.5" refY="5" markerWidth="7" '
            'markerHeight="7" orient="auto-start-reverse">'
            f'<path d="M0,0.8 L9.5,5 L0,9.2 z" fill="{color}"/></marker>'
            for name, color in ARROWS.items()
        )
        yield f"<defs>{''.join(heads)}</defs>"
        yield f'<rect width="{w}" height="{h}" rx="14" fill="{PAPER}" stroke="#e2e8f0"/>'


def text_width(text: str, size: float) -> float:
    """About what it takes; rather too much."""
    return len(text) * size * CHARACTER_WIDTH


def wrap(text: str, width: float, size: float) -> list[str]:
    """Words in lines that fit."""
    lines: list[str] = []
    for word in text.split():
        if lines and text_width(f"{lines[-1]} {word}", size) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")

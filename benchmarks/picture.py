"""Where the time goes, as a picture: CPU for each log object in three ways, and this program's
taken apart.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "docs"))

COLORS = {
    "list": "#2563eb",
    "plan": "#7c3aed",
    "combine": "#0d9488",
    "verify": "#65a30d",
    "delete": "#dc2626",
    "run": "#94a3b8",
}
"""By step, the same in both halves. Dark enough on white, which is the background in light and dark
mode.
"""
WORDS = {
    "list": "list",
    "plan": "plan",
    "combine": "read and pack",
    "verify": "verify",
    "delete": "delete",
    "run": "threads, start and end",
}
STEP_OF = {word: step for step, word in WORDS.items()}

WIDTH = 980.0
LEFT, LABELS, VALUES = 32.0, 400.0, 110.0
LABEL_LENGTH_MAX = 62
ROWS_MAX = 16
BAR, GAP = 20.0, 8.0
MUTED = "#475569"


def draw_where_the_time_goes(measured: Mapping[str, Any]) -> str:
    """Raises KeyError where the benchmarks `peers` and `scale` were not run."""
    drawing = importlib.import_module("picture_parts.drawing").Drawing(
        "Where the time goes",
        "CPU time of the client for each log object: one upload for each, boto3 and threads, "
        "and this program; then this program's, by"
        " what it is spent on.",
        made_by="Made by benchmarks/page.py from benchmarks/measured.json. Do not edit.",
    )
    y = _draw_ways(drawing, measured["peers"]["tables"][1], 40)
    y = _draw_legend(drawing, y + 8)
    y = _draw_areas(drawing, measured["scale"]["tables"][2], y + 34)
    machine = measured["scale"]["machine"]
    drawing.text(
        LEFT,
        y + 22,
        f"{machine['measured']}; {machine['processor']}; {machine['code']}",
        size=11,
        color=MUTED,
    )
    rendered: str = drawing.render(WIDTH, y + 40)
    return rendered


def _draw_ways(drawing: Any, table: Mapping[str, Any], y: float) -> float:
    """A bar for each way, made of its steps."""
    drawing.text(LEFT, y, "CPU of the client for each log object, ms", size=16, bold=True)
    ways = [name for name in table["columns"] if name not in ("step", "boto3 / this")]
    totals = {way: sum(row[way] for row in table["rows"]) for way in ways}
    scale = _room() / max(totals.values())
    y += 18
    for way in ways:
        x = LEFT + LABELS
        drawing.text(x - 12, y + 15, way, size=13, bold=way == ways[-1], anchor="end")
        for row in table["rows"]:
            drawing.bar(x, y, row[way] * scale, BAR, COLORS[STEP_OF[row["step"]]])
            x += row[way] * scale
        drawing.text(x + 8, y + 15, f"{totals[way]:.2f}", size=13, bold=True)
        y += BAR + GAP
    return y


def _draw_legend(drawing: Any, y: float) -> float:
    x = LEFT
    for step, word in WORDS.items():
        drawing.bar(x, y, 12, 12, COLORS[step])
        drawing.text(x + 18, y + 11, word, size=12, color=MUTED)
        x += 46 + 8 * len(word)
    return y + 12


def _draw_areas(drawing: Any, table: Mapping[str, Any], y: float) -> float:
    """A bar for each thing that CPU is spent on; what does not fit is one bar."""
    column = next(name for name in table["columns"] if name.startswith("us CPU"))
    rows: Sequence[Mapping[str, Any]] = table["rows"][:-1]
    total = table["rows"][-1][column]
    shown, rest = list(rows[:ROWS_MAX]), sum(row[column] for row in rows[ROWS_MAX:])
    shown.append({"what": "everything else", "step": "run", column: rest})
    drawing.text(
        LEFT,
        y,
        f"This program's {total:,.0f} microseconds, by what they are spent on",
        size=16,
        bold=True,
    )
    scale = _room() / max(row[column] for row in shown)
    y += 18
    for row in shown:
        drawing.text(
            LEFT + LABELS - 12, y + 15, row["what"][:LABEL_LENGTH_MAX], size=12, anchor="end"
        )
        drawing.bar(LEFT + LABELS, y, row[column] * scale, BAR, COLORS[row["step"] or "run"])
        drawing.text(
            LEFT + LABELS + row[column] * scale + 8,
            y + 15,
            f"{row[column]:.0f}  ({row[column] / total:.0%})",
            size=12,
        )
        y += BAR + GAP
    return y


def _room() -> float:
    return WIDTH - LEFT - LABELS - VALUES

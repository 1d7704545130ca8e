"""The figures of cards and tables, in the form that templates need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Card:
    """A prominent figure, its name, and how certain it is."""

    value: str
    name: str
    note: str


@dataclass(frozen=True, slots=True)
class TableRow:
    """A name with a softer line below it, the cells, and a warning below the row."""

    name: str
    cells: Sequence[str]
    below: str = ""
    warning: str = ""

"""The figures of cards and tables, as templates take them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Card:
    """A figure to be seen at once, its name, and how sure it is."""

    value: str
    name: str
    note: str


@dataclass(frozen=True, slots=True)
class TableRow:
    """A name and a softer line below it, the cells, and a warning below all of them."""

    name: str
    cells: Sequence[str]
    below: str = ""
    warning: str = ""

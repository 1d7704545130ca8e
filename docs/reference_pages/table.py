"""What all pages are made of: tables, sizes, and the texts that the code does not have."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from log_aggregator import limits
from log_aggregator.limits import GIB, MIB

ROOT = Path(__file__).resolve().parents[2]
TEXTS: dict[str, Any] = tomllib.loads(
    (ROOT / "docs" / "make_reference.toml").read_text(encoding="utf-8")
)


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    """A table of Markdown, line by line."""
    names = list(head)
    yield "| " + " | ".join(names) + " |"
    yield "|" + "---|" * len(names)
    for row in rows:
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"


def show_size(count: int) -> str:
    """1073741824 is 1 GiB; what is no multiple of a unit is shown as it is."""
    for unit, name in ((GIB, "GiB"), (MIB, "MiB"), (limits.KIB, "KiB")):
        if count >= unit and count % unit == 0:
            return f"{count // unit} {name}"
    return f"{count:,}"

"""A planted bug: what it would do to the logs, the edits of the source that make it, and the proof that must catch it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

SOURCE = Path("src/log_aggregator")
SIMULATION = "simulation"
"""The proof that loses nothing under any fault: the simulator's seeds, then every kill of every scenario."""


class DoesNotApply(Exception):
    """The source has changed, and the bug has to be planted anew."""


@dataclass(frozen=True, slots=True)
class Edit:
    """In a file below src/log_aggregator: a text that stands there exactly once, and what takes its place."""

    path: str
    old: str
    new: str

    def apply(self, text: str) -> str:
        """Raises DoesNotApply."""
        if (count := text.count(self.old)) != 1:
            raise DoesNotApply(f"{self.path}: this stands there {count} times, not once:\n{self.old}")
        return text.replace(self.old, self.new)


@dataclass(frozen=True, slots=True)
class Mutant:
    """`proof` is SIMULATION, or tests as pytest names them, where the fault is none that the simulator has."""

    name: str
    harm: str
    edits: tuple[Edit, ...]
    proof: str = SIMULATION


@dataclass(frozen=True, slots=True)
class Section:
    """Mutants that break the same promise."""

    title: str
    mutants: tuple[Mutant, ...]


def in_file(path: str, *changes: tuple[str, str]) -> tuple[Edit, ...]:
    return tuple(Edit(path, old, new) for old, new in changes)


def mutate(root: Path, mutant: Mutant) -> dict[Path, str]:
    """The files of the mutant, by their place below `root`, as they are with the bug. Raises DoesNotApply."""
    texts: dict[Path, str] = {}
    for edit in mutant.edits:
        path = SOURCE / edit.path
        if path not in texts and not (root / path).is_file():
            raise DoesNotApply(f"{edit.path}: there is no such file")
        texts[path] = edit.apply(texts.get(path) or (root / path).read_text(encoding="utf-8"))
    return texts


def plant(root: Path, mutant: Mutant) -> None:
    """Writes the bug into a copy of the tree. Raises DoesNotApply."""
    for path, text in mutate(root, mutant).items():
        (root / path).write_text(text, encoding="utf-8")

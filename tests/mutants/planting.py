"""A planted bug: what it would do to the logs, the edits of the source that make it, and the proof
that must catch it.

An edit names a module and a symbol in it, and the code to replace as Python, not as text: line
breaks, quotes and the file of a function may change; what the function does may not.
"""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path("src")
SIMULATION = "simulation"
"""The proof that no fault loses anything: the simulator's seeds."""


class DoesNotApply(Exception):
    """The source has changed, and the bug has to be planted anew."""


@dataclass(frozen=True, slots=True)
class Edit:
    """In a symbol, named as `module:Class.method`: code that occurs there exactly once, and its
    replacement.

    `old` is an expression, consecutive statements, or a keyword argument, which is removed; `new`
    is an expression, statements, or empty.
    """

    symbol: str
    old: str
    new: str

    @property
    def module(self) -> str:
        return self.symbol.partition(":")[0]

    @property
    def path(self) -> Path:
        """Relative to the root of the tree."""
        folder = Path() if self.module.startswith("deployment.") else SOURCE
        return folder / (self.module.replace(".", "/") + ".py")

    def apply(self, tree: ast.Module) -> None:
        """Raises DoesNotApply."""
        within = find_symbol(tree, self.symbol.partition(":")[2])
        if within is None:
            raise DoesNotApply(f"there is no {self.symbol}")
        places = list(_find(within, _parse(self.old)))
        if len(places) != 1:
            raise DoesNotApply(
                f"{self.symbol}: this stands there {len(places)} times, not once:\n{self.old}"
            )
        places[0].replace(_parse(self.new))


@dataclass(frozen=True, slots=True)
class Mutant:
    """`proof` is SIMULATION, or tests in pytest's notation if the simulator does not have this
    fault. One of them must fail: best to name only the test that is meant to.
    """

    name: str
    harm: str
    edits: tuple[Edit, ...]
    proof: str = SIMULATION


@dataclass(frozen=True, slots=True)
class Section:
    """Mutants that break the same promise."""

    title: str
    mutants: tuple[Mutant, ...]


def in_symbol(symbol: str, *changes: tuple[str, str]) -> tuple[Edit, ...]:
    return tuple(Edit(symbol, old, new) for old, new in changes)


def mutate(root: Path, mutant: Mutant) -> dict[Path, str]:
    """The files changed by the mutant, by their path under `root`, with the bug and without
    comments. Raises DoesNotApply.
    """
    trees: dict[Path, ast.Module] = {}
    for edit in mutant.edits:
        if edit.path not in trees:
            if not (root / edit.path).is_file():
                raise DoesNotApply(f"there is no module {edit.module}")
            trees[edit.path] = ast.parse((root / edit.path).read_text(encoding="utf-8"))
        edit.apply(trees[edit.path])
    return {path: ast.unparse(tree) + "\n" for path, tree in trees.items()}


def plant(root: Path, mutant: Mutant) -> None:
    """Writes the bug into a copy of the tree. Raises DoesNotApply."""
    for path, text in mutate(root, mutant).items():
        (root / path).write_text(text, encoding="utf-8")


def _parse(code: str) -> list[ast.stmt]:
    return ast.parse(textwrap.dedent(code)).body


def find_symbol(tree: ast.Module, name: str) -> ast.stmt | None:
    """The function, class or constant with that name; `Class.method` for members of a class."""
    bodies: list[ast.stmt] = tree.body
    found: ast.stmt | None = None
    for part in name.split("."):
        found = next((statement for statement in bodies if part in _names(statement)), None)
        bodies = getattr(found, "body", [])
    return found


def _names(statement: ast.stmt) -> set[str]:
    match statement:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return {statement.name}
        case ast.Assign():
            return {target.id for target in statement.targets if isinstance(target, ast.Name)}
        case ast.AnnAssign(target=ast.Name(id=name)):
            return {name}
        case _:
            return set()


@dataclass(frozen=True, slots=True)
class _Place:
    """Where code was found: in a field of a node, at a position if the field is a list."""

    owner: ast.AST
    field: str
    first: int | None
    count: int

    def replace(self, new: list[ast.stmt]) -> None:
        held = getattr(self.owner, self.field)
        if self.first is None:
            setattr(self.owner, self.field, _expression_of(new))
        elif isinstance(held[self.first], ast.stmt):
            held[self.first : self.first + self.count] = new
            if not held:
                held.append(ast.Pass())
        elif isinstance(held[self.first], ast.keyword):
            if new:
                raise DoesNotApply("a keyword argument can only be left out")
            del held[self.first]
        else:
            held[self.first] = _expression_of(new)


def _expression_of(code: list[ast.stmt]) -> ast.expr:
    part = _part_of(code)
    if not isinstance(part, ast.expr):
        raise DoesNotApply("an expression is replaced by an expression")
    return part


def _part_of(code: list[ast.stmt]) -> ast.expr | ast.keyword | None:
    """What code may be apart from statements: an expression, or a keyword argument, which looks
    like an assignment.
    """
    match code:
        case [ast.Expr(value=value)]:
            return value
        case [ast.Assign(targets=[ast.Name(id=name)], value=value)]:
            return ast.keyword(name, value)
        case _:
            return None


def _find(within: ast.stmt, wanted: list[ast.stmt]) -> Iterator[_Place]:
    """Every place of consecutive statements, or of an expression or a keyword argument."""
    statements, part = [ast.dump(statement) for statement in wanted], _part_of(wanted)
    alone = ast.dump(part) if part is not None else None
    for node in ast.walk(within):
        for field, value in ast.iter_fields(node):
            if isinstance(value, list):
                kinds = [ast.dump(item) if isinstance(item, ast.AST) else "" for item in value]
                for first in range(len(kinds)):
                    if kinds[first : first + len(statements)] == statements:
                        yield _Place(node, field, first, len(statements))
                    elif kinds[first] == alone:
                        yield _Place(node, field, first, 1)
            elif (
                isinstance(value, ast.AST)
                and not isinstance(node, ast.Expr)
                and ast.dump(value) == alone
            ):
                yield _Place(node, field, None, 1)

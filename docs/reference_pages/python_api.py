"""Python: the names of `log_aggregator.reading`, from their docstrings."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator
from typing import Any

from log_aggregator import reading
from reference_pages.table import table


def make_python() -> Iterator[str]:
    yield "# Python"
    yield ""
    yield (
        "Every name of `log_aggregator.reading`: packs and indexes, read from Python; "
        "[read packs in Python](../how-to/read-packs-in-python.md) shows how they are used."
    )
    yield "What is not on this page may change with every release ([compatibility](compatibility.md))."
    yield ""
    yield from _paragraphs(reading)
    for name in _own_names(inspect.isfunction):
        yield ""
        yield f"## {name}"
        yield ""
        yield from _signature(name, getattr(reading, name))
        yield from _paragraphs(getattr(reading, name))
    yield ""
    yield (
        f"A `Day` is {reading.Day!s}".replace(" | ", ", ", 1)
        .replace(" | ", " or ")
        .replace("datetime.", "")
        + ": a date, a moment, or either as ISO 8601 (`2026-03-14`, `2026-03-14T13:00`), in UTC where it names no zone."
    )
    for name in _own_names(inspect.isclass):
        yield ""
        yield f"## {name}"
        yield ""
        yield from _class(getattr(reading, name))
    yield ""
    yield "## Errors"
    yield ""
    yield "These are classes of `log_aggregator.errors`; [errors](errors.md) says of each what to do, and `advice` has the same text."
    yield ""
    found = (
        (f"`{name}`", " ".join((getattr(reading, name).__doc__ or "").split()))
        for name in _errors()
    )
    yield from table(("error", "what happened"), found)


def public_signatures() -> Iterator[str]:
    """A line for each name, parameter, attribute and method that is promised."""
    for name in _own_names(inspect.isfunction):
        yield from (f"{name}({each})" for each in _parameters(getattr(reading, name)))
    for name in _own_names(inspect.isclass):
        kind = getattr(reading, name)
        yield from (f"{name}.{attribute}" for attribute, _ in _attributes(kind))
        for method in _methods(kind):
            yield f"{name}.{method}()"
            yield from (f"{name}.{method}({each})" for each in _parameters(getattr(kind, method)))
    yield from _errors()


def _own_names(is_kind: Callable[[object], bool]) -> list[str]:
    return [
        name
        for name in reading.__all__
        if is_kind(getattr(reading, name)) and getattr(reading, name).__module__ == reading.__name__
    ]


def _errors() -> list[str]:
    return [
        name for name in reading.__all__ if getattr(reading, name).__module__ != reading.__name__
    ]


def _class(kind: type) -> Iterator[str]:
    yield from _paragraphs(kind)
    attributes = list(_attributes(kind))
    if attributes:
        yield ""
        yield from table(
            ("attribute", "meaning"), ((f"`{name}`", text) for name, text in attributes)
        )
    for name in _methods(kind):
        yield ""
        yield f"### {kind.__name__}.{name}"
        yield ""
        yield from _signature(name, getattr(kind, name))
        yield from _paragraphs(getattr(kind, name))


def _attributes(kind: type) -> Iterator[tuple[str, str]]:
    """(name: type, the text below it); properties too."""
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    body: list[ast.stmt] = tree.body  # type: ignore[attr-defined]
    for statement, following in zip(body, [*body[1:], None], strict=True):
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            name = statement.target.id
            if not name.startswith("_"):
                yield f"{name}: {ast.unparse(statement.annotation)}", _text_of(following)
    for name, found in vars(kind).items():
        if isinstance(found, property) and not name.startswith("_"):
            yield f"{name}: {_annotation(inspect.signature(found.fget))}", _one_line(found)  # type: ignore[arg-type]


def _methods(kind: type) -> list[str]:
    return [
        name
        for name, found in vars(kind).items()
        if inspect.isfunction(found) and not name.startswith("_")
    ]


def _text_of(statement: ast.stmt | None) -> str:
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        return " ".join(str(statement.value.value).split())
    return "-"


def _one_line(documented: object) -> str:
    return " ".join((inspect.getdoc(documented) or "").split())


def _annotation(signature: inspect.Signature) -> str:
    return str(signature.return_annotation)


def _parameters(function: Callable[..., Any]) -> list[str]:
    return [name for name in inspect.signature(function).parameters if name != "self"]


def _signature(name: str, function: Callable[..., Any]) -> Iterator[str]:
    """As it is written, a parameter on each line where it is long."""
    signature = inspect.signature(function)
    parameters = [found for found in signature.parameters.values() if found.name != "self"]
    text = f"{name}{signature.replace(parameters=parameters)}".replace("'", "")
    if len(text) > 90:
        inner, _, after = text.partition("(")[2].rpartition(") -> ")
        text = (
            f"{name}(\n    "
            + re.sub(r", (?=[*\w]+(?::|,|$))", ",\n    ", inner)
            + f",\n) -> {after}"
        )
    yield "```text"
    yield text
    yield "```"
    yield ""


def _paragraphs(documented: object) -> Iterator[str]:
    """A docstring, a sentence on each line."""
    for number, part in enumerate((inspect.getdoc(documented) or "").split("\n\n")):
        if number:
            yield ""
        yield from re.split(r"(?<=[.]) (?=[A-Z`])", " ".join(part.split()))

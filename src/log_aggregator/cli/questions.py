"""Questions at a terminal, each of which an option answers too."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import click

from log_aggregator.errors import SettingsError

T = TypeVar("T")
Check = Callable[[str], str]
"""Raises SettingsError."""


@dataclass(slots=True)
class Questions:
    """Asks, or takes the default, and takes down where each answer came from."""

    is_asking: bool
    answers: list[dict[str, Any]] = field(default_factory=list)

    def ask(
        self, name: str, given: T | None, default: T, text: str, kind: click.ParamType[Any] | Check
    ) -> T:
        """`given`: what an option says, and then nobody is asked. `kind` refuses what is wrong, and
        then it is asked again. Raises click.Abort.
        """
        if given is not None:
            return self._note(name, given, "option")
        if not self.is_asking:
            return self._note(name, default, "default")
        checks = (
            {"type": kind} if isinstance(kind, click.ParamType) else {"value_proc": _proc(kind)}
        )
        answer = click.prompt(text, default=default, err=True, show_default=default != "", **checks)
        return self._note(name, answer, "question")

    def confirm(self, text: str) -> bool:
        """Only for where somebody can answer. Raises click.Abort."""
        return click.confirm(text, default=True, err=True)

    def _note(self, name: str, value: T, source: str) -> T:
        self.answers.append({"name": name, "value": value, "from": source})
        return value


def _proc(check: Check) -> Check:
    """As click wants it."""

    def convert(text: str) -> str:
        try:
            return check(text.strip())
        except SettingsError as error:
            raise click.UsageError(str(error)) from None

    return convert


def can_ask() -> bool:
    """Whether somebody sits there: with any of the three elsewhere it is a script."""
    return sys.stdin.isatty() and sys.stdout.isatty() and sys.stderr.isatty()

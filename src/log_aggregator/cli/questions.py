"""Questions at a terminal. An option can answer each of them in advance."""

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
    """Asks, or takes the default, and notes where each answer came from."""

    is_asking: bool
    answers: list[dict[str, Any]] = field(default_factory=list)

    def ask(
        self, name: str, given: T | None, default: T, text: str, kind: click.ParamType[Any] | Check
    ) -> T:
        """`given`: the option's value, in which case it does not ask. Where `kind` refuses an
        answer, it asks again. Raises click.Abort.
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
        """Only where `is_asking`. Raises click.Abort."""
        return click.confirm(text, default=True, err=True)

    def _note(self, name: str, value: T, source: str) -> T:
        self.answers.append({"name": name, "value": value, "from": source})
        return value


def _proc(check: Check) -> Check:
    """The check in the form that click expects."""

    def convert(text: str) -> str:
        try:
            return check(text.strip())
        except SettingsError as error:
            raise click.UsageError(str(error)) from None

    return convert


def can_ask() -> bool:
    """Whether a person can answer: if any of the three is not a terminal, it is a script."""
    return sys.stdin.isatty() and sys.stdout.isatty() and sys.stderr.isatty()

"""Groups of commands that say in full what each of them does."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click


class Group(click.Group):
    """As click's, whose list of commands cuts their texts off after a few words."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [(name, _shorten(text)) for name, text in self.list_texts(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def list_texts(self, ctx: click.Context) -> Iterator[tuple[str, str]]:
        """The name and the help of each command."""
        for name in self.list_commands(ctx):
            yield name, self.commands[name].help or ""


def _shorten(text: str) -> str:
    """Up to the first colon or full stop."""
    return " ".join(re.split(r"[:.](?:\s|$)", text, maxsplit=1)[0].split())

"""The commands, each in a module of its own that is imported when the command is used: all of them
together take most of a second, boto3 the larger part.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import click

from log_aggregator.errors import CannotStart

COMMANDS = {
    "run": "log_aggregator.cli.run:run",
    "plan": "log_aggregator.cli.run:plan",
    "verify": "log_aggregator.cli.verify:verify",
    "validate-cloudtrail": "log_aggregator.cli.validate_cloudtrail:validate_cloudtrail",
    "index": "log_aggregator.cli.index:index",
    "find": "log_aggregator.cli.find:find",
    "extract": "log_aggregator.cli.extract:extract",
    "thaw": "log_aggregator.cli.thaw:thaw",
    "put-back": "log_aggregator.cli.put_back:put_back_command",
    "doctor": "log_aggregator.cli.doctor:doctor",
    "demo": "log_aggregator_lab.cli.demo:demo",
    "generate": "log_aggregator_lab.cli.generate:generate",
    "custody": "log_aggregator.cli.custody:custody",
    "athena-ddl": "log_aggregator.cli.athena_ddl:athena_ddl",
}
"""Name -> where it is. What is in the lab needs packages that are not installed with the rest."""


class LazyCommands(click.Group):
    """A group that imports a command when it is used, or listed for the help.

    As in https://click.palletsprojects.com/en/stable/complex/#lazily-loading-subcommands
    """

    def __init__(self, *args: Any, rows: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._rows = rows

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(self._rows)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        row = self._rows.get(cmd_name)
        return None if row is None else _load(cmd_name, row)


def _load(name: str, row: str) -> click.Command:
    module, _, attribute = row.partition(":")
    try:
        command: click.Command = getattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError as error:
        if not module.startswith("log_aggregator_lab"):
            raise
        return _make_missing(name, error.name or module)
    return command


def _make_missing(name: str, package: str) -> click.Command:
    """Stands for a command of the lab where what the lab needs is not installed."""

    def fail(**_: object) -> None:
        raise CannotStart(
            f"{package} is not installed: pip install 'control-tower-log-aggregator[lab]'"
        )

    return click.Command(
        name,
        callback=fail,
        context_settings={"ignore_unknown_options": True},
        params=[click.Argument(["words"], nargs=-1, expose_value=False)],
        help="Needs more packages: pip install 'control-tower-log-aggregator[lab]'.",
    )

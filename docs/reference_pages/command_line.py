"""Command line: the commands and their options."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import click

from log_aggregator.cli import commands
from log_aggregator.cli.everywhere import OPTIONS
from log_aggregator.cli.variables import variable_of
from log_aggregator.settings import SETTINGS
from reference_pages.table import table


def make_command_line() -> Iterator[str]:
    settings = {row.name for row in SETTINGS}
    yield "# Command line"
    yield ""
    yield (
        "Every command and option. Results go to standard output, everything else to standard "
        "error."
    )
    yield (
        "Credentials, region and endpoint are those of the standard AWS configuration "
        "(environment, profile, SSO, instance role)."
    )
    yield ""
    yield "## Exit codes"
    yield ""
    yield from table(("code", "meaning"), _exit_codes())
    for name, command in _all_commands():
        yield ""
        yield f"## log-aggregator {name}"
        yield ""
        yield from (" ".join(part.split()) + "\n" for part in (command.help or "").split("\n\n"))
        usage = " ".join(command.collect_usage_pieces(click.Context(command)))
        yield f"Usage: `log-aggregator {name} {usage}`"
        yield ""
        own = [
            option
            for option in command.params
            if isinstance(option, click.Option)
            and option.name not in settings
            and option not in OPTIONS
        ]
        yield from _options_table(own)
        yield from _settings_sentence(
            [option.name for option in command.params if option.name in settings]
        )
    yield ""
    yield "## Options of every command"
    yield ""
    yield from _options_table(OPTIONS)
    yield ""
    yield "## Environment variables"
    yield ""
    yield from VARIABLES
    yield ""
    yield "## Settings as options"
    yield ""
    rows = [row for row in SETTINGS if row.on_command_line]
    yield from table(
        ("option", "setting", "variable"),
        (
            (
                f"`--{row.name.replace('_', '-')} VALUE`",
                row.meaning,
                f"`LOG_AGGREGATOR_{row.name.upper()}`",
            )
            for row in rows
        ),
    )


VARIABLES = (
    (
        "Every option has a variable, named in the tables: the command line overrides it, and it "
        "overrides the settings file."
    ),
    (
        "A setting's variable is `LOG_AGGREGATOR_` and its name in capitals, also for the Lambda "
        "functions: `LOG_AGGREGATOR_DESTINATION_BUCKET`."
    ),
    (
        "A switch is on with `1`, `true`, `yes` or `on`; separate the values of a repeatable option "
        "with spaces."
    ),
    "An empty variable counts as unset.",
)


def _options_table(options: Iterable[click.Option]) -> Iterator[str]:
    rows = (
        (_option_names(option), _option_help(option), f"`{variable_of(option)}`")
        for option in options
    )
    yield from table(("option", "meaning", "variable"), rows)


def _all_commands() -> Iterator[tuple[str, click.Command]]:
    """In alphabetical order; those of a group follow it, each by all of its words."""
    context = click.Context(commands)
    for name in commands.list_commands(context):
        command = commands.get_command(context, name)
        if command is None:
            continue
        yield name, command
        if isinstance(command, click.Group):
            yield from (
                (f"{name} {inner}", found) for inner, found in sorted(command.commands.items())
            )


def _settings_sentence(names: Sequence[str | None]) -> Iterator[str]:
    if not names:
        return
    yield ""
    if len(names) == sum(row.on_command_line for row in SETTINGS):
        yield "Every [setting](settings.md) except `holds` and `layouts` is an option too."
    else:
        listed = ", ".join(f"`--{(name or '').replace('_', '-')}`" for name in names)
        yield f"Of the [settings](settings.md) these are options too: {listed}."


def _exit_codes() -> Iterator[tuple[str, str]]:
    for line in (commands.epilog or "").splitlines():
        code, _, meaning = line.strip().partition(" ")
        if code.isdigit():
            yield code, meaning.strip()


def _option_names(option: click.Option) -> str:
    value = "" if option.is_flag else f" {option.metavar or option.type.name.upper()}"
    if isinstance(option.type, click.Choice):
        value = " " + " or ".join(option.type.choices)
    return ", ".join(f"`{name}{value}`" for name in option.opts)


def _option_help(option: click.Option) -> str:
    text = option.help or ""
    if (
        isinstance(option.type, click.IntRange)
        and option.type.min is not None
        and option.type.max is not None
    ):
        text += f" From {option.type.min:,} to {option.type.max:,}."
    return f"{text} Default: {option.default}." if option.show_default else text

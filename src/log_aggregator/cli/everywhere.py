"""What every command has, added when it is loaded: -q, -v and --log-file, its environment
variables, and examples.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from log_aggregator.cli.examples import EXAMPLES
from log_aggregator.cli.printing import be_quiet, log_to, print_line, show_no_bars
from log_aggregator.cli.variables import describe_variables, name_variables
from log_aggregator.errors import SettingsError


def complete_command(words: Sequence[str], command: click.Command) -> None:
    """In a group, every command of it. Calling it again does nothing."""
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            complete_command([*words, name], inner)
        return
    known = {parameter.name for parameter in command.params}
    for option in OPTIONS:
        if option.name not in known:
            command.params.append(option)
    name_variables(words, command)
    rule = describe_variables(words)
    if rule not in (command.epilog or ""):
        shown = command.epilog or _show_examples(words)
        command.epilog = f"{shown}\n\n{rule}" if shown else rule


def _show_examples(words: Sequence[str]) -> str:
    lines = [
        f"  log-aggregator {' '.join([*words, line]).rstrip()}"
        for line in EXAMPLES.get(" ".join(words), ())
    ]
    heading = "Examples:" if len(lines) > 1 else "Example:"
    return "\n".join(["\b", heading, *lines]) if lines else ""


def _set_quiet(_context: click.Context, _option: click.Parameter, is_quiet: bool) -> None:
    if is_quiet:
        be_quiet()


def _set_verbose(context: click.Context, _option: click.Parameter, is_verbose: bool) -> None:
    if is_verbose:
        from log_aggregator.wiring import watch_requests

        show_no_bars()
        watch_requests(lambda text: print_line(text, err=True))
        context.call_on_close(lambda: watch_requests(None))


def _open_log(_context: click.Context, _option: click.Parameter, path: Path | None) -> None:
    if path is None:
        return
    try:
        log_to(path, f"log-aggregator {shlex.join(sys.argv[1:])}")
    except OSError as error:
        raise SettingsError(f"--log-file {path}: {error.strerror}") from None


OPTIONS = (
    click.Option(
        ["-q", "--quiet"],
        is_flag=True,
        expose_value=False,
        callback=_set_quiet,
        help="Print only results, errors and warnings: no progress, no remarks.",
    ),
    click.Option(
        ["-v", "--verbose"],
        is_flag=True,
        expose_value=False,
        callback=_set_verbose,
        help="Print every request to S3: what, where, how long it took, and its result.",
    ),
    click.Option(
        ["--log-file"],
        type=click.Path(path_type=Path),
        metavar="FILE",
        expose_value=False,
        callback=_open_log,
        help="Also append all messages to this file, each line with its time, even with -q. "
        "Left out: none.",
    ),
)

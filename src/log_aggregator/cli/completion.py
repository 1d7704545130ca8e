"""`completion`: the script that makes a shell complete commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from log_aggregator.cli.printing import print_text
from log_aggregator.errors import SettingsError

PROGRAM = "log-aggregator"
VARIABLE = "_LOG_AGGREGATOR_COMPLETE"
SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> int:
    """Print the script that makes a shell complete commands and options. Connects to nothing.

    Save it where the shell looks when it starts: for fish
    ~/.config/fish/completions/log-aggregator.fish, for zsh a file _log-aggregator in a folder of
    fpath.
    """
    found = get_completion_class(shell)
    if found is None:
        raise SettingsError(f"{shell}: expected one of {', '.join(SHELLS)}")
    completer = found(click.Command(PROGRAM), {}, PROGRAM, VARIABLE)
    # `source()` would start a bash to ask for its version
    print_text(completer.source_template % completer.source_vars())
    return 0

"""The command line, one module for each command. Results go to standard output, messages to
standard error.
"""

from __future__ import annotations

import sys
from typing import NoReturn

import click

from log_aggregator import __version__
from log_aggregator.cli.commands import COMMANDS, LazyCommands
from log_aggregator.cli.failing import Failing
from log_aggregator.cli.printing import guard_streams, print_usage_error
from log_aggregator.errors import Interrupted, LogAggregatorError, SettingsError
from log_aggregator.signals import when_giving_up

EXIT_CODES = """\b
Exit codes:
  0    all done
  1    something failed, was not found or is not valid; no run deletes what is not packed
  2    a setting is wrong; nothing was touched
  3    could not start (bucket, credentials, permission, network, a limit); nothing was touched
  4    not known: a search could not look at everything, or S3 is still hashing or thawing
  130  stopped by ctrl-C or SIGTERM; start the same command again to continue
"""


@click.group(
    cls=LazyCommands,
    rows=COMMANDS,
    epilog=EXIT_CODES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)
@click.version_option(__version__, prog_name="log-aggregator")
def commands() -> None:
    """Packs the many small log objects of an AWS organisation into a few large ones, proves that
    nothing was lost, deletes the originals, and gives any original back, byte for byte.

    Start with `log-aggregator demo`, which runs on this machine only, or with `log-aggregator
    init`, which looks at your account and changes nothing there.
    """


def main() -> NoReturn:
    """The entry point: turns every error into a line that says what to do, an exit code, and with
    --json a JSON document.
    """
    guard_streams()
    failing = Failing.of(sys.argv[1:])
    when_giving_up(failing.give_up)
    try:
        code = commands.main(standalone_mode=False)
    except click.ClickException as error:
        print_usage_error(error)
        code = failing.tell(SettingsError(error.format_message()))
    except (click.Abort, KeyboardInterrupt):
        code = failing.fail(Interrupted("stopped"))
    except LogAggregatorError as error:
        code = failing.fail(error)
    except Exception as error:  # a bug of ours: its traceback follows
        from log_aggregator.telemetry.foreign import tell_own

        failing.tell(tell_own(error))
        raise
    sys.exit(code if isinstance(code, int) else 0)

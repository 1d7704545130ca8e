"""The command line: one module for each command. Results on standard output, speech on standard
error.
"""

from __future__ import annotations

import sys
from typing import NoReturn

import click

from log_aggregator import __version__
from log_aggregator.cli.athena_ddl import athena_ddl
from log_aggregator.cli.custody import custody
from log_aggregator.cli.demo import demo
from log_aggregator.cli.doctor import doctor
from log_aggregator.cli.extract import extract
from log_aggregator.cli.find import find
from log_aggregator.cli.generate import generate
from log_aggregator.cli.index import index
from log_aggregator.cli.put_back import put_back_command
from log_aggregator.cli.run import plan, run
from log_aggregator.cli.thaw import thaw
from log_aggregator.cli.validate_cloudtrail import validate_cloudtrail
from log_aggregator.cli.verify import verify
from log_aggregator.errors import Interrupted, LogAggregatorError, SettingsError
from log_aggregator.reports.texts import printable_lines

EXIT_CODES = """\b
Exit codes:
  0    all done
  1    something failed, was not found or is not valid; a run kept the originals of what failed
  2    a setting is wrong; nothing was touched
  3    could not start; nothing was touched
  130  stopped by ctrl-C or SIGTERM; start the same command again to go on
"""


@click.group(
    epilog=EXIT_CODES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)
@click.version_option(__version__, prog_name="log-aggregator")
def commands() -> None:
    """Packs the small log objects of an AWS organisation into few large ones, proves that nothing
    was lost, deletes the originals, and hands any original back, byte for byte.

    Begin with `log-aggregator demo`, or with `log-aggregator plan --config aggregator.toml`, which
    changes nothing.
    """


for command in (
    run,
    plan,
    verify,
    validate_cloudtrail,
    index,
    find,
    extract,
    thaw,
    put_back_command,
    doctor,
    demo,
    generate,
    custody,
    athena_ddl,
):
    commands.add_command(command)


def main() -> NoReturn:
    """The entry point: turns every error into a line that says what to do, and into the exit
    code.
    """
    try:
        code = commands.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = SettingsError.exit_code
    except (click.Abort, KeyboardInterrupt):
        code = _fail(Interrupted("stopped"))
    except LogAggregatorError as error:
        code = _fail(error)
    sys.exit(code if isinstance(code, int) else 0)


def _fail(error: LogAggregatorError) -> int:
    click.echo(f"log-aggregator: {printable_lines(str(error))}", err=True)
    if error.advice:
        click.echo(f"  {error.advice}", err=True)
    return error.exit_code

"""The entry point: turns every error into lines that say what to do, and an exit code."""

from __future__ import annotations

import sys
from typing import NoReturn

import click
from botocore.exceptions import BotoCoreError, ClientError

from deployment.command import deploy
from deployment.errors import CheckFailed
from log_aggregator.cli.printing import guard_streams, print_error, print_usage_error
from log_aggregator.errors import Interrupted, LogAggregatorError, SettingsError
from log_aggregator.signals import interrupt, on_stop


def main() -> NoReturn:
    on_stop(interrupt)
    guard_streams()
    try:
        deploy.main(prog_name="./deploy", standalone_mode=False)
    except click.ClickException as error:
        print_usage_error(error)
        sys.exit(SettingsError.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(_fail(Interrupted("stopped; nothing was changed")))
    except LogAggregatorError as error:
        sys.exit(_fail(error))
    except (BotoCoreError, ClientError) as error:  # names the request, and who lacks permission
        sys.exit(_fail(CheckFailed(str(error))))
    sys.exit(0)


def _fail(error: LogAggregatorError) -> int:
    print_error("deploy", error, "" if isinstance(error, Interrupted) else error.advice)
    return error.exit_code


if __name__ == "__main__":
    main()

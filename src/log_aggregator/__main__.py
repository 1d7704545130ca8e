"""The entry point, of `log-aggregator` and of `python -m log_aggregator`.

It loads nothing by itself: all the rest takes the better part of a second, and a ctrl-C in that
time is a ctrl-C, too.
"""

from __future__ import annotations

import signal
import sys
from typing import NoReturn

EXIT_CODE_STOPPED = 130


def main() -> NoReturn:
    try:
        from log_aggregator.cli import main as run  # noqa: PLC0415 - see above

        run()
    except KeyboardInterrupt:
        sys.stderr.write("log-aggregator: stopped before it began\n")
        sys.exit(EXIT_CODE_STOPPED)
    finally:
        # All is done and said. While Python takes itself down a ctrl-C would only change the exit
        # code.
        signal.signal(signal.SIGINT, signal.SIG_IGN)


if __name__ == "__main__":
    main()

"""The entry point, of `log-aggregator` and of `python -m log_aggregator`.

It imports next to nothing by itself. Importing the rest takes a moment, in which ctrl-C must work
too.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from contextlib import suppress
from types import FrameType
from typing import NoReturn

from log_aggregator.errors import Interrupted
from log_aggregator.signals import answering_stops, interrupt, leave, on_stop, send_again

GARBAGE_THRESHOLD = 100_000
"""Importing makes many objects that all stay. With Python's threshold of 700 the collector walks
over them again and again, which takes a twentieth of the time until a command begins.
"""

NOT_BEGUN = "stopped before it began"
JSON_NOT_BEGUN = (
    f'{{"error": "{Interrupted.__name__}", "message": "{NOT_BEGUN}", "advice": "", '
    f'"exit_code": {Interrupted.exit_code}}}\n'
)


def main() -> NoReturn:
    on_stop(_end_immediately)
    sys.unraisablehook = send_again
    gc.set_threshold(GARBAGE_THRESHOLD)
    from log_aggregator.cli import main as run  # noqa: PLC0415 - see above

    code: str | int | None = None
    try:
        with answering_stops():
            on_stop(interrupt)
            run()
    except SystemExit as error:
        code = error.code
    except KeyboardInterrupt:  # right before the command line took over, or right after its end
        code = Interrupted.exit_code
    finally:
        # Everything is done and printed. While Python shuts down, ctrl-C would only change the exit
        # code.
        on_stop(signal.SIG_IGN)
    leave(code if isinstance(code, int) else 0)
    sys.exit(code)


def _end_immediately(_number: int, _frame: FrameType | None) -> NoReturn:
    """Nothing has begun, so nothing has to be undone. Raising would not do: an import may turn an
    exception into another one.
    """
    with suppress(OSError):  # the reader may be gone
        os.write(2, f"log-aggregator: {NOT_BEGUN}\n".encode())
        if "--json" in sys.argv:  # a JSON library may not be loaded yet
            os.write(1, JSON_NOT_BEGUN.encode())
    os._exit(Interrupted.exit_code)


if __name__ == "__main__":
    main()

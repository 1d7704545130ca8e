"""What stops a command: SIGINT (ctrl-C), SIGTERM, and SIGHUP, when its terminal is closed.

Each of them raises KeyboardInterrupt, and that comes once: uploads are aborted, servers stopped,
and nothing interrupts that. It does no harm when a signal comes twice, as from `timeout`, which
sends it to its child and to the process group, or from somebody impatient.

SIGINT is handled even where it was ignored: a shell without job control ignores it for everything
that it starts with `&`, and each program hands that on to the next one, though nobody meant that a
command could not be stopped. SIGHUP stays ignored where it is: that is what nohup is for.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType

AGAIN_SECONDS = 0.05


def on_stop(handler: Callable[[int, FrameType | None], object] | signal.Handlers) -> None:
    """What these signals do from now on. In the main thread only."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handler)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, handler)


def interrupt(_number: int, _frame: FrameType | None) -> None:
    """Raises KeyboardInterrupt, unless one is on its way up already: an `except` or a `finally` is
    at work then.
    """
    error = sys.exception()
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return
        error = error.__context__
    raise KeyboardInterrupt


def send_again(lost: sys.UnraisableHookArgs) -> None:
    """A `sys.unraisablehook`: what was raised while Python closed a generator or freed an object
    goes nowhere. A stop comes again a moment later, when something can be raised.
    """
    if not issubclass(lost.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(lost)
        return
    again = threading.Timer(AGAIN_SECONDS, os.kill, (os.getpid(), signal.SIGINT))
    again.daemon = True
    again.start()

"""What stops a command: SIGINT (ctrl-C), SIGTERM, and SIGHUP, when its terminal is closed.

Each of them raises KeyboardInterrupt, and that comes once: uploads are aborted, servers stopped,
and nothing interrupts that. It does no harm when a signal comes twice, as from `timeout`, which
sends it to its child and to the process group, or from somebody impatient.

Python handles a signal between two of its own instructions, so a main thread that waits in
somebody's C code, for a name server for one, would not notice. So a thread of our own hears of
every signal as well: it says at once that we stop, calls whoever has to know (`when_stopped`), and
ends the process should that take too long, whatever still hangs. A signal that the main thread has
not noticed it sends again: one that came right before a wait, or to another thread, wakes nobody.

SIGINT is handled even where it was ignored: a shell without job control ignores it for everything
that it starts with `&`, and each program hands that on to the next one, though nobody meant that a
command could not be stopped. SIGHUP stays ignored where it is: that is what nohup is for.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

AGAIN_SECONDS = 0.05
STOPPED_EXIT_CODE = 130
ENDING_SECONDS_MAX = 9.5
"""From the signal to the end. What a command does at its end has to fit in: uploads are aborted,
what was done is written down and printed.
"""

NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
STOPPING = b"log-aggregator: stopping ...\n"
GIVING_UP = b"log-aggregator: stopped, without waiting for what still hangs\n"

_calls: list[Callable[[], object]] = []
"""Of `when_stopped`."""
_last_word: Callable[[], object] = lambda: None  # noqa: E731 - of `when_giving_up`


def on_stop(handler: Callable[[int, FrameType | None], object] | signal.Handlers) -> None:
    """What these signals do from now on. In the main thread only."""
    for number in NUMBERS[:2]:
        signal.signal(number, handler)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, handler)


class _Word:
    """Says once that we stop, whichever thread hears of it first. A signal's handler may interrupt
    itself, so nothing here waits for a lock.
    """

    def __init__(self) -> None:
        self._first = threading.Lock()
        self._is_out = False
        self.reached_main = False

    def say(self) -> None:
        if self._first.acquire(blocking=False):
            with suppress(OSError):  # nobody may be there to read it
                # Behind a bar, or the ^C that a terminal shows, it would be cut off.
                os.write(2, b"\n" + STOPPING if os.isatty(2) else STOPPING)
            self._is_out = True

    @property
    def was_said(self) -> bool:
        """Returns when the other thread has come to the end of it."""
        while self._first.locked() and not self._is_out:
            time.sleep(0)
        return self._is_out


_word = _Word()


@contextmanager
def answering_stops() -> Iterator[None]:
    """Inside, a stop is answered at once, and is over in ENDING_SECONDS_MAX. In the main thread
    only.
    """
    global _word  # noqa: PLW0603 - there is one process
    _word = _Word()
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    # A full pipe has enough in it.
    before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    threading.Thread(target=_listen, args=(reading, _word), name="stops", daemon=True).start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        if not _word.was_said:  # else it still counts the seconds
            os.close(writing)


def when_stopped(call: Callable[[], object]) -> Callable[[], None]:
    """Has this called at a stop, by another thread than the main one; what came last comes first.
    Returns what takes it back.
    """
    _calls.append(call)
    return lambda: _calls.remove(call)


def when_giving_up(call: Callable[[], object]) -> None:
    """Has this called right before a process is ended in which something still hangs."""
    global _last_word  # noqa: PLW0603 - there is one process
    _last_word = call


def leave(code: int) -> None:
    """Ends the process, where a stop has left threads behind that hang: Python would wait for them.
    Else returns.
    """
    left = [
        thread
        for thread in threading.enumerate()
        if not thread.daemon and thread is not threading.main_thread()
    ]
    if not _word.was_said or not left:
        return
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _listen(reading: int, word: _Word) -> None:
    while came := os.read(reading, 1):
        if came[0] not in NUMBERS:
            continue
        word.say()
        for call in reversed(_calls):
            with suppress(Exception):  # each of them only makes the end come sooner
                call()
        _wait(word, came[0])
        with suppress(OSError):
            os.write(2, GIVING_UP)
        with suppress(Exception):
            _last_word()
        os._exit(STOPPED_EXIT_CODE)
    os.close(reading)


def _wait(word: _Word, number: int) -> None:
    """As long as the end may take."""
    main, ends = threading.main_thread().ident, time.monotonic() + ENDING_SECONDS_MAX
    while (left := ends - time.monotonic()) > 0:
        threading.Event().wait(left if word.reached_main else min(left, AGAIN_SECONDS))
        if not word.reached_main and main is not None:
            signal.pthread_kill(main, number)


def interrupt(_number: int, _frame: FrameType | None) -> None:
    """Raises KeyboardInterrupt, unless one is on its way up already: an `except` or a `finally` is
    at work then.
    """
    _word.reached_main = True
    _word.say()
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

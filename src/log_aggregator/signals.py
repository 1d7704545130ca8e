"""The signals that stop a command: SIGINT (ctrl-C), SIGTERM, and SIGHUP, when its terminal closes.

Each of them raises KeyboardInterrupt, but only once: uploads are aborted and servers stopped, and
nothing must interrupt that. So a signal may come twice, as from `timeout`, which sends it to its
child and to the process group, or from an impatient user.

Python handles a signal between two of its own instructions, so a main thread that waits in C code,
for example for a name server, would not notice. So a thread of ours is notified of every signal as
well. It prints immediately that we are stopping, makes the calls of `when_stopped`, and ends the
process if that takes too long, even while requests hang. It sends a signal again that the main
thread has not noticed: one that came right before a wait, or to another thread, wakes no thread.

SIGINT is handled even where it was ignored: a shell without job control ignores it for everything
that it starts with `&`, and child processes inherit that, but the command should still be
stoppable. SIGHUP stays ignored where it is, because that is what nohup is for.
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
"""From the signal to the end. It must be enough for what a command does at its end: aborting
uploads, and recording and printing what was done.
"""

NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
STOPPING = b"log-aggregator: stopping ...\n"
GIVING_UP = b"log-aggregator: stopped, without waiting for requests that still hang\n"

_calls: list[Callable[[], object]] = []
"""Those of `when_stopped`."""
_last_word: Callable[[], object] = lambda: None  # noqa: E731 - of `when_giving_up`


def on_stop(handler: Callable[[int, FrameType | None], object] | signal.Handlers) -> None:
    """Sets the handler of these signals. In the main thread only."""
    for number in NUMBERS[:2]:
        signal.signal(number, handler)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, handler)


class _Word:
    """Prints once that we are stopping, from whichever thread notices first. A signal handler may
    interrupt itself, so it must not wait for a lock.
    """

    def __init__(self) -> None:
        self._first = threading.Lock()
        self._is_out = False
        self.reached_main = False

    def say(self) -> None:
        if self._first.acquire(blocking=False):
            with suppress(OSError):  # the reader may be gone
                # After a bar, or the ^C that a terminal shows, it needs a new line.
                os.write(2, b"\n" + STOPPING if os.isatty(2) else STOPPING)
            self._is_out = True

    @property
    def was_said(self) -> bool:
        """Waits until the other thread has finished printing."""
        while self._first.locked() and not self._is_out:
            time.sleep(0)
        return self._is_out


_word = _Word()


@contextmanager
def answering_stops() -> Iterator[None]:
    """Within the block, a stop is answered immediately, and is over in ENDING_SECONDS_MAX. In the
    main thread only.
    """
    global _word  # noqa: PLW0603 - there is one process
    _word = _Word()
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    # If the pipe is full, it holds enough signals already.
    before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    threading.Thread(target=_listen, args=(reading, _word), name="stops", daemon=True).start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        if not _word.was_said:  # otherwise the thread still watches the time
            os.close(writing)


def when_stopped(call: Callable[[], object]) -> Callable[[], None]:
    """Registers a call for a stop, from a thread other than the main one; the latest is called
    first. Returns a function that removes it.
    """
    _calls.append(call)
    return lambda: _calls.remove(call)


def when_giving_up(call: Callable[[], object]) -> None:
    """Registers a call for right before the process is ended while something hangs."""
    global _last_word  # noqa: PLW0603 - there is one process
    _last_word = call


def leave(code: int) -> None:
    """Ends the process if a stop has left threads that hang, because Python would wait for them.
    Otherwise returns.
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
            with suppress(Exception):  # each call only makes the end come sooner
                call()
        _wait(word, came[0])
        with suppress(OSError):
            os.write(2, GIVING_UP)
        with suppress(Exception):
            _last_word()
        os._exit(STOPPED_EXIT_CODE)
    os.close(reading)


def _wait(word: _Word, number: int) -> None:
    """Waits as long as the end may take."""
    main, ends = threading.main_thread().ident, time.monotonic() + ENDING_SECONDS_MAX
    while (left := ends - time.monotonic()) > 0:
        threading.Event().wait(left if word.reached_main else min(left, AGAIN_SECONDS))
        if not word.reached_main and main is not None:
            signal.pthread_kill(main, number)


def interrupt(_number: int, _frame: FrameType | None) -> None:
    """Raises KeyboardInterrupt, unless one is being handled already: then an `except` or a
    `finally` is at work.
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
    """A `sys.unraisablehook`. An exception that is raised while Python closes a generator or frees
    an object is lost. If it was a stop, it is sent again a moment later, when it can be raised.
    """
    if not issubclass(lost.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(lost)
        return
    again = threading.Timer(AGAIN_SECONDS, os.kill, (os.getpid(), signal.SIGINT))
    again.daemon = True
    again.start()

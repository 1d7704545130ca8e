"""A terminal for typing commands and pressing keys."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.waiting import SECONDS_MAX, wait_until

COLUMNS = 100
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")
CTRL_C = "\x03"


class Typed:
    """A command typed at a shell. Its `screen` is everything it has shown, without colours and
    cursor movements.
    """

    def __init__(self, line: str, folder: Path, environment: Mapping[str, str]) -> None:
        self._terminal, its_end = pty.openpty()
        fcntl.ioctl(its_end, termios.TIOCSWINSZ, struct.pack("HHHH", 30, COLUMNS, 0, 0))
        self._shown = bytearray()
        self.process = subprocess.Popen(
            ["/bin/sh", "-c", f"exec {line}"],
            cwd=folder,
            env=dict(environment),
            stdin=its_end,
            stdout=its_end,
            stderr=its_end,
            start_new_session=True,
            preexec_fn=_take_terminal,  # noqa: PLW1509 - one ioctl, and no lock is taken
        )
        os.close(its_end)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join(SECONDS_MAX)
        os.close(self._terminal)

    @property
    def screen(self) -> str:
        return _ESCAPES.sub("", self._shown.decode("utf-8", "replace"))

    def press(self, keys: str) -> None:
        os.write(self._terminal, keys.encode())

    def wait_for(self, text: str) -> str:
        """Returns the screen once it contains this. Raises TimeoutError."""
        try:
            wait_until(lambda: text in self.screen or self.process.poll() is not None)
        except TimeoutError as error:
            raise TimeoutError(f"{text!r} does not come: {self.screen}") from error
        assert text in self.screen, self.screen
        return self.screen

    def answer(self, question: str, keys: str) -> None:
        """Once it is asked. Raises TimeoutError."""
        self.wait_for(question)
        self.press(f"{keys}\n")

    def end(self) -> int:
        """Returns its exit code."""
        code = self.process.wait(SECONDS_MAX)
        self._reader.join(SECONDS_MAX)
        return code

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # what a terminal says when no one writes to it any more
            while piece := os.read(self._terminal, 65_536):
                self._shown += piece


def _take_terminal() -> None:
    """The new session's terminal, so that its processes receive Ctrl-C."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)

"""Goes into each function's zip, and is what its `bootstrap` starts: Lambda's own runtime client,
all of whose output goes to a file, too.

The local AWS takes what a function has said once its pipe was silent for 5 ms, which on a busy
machine is before all has come through. A line in a file is there as soon as it is written.

Where a file `kill` lies beside it, the function dies right after the first line that has its text.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterable
from io import FileIO
from pathlib import Path
from typing import Any, TextIO

from awslambdaric.__main__ import main

FOLDER = Path(os.environ["E2E_OUTPUT"])


class Both:
    """A stream that writes to the file first."""

    def __init__(self, stream: TextIO, file: FileIO) -> None:
        self._stream, self._file = stream, file

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> None:
        self._file.write(text.encode())
        die_where_told(text)
        self._stream.write(text)

    def writelines(self, texts: Iterable[str]) -> None:
        self.write("".join(texts))


def die_where_told(text: str) -> None:
    """Of several processes only the one that takes the order away."""
    order = FOLDER / "kill"
    try:
        if order.read_text() in text:
            order.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
    except FileNotFoundError:
        pass


name = f"{os.environ['AWS_LAMBDA_FUNCTION_NAME']}.{os.getpid()}"
with (FOLDER / name).open("ab", buffering=0) as output:
    sys.stdout, sys.stderr = Both(sys.stdout, output), Both(sys.stderr, output)
    main(sys.argv)

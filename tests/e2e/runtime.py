"""Added to each function's zip and started by its `bootstrap`: Lambda's own runtime client, with
all output copied to a file.

The local AWS reads a function's output once its pipe has been silent for 5 ms, which on a busy
machine is too early. A line in a file is there as soon as it is written.

If there is a file `kill` next to it, the function dies right after the first line with its text.

Each invocation gets a trace as on Lambda: the function's own segment is made by Lambda and stored
in `traces/`; the function sends subsegments of it. The local AWS has no X-Ray.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import sys
import time
from collections.abc import Iterable
from io import FileIO
from pathlib import Path
from typing import Any, TextIO

from awslambdaric import bootstrap
from awslambdaric.__main__ import main

FOLDER = Path(os.environ["E2E_OUTPUT"])
UNSAMPLED = "VerifyFunction"
"""In real traces sampling is random; here it is known which functions are not sampled."""


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
    """Only the process that removes the order dies."""
    order = FOLDER / "kill"
    try:
        if order.read_text() in text:
            order.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
    except FileNotFoundError:
        pass


def begin_trace(_given: str | None) -> None:
    """Lambda's runtime client calls it before each invocation, with the header it received
    (https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html).
    """
    function = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
    now = time.time()
    segment = {
        "name": function,
        "id": secrets.token_hex(8),
        "trace_id": f"1-{int(now):08x}-{secrets.token_hex(12)}",
        "start_time": now,
        "origin": "AWS::Lambda::Function",
        "is_sampled": UNSAMPLED not in function,
    }
    with (FOLDER / "traces" / name).open("a", encoding="utf-8") as file:
        file.write(json.dumps(segment) + "\n")
    os.environ["_X_AMZN_TRACE_ID"] = (
        f"Root={segment['trace_id']};Parent={segment['id']};Sampled={segment['is_sampled']:d};"
        f"Lineage=1:{secrets.token_hex(4)}:0"
    )


bootstrap.update_xray_env_variable = begin_trace
name = f"{os.environ['AWS_LAMBDA_FUNCTION_NAME']}.{os.getpid()}"
with (FOLDER / name).open("ab", buffering=0) as output:
    sys.stdout, sys.stderr = Both(sys.stdout, output), Both(sys.stderr, output)
    main(sys.argv)

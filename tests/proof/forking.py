"""Processes that are cheap to start: a small server that has imported the package, and forks itself
for every command.

Starting an interpreter and importing everything takes 0.7 s, a fork some milliseconds. What is
forked is a process like any other: it has its own process group, runs the entry point of the
command line, and dies of SIGKILL. The server forks before there is any thread.

    with ForkServer() as forks:
        process = forks.start(["run", ...], environment)
        ... process.pid ...
        done = process.wait()
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Self

SECONDS_MAX = 900
"""A command that takes longer is ended by SIGALRM."""


@dataclass(frozen=True, slots=True)
class Tuning:
    """What is quicker than in real life, so that a fault does not cost a minute; and how far the
    clock is off.
    """

    attempts_max: int = 4
    timeout_seconds: float = 20.0
    """Of reading, for both clients."""
    clock_hours: float = 0.0


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended. `code` is minus the signal where one ended it."""

    code: int
    out: str
    err: str

    @property
    def result(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out)
        return found


@dataclass(frozen=True, slots=True)
class Forked:
    """A command under way."""

    pid: int
    server: ForkServer
    out: Path
    err: Path

    def wait(self) -> Done:
        """Till it ends. Processes are waited for one after the other, each at most for
        SECONDS_MAX.
        """
        code = self.server.ask({"wait": self.pid})["code"]
        done = Done(code, self.out.read_text(), self.err.read_text())
        for path in (self.out, self.err):
            path.unlink()
        return done


class ForkServer:
    """A context manager. Not thread safe."""

    def __enter__(self) -> Self:
        self._directory = tempfile.TemporaryDirectory(prefix="log-aggregator-forks-")
        self._count = 0
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.communicate(
            timeout=SECONDS_MAX
        )  # closes its standard input, at which it ends
        self._directory.cleanup()

    def start(
        self, arguments: Sequence[str], environment: Mapping[str, str], tuning: Tuning | None = None
    ) -> Forked:
        self._count += 1
        out, err = (Path(self._directory.name) / f"{self._count}.{kind}" for kind in ("out", "err"))
        order = {
            "arguments": list(arguments),
            "environment": dict(environment),
            "tuning": asdict(tuning or Tuning()),
            "out": str(out),
            "err": str(err),
        }
        return Forked(self.ask(order)["pid"], self, out, err)

    def call(
        self, arguments: Sequence[str], environment: Mapping[str, str], tuning: Tuning | None = None
    ) -> Done:
        return self.start(arguments, environment, tuning).wait()

    def ask(self, order: Mapping[str, Any]) -> dict[str, int]:
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("the fork server has no pipes")
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer: dict[str, int] = json.loads(self._process.stdout.readline())
        return answer


def serve() -> None:
    """One order a line: start a command, or wait for one."""
    import log_aggregator.cli  # noqa: F401, PLC0415 - this is the import that is not to be paid for again and again

    threads = (
        len(list(Path("/proc/self/task").iterdir())) if Path("/proc/self/task").exists() else 1
    )
    if threads != 1:
        raise RuntimeError(
            f"{threads} threads: a fork would leave all but one behind, and their locks for "
            "ever locked"
        )
    for line in sys.stdin:
        order = json.loads(line)
        if "wait" in order:
            answer = {"code": os.waitstatus_to_exitcode(os.waitpid(order["wait"], 0)[1])}
        else:
            answer = {"pid": os.fork() or run_command(order)}
        print(json.dumps(answer), flush=True)


def run_command(order: Mapping[str, Any]) -> NoReturn:
    """In the child: everything that a process of its own would begin with, and the command line's
    entry point.
    """
    code = 70
    try:
        os.setsid()
        signal.alarm(SECONDS_MAX)
        for number, path in ((1, order["out"]), (2, order["err"])):
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), number)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.environ.clear()
        os.environ.update(order["environment"])
        tune(Tuning(**order["tuning"]))
        code = run_entry_point(order["arguments"])
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def run_entry_point(arguments: Sequence[str]) -> int:
    import traceback  # noqa: PLC0415

    from log_aggregator.cli import main  # noqa: PLC0415

    sys.argv = ["log-aggregator", *arguments]
    try:
        main()
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else 1
    except BaseException:
        traceback.print_exc()
        return 70


def tune(tuning: Tuning) -> None:
    """Shorter timeouts and fewer attempts than anybody can set, no pauses between them, another
    time of day.
    """
    from dataclasses import replace  # noqa: PLC0415
    from datetime import UTC, datetime, timedelta  # noqa: PLC0415

    import botocore.retries.standard  # noqa: PLC0415

    from log_aggregator import wiring  # noqa: PLC0415
    from log_aggregator.adapters.s3 import clients  # noqa: PLC0415
    from log_aggregator.steps import delete  # noqa: PLC0415

    as_in_real_life = wiring._client_settings
    ahead = timedelta(hours=tuning.clock_hours)

    def make_settings(connection: wiring.Connection, **limits: Any) -> clients.ClientSettings:
        settings = as_in_real_life(connection, **limits)
        return replace(
            settings, attempts_max=tuning.attempts_max, read_timeout_seconds=tuning.timeout_seconds
        )

    patches: list[tuple[Any, str, Any]] = [
        (wiring, "_client_settings", make_settings),
        (wiring.SystemClock, "now", lambda self: datetime.now(UTC) + ahead),
        (clients, "body_timeout_seconds", lambda settings: settings.read_timeout_seconds),
        (botocore.retries.standard.ExponentialBackoff, "delay_amount", lambda *_: 0.01),
        (delete, "_PAUSE_SECONDS", 0.005),
    ]
    for owner, name, value in patches:
        setattr(owner, name, value)


if __name__ == "__main__":
    serve()

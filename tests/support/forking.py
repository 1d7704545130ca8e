"""Processes that start quickly: a small server that has imported the command line and forks itself
for every command.

Starting an interpreter and importing everything takes 0.7 s, a fork some milliseconds. The child is
a process like any other: it has its own process group, environment and standard streams, runs the
entry point of the command line, and dies of SIGKILL. The server forks before any thread exists. It
has also read botocore's service models, because that is half of the work of a short command.

    with ForkServer() as forks:
        process = forks.start(["run", ...], environment)
        ... process.pid ...
        done = process.wait()
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Self

SECONDS_MAX = 900
"""A command that takes longer is ended by SIGALRM."""

OURS, AWS = "log_aggregator.__main__", "awscli.clidriver"
"""The command lines that can be run, each by the module that contains its `main`."""


@dataclass(frozen=True, slots=True)
class Tuning:
    """What is faster than in real life, so that a fault does not take a minute; and how wrong the
    clock is.
    """

    attempts_max: int = 4
    timeout_seconds: float = 20.0
    """Read timeout, for both clients."""
    clock_hours: float = 0.0


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended. `code` is minus the signal if one ended it."""

    code: int
    out: str
    err: str

    @property
    def result(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out)
        return found


@dataclass(frozen=True, slots=True)
class Forked:
    """A running command."""

    pid: int
    server: ForkServer
    out: Path
    err: Path

    def wait_for(self, seen: Callable[[], object]) -> bool:
        """Waits until it is seen; False if the command ended before."""
        while not seen():
            if self.server.ask({"poll": self.pid})["has_ended"]:
                return False
            time.sleep(0.01)
        return True

    def send_signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def wait(self) -> Done:
        """Waits until it ends. Processes are waited for one after the other, each for at most
        SECONDS_MAX.
        """
        code = self.server.ask({"wait": self.pid})["code"]
        done = Done(code, self.out.read_text(), self.err.read_text())
        for path in (self.out, self.err):
            path.unlink()
        return done


class ForkServer:
    """A context manager. Not thread safe. `loaded` are the modules to import in advance; by default
    all that our own commands need.
    """

    def __init__(self, *loaded: str) -> None:
        self._loaded = loaded

    def __enter__(self) -> Self:
        self._directory = tempfile.TemporaryDirectory(prefix="log-aggregator-forks-")
        self._count = 0
        self._process = subprocess.Popen(
            [sys.executable, __file__, *self._loaded],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
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
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        *,
        tuning: Tuning | None = None,
        program: str = OURS,
    ) -> Forked:
        self._count += 1
        out, err = (Path(self._directory.name) / f"{self._count}.{kind}" for kind in ("out", "err"))
        for path in (out, err):
            path.touch()
        order = {
            "program": program,
            "arguments": list(arguments),
            "environment": dict(environment),
            "tuning": asdict(tuning) if tuning else None,
            "out": str(out),
            "err": str(err),
        }
        return Forked(self.ask(order)["pid"], self, out, err)

    def call(
        self, arguments: Sequence[str], environment: Mapping[str, str], *, program: str = OURS
    ) -> Done:
        return self.start(arguments, environment, program=program).wait()

    def ask(self, order: Mapping[str, Any]) -> dict[str, int]:
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("the fork server has no pipes")
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer: dict[str, int] = json.loads(self._process.stdout.readline())
        return answer


def serve() -> None:
    """One order per line: start a command, or wait for one."""
    for name in sys.argv[1:]:
        importlib.import_module(name)
    if not sys.argv[1:]:
        import_commands()
        read_service_models()
    gc.freeze()  # the collector writes to everything it looks at; without it, pages stay shared
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
        if "poll" in order:
            ended = os.waitid(os.P_PID, order["poll"], os.WEXITED | os.WNOHANG | os.WNOWAIT)
            answer = {"has_ended": int(ended is not None)}
        elif "wait" in order:
            answer = {"code": os.waitstatus_to_exitcode(os.waitpid(order["wait"], 0)[1])}
        else:
            answer = {"pid": os.fork() or run_command(order)}
        print(json.dumps(answer), flush=True)


def import_commands() -> None:
    """Imports all of them: otherwise each is imported when it is used."""
    from log_aggregator.cli.commands import COMMANDS  # noqa: PLC0415

    for row in COMMANDS.values():
        module = row.place.partition(":")[0]
        if module.startswith("log_aggregator."):  # the lab has its own threads
            importlib.import_module(module)


def read_service_models() -> None:
    """From here on all sessions share one loader, as all clients of one session do."""
    import botocore.loaders  # noqa: PLC0415
    import botocore.session  # noqa: PLC0415

    loader = botocore.loaders.create_loader()
    botocore.session.create_loader = lambda *_: loader
    session = botocore.session.get_session()
    for service in ("s3", "sts", "cloudtrail"):
        session.create_client(
            service, "us-east-1", aws_access_key_id="none", aws_secret_access_key="none"
        )


def run_command(order: Mapping[str, Any]) -> NoReturn:
    """In the child: everything that a new process would begin with, and the command line's entry
    point.
    """
    code = 70
    try:
        os.setsid()
        # it may be ignored by whatever started the tests, such as nohup or cron
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.alarm(SECONDS_MAX)
        for number, path in ((1, order["out"]), (2, order["err"])):
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), number)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.environ.clear()
        os.environ.update(order["environment"])
        if order["tuning"]:
            tune(Tuning(**order["tuning"]))
        code = run_entry_point(order["program"], order["arguments"])
        # everything that matters when an interpreter ends: a thread that hangs is noticed
        threading._shutdown()  # type: ignore[attr-defined]
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def run_entry_point(program: str, arguments: Sequence[str]) -> int:
    import traceback  # noqa: PLC0415

    sys.argv = [program, *arguments]
    try:
        return int(importlib.import_module(program).main())
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else 1
    except BaseException:
        traceback.print_exc()
        return 70


def tune(tuning: Tuning) -> None:
    """Sets shorter timeouts and fewer attempts than a user can, no pauses between them, and another
    time of day.
    """
    from dataclasses import replace  # noqa: PLC0415
    from datetime import UTC, datetime, timedelta  # noqa: PLC0415

    import botocore.retries.bucket  # noqa: PLC0415
    import botocore.retries.standard  # noqa: PLC0415

    from log_aggregator import wiring  # noqa: PLC0415
    from log_aggregator.adapters.s3 import attempts, clients  # noqa: PLC0415
    from log_aggregator.steps.packing import delete  # noqa: PLC0415

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
        (attempts, "PAUSE_SECONDS_MAX", 0.01),
        (botocore.retries.standard.ExponentialBackoff, "delay_amount", lambda *_: 0.01),
        (botocore.retries.bucket.TokenBucket, "acquire", lambda *_, **__: True),
        (delete, "_PAUSE_SECONDS", 0.005),
    ]
    for owner, name, value in patches:
        setattr(owner, name, value)


if __name__ == "__main__":
    serve()

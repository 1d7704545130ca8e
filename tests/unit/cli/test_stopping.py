"""A stopped command, in a separate process: it says so immediately and ends soon, with exit code
130, whatever hangs.

In these tests anything slow is extreme: where a second would do, minutes are allowed, and where
minutes would pass, only the stop ends them.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest
from tests.support.stalling import STALLS, StallingServer, silent
from tests.support.waiting import SECONDS_MAX, wait_until

from log_aggregator.adapters.s3.deadlines import STOP_SECONDS
from log_aggregator.signals import ENDING_SECONDS_MAX
from log_aggregator.steps.workers import LEAVE_SECONDS_MAX

BEGIN = """
import signal
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_DFL)
"""
"""Nothing is inherited that these tests inherited."""
COMMAND = """
import dataclasses, sys
from log_aggregator import signals, wiring
from log_aggregator.__main__ import main

as_ever = wiring._client_settings
wiring._client_settings = lambda *arguments, **limits: dataclasses.replace(
    as_ever(*arguments, **limits),
    request_seconds={forever},
    read_timeout_seconds={forever},
    attempts_max=1,
)
signals.ENDING_SECONDS_MAX = {forever}
main()
"""
"""The entry point, where requests wait for ever, and only what a stop does can end them."""
WORKING = """
import contextlib, ctypes, sys, threading, time, types
from log_aggregator import signals
from log_aggregator.__main__ import main as enter
from log_aggregator.steps.workers import ThreadWorkers

signals.ENDING_SECONDS_MAX = {ending_seconds}

def hang(*_):
    print("hangs", flush=True)
    while True:
        time.sleep(60)

def hang_in_c():
    mutex = ctypes.create_string_buffer(256)
    ctypes.CDLL(None).pthread_mutex_lock(mutex)
    with contextlib.suppress(KeyboardInterrupt):  # where the signal comes before it hangs
        print("hangs", flush=True)
        ctypes.CDLL(None).pthread_mutex_lock(mutex)
    ctypes.CDLL(None).pthread_mutex_lock(mutex)

def hang_in_a_worker():
    with ThreadWorkers(groups=1, leave_seconds_max=0.1) as workers:
        list(workers.each(hang, [1]))

def hang_unheard():  # another thread gets the signal, and the main thread's wait goes on
    def take():
        time.sleep(0.3)  # where that is too short for the main thread to wait, it notices by itself
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)
    threading.Thread(target=take, daemon=True).start()
    threading.Event().wait()

def hang_while_cleaning_up():
    try:
        print("hangs", flush=True)
        time.sleep({forever})
    finally:
        while True:
            time.sleep(60)

sys.modules["log_aggregator.cli"] = types.SimpleNamespace(main={main})
enter()
"""
STOPPING = "log-aggregator: stopping ...\n"
GIVING_UP = "log-aggregator: stopped, without waiting for requests that still hang\n"
STOPPED = (
    "log-aggregator: stopped\n"
    "  What was finished stays, and nothing is half done. "
    "Start the same command again to continue.\n"
)
DAY = ("--date", "2026-03-14")
SOURCES = ("--control-tower-bucket", "logs", "--destination-bucket", "packs", *DAY)
RUN = ("run", "--delete-originals", *SOURCES)
COMMANDS = {
    "find": ("find", "--destination-bucket", "packs", *DAY),
    "plan": ("plan", *SOURCES),
    "run": RUN,
    "run several": (*RUN, "--other-buckets", "more-*", "--other-buckets", "others"),
    "verify": ("verify", "--destination-bucket", "packs", *DAY),
    "custody": ("custody", "verify", "--destination-bucket", "packs"),
    "doctor": ("doctor", "--control-tower-bucket", "logs", "--destination-bucket", "packs"),
}


def start(code: str, *arguments: str, endpoint_url: str = "") -> subprocess.Popen[str]:
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("AWS_") and not name.lower().endswith(("_proxy", "_bundle"))
    }
    environment |= {
        "AWS_ACCESS_KEY_ID": "k",
        "AWS_SECRET_ACCESS_KEY": "s",
        "AWS_REGION": "us-east-1",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_ENDPOINT_URL": endpoint_url,
    }
    return subprocess.Popen(
        [sys.executable, "-c", BEGIN + code, *arguments],
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    """The exit code and the messages, without the line break that click writes after ctrl-C."""
    try:
        _, said = process.communicate(timeout=SECONDS_MAX)
    finally:
        process.kill()
    return process.returncode, said.replace("\n\n", "\n")


class TestSilentServers:
    @pytest.mark.parametrize("command", COMMANDS)
    def test_every_command_can_be_stopped(self, command: str) -> None:
        """Each command is stopped while waiting for an answer that never comes."""
        code = COMMAND.format(forever=2 * SECONDS_MAX)
        with StallingServer(silent) as server:
            process = start(code, *COMMANDS[command], endpoint_url=server.endpoint_url)
            wait_until(lambda: server.connections or process.poll() is not None)
            process.send_signal(signal.SIGINT)
            assert finish(process) == (130, STOPPING + STOPPED)

    def test_json_reports_the_stop(self) -> None:
        """With --json there is a document on standard output, although nothing was done."""
        code = COMMAND.format(forever=2 * SECONDS_MAX)
        with StallingServer(silent) as server:
            process = start(code, *RUN, "--json", endpoint_url=server.endpoint_url)
            wait_until(lambda: server.connections or process.poll() is not None)
            process.send_signal(signal.SIGINT)
            try:
                out, _ = process.communicate(timeout=SECONDS_MAX)
            finally:
                process.kill()
        told = json.loads(out)
        assert (process.returncode, told["error"], told["exit_code"]) == (130, "Interrupted", 130)

    @pytest.mark.parametrize("stall", sorted(STALLS.keys() - {"silent"}))
    def test_a_stop_works_during_every_kind_of_stall(self, stall: str) -> None:
        """A stalled connection of any kind can be stopped."""
        code = COMMAND.format(forever=2 * SECONDS_MAX)
        with StallingServer(STALLS[stall]) as server:
            process = start(code, *RUN, endpoint_url=server.endpoint_url)
            wait_until(lambda: server.connections or process.poll() is not None)
            process.send_signal(signal.SIGTERM)
            assert finish(process) == (130, STOPPING + STOPPED)


class TestHanging:
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
    @pytest.mark.parametrize(
        ("main", "ending_seconds", "said"),
        [
            ("hang_in_a_worker", SECONDS_MAX, STOPPING),
            ("hang_while_cleaning_up", 0.1, STOPPING + GIVING_UP),
            pytest.param(
                "hang_in_c",
                0.1,
                STOPPING + GIVING_UP,
                marks=pytest.mark.skipif(sys.platform != "linux", reason="glibc's mutexes"),
            ),
        ],
    )
    def test_hanging_threads_are_abandoned(
        self, main: str, ending_seconds: float, said: str, number: signal.Signals
    ) -> None:
        """The process ends despite a thread that cannot be woken, a hanging clean-up, or a main
        thread that misses the signal.
        """
        process = start(
            WORKING.format(main=main, ending_seconds=ending_seconds, forever=2 * SECONDS_MAX)
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "hangs\n"
        process.send_signal(number)
        assert finish(process) == (130, said)

    def test_a_signal_missed_by_the_main_thread_is_handled(self) -> None:
        """The main thread waits forever; only a signal sent to it directly wakes it."""
        process = start(
            WORKING.format(main="hang_unheard", ending_seconds=SECONDS_MAX, forever=2 * SECONDS_MAX)
        )
        assert finish(process) == (130, STOPPING)

    def test_the_message_comes_before_the_end(self) -> None:
        """The message appears while the main thread still hangs."""
        process = start(
            WORKING.format(
                main="hang_while_cleaning_up",
                ending_seconds=2 * SECONDS_MAX,
                forever=2 * SECONDS_MAX,
            )
        )
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.stderr.readline() == STOPPING
        assert process.poll() is None
        process.kill()
        process.communicate()


def test_a_stop_takes_at_most_ten_seconds() -> None:
    """Workers have time for a write under way and its abort; after that there is time for two more
    requests.
    """
    assert 2 * STOP_SECONDS < LEAVE_SECONDS_MAX
    assert LEAVE_SECONDS_MAX + 2 * STOP_SECONDS < ENDING_SECONDS_MAX < 10

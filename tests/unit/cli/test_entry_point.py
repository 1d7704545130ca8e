"""The entry point, before anything else is loaded."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest
from tests.support.waiting import SECONDS_MAX

LOADING = """
import signal, sys

class Stop:
    def find_spec(self, name, *_):
        if name == "log_aggregator.cli":
            signal.raise_signal({number})

sys.meta_path.insert(0, Stop())
from log_aggregator.__main__ import main
main()
"""
WORKING = """
import signal, sys, types

def main():
    try:
        signal.raise_signal({number})
    finally:
        signal.raise_signal({number})
        print("cleaned up")

sys.modules["log_aggregator.cli"] = types.SimpleNamespace(main=main)
from log_aggregator.__main__ import main
main()
"""
ENDING = """
import atexit, signal, sys, types

sys.modules["log_aggregator.cli"] = types.SimpleNamespace(main=lambda: None)
from log_aggregator.__main__ import main

atexit.register(signal.raise_signal, {number})
main()
"""
INHERITING = """
import signal
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN if number in {ignored} else signal.SIG_DFL)
"""
STOPPING = "log-aggregator: stopping ...\n"
SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


def call(code: str, *ignored: int) -> subprocess.CompletedProcess[str]:
    """A new interpreter that inherited nothing but this, whatever these tests inherited."""
    code = INHERITING.format(ignored=tuple(map(int, ignored))) + code
    return subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        text=True,
        capture_output=True,
        timeout=SECONDS_MAX,
    )


@pytest.mark.parametrize("number", SIGNALS)
def test_stopped_while_all_else_is_loaded(number: int) -> None:
    """Exit code 130 and one line, as at any other time."""
    done = call(LOADING.format(number=int(number)))
    assert (done.returncode, done.stdout, done.stderr) == (
        130,
        "",
        "log-aggregator: stopped before it began\n",
    )


def test_programs_are_told_so_too() -> None:
    """With --json there is a document, though the program that would write it is not loaded yet."""
    done = call("import sys; sys.argv.append('--json')" + LOADING.format(number=int(SIGNALS[0])))
    told = json.loads(done.stdout)
    assert (done.returncode, told["exit_code"], told["error"]) == (130, 130, "Interrupted")


@pytest.mark.parametrize("number", SIGNALS)
def test_stopped_while_it_works(number: int) -> None:
    """Exit code 130, and what cleans up comes to its end, though the signal comes twice."""
    done = call(WORKING.format(number=int(number)))
    assert (done.returncode, done.stdout, done.stderr) == (130, "cleaned up\n", STOPPING)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("code", [LOADING, WORKING], ids=["loading", "working"])
def test_what_was_ignored_stops_it_too(code: str, number: int) -> None:
    """As in the background of a shell, which ignores SIGINT for all that it starts there."""
    done = call(code.format(number=int(number)), number)
    assert done.returncode == 130


def test_nohup_is_heeded() -> None:
    """Where SIGHUP is ignored a closed terminal ends nothing."""
    done = call(WORKING.format(number=int(signal.SIGHUP)), signal.SIGHUP)
    assert (done.returncode, done.stdout) == (0, "cleaned up\n")


def test_the_entry_point_loads_next_to_nothing_by_itself() -> None:
    """Until then a signal is Python's own matter."""
    asks = (
        "import sys, log_aggregator.__main__; print(sorted(name for name in sys.modules if "
        "name.startswith('log_aggregator')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", asks],
        check=True,
        text=True,
        capture_output=True,
        timeout=SECONDS_MAX,
    )
    names = ["", ".__main__", ".errors", ".escapes", ".signals"]
    assert done.stdout.strip() == str([f"log_aggregator{name}" for name in names])


def test_it_is_the_command_line() -> None:
    """`python -m log_aggregator` is `log-aggregator`."""
    done = subprocess.run(
        [sys.executable, "-m", "log_aggregator", "--version"],
        check=True,
        text=True,
        capture_output=True,
        timeout=SECONDS_MAX,
    )
    assert done.stdout.startswith("log-aggregator, version ")


@pytest.mark.parametrize("number", SIGNALS)
def test_stopped_when_all_is_done(number: signal.Signals) -> None:
    """The exit code is that of what was done."""
    done = call(ENDING.format(number=int(number)))
    assert (done.returncode, done.stderr) == (0, "")

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
    """Run a new interpreter that inherits exactly these ignored signals, whatever the tests
    inherited.
    """
    code = INHERITING.format(ignored=tuple(map(int, ignored))) + code
    return subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        text=True,
        capture_output=True,
        timeout=SECONDS_MAX,
    )


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_while_loading_exits_with_130(number: int) -> None:
    """A signal during imports gives exit code 130 and one line, as at any other time."""
    done = call(LOADING.format(number=int(number)))
    assert (done.returncode, done.stdout, done.stderr) == (
        130,
        "",
        "log-aggregator: stopped before it began\n",
    )


def test_json_reports_a_signal_while_loading() -> None:
    """With --json there is a document, although the code that writes it is not loaded yet."""
    done = call("import sys; sys.argv.append('--json')" + LOADING.format(number=int(SIGNALS[0])))
    told = json.loads(done.stdout)
    assert (done.returncode, told["exit_code"], told["error"]) == (130, 130, "Interrupted")


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_while_working_exits_with_130(number: int) -> None:
    """The exit code is 130 and clean-up finishes, even if the signal comes twice."""
    done = call(WORKING.format(number=int(number)))
    assert (done.returncode, done.stdout, done.stderr) == (130, "cleaned up\n", STOPPING)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("code", [LOADING, WORKING], ids=["loading", "working"])
def test_an_ignored_interrupt_still_stops_it(code: str, number: int) -> None:
    """SIGINT stops a program that inherited it as ignored, as in the background of a shell."""
    done = call(code.format(number=int(number)), number)
    assert done.returncode == 130


def test_nohup_is_respected() -> None:
    """Where SIGHUP is ignored, closing the terminal does not end the program."""
    done = call(WORKING.format(number=int(signal.SIGHUP)), signal.SIGHUP)
    assert (done.returncode, done.stdout) == (0, "cleaned up\n")


def test_the_entry_point_imports_almost_nothing() -> None:
    """Until the entry point runs, Python handles signals."""
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


def test_python_m_runs_the_command_line() -> None:
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
def test_a_signal_at_the_end_keeps_the_exit_code(number: signal.Signals) -> None:
    """The exit code is that of the finished work."""
    done = call(ENDING.format(number=int(number)))
    assert (done.returncode, done.stderr) == (0, "")

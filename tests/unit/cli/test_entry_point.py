"""The entry point, before anything else is loaded."""

from __future__ import annotations

import subprocess
import sys

STOPPED_WHILE_LOADING = """
import sys

class Stop:
    def find_spec(self, name, *_):
        if name == "log_aggregator.cli":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Stop())
from log_aggregator.__main__ import main
main()
"""


def test_ctrl_c_while_all_else_is_loaded() -> None:
    """Exit code 130 and one line, as at any other time."""
    done = subprocess.run(
        [sys.executable, "-c", STOPPED_WHILE_LOADING],
        check=False,
        text=True,
        capture_output=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (
        130,
        "",
        "log-aggregator: stopped before it began\n",
    )


def test_the_entry_point_loads_nothing_by_itself() -> None:
    """Until then a ctrl-C is Python's own."""
    asks = (
        "import sys, log_aggregator.__main__; print(sorted(name for name in sys.modules if "
        "name.startswith('log_aggregator')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", asks], check=True, text=True, capture_output=True, timeout=60
    )
    assert done.stdout.strip() == "['log_aggregator', 'log_aggregator.__main__']"


def test_it_is_the_command_line() -> None:
    """`python -m log_aggregator` is `log-aggregator`."""
    done = subprocess.run(
        [sys.executable, "-m", "log_aggregator", "--version"],
        check=True,
        text=True,
        capture_output=True,
        timeout=60,
    )
    assert done.stdout.startswith("log-aggregator, version ")


LATE = """
import atexit, os, signal
from log_aggregator.__main__ import main

atexit.register(os.kill, os.getpid(), signal.SIGINT)
main()
"""


def test_ctrl_c_when_all_is_done_changes_nothing() -> None:
    """The exit code is that of what was done."""
    done = subprocess.run(
        [sys.executable, "-c", LATE, "--version"],
        check=False,
        text=True,
        capture_output=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")

"""Long pages on a terminal go through a pager."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from log_aggregator.cli.paging import LESS, find_pager

SECONDS_MAX = 120
SHOW = """
import sys
from log_aggregator.cli.paging import page_report
from log_aggregator.cli.printing import guard_streams
guard_streams()
lines = [f"line {n} \\x1b[31m" for n in range(int(sys.argv[1]))]
page_report({"json": True}, lines, as_json=len(sys.argv) > 2)
print("after")
"""
PAGER = f"""#!{sys.executable}
import sys
print("PAGED", sys.stdin.read().count(chr(10)))
"""


@pytest.fixture
def pager(tmp_path: Path) -> str:
    path = tmp_path / "pager"
    path.write_text(PAGER, encoding="utf-8")
    path.chmod(0o700)
    return str(path)


def show(*words: str, pager: str) -> str:
    """Run it on a terminal of 10 lines."""
    terminal, its_end = pty.openpty()
    fcntl.ioctl(its_end, termios.TIOCSWINSZ, struct.pack("HHHH", 10, 80, 0, 0))
    shown = b""
    with os.fdopen(terminal, "rb", buffering=0) as screen:
        with os.fdopen(its_end, "wb") as out:
            subprocess.run(
                [sys.executable, "-c", SHOW, *words],
                check=True,
                stdout=out,
                timeout=SECONDS_MAX,
                env=dict(os.environ) | {"LOG_AGGREGATOR_PAGER": pager},
            )
        while b"after" not in shown:
            shown += screen.read(65536)
    return shown.decode()


def test_a_long_page_goes_through_the_pager(pager: str) -> None:
    """A line stays one line whatever is in it, and the command continues after the pager."""
    assert show("40", pager=pager).split() == ["PAGED", "40", "after"]


@pytest.mark.parametrize(("words", "first"), [(("5",), "line 0"), (("40", "json"), "{")])
def test_short_pages_and_json_are_not_paged(pager: str, words: tuple[str, ...], first: str) -> None:
    shown = show(*words, pager=pager)
    assert shown.startswith(first)
    assert "\x1b" not in shown


@pytest.mark.parametrize("none", ["", "cat", "no-such-pager", "'"])
def test_a_broken_pager_is_ignored(none: str) -> None:
    assert show("40", pager=none).count("line") == 40


def test_output_to_a_pipe_is_not_paged(pager: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SHOW, "40"],
        check=True,
        capture_output=True,
        timeout=SECONDS_MAX,
        env=dict(os.environ) | {"LOG_AGGREGATOR_PAGER": pager},
    )
    assert done.stdout.count(b"line") == 40


def test_the_first_pager_variable_wins(monkeypatch: pytest.MonkeyPatch, pager: str) -> None:
    """The program's own variable precedes the general one; without either it is less, if
    installed.
    """
    monkeypatch.setenv("PAGER", "cat")
    monkeypatch.setenv("LOG_AGGREGATOR_PAGER", f"{pager} --more")
    assert list(find_pager()) == [pager, "--more"]
    monkeypatch.delenv("LOG_AGGREGATOR_PAGER")
    assert not find_pager()
    monkeypatch.delenv("PAGER")
    monkeypatch.setattr("shutil.which", lambda name: f"/bin/{name}")
    assert find_pager() == LESS

"""Output that bypasses a command's own printing: it is escaped too."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
import tty

import click
import pytest

from log_aggregator.cli import printing
from log_aggregator.cli.progress.bars import make_changing_line

SECONDS_MAX = 120
HARM = "\x1b]0;owned\x07"
BUG = f"""
import sys, types

def main(**_):
    raise RuntimeError({HARM!r} + chr(10) + "forged")

import log_aggregator.cli as cli
cli.commands.main = main
from log_aggregator.__main__ import main as run
run()
"""
SAY = """
import sys
from log_aggregator.cli.printing import guard_streams, print_json, print_line
guard_streams()
guard_streams()
print_line("ü 日 \\x1b")
print_json({"key": "ü 日 \\x9b"})
"""


def call(script: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-c", script],
        check=False,
        capture_output=True,
        timeout=SECONDS_MAX,
        env=dict(os.environ) | environment,
    )


def test_the_traceback_of_a_bug_is_escaped() -> None:
    """The traceback may quote data. Its line breaks are Python's own and stay, so it is
    readable.
    """
    done = call(BUG)
    assert done.returncode == 1
    assert b"\nTraceback (most recent call last)" in b"\n" + done.stderr
    assert rb"RuntimeError: \x1b]0;owned\x07" in done.stderr
    assert b"\x1b" not in done.stderr


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("utf-8", "ü 日 \\x1b"),
        ("ascii", "ü 日 \\x1b"),  # as click has it: no locale is set, and the terminal knows UTF-8
        ("latin-1", "ü \\u65e5 \\x1b"),
    ],
)
def test_characters_missing_from_the_encoding_are_escaped(encoding: str, shown: str) -> None:
    """Characters that the encoding lacks are escaped, and JSON stays valid."""
    done = call(SAY, PYTHONIOENCODING=encoding, PYTHONUTF8="0")
    known = "utf-8" if encoding == "ascii" else encoding
    line, *document = done.stdout.decode(known).splitlines()
    assert (done.returncode, line) == (0, shown)
    assert document[1].replace("\\u65e5", "日") == '  "key": "ü 日 \\u009b"'


def guard_streams(monkeypatch: pytest.MonkeyPatch) -> tuple[io.StringIO, io.StringIO]:
    """The guard on streams made for this test."""
    out, err = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    printing.guard_streams()
    return out, err


def test_every_way_of_printing_is_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    """print, writelines and click are all escaped; line breaks stay."""
    out, err = guard_streams(monkeypatch)
    print(f"a{HARM}\nb")  # noqa: T201 - as anybody may
    sys.stdout.writelines(["c\t", "d\n"])
    click.echo(f"e{HARM}", err=True)  # noqa: TID251 - what it is not to be used for
    assert out.getvalue() == "a\\x1b]0;owned\\x07\nb\nc\\td\n"
    assert err.getvalue() == "e\\x1b]0;owned\\x07\n"


def test_each_line_stays_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row is one line whatever is in it; the only tabs are our own."""
    out, err = guard_streams(monkeypatch)
    printing.print_lines(["a\nb", "c\td"])
    printing.print_lines(["e\nf\tg\x1b"], tabbed=True)
    printing.print_line("h\r", err=True)
    printing.print_heading("i\x9b")
    assert out.getvalue() == "a\\nb\nc\\td\ne\\nf\tg\\x1b\n\ni\\x9b\n"
    assert err.getvalue() == "h\\r\n"


def test_progress_bars_keep_their_colours() -> None:
    """A bar bypasses the guard because all its text is ours; anything else written meanwhile is
    escaped.
    """
    terminal, its_end = pty.openpty()
    tty.setraw(its_end)
    script = (
        "import sys\n"
        "from log_aggregator.cli.printing import guard_streams\n"
        "from log_aggregator.cli.progress.counting import show_bar\n"
        "guard_streams()\n"
        "with show_bar('verifying', 3) as show:\n"
        "    show(1)\n"
        "    sys.stderr.write('stray\\x1b[2J\\n')\n"
    )
    with os.fdopen(terminal, "rb", buffering=0) as screen:
        with os.fdopen(its_end, "wb") as err:
            done = subprocess.run(
                [sys.executable, "-c", script],
                check=False,
                stderr=err,
                timeout=SECONDS_MAX,
                env=dict(os.environ) | {"TERM": "xterm-256color"},
            )
        shown = screen.read(65536)
    assert done.returncode == 0
    assert b"\x1b[" in shown
    assert b"verifying" in shown
    assert b"stray\\x1b[2J" in shown
    assert make_changing_line().console.file is printing.own_stream(sys.stderr)


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "utf-8"])
def test_progress_bars_use_characters_of_the_terminal(encoding: str) -> None:
    """A spinner whose dots the terminal's encoding lacks is not drawn as escapes."""
    terminal, its_end = pty.openpty()
    script = (
        "from log_aggregator.cli.printing import guard_streams\n"
        "from log_aggregator.cli.progress.counting import show_bar\n"
        "guard_streams()\n"
        "with show_bar('verifying', 3) as show:\n"
        "    show(1)\n"
    )
    with os.fdopen(terminal, "rb", buffering=0) as screen:
        with os.fdopen(its_end, "wb") as err:
            subprocess.run(
                [sys.executable, "-c", script],
                check=True,
                stderr=err,
                timeout=SECONDS_MAX,
                env=dict(os.environ) | {"TERM": "xterm", "PYTHONIOENCODING": encoding},
            )
        shown = screen.read(65536)
    assert b"verifying" in shown
    assert b"\\u" not in shown

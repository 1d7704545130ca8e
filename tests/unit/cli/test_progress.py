"""How something long is going, where no terminal is."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.waiting import SECONDS_MAX

from log_aggregator.cli.progress.counting import show_bar


def test_lines_come_seldom_and_on_standard_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One every ten seconds; none where the total is not known, and nothing on standard output."""
    now = [0.0]
    monkeypatch.setattr("log_aggregator.cli.progress.counting.time.monotonic", lambda: now[0])
    for total in (600, None):
        with show_bar("verifying", total) as show:
            for done in range(1, 31):
                now[0] += 1
                show(done)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "verifying: 10 of 600",
        "verifying: 20 of 600",
        "verifying: 30 of 600",
    ]


def test_a_bar_shares_the_terminal_with_nothing(tmp_path: Path) -> None:
    """Beside a terminal for standard error: what goes to a terminal or into a pipe may come out
    there, what goes into a file does not.
    """
    asks = (
        "import sys; from log_aggregator.cli.progress.counting import shares_terminal; "
        "sys.exit(shares_terminal())"
    )
    terminal, its_end = pty.openpty()
    try:
        with (tmp_path / "file").open("wb") as file:
            for out, err, shares in (
                (its_end, its_end, 1),
                (subprocess.PIPE, its_end, 1),
                (file, its_end, 0),
                (its_end, subprocess.PIPE, 0),
            ):
                assert (
                    subprocess.run(
                        [sys.executable, "-c", asks],
                        check=False,
                        stdout=out,
                        stderr=err,
                        timeout=SECONDS_MAX,
                    ).returncode
                    == shares
                )
    finally:
        os.close(terminal)
        os.close(its_end)

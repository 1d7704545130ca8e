"""How something long is going, where no terminal is."""

from __future__ import annotations

import pytest

from log_aggregator.reports.progress import show_bar


def test_lines_come_seldom_and_on_standard_error(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """One every ten seconds; none where the total is not known, and nothing on standard output."""
    now = [0.0]
    monkeypatch.setattr("log_aggregator.reports.progress.time.monotonic", lambda: now[0])
    for total in (600, None):
        with show_bar("verifying", total) as show:
            for done in range(1, 31):
                now[0] += 1
                show(done)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == ["verifying: 10 of 600", "verifying: 20 of 600", "verifying: 30 of 600"]

"""Progress of a long operation, without a terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from tests.support.waiting import SECONDS_MAX

from log_aggregator.cli.progress.counting import show_bar
from log_aggregator.cli.progress.rate import Rates
from log_aggregator.cli.progress.run import PLANNING, BarProgress, LineProgress, make_progress
from log_aggregator.core.windows import DateWindow
from log_aggregator.errors import Failure
from log_aggregator.model import Group
from log_aggregator.steps.packing.results import GroupResult

GROUP = Group("logs", "CloudTrail", "111111111111", date(2025, 4, 3))
FAILURE = Failure("logs", "AccessDenied", "no", "grant it")


def test_progress_lines_are_rare_and_on_standard_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """There is one line every ten seconds on standard error, and none while the total is
    unknown.
    """
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


def test_a_bar_does_not_share_the_terminal(tmp_path: Path) -> None:
    """With standard error on a terminal, output to a terminal or a pipe may appear there as well;
    output to a file does not.
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


def test_a_rate_covers_the_last_half_minute() -> None:
    """An hour-old burst does not count, and in the first second there is no rate."""
    now = [0.0]
    rates = Rates(lambda: now[0])
    rates.take(0)
    now[0] = 0.5
    rates.take(100)
    assert rates.read() is None
    for second in range(1, 61):
        now[0] = float(second)
        rates.take(100 + 10 * second if second <= 20 else 300)
    assert rates.read() == (0.0,)
    now[0] = 60.5
    rates.take(300 + 305)
    (rate,) = rates.read() or (0.0,)
    assert rate == pytest.approx(10.0, rel=0.05)


def test_lines_show_the_progress_of_a_window(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each line has the days, the share done, the rate, the current step and the failures."""
    now = [0.0]
    monkeypatch.setattr("log_aggregator.cli.progress.run.time.monotonic", lambda: now[0])
    whole = DateWindow(date(2025, 4, 1), date(2025, 4, 21))
    with LineProgress() as progress:
        monkeypatch.setattr(progress, "_rates", Rates(lambda: now[0]))
        progress.days(DateWindow(date(2025, 4, 8), date(2025, 4, 14)), whole)
        progress.planned(2, 1_500)
        progress.working(GROUP, "combine")
        progress.packing(GROUP, 100, 100_000)
        now[0] = 11.0
        progress.packing(GROUP, 110, 110_000)
        failed = GroupResult(GROUP, bytes_in=700_000, failures=[FAILURE])
        progress.settled(failed, 700)
        now[0] = 22.0
        progress.deleted(replace(GROUP, account="222222222222"), 210)
    assert capsys.readouterr().err.splitlines() == [
        "2025-04-08 to 2025-04-14: days 8-14 of 21",
        "packing 1,500 log objects in 2 groups",
        "210 of 1,500 log objects: 210.0 KB · packing 1",
        "failed: logs: no",
        "700 of 1,500 log objects: 700.0 KB · 45/s, 44.5 KB/s · 210 originals deleted · 1 failure",
    ]


def test_planning_does_not_sound_like_packing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A plan's progress mentions neither bytes, nor packing, nor the records of a run's end."""
    now = [0.0]
    monkeypatch.setattr("log_aggregator.cli.progress.run.time.monotonic", lambda: now[0])
    with make_progress(is_quiet=False, doing=PLANNING) as progress:
        monkeypatch.setattr(progress, "_rates", Rates(lambda: now[0]))
        progress.planned(2, 1_500)
        now[0] = 11.0
        progress.settled(GroupResult(GROUP), 700)
        now[0] = 22.0
        progress.settled(GroupResult(replace(GROUP, account="2" * 12), failures=[FAILURE]), 800)
    assert capsys.readouterr().err.splitlines() == [
        "planning 1,500 log objects in 2 groups",
        "700 of 1,500 log objects",
        "1,500 of 1,500 log objects: 73/s · 1 failure",
        "failed: logs: no",
    ]
    bar = BarProgress(PLANNING)
    assert bar.describe(progress.read()) == "1 failure"


@pytest.mark.parametrize("what", ["run", "count"])
def test_a_stop_is_announced_below_the_bar(what: str) -> None:
    """The message appears immediately and before any other, because work under way may take
    seconds.
    """
    done = subprocess.run(
        [sys.executable, "-c", STOPPED[what]],
        check=True,
        capture_output=True,
        timeout=SECONDS_MAX,
    )
    assert b"stopping ..." in done.stdout, done


STOPPED = {
    "run": """
from log_aggregator import signals
from log_aggregator.cli.progress.run import BarProgress
with BarProgress() as progress:
    progress.planned(1, 10)
    for call in signals._calls:
        call()
    print(progress._bar._render().renderables[1])
assert not signals._calls
""",
    "count": """
from log_aggregator import signals
from log_aggregator.cli.progress.bars import showing_bar
with showing_bar("uploading", 3) as bar:
    for call in signals._calls:
        call()
    print(bar._render().renderables[1])
assert not signals._calls
""",
}


def test_the_bar_restarts_for_each_window() -> None:
    """Its total is the log objects of the current window, however many came before."""
    progress = BarProgress()
    for objects in (0, 3, 7, 2):
        progress.listed(1)
        progress._show()
        assert task_of(progress) == ("listing", None, 0)
        progress.days(DateWindow(GROUP.date, GROUP.date), DateWindow(GROUP.date, date(2025, 5, 3)))
        progress.planned(1, objects)
        progress._show()
        assert task_of(progress) == ("days 1-1 of 31", objects, 0)
        progress.settled(GroupResult(GROUP, packed=objects), objects)
        progress._show()
        assert task_of(progress) == ("days 1-1 of 31", objects, objects)


def task_of(progress: BarProgress) -> tuple[str, float | None, float]:
    (task,) = progress._bar._bars.tasks
    return task.description, task.total, task.completed

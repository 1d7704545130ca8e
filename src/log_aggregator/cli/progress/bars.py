"""Progress bars on the terminal that standard error goes to."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from log_aggregator.cli.printing import own_stream
from log_aggregator.signals import when_stopped


def make_counting_bars() -> Progress:
    """How much is done of how much, and how long the rest will take."""
    return _make(
        _make_spinner(),
        TextColumn("{task.description:<10}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )


def make_waiting_bars() -> Progress:
    """The same without the time left, for work that others do at their own pace."""
    return _make(
        _make_spinner(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )


def make_changing_line() -> Progress:
    """A text that changes, where the total is not known."""
    return _make(_make_spinner(), TextColumn("{task.description}"), TimeElapsedColumn())


def _make_spinner() -> SpinnerColumn:
    """Plain characters where the terminal's encoding lacks the usual dots."""
    is_unicode = own_stream(sys.stderr).encoding.lower().startswith("utf")
    return SpinnerColumn("dots" if is_unicode else "line")


class BarWithText:
    """A bar that can start again, with some text below it. Not thread safe: only one thread may
    update it, or only `look`, which is called whenever it is drawn.
    """

    def __init__(self, look: Callable[[], None] = lambda: None) -> None:
        self._look, self._is_started = look, False
        self._bars = make_counting_bars()
        self._task = self._bars.add_task("listing", total=None)
        self._text = self._said = ""
        self._is_waiting = True
        self._live = Live(
            console=self._bars.console,
            get_renderable=self._render,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def start(self) -> None:
        self._is_started = True
        self._live.start()

    def stop(self) -> None:
        self._live.stop()

    def begin(self, total: int | None, what: str = "") -> None:
        """Starts again from zero with a new total, and a new estimate of the time left."""
        self._restart(what, total)
        self._is_waiting = False

    def show(self, what: str, done: int, text: str) -> None:
        self._bars.update(self._task, description=what, completed=done)
        self._text = text

    def show_waiting(self, what: str, text: str) -> None:
        """While the total is not known."""
        if not self._is_waiting:
            self._restart(what, None)
            self._is_waiting = True
        self._text = text

    def say(self, text: str) -> None:
        """Shows this text first below the bar, immediately and from now on. From any thread."""
        self._said = f"{text} "
        self._live.refresh()

    def _restart(self, what: str, total: int | None) -> None:
        """Puts a new task in its place, because rich cannot unset a total."""
        self._bars.remove_task(self._task)
        self._task = self._bars.add_task(what, total=total)

    def _render(self) -> Group:
        if self._is_started:  # rich draws it once while it is made
            self._look()
        line = Text(f"  {self._said}{self._text}", no_wrap=True, overflow="ellipsis")
        return Group(self._bars.get_renderable(), line)


@contextmanager
def showing_bar(what: str, total: int | None) -> Iterator[BarWithText]:
    """Shows a bar until the block ends. A stop is shown on it immediately."""
    bar = BarWithText()
    bar.begin(total, what)
    bar.start()
    take_back = when_stopped(lambda: bar.say("stopping ..."))
    try:
        yield bar
    finally:
        take_back()
        bar.stop()


def _make(*columns: ProgressColumn) -> Progress:
    """Writes below the guard, because its colours and cursor moves are our own. Output of others
    does not go through the bar.
    """
    return Progress(
        *columns,
        console=Console(file=own_stream(sys.stderr)),
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )

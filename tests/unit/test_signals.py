"""Signals that stop a command."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator

import pytest
from tests.support.waiting import SECONDS_MAX

from log_aggregator import signals
from log_aggregator.signals import (
    answering_stops,
    interrupt,
    leave,
    on_stop,
    send_again,
    when_giving_up,
    when_stopped,
)

ALL = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Restores pytest's own handlers."""
    before = {number: signal.getsignal(number) for number in ALL}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def is_stopped_by(number: signal.Signals) -> bool:
    """Whether the signal raises KeyboardInterrupt, which would end pytest."""
    try:
        signal.raise_signal(number)
    except KeyboardInterrupt:
        return True
    return False


@pytest.mark.parametrize("number", ALL)
def test_every_signal_acts_like_ctrl_c(number: signal.Signals) -> None:
    """They differ only in the sender."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    on_stop(interrupt)
    assert is_stopped_by(number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ignored_signals_are_handled(number: signal.Signals) -> None:
    """The parent process may have inherited the ignored signal itself."""
    signal.signal(number, signal.SIG_IGN)
    on_stop(interrupt)
    assert is_stopped_by(number)


def test_nohup_is_respected() -> None:
    """Closing the terminal does not end a program started with nohup."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    on_stop(interrupt)
    assert not is_stopped_by(signal.SIGHUP)


def test_a_signal_interrupts_only_once() -> None:
    """Clean-up is not interrupted, in whatever handler; a signal after it is a new stop."""
    on_stop(interrupt)
    stopped_again = []
    try:
        try:
            signal.raise_signal(signal.SIGINT)
        finally:
            stopped_again.append(is_stopped_by(signal.SIGTERM))
    except KeyboardInterrupt:
        stopped_again.append(is_stopped_by(signal.SIGINT))
        try:
            int("another error")
        except ValueError:
            stopped_again.append(is_stopped_by(signal.SIGINT))
    assert stopped_again == [False, False, False]
    assert is_stopped_by(signal.SIGINT)


def test_another_error_is_not_a_stop() -> None:
    """ctrl-C while another error is handled counts as a stop."""
    on_stop(interrupt)
    try:
        int("another error")
    except ValueError:
        assert is_stopped_by(signal.SIGINT)


def test_a_lost_interrupt_is_raised_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception raised while a generator is freed is lost."""

    def stopped_when_freed() -> Iterator[None]:
        try:
            yield
        finally:
            signal.raise_signal(signal.SIGINT)

    def go_on() -> None:
        next(stopped_when_freed())
        threading.Event().wait(SECONDS_MAX)

    on_stop(interrupt)
    monkeypatch.setattr(sys, "unraisablehook", send_again)
    with pytest.raises(KeyboardInterrupt):
        go_on()


def test_registered_callbacks_are_called(monkeypatch: pytest.MonkeyPatch) -> None:
    """Callbacks run in reverse order; removed ones do not, and an error stops none."""
    called: list[str] = []

    def fail() -> None:
        called.append("fails")
        raise OSError

    def end(code: int) -> None:
        called.append(str(code))
        ended.set()

    monkeypatch.setattr(signals, "_calls", [])
    monkeypatch.setattr(signals, "_last_word", lambda: None)
    when_giving_up(lambda: called.append("last word"))
    ended = threading.Event()
    monkeypatch.setattr(signals, "ENDING_SECONDS_MAX", 0)
    monkeypatch.setattr("os._exit", end)
    on_stop(interrupt)
    when_stopped(lambda: called.append("first"))
    take_back = when_stopped(lambda: called.append("taken back"))
    when_stopped(fail)
    when_stopped(lambda: called.append("last"))
    take_back()
    with answering_stops():
        assert is_stopped_by(signal.SIGTERM)
        ended.wait(SECONDS_MAX)
    assert called == ["last", "fails", "first", "last word", "130"]


def test_a_stop_is_announced_once(capfd: pytest.CaptureFixture[str]) -> None:
    """The number of signals, and which thread notices first, do not matter."""
    on_stop(interrupt)
    signals._word = signals._Word()
    for number in ALL[:2] * 3:
        assert is_stopped_by(number)
    assert capfd.readouterr().err == "log-aggregator: stopping ...\n"


def test_on_a_terminal_the_message_has_its_own_line(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """After a bar or the terminal's ^C it would be cut off."""
    monkeypatch.setattr("os.isatty", lambda _: True)
    signals._Word().say()
    assert capfd.readouterr().err == "\nlog-aggregator: stopping ...\n"


def test_threads_are_waited_for_without_a_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads are waited for, as usual."""
    monkeypatch.setattr("os._exit", lambda _: pytest.fail("it left"))
    ended = threading.Event()
    thread = threading.Thread(target=ended.wait)
    thread.start()
    with answering_stops():
        leave(0)
    ended.set()
    thread.join()


def test_the_handler_leaves_nothing_behind() -> None:
    """Without a stop, neither the thread nor its wake-up descriptor remains."""
    before = threading.enumerate()
    with answering_stops():
        started = [thread for thread in threading.enumerate() if thread not in before]
    for thread in started:
        thread.join()
    assert [thread.name for thread in started] == ["stops"]
    assert signal.set_wakeup_fd(-1) == -1

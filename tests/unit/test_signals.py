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
    """pytest's own are put back."""
    before = {number: signal.getsignal(number) for number in ALL}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def is_stopped_by(number: signal.Signals) -> bool:
    """Whether it raises KeyboardInterrupt, which would end pytest."""
    try:
        signal.raise_signal(number)
    except KeyboardInterrupt:
        return True
    return False


@pytest.mark.parametrize("number", ALL)
def test_each_is_a_ctrl_c(number: signal.Signals) -> None:
    """They differ in who sends them."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    on_stop(interrupt)
    assert is_stopped_by(number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_was_ignored_is_not_any_more(number: signal.Signals) -> None:
    """Whoever started us may have inherited that from somebody."""
    signal.signal(number, signal.SIG_IGN)
    on_stop(interrupt)
    assert is_stopped_by(number)


def test_nohup_is_heeded() -> None:
    """A closed terminal does not end what was started with nohup."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    on_stop(interrupt)
    assert not is_stopped_by(signal.SIGHUP)


def test_it_comes_once() -> None:
    """What cleans up is not interrupted, wherever it stands; what comes later is a stop of its
    own.
    """
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


def test_another_error_is_no_stop() -> None:
    """While a failure is handled, a ctrl-C is one."""
    on_stop(interrupt)
    try:
        int("another error")
    except ValueError:
        assert is_stopped_by(signal.SIGINT)


def test_a_lost_one_comes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is raised while a generator is freed goes nowhere."""

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


def test_whoever_has_to_know_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    """What came last comes first; what was taken back does not, and an error stops none of them."""
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


def test_it_is_said_once(capfd: pytest.CaptureFixture[str]) -> None:
    """However often the signal comes, and whoever hears of it first."""
    on_stop(interrupt)
    signals._word = signals._Word()
    for number in ALL[:2] * 3:
        assert is_stopped_by(number)
    assert capfd.readouterr().err == "log-aggregator: stopping ...\n"


def test_on_a_terminal_it_has_a_line_of_its_own(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Behind a bar, or the ^C that the terminal shows, it would be cut off."""
    monkeypatch.setattr("os.isatty", lambda _: True)
    signals._Word().say()
    assert capfd.readouterr().err == "\nlog-aggregator: stopping ...\n"


def test_nobody_leaves_without_a_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads are waited for, as ever."""
    monkeypatch.setattr("os._exit", lambda _: pytest.fail("it left"))
    ended = threading.Event()
    thread = threading.Thread(target=ended.wait)
    thread.start()
    with answering_stops():
        leave(0)
    ended.set()
    thread.join()


def test_nothing_stays_behind() -> None:
    """Neither the thread nor what woke it, where no stop came."""
    before = threading.enumerate()
    with answering_stops():
        started = [thread for thread in threading.enumerate() if thread not in before]
    for thread in started:
        thread.join()
    assert [thread.name for thread in started] == ["stops"]
    assert signal.set_wakeup_fd(-1) == -1

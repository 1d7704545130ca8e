"""The CPU meter splits up a run without counting anything twice."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace

import pytest
from benchmarks import meter
from benchmarks.meter import AREAS, REST, Area, CpuMeter, find_owner
from tests.support.waiting import SECONDS_MAX


@pytest.mark.parametrize("area", AREAS, ids=lambda area: f"{area.place}.{area.name}")
def test_every_area_is_a_function_of_the_program(area: Area) -> None:
    """Otherwise a renamed function would not be measured, and its time would count as another's."""
    assert callable(getattr(find_owner(area.place), area.name))


def test_wrapped_functions_are_restored() -> None:
    """Measuring leaves no function slower."""
    before = [getattr(find_owner(area.place), area.name) for area in AREAS]
    with CpuMeter().install():
        assert [getattr(find_owner(area.place), area.name) for area in AREAS] != before
    assert [getattr(find_owner(area.place), area.name) for area in AREAS] == before


def test_inner_time_is_not_counted_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """A function's own time excludes the functions that it calls; all belong to the step that began
    the call.
    """
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(time, "thread_time", lambda: clock.now)
    fakes = SimpleNamespace()

    def spend(seconds: float) -> None:
        clock.now += seconds

    def outer() -> None:
        spend(1.0)
        fakes.inner()
        fakes.inner()
        spend(2.0)

    fakes.inner, fakes.outer = lambda: spend(10.0), outer
    monkeypatch.setattr(
        meter, "AREAS", (Area("a", "outer", "outside", "step one"), Area("a", "inner", "inside"))
    )
    monkeypatch.setattr(meter, "find_owner", lambda _: fakes)
    measuring = CpuMeter()
    with measuring.install():
        fakes.outer()
        fakes.inner()
    found = {(step, what): seconds for step, what, seconds in measuring.read()}
    assert found["step one", "outside"] == 3.0
    assert found["step one", "inside"] == 20.0
    assert found["run", "inside"] == 10.0
    assert measuring.calls == 4


CLOCK_SECONDS = 0.01
"""What the clocks of threads may lag behind that of their process: a tick of the system's."""


def test_all_cpu_is_accounted_for() -> None:
    """The rows add up to the CPU of all living threads, with or without wrapped functions."""
    done, ready = threading.Event(), threading.Event()
    before = time.process_time()
    measuring = CpuMeter()
    began = time.process_time()

    def compute() -> None:
        until = time.thread_time() + 0.2
        while time.thread_time() < until:
            pass

    def work() -> None:
        compute()
        measured()
        ready.set()
        done.wait(SECONDS_MAX)

    measured = measuring._wrap(compute, "inside", "step one")
    thread = threading.Thread(target=work)
    thread.start()
    try:
        assert ready.wait(SECONDS_MAX)
        at_least = time.process_time() - began
        found = measuring.read()
        at_most = time.process_time() - before
    finally:
        done.set()
        thread.join()
    assert {what for _, what, _ in found} == {REST, "inside"}
    spent = sum(seconds for _, _, seconds in found)
    assert at_least - CLOCK_SECONDS <= spent <= at_most + CLOCK_SECONDS
    assert at_least >= 0.4

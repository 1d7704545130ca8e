"""The progress that a run reports, in numbers."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from tests.support.world import ACCOUNT, DAY, World, document, make_world, trail_key

from log_aggregator.core.windows import DateWindow
from log_aggregator.model import Group
from log_aggregator.steps.packing.meter import Reading, RunMeter
from log_aggregator.steps.packing.results import GroupResult
from log_aggregator.steps.packing.run import run

GROUP = Group("logs", "CloudTrail", ACCOUNT, DAY)
FIRST = date(2025, 4, 1)
WHOLE = DateWindow(FIRST, FIRST + timedelta(days=20))


class Watched(RunMeter):
    """Keeps the reading after every event."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Reading] = []

    def planned(self, groups: int, objects: int) -> None:
        super().planned(groups, objects)
        self.seen.append(self.read())

    def packing(self, group: Group, objects: int, size_bytes: int) -> None:
        super().packing(group, objects, size_bytes)
        self.seen.append(self.read())

    def deleted(self, group: Group, originals: int) -> None:
        super().deleted(group, originals)
        self.seen.append(self.read())

    def settled(self, result: GroupResult, objects: int) -> None:
        super().settled(result, objects)
        self.seen.append(self.read())


def three_weeks() -> World:
    """Logs in each week: two on the first day, then five and three a week later each."""
    world = make_world()
    numbers = iter(range(100))
    for week, count in enumerate((2, 5, 3)):
        for _ in range(count):
            day = FIRST + timedelta(days=7 * week)
            world.put("logs", trail_key(next(numbers), day=day), document(1))
    rules = world.rules
    world.rules = replace(rules, selection=replace(rules.selection, window=WHOLE))
    return world


def test_progress_never_exceeds_the_total() -> None:
    """In a run over several windows, each begins at zero and ends at all that was found, and the
    totals continue over all of them.
    """
    world, watched = three_weeks(), Watched()
    assert run(world.job(), watched).failures == []
    assert all(0 <= each.done <= each.objects for each in watched.seen)
    ends = {each.window: (each.done, each.objects) for each in watched.seen}
    assert list(ends.values()) == [(2, 2), (5, 5), (3, 3)]
    assert {each.whole for each in watched.seen} == {WHOLE}
    last = watched.read()
    assert (last.total_objects, last.total_deleted, last.total_failures) == (10, 10, 0)
    assert last.total_bytes == sum(len(stored.data) for stored in world.originals)


def test_progress_is_shown_before_a_group_is_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Log objects count once they are in a pack, originals once they are deleted."""
    monkeypatch.setattr("log_aggregator.steps.packing.combine.TOLD_AT_ONCE", 2)
    world, watched = make_world(), Watched()
    for number in range(5):
        world.put("logs", trail_key(number), document(number))
    run(world.job(), watched)
    assert [each.done for each in watched.seen] == [0, 2, 4, 5, 5, 5]
    assert [each.total_deleted for each in watched.seen] == [0, 0, 0, 0, 5, 5]
    assert [dict(each.steps) for each in watched.seen[3:]] == [{"combine": 1}, {"delete": 1}, {}]
    assert watched.seen[3].total_bytes == sum(len(stored.data) for stored in world.originals)


def test_a_pack_planned_again_is_not_counted_twice() -> None:
    """The group's result replaces the intermediate count."""
    meter = RunMeter()
    meter.planned(1, 3)
    for _ in range(2):
        meter.packing(GROUP, 3, 300)
    assert meter.read().done == 3
    meter.settled(GroupResult(GROUP, packed=3, bytes_in=300, deleted=3), 3)
    reading = meter.read()
    assert (reading.done, reading.total_objects, reading.total_bytes) == (3, 3, 300)


@pytest.mark.parametrize("keys", [0, 7])
def test_the_next_window_starts_with_its_listing(keys: int) -> None:
    """Keys are counted anew, even if a listing finds none to report."""
    meter = RunMeter()
    meter.listed(5)
    meter.planned(1, 2)
    if keys:
        meter.listed(keys)
    meter.days(DateWindow(FIRST, FIRST), WHOLE)
    reading = meter.read()
    assert (reading.keys, reading.is_planned, reading.objects) == (keys, False, 0)


def test_each_plan_starts_at_zero() -> None:
    """What was done in one window does not count in the next."""
    meter = RunMeter()
    for objects in (3_115, 1_127):
        meter.planned(1, objects)
        assert (meter.read().done, meter.read().objects) == (0, objects)
        meter.settled(GroupResult(GROUP), objects)

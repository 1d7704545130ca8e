"""Counts what a run reports, so that its progress can be shown at any time."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from log_aggregator.core.windows import DateWindow
from log_aggregator.model import Group
from log_aggregator.steps.packing.listing import Progress
from log_aggregator.steps.packing.results import GroupResult


@dataclass(frozen=True, slots=True)
class Reading:
    """How far a run has come. Fields named `total_` count over all of its windows; the others cover
    the window of days that it works on now.
    """

    window: DateWindow | None = None
    whole: DateWindow | None = None
    """The days of this window, and those of the whole run."""
    keys: int = 0
    """Keys that were listed."""
    number: int = 0
    """How many windows have been planned."""
    is_planned: bool = False
    """The window's listing is over, so `objects` is final."""
    objects: int = 0
    done: int = 0
    """Log objects to settle, and those that are settled or in a pack by now. Never more than
    `objects`.
    """
    steps: Mapping[str, int] = field(default_factory=dict)
    """How many groups are in which step."""
    total_objects: int = 0
    total_bytes: int = 0
    total_deleted: int = 0
    total_failures: int = 0


class RunMeter(Progress):
    """Implements `Progress`. Shows nothing."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._window: DateWindow | None = None
        self._whole: DateWindow | None = None
        self._keys = self._objects = self._settled = 0
        self._is_planned = False
        self._number = 0
        self._under_way: dict[Group, Counter[str]] = {}
        self._steps: dict[Group, str] = {}
        self._totals: Counter[str] = Counter()

    def listed(self, keys: int) -> None:
        with self._lock:
            if self._is_planned:  # the next window has begun
                self._begin_window()
            self._keys += keys

    def days(self, window: DateWindow, whole: DateWindow) -> None:
        with self._lock:
            if self._is_planned:  # a new window whose listing reported no keys
                self._begin_window()
            self._window, self._whole = window, whole

    def planned(self, groups: int, objects: int) -> None:
        with self._lock:
            self._is_planned, self._objects, self._settled = True, objects, 0
            self._number += 1

    def working(self, group: Group, step: str) -> None:
        with self._lock:
            self._steps[group] = step

    def packing(self, group: Group, objects: int, size_bytes: int) -> None:
        with self._lock:
            under_way = self._under_way.setdefault(group, Counter())
            under_way["objects"] += objects
            under_way["bytes"] += size_bytes

    def deleted(self, group: Group, originals: int) -> None:
        with self._lock:
            self._under_way.setdefault(group, Counter())["deleted"] += originals

    def settled(self, result: GroupResult, objects: int) -> None:
        """Replaces what was counted while the group was under way by its result: members of a pack
        that had to be planned again were counted twice.
        """
        with self._lock:
            self._under_way.pop(result.group, None)
            self._steps.pop(result.group, None)
            self._settled += objects
            self._totals["objects"] += objects
            self._totals["bytes"] += result.bytes_in
            self._totals["deleted"] += result.deleted
            self._totals["failures"] += len(result.failures)

    def read(self) -> Reading:
        """How far the run has come."""
        with self._lock:
            moving = sum(self._under_way.values(), Counter[str]())
            return Reading(
                self._window,
                self._whole,
                self._keys,
                self._number,
                self._is_planned,
                self._objects,
                min(self._objects, self._settled + moving["objects"]),
                Counter(self._steps.values()),
                self._totals["objects"] + moving["objects"],
                self._totals["bytes"] + moving["bytes"],
                self._totals["deleted"] + moving["deleted"],
                self._totals["failures"],
            )

    def _begin_window(self) -> None:
        self._window = None
        self._keys = self._objects = self._settled = 0
        self._is_planned = False
        self._under_way.clear()
        self._steps.clear()

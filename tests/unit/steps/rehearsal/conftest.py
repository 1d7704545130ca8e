"""A rehearsal in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date

import pytest

from log_aggregator.rehearsing import RehearsalRooms, make_rehearsal_settings
from log_aggregator.steps.promises import PROMISES
from log_aggregator.steps.rehearsal import life
from log_aggregator.steps.rehearsal import rehearse as rehearse_module
from log_aggregator.steps.rehearsal.life import STEPS
from log_aggregator.steps.rehearsal.places import Venue
from log_aggregator.steps.rehearsal.rehearse import Rehearsed, rehearse
from log_aggregator_lab.stores.memory import MemoryStore
from log_aggregator_lab.stores.memory_hands import MemoryHands


@dataclass
class Rehearser:
    """`rehearse()` does it; `watched` holds the progress texts."""

    store: MemoryStore = field(default_factory=MemoryStore)
    day: date = date(2026, 1, 2)
    watched: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.hands = MemoryHands(self.store)

    def rehearse(
        self, bucket: str | None = None, watch: Callable[[str], None] | None = None
    ) -> Rehearsed:
        result = Rehearsed(Venue.plan(bucket))
        rooms = RehearsalRooms(self.store, make_rehearsal_settings())
        rehearse(self.store, self.hands, rooms, self.day, result, watch or self.watched.append)
        return result


@pytest.fixture(autouse=True)
def no_large_log(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A life reads 10 MiB a dozen times: only tests about large logs have one."""
    if "large" not in request.node.name:
        monkeypatch.setattr(rehearse_module, "can_copy", lambda *_: False)


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """One promise and the first step, for tests of what comes before and after."""
    monkeypatch.setattr(rehearse_module, "PROMISES", PROMISES[:1])
    monkeypatch.setattr(life, "STEPS", STEPS[:1])


@pytest.fixture
def few_promises(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests of lives."""
    monkeypatch.setattr(rehearse_module, "PROMISES", PROMISES[:1])


@pytest.fixture
def rehearser() -> Rehearser:
    return Rehearser()

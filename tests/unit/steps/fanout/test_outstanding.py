"""What runs left behind, until a run has seen that it is gone."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from log_aggregator.adapters.forwarding import Call
from log_aggregator.errors import StoreError
from log_aggregator.steps.fanout import outstanding
from log_aggregator.steps.fanout.outstanding import Left, Outstanding, Seen, record_outstanding
from log_aggregator_lab.stores.faults import FaultyStore
from log_aggregator_lab.stores.memory import MemoryStore

MAY, MARCH = date(2025, 5, 10), date(2025, 3, 15)
BUCKETS = ("trail", "flow")


def seen(day: date, left: dict[str, Left] | None = None, **more: Any) -> Seen:
    """A run of one day and what it left, by bucket."""
    places = {(bucket, day): found for bucket, found in (left or {}).items()}
    return Seen(day, day, more.pop("buckets", BUCKETS), places, **more)


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore()
    store.create_bucket("work")
    return store


def record(store: Any, found: Seen) -> tuple[int, int]:
    left = record_outstanding(store, "work", found)
    return left.left_behind, left.retained


def test_a_night_does_not_end_alarms_about_other_days(store: MemoryStore) -> None:
    """Objects left by a run count until a run of the same days has seen them gone."""
    assert record(store, seen(MARCH, {"trail": Left(3, 2)})) == (3, 2)
    assert record(store, seen(MAY, is_nightly=True)) == (3, 2)
    assert record(store, seen(MARCH, buckets=("flow",))) == (3, 2)
    assert record(store, seen(MARCH)) == (0, 0)


def test_the_newest_observation_counts(store: MemoryStore) -> None:
    """The newest count replaces an older one, higher or lower, of its place only."""
    record(store, seen(MARCH, {"trail": Left(3), "flow": Left(5)}))
    assert record(store, seen(MAY, {"trail": Left(1, 1)})) == (9, 1)
    assert record(store, seen(MARCH, {"trail": Left(1), "flow": Left(6)})) == (8, 1)


@pytest.mark.parametrize(
    ("doubt", "left"),
    [
        ({"is_whole": False}, (3, 4)),
        ({"doubtful": {("trail", MARCH)}}, (3, 4)),
        ({"doubtful": {("flow", MARCH)}}, (1, 0)),
    ],
)
def test_a_failed_run_resolves_nothing(
    doubt: dict[str, Any], left: tuple[int, int], store: MemoryStore
) -> None:
    """A lower count is believed only if nothing failed; a higher one always."""
    record(store, seen(MARCH, {"trail": Left(3, 4)}))
    assert record(store, seen(MARCH, {"trail": Left(1)}, **doubt)) == left
    assert record(store, seen(MARCH, {"trail": Left(7)}, **doubt))[0] == 7


def test_removed_buckets_are_forgotten(store: MemoryStore) -> None:
    """Only a whole night's run forgets it: other runs read one bucket, and a failure hides one."""
    record(store, seen(MARCH, {"flow": Left(3)}))
    for is_nightly, is_whole, left in ((False, True, 3), (True, False, 3), (True, True, 0)):
        found = seen(MAY, buckets=("trail",), is_nightly=is_nightly, is_whole=is_whole)
        assert record(store, found) == (left, 0)


def test_only_changes_are_written(store: MemoryStore) -> None:
    """An unchanged night writes nothing; each change is a separate object."""

    def keys() -> list[str]:
        return [entry.key for entry in store.list_objects("work").objects]

    record(store, seen(MAY))
    assert keys() == []
    for left in (1, 1, 0, 0):
        record(store, seen(MARCH, {"trail": Left(left)}))
    assert keys() == ["outstanding/00000001.json", "outstanding/00000002.json"]


def test_two_runs_ending_together_lose_nothing(store: MemoryStore) -> None:
    """Neither run loses what the other wrote meanwhile."""
    others = iter(
        [
            seen(MAY, {"flow": Left(4)}, buckets=("flow",)),
            seen(MAY, {"trail": Left(0, 2)}, buckets=("trail",)),
        ]
    )

    def decide(_number: int, call: Call) -> None:
        if call.operation == "PutObject" and (other := next(others, None)) is not None:
            record(store, other)

    assert record(FaultyStore(store, decide), seen(MARCH, {"trail": Left(3)})) == (7, 2)
    assert record(store, seen(MAY, {"flow": Left(4), "trail": Left(0, 2)})) == (7, 2)


def test_it_gives_up_after_some_attempts(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If every number is taken, the run reports it and fails."""
    store.put("work", "outstanding/00000001.json", b"[]")
    monkeypatch.setattr(outstanding, "_read_newest", lambda *_: (0, Outstanding()))
    with pytest.raises(StoreError, match="another run wrote the next state first"):
        record(store, seen(MARCH, {"trail": Left(3)}))

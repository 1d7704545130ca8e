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
    """A run of one day; what it left, by bucket."""
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


def test_a_night_ends_no_alarm_about_other_days(store: MemoryStore) -> None:
    """What a run left counts until a run of the same days has seen it gone, whatever others say."""
    assert record(store, seen(MARCH, {"trail": Left(3, 2)})) == (3, 2)
    assert record(store, seen(MAY, is_nightly=True)) == (3, 2)
    assert record(store, seen(MARCH, buckets=("flow",))) == (3, 2)
    assert record(store, seen(MARCH)) == (0, 0)


def test_the_newest_look_counts(store: MemoryStore) -> None:
    """More and less, of one place out of several."""
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
def test_a_run_that_failed_resolves_nothing(
    doubt: dict[str, Any], left: tuple[int, int], store: MemoryStore
) -> None:
    """Less than before is believed only where nothing failed; more is always believed."""
    record(store, seen(MARCH, {"trail": Left(3, 4)}))
    assert record(store, seen(MARCH, {"trail": Left(1)}, **doubt)) == left
    assert record(store, seen(MARCH, {"trail": Left(7)}, **doubt))[0] == 7


def test_what_is_of_no_bucket_of_the_stack_is_forgotten(store: MemoryStore) -> None:
    """By a whole night's run only: others look at one bucket, and a failure hides one."""
    record(store, seen(MARCH, {"flow": Left(3)}))
    for is_nightly, is_whole, left in ((False, True, 3), (True, False, 3), (True, True, 0)):
        found = seen(MAY, buckets=("trail",), is_nightly=is_nightly, is_whole=is_whole)
        assert record(store, found) == (left, 0)


def test_it_is_written_where_it_changed(store: MemoryStore) -> None:
    """A night that changes nothing writes nothing; each change has an object of its own."""

    def keys() -> list[str]:
        return [entry.key for entry in store.list_objects("work").objects]

    record(store, seen(MAY))
    assert keys() == []
    for left in (1, 1, 0, 0):
        record(store, seen(MARCH, {"trail": Left(left)}))
    assert keys() == ["outstanding/00000001.json", "outstanding/00000002.json"]


def test_two_runs_that_end_at_the_same_time(store: MemoryStore) -> None:
    """Neither loses what the other one wrote in between."""
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


def test_it_does_not_try_for_ever(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where every number is taken, the run says so and fails."""
    store.put("work", "outstanding/00000001.json", b"[]")
    monkeypatch.setattr(outstanding, "_read_newest", lambda *_: (0, Outstanding()))
    with pytest.raises(StoreError, match="another run wrote the next state first"):
        record(store, seen(MARCH, {"trail": Left(3)}))

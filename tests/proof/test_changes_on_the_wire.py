"""Someone writes to the sources while a real process packs them: right before its k-th request, for
many k.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from tests.proof.ground import Day, Ground, assert_mended, make_day
from tests.support.proxy_faults import at, meanwhile
from tests.support.world import access_key, document, trail_key

POSITIONS = range(4, 64, 6)
"""A run of the small day makes about seventy requests. Which of them is the k-th varies."""

Event = Callable[[Day], object]


def deliver_late(day: Day) -> None:
    day.put("trail", trail_key(7, day=day.date), document(7), signature="late")
    day.put("logs", access_key(7, day=day.date), b"late text\n")


def add_version(day: Day) -> None:
    day.put("trail", trail_key(2, day=day.date), document(20), signature="other")


def deliver_again(day: Day) -> None:
    """The same bytes: another version with the same ETag."""
    day.put("trail", trail_key(2, day=day.date), document(3))


def write_over(day: Day) -> None:
    """In a bucket without versions."""
    day.put("logs", access_key(1, day=day.date), b"other text\n")


@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize("event", [deliver_late, add_version, deliver_again, write_over])
def test_objects_written_during_a_run_are_not_lost(
    ground: Ground, event: Event, position: int
) -> None:
    """Objects written during a run survive it, and the next run packs them."""
    day = make_day(ground, "small")
    ground.proxy.restart(at(position, meanwhile(partial(event, day))))
    done = day.run()
    assert done.code == 0, done
    forget_what_was_written_over(day)
    assert_mended(day, f"{event.__name__} before request {position}")


def forget_what_was_written_over(day: Day) -> None:
    """Unless it had been packed before: overwriting it has destroyed it."""
    packed = day.copies()
    in_place = day.in_place()
    for original in list(day.originals):
        place = (original.bucket, original.identity)
        is_older = any(
            other.key == original.key and other is not original for other in day.originals
        )
        if (
            original.bucket == day.ground.names["logs"]
            and is_older
            and place not in packed
            and place not in in_place
        ):
            day.originals.remove(original)


@pytest.mark.parametrize("position", POSITIONS)
def test_a_key_deleted_during_a_run_stays_deleted(ground: Ground, position: int) -> None:
    """A delete marker set by someone else is not removed, and nothing below it is lost."""
    day = make_day(ground, "small")
    key, bucket = trail_key(2, day=day.date), ground.names["trail"]
    ground.proxy.restart(
        at(position, meanwhile(lambda: day.client.delete_object(Bucket=bucket, Key=key)))
    )
    for done in (day.run(), day.run()):
        assert done.code == 0, done
        assert day.find_losses() == []
        (marker,) = (
            marker for marker in day.store.list_object_versions(bucket, prefix=key).markers
        )
        assert marker.is_latest

"""What is counted about a bucket's keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from tests.support.world import flow_key, make_rules, trail_key

from log_aggregator.core.inventory.sorting import gather_keys
from log_aggregator.core.windows import DateWindow
from log_aggregator.model import LogObject
from log_aggregator.ports.account import LifecycleRule, Transition
from log_aggregator.steps.estate.tally import Due, Fate, Tally, Yard
from log_aggregator.steps.packing.buckets import SourceBucket
from log_aggregator.steps.packing.selection import Left

TODAY = date(2025, 7, 1)
ALL_DAYS = DateWindow(date(2006, 1, 1), date(2099, 12, 31))


def make_yard(*, is_main: bool = False, **settings: Any) -> Yard:
    rules = make_rules(ALL_DAYS, other_buckets="logs", **settings)
    return Yard.of(SourceBucket("logs", None, is_main=is_main), rules, TODAY)


def tally(yard: Yard, keys: Sequence[str], *, age_days: int = 10, **more: Any) -> Tally:
    written = datetime(2025, 7, 1, 12, tzinfo=UTC) - timedelta(days=age_days)
    rows = [LogObject("logs", key, None, "e", 1_000, written, **more) for key in sorted(keys)]
    return yard.tally(gather_keys(rows))


def left(counted: Tally) -> dict[Left, int]:
    return {why.left: keys.objects for why, keys in counted.left.items()}


def test_logs_are_counted_by_type_day_class_and_size() -> None:
    """Type, day, class and size; groups by each account's days."""
    keys = [trail_key(1), trail_key(2), trail_key(3, account="222222222222"), flow_key("a.log.gz")]
    counted = tally(make_yard(), keys)
    assert counted.load.objects == 4
    assert counted.load.size_bytes == 4_000
    assert counted.load.groups == 3
    assert {(cell.log_type, cell.storage_class, cell.size_class) for cell in counted.cells} == {
        ("CloudTrail", "STANDARD", 10),
        ("vpcflowlogs", "STANDARD", 10),
    }
    assert counted.accounts["222222222222"] == [1, 1_000]


def test_unpacked_objects_are_counted_separately() -> None:
    """Unknown keys, frozen objects, keys named by holds, and keys elsewhere in a main bucket."""
    assert left(tally(make_yard(), ["x", trail_key(1)])) == {Left.UNKNOWN: 1}
    assert left(tally(make_yard(), [trail_key(1)], storage_class="GLACIER")) == {Left.FROZEN: 1}
    held = make_yard(holds={"accounts": ["111111111111"]})
    assert left(tally(held, [trail_key(1)])) == {Left.HELD: 1}
    main = tally(make_yard(is_main=True), [f"copies/{trail_key(1)}", trail_key(2)])
    assert left(main) == {Left.UNKNOWN: 1}
    assert main.load.objects == 1


def test_logs_of_other_regions_are_not_counted_as_packed() -> None:
    """Even if a run would discard them, a survey promises nothing for logs that are not packed."""
    yard = make_yard(is_main=True, aggregation_regions="us-east-1", other_regions="delete")
    assert left(tally(yard, [trail_key(1)])) == {Left.OTHER_REGION: 1}


def test_own_packs_are_not_counted() -> None:
    """Packs in the same bucket are not counted as logs or anything else."""
    yard = make_yard(destination_bucket="")
    counted = tally(yard, [f"aggregated/packs/logs/{trail_key(1)}", "aggregated/custody/x"])
    assert (counted.cells, counted.left) == ({}, {})


def test_objects_expiring_by_lifecycle_are_counted() -> None:
    """Logs count by the days left until a rule's age or date; only under the rule's prefix, and not
    if it asks for tags.
    """
    rules = (
        LifecycleRule("late", prefix="AWSLogs/", expiration_days=95),
        LifecycleRule("tagged", has_tags=True, expiration_days=1),
        LifecycleRule("cold", transitions=(Transition("DEEP_ARCHIVE", 20),)),
        LifecycleRule("warm", transitions=(Transition("STANDARD_IA", 1),)),
        LifecycleRule("old", transitions=(Transition("GLACIER", 1, is_noncurrent=True),)),
    )
    yard = replace(make_yard(), lifecycle=rules)
    counted = tally(yard, [flow_key("a.log.gz"), trail_key(1)], age_days=10)
    assert counted.due == {
        Due("logs", Fate.EXPIRED, 90): [1, 1_000],
        Due("logs", Fate.EXPIRED, 365): [1, 1_000],
        Due("logs", Fate.FROZEN, 30): [2, 2_000],
        Due("logs", Fate.FROZEN, 90): [2, 2_000],
        Due("logs", Fate.FROZEN, 365): [2, 2_000],
    }
    dated = (LifecycleRule("end", expiration_date=TODAY + timedelta(days=60)),)
    counted = tally(replace(yard, lifecycle=dated), [trail_key(1)], age_days=400)
    assert set(counted.due) == {
        Due("logs", Fate.EXPIRED, 90),
        Due("logs", Fate.EXPIRED, 365),
    }


def test_counts_can_be_added_up() -> None:
    """The sum equals a joint count; a day in two parts is one group."""
    yard, keys = make_yard(), [trail_key(number) for number in range(6)] + ["x", "y"]
    parts = Tally()
    for key in keys:
        parts.merge(tally(yard, [key]))
    whole = tally(yard, keys)
    assert parts.cells == whole.cells
    assert (parts.days, parts.accounts, parts.due) == (whole.days, whole.accounts, whole.due)
    assert left(parts) == left(whole)
    assert parts.load == whole.load

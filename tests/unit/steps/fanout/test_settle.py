"""The steps of a work item, each by itself: what one passes on, and that none believes the one
before.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from typing import Any

from tests.support.world import World, document, left_in_place, list_whole, make_world, trail_key

from log_aggregator.model import Group
from log_aggregator.steps.fanout.results import ItemResult
from log_aggregator.steps.fanout.settle import combine_item, delete_item, verify_item
from log_aggregator.steps.fanout.workitems import WorkItem
from log_aggregator.steps.packing.buckets import SourceBucket
from log_aggregator.steps.packing.selection import GroupSources
from log_aggregator.steps.workers import SerialWorkers

WORKERS = SerialWorkers()


def watch(_group: Group) -> Any:
    return nullcontext()


def make_item(world: World) -> WorkItem:
    """Everything that is in the bucket."""
    bucket = SourceBucket("logs", "Enabled", is_main=False)
    selection = list_whole(world.store, bucket, "", world.rules.selection)
    return WorkItem("logs", "Enabled", sorted(selection.groups.items()))


def combined(world: World, item: WorkItem) -> ItemResult:
    return combine_item(world.store, WORKERS, item, world.rules, world.clock.now().date(), watch)


def two_accounts() -> World:
    world = make_world()
    world.put("logs", trail_key(1), document(1))
    world.put("logs", trail_key(2, account="222222222222"), document(2))
    return world


def test_only_what_passed_is_passed_on() -> None:
    """A pack that does not verify is a failure of its group and is not handed to deletion; the
    other group's is.
    """
    world = two_accounts()
    result = combined(world, make_item(world))
    (damaged, *_), (sound, *_) = (state.settling for state in result.states)
    world.store.put("dest", damaged.pack_key, b"something else")
    verified = verify_item(world.store, WORKERS, result, world.rules, watch)
    assert [state.settling for state in verified.states] == [[], [sound]]
    assert [len(state.result.failures) for state in verified.states] == [1, 0]


def test_only_what_was_listed_for_the_item_goes() -> None:
    """A member of the pack that the item does not name (somebody holds it now, it was put back)
    stays where it is.
    """
    world = make_world()
    world.put("logs", trail_key(1), document(1))
    world.put("logs", trail_key(2), document(2))
    item = make_item(world)
    verified = verify_item(world.store, WORKERS, combined(world, item), world.rules, watch)
    ((group, found),) = item.groups
    narrowed = replace(item, groups=[(group, GroupSources(found.sources[:1], found.markers))])
    deleted = delete_item(
        world.store, WORKERS, narrowed, verified, world.rules, world.clock.now().date(), watch
    )
    assert [state.result.deleted for state in deleted.states] == [1]
    assert [source.key for source in left_in_place(world)] == [trail_key(2)]


def test_a_group_that_fails_does_not_stop_the_others() -> None:
    """What cannot be combined is taken down, and all other groups of the item are done."""
    world = two_accounts()
    world.store.put("dest", "packs/logs/CloudTrail/111111111111/2025/04/03/notes.txt", b"no pack")
    result = combined(world, make_item(world))
    assert [[failure.error for failure in state.result.failures] for state in result.states] == [
        ["BadPack"],
        [],
    ]
    assert [len(state.settling) for state in result.states] == [0, 1]

"""The steps of a work item, one by one: what each passes on, and that none trusts the one
before.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from typing import Any

from tests.support.world import World, document, left_in_place, list_whole, make_world, trail_key

from log_aggregator.model import Group
from log_aggregator.steps.fanout.settle import ItemWork
from log_aggregator.steps.fanout.workitems import WorkItem
from log_aggregator.steps.packing.buckets import Area, SourceBucket
from log_aggregator.steps.packing.selection import GroupSources


def watch(_group: Group) -> Any:
    return nullcontext()


def make_item(world: World) -> WorkItem:
    """Put everything in the bucket into an item."""
    area = Area(SourceBucket("logs", "Enabled"), "")
    selection = list_whole(world.store, area, world.rules.selection)
    return WorkItem("logs", "Enabled", sorted(selection.groups.items()))


def work(world: World) -> ItemWork:
    job = world.job()
    return ItemWork(job, job.today, watch)


def two_accounts() -> World:
    world = make_world()
    world.put("logs", trail_key(1), document(1))
    world.put("logs", trail_key(2, account="222222222222"), document(2))
    return world


def test_only_verified_packs_are_passed_on() -> None:
    """A pack that does not verify fails its group and is not handed to deletion; the other group's
    is.
    """
    world = two_accounts()
    result = work(world).combine(make_item(world))
    (damaged, *_), (sound, *_) = (state.settling for state in result.states)
    world.store.put("dest", damaged.pack_key, b"something else")
    verified = work(world).verify(result)
    assert [state.settling for state in verified.states] == [[], [sound]]
    assert [len(state.result.failures) for state in verified.states] == [1, 0]


def test_only_objects_listed_for_the_item_are_deleted() -> None:
    """A member of the pack that the item does not name (now held, or put back) stays where
    it is.
    """
    world = make_world()
    world.put("logs", trail_key(1), document(1))
    world.put("logs", trail_key(2), document(2))
    item = make_item(world)
    verified = work(world).verify(work(world).combine(item))
    ((group, found),) = item.groups
    narrowed = replace(item, groups=[(group, GroupSources(found.sources[:1], found.markers))])
    deleted = work(world).delete(narrowed, verified)
    assert [state.result.deleted for state in deleted.states] == [1]
    assert [source.key for source in left_in_place(world)] == [trail_key(2)]


def test_a_failed_group_does_not_stop_the_others() -> None:
    """A group that cannot be combined is recorded, and all other groups of the item are done."""
    world = two_accounts()
    world.store.put("dest", "packs/logs/CloudTrail/111111111111/2025/04/03/notes.txt", b"no pack")
    result = work(world).combine(make_item(world))
    assert [[failure.error for failure in state.result.failures] for state in result.states] == [
        ["BadPack"],
        [],
    ]
    assert [len(state.settling) for state in result.states] == [0, 1]

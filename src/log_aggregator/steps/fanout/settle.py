"""The steps of one work item: combine, verify, delete, each in a call of its own, with permissions
of its own.

A group that fails keeps its originals and does not stop the others; what failed stands in its
result.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from datetime import date

from log_aggregator.errors import Failure, GroupFailed
from log_aggregator.model import Group
from log_aggregator.ports.store import ObjectStore
from log_aggregator.steps.fanout.results import GroupState, ItemResult
from log_aggregator.steps.fanout.workitems import WorkItem
from log_aggregator.steps.packing.buckets import SourceBucket
from log_aggregator.steps.packing.delete import ListedVersions
from log_aggregator.steps.packing.group import (
    combine_group,
    discard_group,
    settle_pack,
    verify_settling,
)
from log_aggregator.steps.packing.results import GroupResult, Settling
from log_aggregator.steps.packing.rules import RunRules
from log_aggregator.steps.packs.verify import Level
from log_aggregator.steps.workers import Workers

Watch = Callable[[Group], AbstractContextManager[None]]
"""Something to do around the work on each group: a span of a trace."""


def combine_item(
    store: ObjectStore, workers: Workers, item: WorkItem, rules: RunRules, today: date, watch: Watch
) -> ItemResult:
    """Writes the packs of all groups. What an earlier call has packed is found in the packs, not
    done again.
    """
    bucket = SourceBucket(item.bucket, item.versioning, is_main=False)

    def combine_one(position: int) -> GroupState:
        group, found = item.groups[position]
        state = GroupState(position, GroupResult(group))
        with _failures_of(state), watch(group):
            state.settling = combine_group(
                store,
                workers,
                bucket,
                state.result,
                found,
                rules.target(group.bucket),
                rules.group,
                today,
            )
        return state

    return ItemResult(_each(workers, combine_one, range(len(item.groups))))


def verify_item(
    store: ObjectStore, workers: Workers, combined: ItemResult, rules: RunRules, watch: Watch
) -> ItemResult:
    """Verifies every pack at the level of the settings; only those that passed are left to be
    settled.
    """

    def verify_one(position: int) -> GroupState:
        state = states[position]
        passed: list[Settling] = []
        for settling in state.settling:
            with _failures_of(state), watch(state.result.group):
                verify_settling(
                    store,
                    state.result,
                    settling,
                    rules.target(state.result.group.bucket),
                    rules.group.level,
                )
                passed.append(settling)
        state.settling = passed
        return state

    states = {state.position: state for state in combined.states}
    return ItemResult(_each(workers, verify_one, states), combined.requests)


def delete_item(
    store: ObjectStore,
    workers: Workers,
    item: WorkItem,
    verified: ItemResult,
    rules: RunRules,
    today: date,
    watch: Watch,
) -> ItemResult:
    """Deletes the originals of the packs that were verified, after verifying each again: what an
    earlier step says is not believed.

    What goes is what stands in the verified index and was listed for this item, and nothing else.
    """
    bucket = SourceBucket(item.bucket, item.versioning, is_main=False)

    def delete_one(position: int) -> GroupState:
        state = states[position]
        _, found = item.groups[position]
        target = rules.target(item.bucket)
        listed = ListedVersions(source.log_object for source in found.sources)
        for settling in state.settling:
            with _failures_of(state), watch(state.result.group):
                pack = verify_settling(store, state.result, settling, target, Level.CHECKSUM)
                settle_pack(
                    store, workers, bucket, state.result, settling, pack, listed, rules.group
                )
        state.settling = []
        discard_group(
            store,
            workers,
            item.versioning,
            state.result,
            found.discards,
            target,
            rules.group,
            today,
        )
        return state

    states = {state.position: state for state in verified.states}
    return ItemResult(_each(workers, delete_one, states), verified.requests)


def _each(
    workers: Workers, work: Callable[[int], GroupState], positions: Iterable[int]
) -> list[GroupState]:
    return sorted(workers.each(work, positions), key=lambda state: state.position)


@contextlib.contextmanager
def _failures_of(state: GroupState) -> Iterator[None]:
    """What fails in a group is taken down in its result; anything else goes on up."""
    try:
        yield
    except GroupFailed as error:
        state.result.failures.append(Failure.of(str(state.result.group), error))

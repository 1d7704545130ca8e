"""The steps of one work item: combine, verify, delete, each in a separate call with its own
permissions.

A group that fails keeps its originals and does not stop the others; its result says what failed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date

from log_aggregator.errors import Failure, GroupFailed, Unreachable
from log_aggregator.model import Group
from log_aggregator.steps.fanout.results import GroupState, ItemResult
from log_aggregator.steps.fanout.workitems import WorkItem
from log_aggregator.steps.job import Job
from log_aggregator.steps.packing.buckets import SourceBucket
from log_aggregator.steps.packing.delete import ListedVersions
from log_aggregator.steps.packing.group import GroupWork, verify_settling
from log_aggregator.steps.packing.results import GroupResult, Settling
from log_aggregator.steps.rules import Level
from log_aggregator.steps.workers import Workers

Watch = Callable[[Group], AbstractContextManager[None]]
"""A context around the work on each group, such as a span of a trace."""


@dataclass(frozen=True, slots=True)
class ItemWork:
    """What the calls for one run's work items have in common. `today` is the day of the run: a call
    may come after midnight.
    """

    job: Job
    today: date
    watch: Watch

    def combine(self, item: WorkItem) -> ItemResult:
        """Writes the packs of all groups. What an earlier call packed is found in the packs, and
        not packed again.
        """
        work = self._work_on(SourceBucket.of(self.job.rules, item.bucket, item.versioning))

        def combine_one(position: int) -> GroupState:
            group, found = item.groups[position]
            state = GroupState(position, GroupResult(group))
            with _failures_of(state), self.watch(group):
                state.settling = work.combine(state.result, found)
            return state

        return ItemResult(_each(self.job.workers, combine_one, range(len(item.groups))))

    def verify(self, combined: ItemResult) -> ItemResult:
        """Verifies every pack at the level of the settings; only those that pass remain to be
        settled.
        """
        store, rules = self.job.store, self.job.rules

        def verify_one(position: int) -> GroupState:
            state = states[position]
            group = state.result.group
            passed: list[Settling] = []
            for settling in state.settling:
                with _failures_of(state), self.watch(group):
                    target = rules.target(group.bucket)
                    verify_settling(store, target, state.result, settling, rules.group.level)
                    passed.append(settling)
            state.settling = passed
            return state

        states = {state.position: state for state in combined.states}
        return ItemResult(_each(self.job.workers, verify_one, states), combined.requests)

    def delete(self, item: WorkItem, verified: ItemResult) -> ItemResult:
        """Deletes the originals of the verified packs, after verifying each pack again: the result
        of an earlier step is not trusted.

        Deletes only what is in the verified index and was listed for this item.
        """
        work = self._work_on(SourceBucket.of(self.job.rules, item.bucket, item.versioning))

        def delete_one(position: int) -> GroupState:
            state = states[position]
            _, found = item.groups[position]
            listed = ListedVersions(source.log_object for source in found.sources)
            for settling in state.settling:
                with _failures_of(state), self.watch(state.result.group):
                    pack = work.verify(state.result, settling, Level.CHECKSUM)
                    work.delete(state.result, settling, pack, listed)
            state.settling = []
            work.discard(state.result, found.discards)
            return state

        states = {state.position: state for state in verified.states}
        return ItemResult(_each(self.job.workers, delete_one, states), verified.requests)

    def _work_on(self, bucket: SourceBucket) -> GroupWork:
        return GroupWork.of(self.job, bucket, self.today)


def _each(
    workers: Workers, work: Callable[[int], GroupState], positions: Iterable[int]
) -> list[GroupState]:
    return sorted(workers.each(work, positions), key=lambda state: state.position)


@contextlib.contextmanager
def _failures_of(state: GroupState) -> Iterator[None]:
    """Records a group's failure in its result. Other errors are raised."""
    try:
        yield
    except (GroupFailed, Unreachable) as error:
        state.result.failures.append(Failure.of(str(state.result.group), error))

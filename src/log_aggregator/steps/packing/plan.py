"""Plans what a run would do: lists as a run does, and keeps a summary of each group's plan."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date

from log_aggregator.core.costs.storage import INDEX_BYTES_PER_MEMBER, Sizes
from log_aggregator.core.layouts.declared import Layouts
from log_aggregator.core.planning import estimate_requests
from log_aggregator.errors import Failure, GroupFailed, Unreachable
from log_aggregator.model import Group, PackFormat
from log_aggregator.steps.job import Job
from log_aggregator.steps.packing.buckets import find_buckets
from log_aggregator.steps.packing.group import GroupWork
from log_aggregator.steps.packing.listing import (
    BucketListing,
    Found,
    Listing,
    Progress,
    check_limit,
)
from log_aggregator.steps.packing.results import GroupPlan, GroupResult
from log_aggregator.steps.packing.selection import Selection
from log_aggregator.steps.packing.terms import are_wanted
from log_aggregator.steps.rules import CombineOptions

TYPE_SAMPLES_MAX = 2


@dataclass(frozen=True, slots=True)
class PlannedPack:
    """A pack that would be written."""

    bucket: str
    key: str
    format: PackFormat
    members: int
    size_bytes: int
    """The bytes of its members; its index adds little."""


@dataclass(slots=True)
class PlannedGroup:
    """What would be done to a group, without the log objects themselves: there may be millions."""

    group: Group
    keep_originals: bool
    packs: list[PlannedPack] = field(default_factory=list)
    settled: Counter[str] = field(default_factory=Counter)
    """Key of an existing pack -> how many listed log objects are its members."""
    kept: set[str] = field(default_factory=set)
    """Packs of `settled` that are too young for their originals to be deleted."""
    discards: int = 0

    @property
    def operation(self) -> str:
        """`pack`, `copy` (every pack is one object copied alone), or `none`."""
        if not self.packs:
            return "none"
        return "copy" if all(pack.format is PackFormat.COPY for pack in self.packs) else "pack"


@dataclass(slots=True)
class PlannedType:
    """What would be done to the log objects of one type in one bucket."""

    groups: int = 0
    packs: int = 0
    settled: int = 0
    """Log objects that are already packed."""
    discards: int = 0
    requests: Counter[str] = field(default_factory=Counter)
    source_sizes: Sizes = field(default_factory=Sizes)
    pack_sizes: Sizes = field(default_factory=Sizes)
    samples: list[str] = field(default_factory=list)

    def add(self, plan: GroupPlan, options: CombineOptions) -> None:
        self.packs += len(plan.packs)
        self.settled += sum(plan.settled.values())
        self.discards += plan.discards
        self.requests.update(estimate_requests(plan.packs, options.limits))
        searched = sum(are_wanted(pack, options.terms) for pack in plan.packs)
        self.requests.update({"PutObject": searched} if searched else {})
        for pack in plan.packs:
            for source in pack.sources:
                self.source_sizes.add(source.size_bytes)
            self.pack_sizes.add(pack.size_bytes + len(pack.sources) * INDEX_BYTES_PER_MEMBER)
            self._take_samples(pack.sources[0].key, pack.sources[-1].key)

    def merge(self, other: PlannedType) -> None:
        self.groups += other.groups
        self.packs += other.packs
        self.settled += other.settled
        self.discards += other.discards
        self.requests.update(other.requests)
        self.source_sizes.merge(other.source_sizes)
        self.pack_sizes.merge(other.pack_sizes)
        self._take_samples(*other.samples)

    def _take_samples(self, *keys: str) -> None:
        fresh = [key for key in dict.fromkeys(keys) if key not in self.samples]
        self.samples += fresh[: TYPE_SAMPLES_MAX - len(self.samples)]


@dataclass(slots=True)
class RunPlan:
    """Everything that a run would do."""

    first: date
    last: date
    groups: list[PlannedGroup] = field(default_factory=list)
    types: dict[tuple[str, str], PlannedType] = field(default_factory=dict)
    """By bucket and log type."""
    selection: Selection = field(default_factory=Selection)
    layouts: Layouts = field(default_factory=Layouts)
    """The declared layouts."""
    inventories: list[str] = field(default_factory=list)
    """Addresses of the inventories it used, if it did not list the buckets."""
    failures: list[Failure] = field(default_factory=list)

    def merge(self, other: RunPlan) -> None:
        """Adds the plan of other groups of the same days."""
        self.groups += other.groups
        for place, planned in other.types.items():
            self.types.setdefault(place, PlannedType()).merge(planned)
        self.failures += other.failures

    @property
    def totals(self) -> PlannedType:
        """The totals of all types. Requests are those for writing, verifying and settling packs,
        without listing.
        """
        totals = PlannedType()
        for planned in self.types.values():
            totals.merge(planned)
        return totals

    def add(self, plan: GroupPlan, options: CombineOptions) -> None:
        """Adds the summary of a group's plan. A very large group has several plans, one after the
        other.
        """
        planned = self.types.setdefault((plan.group.bucket, plan.group.log_type), PlannedType())
        planned.add(plan, options)
        if not (self.groups and self.groups[-1].group == plan.group):
            self.groups.append(PlannedGroup(plan.group, plan.keep_originals))
            planned.groups += 1
        group = self.groups[-1]
        for pack in plan.packs:
            group.packs.append(
                PlannedPack(
                    pack.target.bucket, pack.key, pack.format, len(pack.sources), pack.size_bytes
                )
            )
        group.settled.update(plan.settled)
        group.kept |= plan.kept
        group.discards += plan.discards


def plan_run(job: Job, progress: Progress, listing: Listing | None = None) -> RunPlan:
    """Plans what `run` would do. Raises CannotStart, LimitExceeded."""
    window = job.rules.selection.window
    result = RunPlan(window.first, window.last, layouts=job.rules.layouts)
    buckets = {bucket.name: bucket for bucket in find_buckets(job)}
    listing = listing or BucketListing(job, progress)
    job = job.for_listing(is_old=listing.is_old)
    today = job.today
    works = {name: GroupWork.of(job, bucket, today) for name, bucket in buckets.items()}
    for found in listing.windows(buckets, job.rules.selection):
        check_limit(found, job.rules)
        result.selection.merge_window(found.selection)
        progress.days(found.window, window)
        progress.planned(len(found.shelf.groups), found.shelf.objects)

        def plan(group: Group, found: Found = found) -> RunPlan:
            """The plan of this group alone."""
            planned = RunPlan(result.first, result.last)
            work = works[group.bucket]
            try:
                for part in found.shelf.parts(group):
                    job.workers.check_stop()
                    planned.add(work.plan(group, part), work.rules.combine)
            except (GroupFailed, Unreachable) as error:
                planned.failures.append(Failure.of(str(group), error))
            looked_at = GroupResult(group, failures=list(planned.failures))
            progress.settled(looked_at, found.shelf.groups[group])
            return planned

        for planned in job.workers.each(plan, sorted(found.shelf.groups)):
            result.merge(planned)
    return result

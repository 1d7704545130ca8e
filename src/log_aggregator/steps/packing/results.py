"""What a run plans and what it has done, group by group."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date

from log_aggregator.core.custody import GroupCounts, PackEntry, WrittenRecord
from log_aggregator.core.layouts.declared import Layouts
from log_aggregator.core.signatures import WrittenSignature
from log_aggregator.errors import Failure
from log_aggregator.model import Group, PackPlan, Stage, WrittenPack
from log_aggregator.steps.packing.selection import Selection


@dataclass(frozen=True, slots=True)
class GroupPlan:
    """What will be done to a group: packs to write, and packs that already hold some of its log
    objects.
    """

    group: Group
    packs: tuple[PackPlan, ...]
    settled: Mapping[str, int] = field(default_factory=dict)
    """Key of an existing pack, oldest first -> how many listed log objects are its members."""
    settled_bytes: int = 0
    """The total bytes of these."""
    keep_originals: bool = False
    """Whether the originals of the packs to be written are kept for now."""
    kept: frozenset[str] = frozenset()
    """Packs of `settled` that are too young for their originals to be deleted."""
    discards: int = 0
    """Log objects of other regions that the settings say to delete without a pack."""


@dataclass(frozen=True, slots=True)
class Settling:
    """A pack whose originals are to be deleted once it is verified, or by a later run, once they
    are old enough.
    """

    pack_key: str
    keep_originals: bool
    packed_now: bool = False
    """This run has read its members' bytes. Otherwise originals that only an ETag identifies are
    compared with the pack before they are deleted.
    """


@dataclass(slots=True)
class GroupResult(GroupCounts):
    """What was done to a group."""

    group: Group
    packs: list[WrittenPack] = field(default_factory=list)
    settled: dict[str, PackEntry] = field(default_factory=dict)
    """By key, all packs that were verified: new ones, and older ones that hold listed objects."""
    discard_lists: list[str] = field(default_factory=list)
    """Keys of the lists of what was deleted without a pack, one for each part of a group."""
    digest_regions: list[str] = field(default_factory=list)
    """Regions of the listed CloudTrail digests, whose public keys are archived at the end of the
    run.
    """
    bytes_out: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)


@dataclass(slots=True)
class RunResult:
    """Everything that a run did."""

    first: date
    last: date
    groups: list[GroupResult] = field(default_factory=list)
    selection: Selection = field(default_factory=Selection)
    stale_uploads: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    warnings: list[Failure] = field(default_factory=list)
    """What an operator should know once, but what does not fail the run."""
    refused_regions: list[str] = field(default_factory=list)
    """Regions of its digests for which CloudTrail refuses to list public keys, also those that
    refused before."""
    buckets: list[str] = field(default_factory=list)
    """The buckets that were listed for logs."""
    inventories: list[str] = field(default_factory=list)
    """Addresses of the inventories it used, if it did not list the buckets."""
    layouts: Layouts = field(default_factory=Layouts)
    """The layouts declared for it."""
    stage: Stage = Stage.PACK
    custody: list[WrittenRecord] = field(default_factory=list)
    """Its custody records, once they are written."""
    signatures: list[WrittenSignature] = field(default_factory=list)
    """Signatures of the newest of these records."""
    is_stopped: bool = False
    """It was stopped before it was done."""
    has_gaps: bool = False
    """The results of some of its parts are not known."""

    @property
    def packs(self) -> Iterator[WrittenPack]:
        """All packs that were written."""
        return (pack for group in self.groups for pack in group.packs)

    def take_groups(self, groups: Iterable[GroupResult]) -> None:
        """Adds the results of some groups. Equal failures of many groups are kept once."""
        failures = dict.fromkeys(self.failures)
        for settled in groups:
            self.groups.append(settled)
            self.add_seconds(settled.seconds)
            failures |= dict.fromkeys(settled.failures)
        self.failures = list(failures)

    def take_window(self, done: RunResult) -> None:
        """Adds the results of some of its days."""
        self.groups += done.groups
        self.selection.merge_window(done.selection)
        self.failures = list(dict.fromkeys([*self.failures, *done.failures]))
        self.take_warnings(done)
        self.custody += done.custody
        self.add_seconds(done.seconds)

    def take_warnings(self, done: RunResult) -> None:
        self.warnings = list(dict.fromkeys([*self.warnings, *done.warnings]))
        self.refused_regions = list(dict.fromkeys([*self.refused_regions, *done.refused_regions]))

    def add_seconds(self, seconds: Mapping[str, float]) -> None:
        """Adds wall time by step; steps that ran concurrently are summed."""
        for step, value in seconds.items():
            self.seconds[step] = self.seconds.get(step, 0.0) + value

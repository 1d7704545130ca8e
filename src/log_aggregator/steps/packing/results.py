"""What a run plans and what it did, group by group."""

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
    """What will be done to a group: packs to write, and packs that hold some of its log objects
    already.
    """

    group: Group
    packs: tuple[PackPlan, ...]
    settled: Mapping[str, int] = field(default_factory=dict)
    """Key of a pack that exists, oldest first -> how many listed log objects are members of it."""
    settled_bytes: int = 0
    """Bytes of all of these."""
    keep_originals: bool = False
    """Whether the originals of the packs to be written are kept for now."""
    kept: frozenset[str] = frozenset()
    """Those of `settled` that are too young for their originals to go."""
    discards: int = 0
    """Log objects of other regions that the settings say to delete without a pack."""


@dataclass(frozen=True, slots=True)
class Settling:
    """A pack whose originals are to go once it is verified; or only once they are old enough, in a
    later run.
    """

    pack_key: str
    keep_originals: bool
    packed_now: bool = False
    """Its members' bytes were read just now. Else originals that nothing but an ETag tells apart
    are compared with them before they go.
    """


@dataclass(slots=True)
class GroupResult(GroupCounts):
    """What was done to a group."""

    group: Group
    packs: list[WrittenPack] = field(default_factory=list)
    settled: dict[str, PackEntry] = field(default_factory=dict)
    """By key, all packs that were verified: new ones, and older ones that hold what was listed."""
    discard_lists: list[str] = field(default_factory=list)
    """Keys of the lists of what was deleted without a pack, one for each part of a group."""
    digest_regions: list[str] = field(default_factory=list)
    """Regions of the CloudTrail digests that were listed: their public keys are archived at the end
    of the run.
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
    """What a person should know once, and what does not fail the run."""
    refused_regions: list[str] = field(default_factory=list)
    """Regions of its digests whose public keys CloudTrail refuses to give, known ones included."""
    buckets: list[str] = field(default_factory=list)
    """Those that logs were looked for in."""
    inventories: list[str] = field(default_factory=list)
    """Where the inventories are that it went by, if it did not list the buckets."""
    layouts: Layouts = field(default_factory=Layouts)
    """Those that were declared for it."""
    stage: Stage = Stage.PACK
    custody: list[WrittenRecord] = field(default_factory=list)
    """Its custody records, once they are written."""
    signatures: list[WrittenSignature] = field(default_factory=list)
    """Of the newest of them."""
    is_stopped: bool = False
    """Somebody stopped it before it was done."""
    has_gaps: bool = False
    """What some of its pieces did is not known."""

    @property
    def packs(self) -> Iterator[WrittenPack]:
        """All that were written."""
        return (pack for group in self.groups for pack in group.packs)

    def take_groups(self, groups: Iterable[GroupResult]) -> None:
        """What was done to some groups, and what failed there. What would be said of many groups in
        the same words is said once.
        """
        failures = dict.fromkeys(self.failures)
        for settled in groups:
            self.groups.append(settled)
            self.add_seconds(settled.seconds)
            failures |= dict.fromkeys(settled.failures)
        self.failures = list(failures)

    def take_window(self, done: RunResult) -> None:
        """What was done in some of its days."""
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
        """Wall time by step, summed over what ran at the same time."""
        for step, value in seconds.items():
            self.seconds[step] = self.seconds.get(step, 0.0) + value

"""What a run plans and what it did, group by group."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from log_aggregator.core.custody import WrittenRecord
from log_aggregator.errors import Failure
from log_aggregator.model import Group, PackPlan, VerifiedPack, WrittenPack
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


@dataclass(slots=True)
class SettledPack:
    """A pack that was verified, and what became of the originals of its members."""

    key: str
    members: int
    source_bytes: int
    size_bytes: int
    index_sha256: str
    deleted: int | None = None
    """None as long as the deletion has not come to its end."""
    kept: int = 0
    retained: int = 0
    changed: int = 0

    @classmethod
    def of(cls, verified: VerifiedPack) -> SettledPack:
        members = verified.index.members
        size = sum(member.size_bytes for member in members)
        return cls(
            verified.index.pack_key,
            len(members),
            size,
            verified.stored.size_bytes,
            verified.index_sha256,
        )


@dataclass(slots=True)
class GroupResult:
    """What was done to a group."""

    group: Group
    packs: list[WrittenPack] = field(default_factory=list)
    settled: dict[str, SettledPack] = field(default_factory=dict)
    """By key, all packs that were verified: new ones, and older ones that hold what was listed."""
    discard_list: str | None = None
    """Key of the list of what was deleted without a pack."""
    listed: int = 0
    listed_bytes: int = 0
    packed_before: int = 0
    """Of those listed, how many were members of packs already."""
    packed_before_bytes: int = 0
    digest_regions: list[str] = field(default_factory=list)
    """Regions of the CloudTrail digests that were listed: their public keys are archived at the end
    of the run.
    """
    packed: int = 0
    copied: int = 0
    deleted: int = 0
    retained: int = 0
    changed: int = 0
    kept: int = 0
    discarded: int = 0
    bytes_in: int = 0
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
    buckets: list[str] = field(default_factory=list)
    """Those that logs were looked for in."""
    inventories: list[str] = field(default_factory=list)
    """Where the inventories are that it went by, if it did not list the buckets."""
    custody: list[WrittenRecord] = field(default_factory=list)
    """Its custody records, once they are written."""

    def add_seconds(self, seconds: Mapping[str, float]) -> None:
        """Wall time by step, summed over what ran at the same time."""
        for step, value in seconds.items():
            self.seconds[step] = self.seconds.get(step, 0.0) + value

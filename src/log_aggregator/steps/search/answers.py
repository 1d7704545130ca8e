"""What a search found and what it did not search: never reported without each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from log_aggregator.core.terms.model import Unsearched
from log_aggregator.errors import Failure
from log_aggregator.model import Group, Target


@dataclass(frozen=True, slots=True)
class SightedPack:
    """A pack in which something was found, as it was listed. Without a storage class the pack has
    expired or was deleted, or packs were not listed.
    """

    target: Target
    pack_key: str
    group: Group
    size_bytes: int | None = None
    storage_class: str | None = None

    @property
    def where(self) -> str:
        return f"s3://{self.target.bucket}/{self.pack_key}"


@dataclass(frozen=True, slots=True)
class Sighted:
    """A value in one pack. `asked` is what was typed; the times are seconds since 1970, if any."""

    asked: str
    value: str
    field: str
    pack: SightedPack
    count: int
    first: int | None
    last: int | None


@dataclass(slots=True)
class Coverage:
    """How much of what the query covers was searched."""

    packs: int = 0
    """Packs whose terms were searched, even if some of their members were not."""
    members: int = 0
    """Members of these packs that were searched."""
    unsearched_packs: Counter[Unsearched] = field(default_factory=Counter)
    """Packs that were not searched at all."""
    unsearched_members: Counter[Unsearched] = field(default_factory=Counter)
    """Members that were not searched, of packs that were."""
    examples: dict[Unsearched, str] = field(default_factory=dict)
    """A pack for each reason."""
    failures: list[Failure] = field(default_factory=list)
    """What could not be read. The packs that were missed because of it are counted above."""
    is_compared: bool = True
    """The existing packs were listed, so that none is missing above."""

    @property
    def is_whole(self) -> bool:
        """Whether everything that the query covers was searched. Only then does finding nothing
        mean that there is nothing.
        """
        return self.is_compared and not self.unsearched_packs and not self.unsearched_members

    @property
    def reasons(self) -> list[Unsearched]:
        """Why anything was not searched."""
        return sorted({*+self.unsearched_packs, *+self.unsearched_members})

    def take(self, other: Coverage) -> None:
        """Adds another coverage."""
        self.packs += other.packs
        self.members += other.members
        self.unsearched_packs.update(other.unsearched_packs)
        self.unsearched_members.update(other.unsearched_members)
        self.examples = other.examples | self.examples
        self.failures += other.failures

    def add_searched(self, pack: str, members: int, unsearched: Mapping[Unsearched, int]) -> None:
        self.packs += 1
        self.members += members
        if unsearched:
            self.members -= sum(unsearched.values())
            self.unsearched_members.update(unsearched)
            for reason in unsearched:
                self.examples.setdefault(reason, pack)

    def add_unsearched(self, pack: str, reason: Unsearched) -> None:
        self.unsearched_packs[reason] += 1
        self.examples.setdefault(reason, pack)


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer of one search, over all targets."""

    sighted: Sequence[Sighted]
    coverage: Coverage
    missing: Sequence[str] = ()
    """Values that were asked for and not found, as they were typed."""

    @property
    def packs(self) -> list[SightedPack]:
        """Each once, in the order of their keys."""
        found = {each.pack.where: each.pack for each in self.sighted}
        return [found[where] for where in sorted(found)]

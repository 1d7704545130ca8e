"""A request to validate trails, and its results: file by file, and counted by chain."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from log_aggregator.core.digests import PERIOD, Chain, DigestName
from log_aggregator.core.evidence.hours import Span, join_spans, subtract_spans
from log_aggregator.core.windows import DateWindow
from log_aggregator.errors import Failure
from log_aggregator.steps.cloudtrail.accounts import ReadFrom

FINDINGS_MAX = 100_000
"""For all accounts together; they take about 60 MB."""


class State(StrEnum):
    """The result for a file. UNCHECKED: it exists, or may exist, but could not be read. HOLE: some
    hours have no valid digest at all. GAP and NOTE are not verdicts.
    """

    VALID = "valid"
    INVALID = "invalid"
    UNCHECKED = "unchecked"
    HOLE = "hole"
    GAP = "gap"
    NOTE = "note"


class Kind(StrEnum):
    DIGEST = "digest"
    BACKFILL = "backfill digest"
    LOG = "log"


@dataclass(frozen=True, slots=True)
class Request:
    """What to validate: digests whose hours end from `first` to one hour after `last`, and all logs
    that they name.

    Empty sets mean everything. Digests for hours after `delivered` may still arrive; None: all have
    arrived.
    """

    first: datetime
    last: datetime
    regions: frozenset[str] = frozenset()
    trails: frozenset[str] = frozenset()
    read_from: ReadFrom = ReadFrom.BOTH
    delivered: datetime | None = None

    @property
    def window(self) -> DateWindow:
        """The days in whose folders these digests lie."""
        return DateWindow(self.first.date(), (self.last + PERIOD).date())

    @property
    def due(self) -> Span:
        """The time that digests must cover by now. It may be empty."""
        return self.first, min(self.last, self.delivered or self.last)

    def wants(self, name: DigestName) -> bool:
        return self.first <= name.end <= self.last + PERIOD and self.wants_chain(name.chain)

    def wants_chain(self, chain: Chain) -> bool:
        return (not self.regions or chain.region in self.regions) and (
            not self.trails or chain.trail in self.trails
        )


@dataclass(frozen=True, slots=True)
class Finding:
    """The result for a file. `place` is the pack that it was read from; empty for an original."""

    kind: Kind
    state: State
    bucket: str
    key: str
    text: str = ""
    place: str = ""


@dataclass(frozen=True, slots=True)
class Hole:
    """Hours of a trail that no valid digest covers. `chain` has no trail name if only logs show
    that there was a trail.
    """

    chain: Chain
    begin: datetime
    end: datetime


@dataclass(slots=True)
class Tally:
    """The counts of one chain: its digests, and the logs that they name, by state. `first` and
    `last` span its valid digests.
    """

    digests: Counter[State] = field(default_factory=Counter)
    logs: Counter[State] = field(default_factory=Counter)
    first: datetime | None = None
    last: datetime | None = None

    def cover(self, start: datetime, end: datetime) -> None:
        self.first = start if self.first is None else min(self.first, start)
        self.last = end if self.last is None else max(self.last, end)


@dataclass(slots=True)
class Validation:
    """The results. `findings` are all that are not valid; `failures` say why something could not be
    checked.
    """

    tallies: dict[Chain, Tally] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    unlisted: int = 0
    """Findings beyond the limits per account and overall. They are still counted."""
    holes: list[Hole] = field(default_factory=list)
    """Limited in number, like findings."""
    unproven: list[Span] = field(default_factory=list)
    """Times in which any of the trails has no valid digest, for any reason."""

    def merge(self, other: Validation) -> None:
        room = max(0, FINDINGS_MAX - len(self.findings))
        self.tallies |= other.tallies
        self.findings += other.findings[:room]
        self.failures = list(dict.fromkeys([*self.failures, *other.failures]))
        self.unlisted += other.unlisted + len(other.findings[room:])
        self.holes += other.holes[: max(1, FINDINGS_MAX - len(self.holes))]
        self.leave_unproven(other.unproven)

    def add_hole(self, hole: Hole) -> None:
        self.holes.append(hole)
        self.leave_unproven([(hole.begin, hole.end)])

    def leave_unproven(self, spans: Iterable[Span]) -> None:
        self.unproven = join_spans([*self.unproven, *spans])

    @property
    def proven(self) -> list[Span]:
        """Times in which every trail that was found has a valid digest."""
        firsts = [tally.first for tally in self.tallies.values() if tally.first]
        lasts = [tally.last for tally in self.tallies.values() if tally.last]
        if not firsts or not lasts:
            return []
        return subtract_spans([(min(firsts), max(lasts))], self.unproven)

    def count(self, state: State) -> int:
        return sum(tally.digests[state] + tally.logs[state] for tally in self.tallies.values())

    @property
    def is_sound(self) -> bool:
        """Whether something was validated, everything could be checked and is valid, and no hour
        lacks a digest.
        """
        return (
            not self.failures
            and self.count(State.VALID) > 0
            and not self.count(State.INVALID)
            and not self.count(State.UNCHECKED)
            and not self.holes
        )


def kind_of(chain: Chain) -> Kind:
    return Kind.BACKFILL if chain.is_backfill else Kind.DIGEST

"""Fetches many originals from their packs: neighbours with one range read, several packs ahead,
each member checked on the way.

The caller takes them in one thread and in one order: packs as they come, members from front to end.
Only reads run ahead, within the workers' limit of bytes. A member is never in memory as a whole,
unless the caller keeps it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Protocol

from log_aggregator.core.packformat.extents import Extent, MergeLimits, plan_extents, plan_ranges
from log_aggregator.core.packformat.unpack import MemberCheck
from log_aggregator.core.versions import choose_versions
from log_aggregator.errors import (
    BadPack,
    Failure,
    GroupFailed,
    IncompleteSearch,
    StoreError,
)
from log_aggregator.escapes import escape
from log_aggregator.model import Identity, Member
from log_aggregator.ports.store import ObjectStore
from log_aggregator.steps.packs.index import naming
from log_aggregator.steps.retrieval.find import FoundPack
from log_aggregator.steps.retrieval.reading import (
    Answer,
    DecodedExtent,
    PackRanges,
    PackRead,
    ReadAhead,
)
from log_aggregator.steps.workers import Workers

_BATCH_MEMBERS_MAX = 20_000
_BATCH_PACKS_MAX = 200
_LIMITS = MergeLimits()


@dataclass(frozen=True, slots=True)
class Fetched:
    """An original that is being fetched. `pieces` are its bytes; they are proven right only once
    they have ended without an error.

    Consume or skip them before asking for the next original. They may raise BadPack,
    VerificationError or a StoreError; nothing that was taken of them may be used then.
    """

    pack: FoundPack
    member: Member
    is_newest: bool
    """It is the newest of the requested versions of its key."""
    pieces: Iterator[bytes]
    spares: tuple[FoundPack, ...] = ()
    """Other packs that hold the same original, each with that member only: two concurrent runs can
    have packed a log object twice.
    """

    @property
    def where(self) -> str:
        return f"s3://{self.pack.group.bucket}/{self.member.key}"


@dataclass(frozen=True, slots=True)
class VersionChoice:
    """Which versions of a key are wanted: all, only the newest, or those with this version id."""

    newest_only: bool = False
    version_id: str | None = None


Spares = Mapping[Identity, tuple[FoundPack, ...]]
"""A member's identity -> other packs that hold it too, each with that member only."""


class Sink(Protocol):
    """Where originals go."""

    def take(self, original: Fetched) -> None:
        """Takes the whole original, or raises and leaves nothing of it behind. A GroupFailed
        concerns only this original.
        """


@dataclass(slots=True)
class Losses:
    """What failed. A problem of a pack is reported once, not for each of its members."""

    failures: list[Failure] = field(default_factory=list)
    lost: int = 0
    """How many originals could not be read."""
    _said: set[Failure] = field(default_factory=set, repr=False)

    def add(self, original: Fetched, error: GroupFailed) -> None:
        self.lost += 1
        pack = original.pack.where
        failure = Failure.of(pack if escape(pack) in str(error) else original.where, error)
        if failure not in self._said:
            self._said.add(failure)
            self.failures.append(failure)


@dataclass(slots=True)
class FetchResult(Losses):
    """What was fetched, and what was not."""

    originals: int = 0
    size_bytes: int = 0
    packs: int = 0
    rescued: int = 0
    """Originals that could not be read from one pack, but from another."""


class FetchProgress:
    """Is told how fetching proceeds. This class shows nothing."""

    def fetched(self, originals: int, size_bytes: int) -> None:
        """Totals so far."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to fetch from one pack."""

    pack: FoundPack
    newest: frozenset[Identity]
    """Those members that are the newest version of their key."""
    spares: Spares = field(default_factory=dict)


def fetch_all(
    store: ObjectStore,
    workers: Workers,
    wanted: Iterable[Wanted],
    sink: Sink,
    progress: FetchProgress,
) -> FetchResult:
    """Fetches everything that is wanted into the sink. Failures are collected, and the rest
    continues.

    Raises Unreachable if S3 does not answer, and any error of the sink itself.
    """
    result = FetchResult()
    pack_keys: set[str] = set()
    given_up: set[str] = set()
    for original in fetch(store, workers, wanted):
        try:
            result.rescued += _take(store, workers, sink, original, given_up)
        except GroupFailed as error:
            result.add(original, error)
        else:
            result.originals += 1
            result.size_bytes += original.member.size_bytes
            pack_keys.add(original.pack.pack_key)
            progress.fetched(result.originals, result.size_bytes)
    result.packs = len(pack_keys)
    return result


def alternatives(
    store: ObjectStore, workers: Workers, original: Fetched, given_up: set[str]
) -> Iterator[Fetched]:
    """The original, then the same from each other pack that holds it, except packs that were given
    up.
    """
    yield original
    for spare in original.spares:
        if spare.pack_key not in given_up:
            newest = frozenset([original.member.identity] if original.is_newest else [])
            yield from fetch(store, workers, [Wanted(spare, newest)])


def tolerate_gaps(packs: Iterable[FoundPack], failures: list[Failure]) -> Iterator[FoundPack]:
    """All packs that are found. Indexes that could not be searched become a failure at the end."""
    try:
        yield from packs
    except IncompleteSearch as error:
        failures.append(Failure.of("indexes", error))


def choose(packs: Iterable[FoundPack], choice: VersionChoice) -> Iterator[Wanted]:
    """The wanted versions of each key, each once even if two packs hold it. All versions of a key
    belong to one group.
    """
    for _, group in groupby(packs, key=lambda pack: (pack.target, pack.group)):
        alike = list(group)
        has_twins = len({member.identity for pack in alike for member in pack.members}) < sum(
            len(pack.members) for pack in alike
        )
        chosen = choose_versions(
            [pack.members for pack in alike],
            newest_only=choice.newest_only,
            version_id=choice.version_id,
        )
        for pack, (members, newest) in zip(alike, chosen, strict=True):
            if members:
                yield Wanted(
                    replace(pack, members=members),
                    newest,
                    _find_spares(pack, members, alike) if has_twins else {},
                )


def fetch(
    store: ObjectStore, workers: Workers, wanted: Iterable[Wanted], limits: MergeLimits = _LIMITS
) -> Iterator[Fetched]:
    """The originals, by pack and place. Raises Unreachable; any other error is raised by the pieces
    of the originals that it concerns.
    """
    for batch in _batches(wanted):
        plans = [_plan(each, limits) for each in batch]
        reader = ReadAhead(store)
        reads = [PackRead(plan.pack, first, last) for plan in plans for first, last in plan.ranges]
        answers = workers.read_ahead(reader.read, reads, lambda read: read.last - read.first)
        for plan in plans:
            yield from _fetch_pack(plan, answers)


def _take(
    store: ObjectStore, workers: Workers, sink: Sink, original: Fetched, given_up: set[str]
) -> bool:
    """Takes an original. True if it had to come from another pack. If no pack has it, raises the
    error of the first one.
    """
    first: GroupFailed | None = None
    for each in alternatives(store, workers, original, given_up):
        try:
            sink.take(each)
        except GroupFailed as error:
            first = first or error
            if isinstance(error, StoreError):
                given_up.add(each.pack.pack_key)
        else:
            return first is not None
    raise first or BadPack(f"{original.where}: no pack has it")


def _find_spares(pack: FoundPack, members: tuple[Member, ...], alike: list[FoundPack]) -> Spares:
    wanted = {member.identity for member in members}
    spares: dict[Identity, tuple[FoundPack, ...]] = {}
    for other in alike:
        if other is not pack:
            for member in other.members:
                if member.identity in wanted:
                    spares[member.identity] = (
                        *spares.get(member.identity, ()),
                        replace(other, members=(member,)),
                    )
    return spares


def _batches(wanted: Iterable[Wanted]) -> Iterator[list[Wanted]]:
    """Batches of packs whose reads are planned together, so that small packs are read ahead too."""
    batch: list[Wanted] = []
    members = 0
    for each in wanted:
        batch.append(each)
        members += len(each.pack.members)
        if members >= _BATCH_MEMBERS_MAX or len(batch) >= _BATCH_PACKS_MAX:
            yield batch
            batch, members = [], 0
    if batch:
        yield batch


@dataclass(frozen=True, slots=True)
class _Plan:
    pack: FoundPack
    newest: frozenset[Identity]
    spares: Spares
    extents: tuple[Extent, ...]
    ranges: tuple[tuple[int, int], ...]
    error: BadPack | None = None


def _plan(wanted: Wanted, limits: MergeLimits) -> _Plan:
    pack = wanted.pack
    try:
        with naming(pack.where):
            extents = plan_extents(pack.members)
    except BadPack as error:
        return _Plan(pack, wanted.newest, wanted.spares, (), (), error)
    return _Plan(
        pack, wanted.newest, wanted.spares, tuple(extents), tuple(plan_ranges(extents, limits))
    )


def _fetch_pack(plan: _Plan, answers: Iterator[Answer]) -> Iterator[Fetched]:
    if plan.error is not None:
        for member in plan.pack.members:
            yield Fetched(
                plan.pack,
                member,
                member.identity in plan.newest,
                _failing(plan.error),
                plan.spares.get(member.identity, ()),
            )
    ranges = PackRanges(plan.ranges, answers)
    for extent in plan.extents:
        decoded = DecodedExtent(extent, ranges, plan.pack)
        for member in extent.members:
            yield Fetched(
                plan.pack,
                member,
                member.identity in plan.newest,
                _checked(member, decoded),
                plan.spares.get(member.identity, ()),
            )
    ranges.finish()


def _failing(error: BadPack) -> Iterator[bytes]:
    raise error
    yield b""


def _checked(member: Member, decoded: DecodedExtent) -> Iterator[bytes]:
    check = MemberCheck(member)
    for piece in decoded.cut(member):
        check.take(piece)
        yield piece
    check.finish()

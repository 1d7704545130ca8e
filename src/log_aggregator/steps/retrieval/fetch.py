"""Many originals back out of their packs: neighbours by one range read, several packs ahead, each
checked as it passes.

The one who takes them works in one thread and in one order: packs as they come, members front to
end. Only reads run ahead, and never more of them than the workers' bound of bytes. A member is
never here as a whole, unless whoever takes it keeps it.
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
    """An original that is coming. `pieces` are its bytes, right only once they have ended without
    an error.

    They must be taken, or left, before the next original is asked for. They raise BadPack,
    VerificationError, or a StoreError: then nothing that was taken of them may be used.
    """

    pack: FoundPack
    member: Member
    is_newest: bool
    """Of the versions of its key that were asked for, this is the newest."""
    pieces: Iterator[bytes]
    spares: tuple[FoundPack, ...] = ()
    """Other packs that hold the same, each with that member alone: two runs at once can have packed
    a log object twice.
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
"""Of members that other packs hold too: those packs, each with that member alone."""


class Sink(Protocol):
    """Where originals go."""

    def take(self, original: Fetched) -> None:
        """Takes all of it, or raises and leaves nothing of it behind. A GroupFailed is this
        original's failure alone.
        """


@dataclass(slots=True)
class Losses:
    """What failed. What is wrong with a pack is said once, not for each of the members that are
    lost by it.
    """

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
    """What came back, and what did not."""

    originals: int = 0
    size_bytes: int = 0
    packs: int = 0
    rescued: int = 0
    """Those of the originals that could not be read out of one pack, but out of another one."""


class FetchProgress:
    """Is told how it goes. This one shows nothing."""

    def fetched(self, originals: int, size_bytes: int) -> None:
        """So many so far."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be fetched from one pack."""

    pack: FoundPack
    newest: frozenset[Identity]
    """Those of its members that are the newest version of their key."""
    spares: Spares = field(default_factory=dict)


def fetch_all(
    store: ObjectStore,
    workers: Workers,
    wanted: Iterable[Wanted],
    sink: Sink,
    progress: FetchProgress,
) -> FetchResult:
    """Everything that is wanted goes into the sink. What fails is listed and the rest goes on.

    Raises Unreachable where S3 gives no answer, and whatever is wrong with the sink itself.
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
    """The original, and then the same out of each other pack that holds it, but for those that were
    given up.
    """
    yield original
    for spare in original.spares:
        if spare.pack_key not in given_up:
            newest = frozenset([original.member.identity] if original.is_newest else [])
            yield from fetch(store, workers, [Wanted(spare, newest)])


def tolerate_gaps(packs: Iterable[FoundPack], failures: list[Failure]) -> Iterator[FoundPack]:
    """All that is found. What could not be searched is a failure at the end, and harms nothing
    else.
    """
    try:
        yield from packs
    except IncompleteSearch as error:
        failures.append(Failure.of("indexes", error))


def choose(packs: Iterable[FoundPack], choice: VersionChoice) -> Iterator[Wanted]:
    """Of each key the wanted versions, each once, even where two packs hold it. All versions of a
    key are of one group.
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
    """The originals, by pack and place. Raises Unreachable; all other trouble is raised by the
    pieces of those that it is about.
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
    """Whether it had to come out of another pack. Raises what was wrong with the first one where no
    other one helps.
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
    """Packs whose reads are planned together, so that those of small packs run ahead too."""
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

"""Draws the sample of a drill, from a listing of packs and the first bytes of their indexes. Only
the indexes of packs that were drawn are read whole.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import islice

from log_aggregator.core.evidence.draws import iter_places
from log_aggregator.core.evidence.proportions import CONFIDENCE, plan_sample_size
from log_aggregator.core.evidence.samples import DrawnMember, Sample
from log_aggregator.core.packformat.index import decode_beginning
from log_aggregator.core.query import Query
from log_aggregator.errors import BadPack, Failure, GroupFailed, NewerFormat, NothingFound
from log_aggregator.limits import KIB
from log_aggregator.model import Target
from log_aggregator.steps.job import Job
from log_aggregator.steps.packs.index import estimate_index_memory, naming, read_index
from log_aggregator.steps.retrieval.catalog import CatalogEntry, iter_packs

COUNTED_PACKS_MAX = 10_000
"""Up to this number of packs, the members of every pack are counted, with a small GET each. If
there are more packs, only those that are hit."""
COUNTED_RATIO_MIN = 4
"""All packs are counted, too, if there are fewer than this many per wanted member: the sample may
then be nearly everything that exists."""

BEGINNING_BYTES = 4 * KIB
INDEX_BYTES_PER_MEMBER_MIN = 8
"""A member takes about a hundred bytes of a stored index. If it takes fewer than this, its pack
turns out to have more members than places, and everything is drawn again."""
DRAWS_PER_MEMBER_MAX = 1_000
"""After this many draws the sample stays smaller than wanted, and proves less."""


@dataclass(frozen=True, slots=True)
class DrawRules:
    """The sample to draw."""

    seed: int
    members: int = field(default_factory=plan_sample_size)
    confidence: float = CONFIDENCE


Hits = dict[int, set[int]]
"""The number of a pack -> the numbers of its members that were drawn."""


def draw_sample(
    job: Job, target: Target, rules: DrawRules, show: Callable[[int], object] = lambda _: None
) -> Sample | None:
    """The sample, or None if the target has no pack. `show` gets the number of packs whose members
    were counted. Raises StoreError, and NothingFound if no member can be drawn from the packs.
    """
    packs = _list(job, target)
    if packs is None:
        return None
    draw = _Draw(job, target, packs, show)
    is_counted = len(packs.keys) <= max(COUNTED_PACKS_MAX, COUNTED_RATIO_MIN * rules.members)
    hits, population = draw.draw_counted(rules) if is_counted else draw.draw_uncounted(rules)
    if not any(hits.values()):
        raise NothingFound(
            f"s3://{target.bucket}/{target.root}indexes/: no member can be drawn from "
            f"{len(packs.keys):,} packs; `log-aggregator verify` shows what is wrong with them"
        )
    members = tuple(draw.read_members(hits))
    return Sample(
        target,
        rules.seed,
        job.clock.now().replace(microsecond=0),
        rules.confidence,
        population,
        is_counted,
        len(packs.keys),
        packs.first,
        packs.last,
        members,
        lost=sum(map(len, hits.values())) - len(members),
        packs_without_index=packs.without_index,
        failures=tuple((each.where, each.error, each.message) for each in draw.failures.values()),
    )


@dataclass(slots=True)
class _Packs:
    """All packs that have an index. Only a key and a number are kept for each, because there may be
    millions.
    """

    keys: list[str] = field(default_factory=list)
    index_bytes: array[int] = field(default_factory=lambda: array("Q"))
    first: date = date.max
    last: date = date.min
    without_index: int = 0

    def add(self, entry: CatalogEntry) -> None:
        self.first, self.last = (
            min(self.first, entry.group.date),
            max(self.last, entry.group.date),
        )
        if entry.index_bytes is None:
            self.without_index += 1
        else:
            self.keys.append(entry.pack_key)
            self.index_bytes.append(entry.index_bytes)


def _list(job: Job, target: Target) -> _Packs | None:
    """All packs, or None if there is neither a pack nor an index."""
    packs = _Packs()
    for entry in iter_packs(job.store, job.workers, target, Query()):
        packs.add(entry)
    return packs if packs.keys or packs.without_index else None


@dataclass(slots=True)
class _Draw:
    job: Job
    target: Target
    packs: _Packs
    show: Callable[[int], object]
    counts: dict[int, int] = field(default_factory=dict)
    failures: dict[int, Failure] = field(default_factory=dict)

    def draw_counted(self, rules: DrawRules) -> tuple[Hits, int]:
        """Draws when the members of all packs are counted: every place has a member."""
        self._count(range(len(self.packs.keys)))
        places = [self.counts[number] for number in range(len(self.packs.keys))]
        population = sum(places)
        if rules.members >= population:
            return {number: set(range(count)) for number, count in enumerate(places)}, population
        hits: Hits = {}
        for pack, member in islice(iter_places(rules.seed, places), rules.members):
            hits.setdefault(pack, set()).add(member)
        return hits, population

    def draw_uncounted(self, rules: DrawRules) -> tuple[Hits, int]:
        """Draws from more places than there are members. The share of draws that hit a member gives
        an estimate of the number of members. The last draw is always a hit, so it does not count.
        """
        places = [1 + size // INDEX_BYTES_PER_MEMBER_MIN for size in self.packs.index_bytes]
        while True:
            hits, draws, found, small = self._try(rules, places)
            if not small:
                return hits, round(sum(places) * max(1, found - 1) / max(1, draws - 1))
            for pack in small:
                places[pack] = self.counts[pack]

    def _try(self, rules: DrawRules, places: Sequence[int]) -> tuple[Hits, int, int, set[int]]:
        """Returns hits, draws, members hit, and packs that have more members than places."""
        drawn, hits, draws, found = iter_places(rules.seed, places), Hits(), 0, 0
        while found < rules.members and draws < DRAWS_PER_MEMBER_MAX * rules.members:
            some = list(islice(drawn, COUNTED_RATIO_MIN * rules.members))
            if not some:
                break
            packs = {pack for pack, _ in some}
            self._count(sorted(packs))
            if small := {pack for pack in packs if self.counts[pack] > places[pack]}:
                return {}, draws, found, small
            for pack, member in some:
                draws += 1
                if member < self.counts[pack]:
                    hits.setdefault(pack, set()).add(member)
                    found += 1
                if found == rules.members:
                    break
        return hits, draws, found, set()

    def _count(self, numbers: Iterable[int]) -> None:
        """Counts the members of these packs; 0 for a pack whose index cannot be read."""

        def count(number: int) -> int | GroupFailed:
            try:
                return self._count_members(number)
            except NewerFormat:  # a record must not call bad what this release cannot read
                raise
            except GroupFailed as error:
                return error

        unknown = [number for number in numbers if number not in self.counts]
        counted = self.job.workers.read_ahead(count, unknown, lambda _: BEGINNING_BYTES)
        for number, found in zip(unknown, counted, strict=True):
            self.counts[number] = 0 if isinstance(found, GroupFailed) else found
            if isinstance(found, GroupFailed):
                self._fail(number, found)
            self.show(len(self.counts))

    def _count_members(self, number: int) -> int:
        pack_key, size = self.packs.keys[number], self.packs.index_bytes[number]
        key = self.target.index_key(pack_key)
        where = f"s3://{self.target.bucket}/{key}"
        if not size:
            raise BadPack(f"{where}: the index is empty")
        for end in (min(size, BEGINNING_BYTES), size):
            data = self.job.store.get_object(self.target.bucket, key, byte_range=(0, end)).data
            with naming(where):
                found = decode_beginning(data)
            if found is not None:
                head, count = found
                if head.pack_key != pack_key:
                    raise BadPack(f"{where} is the index of another pack, {head.pack_key}")
                return count
        raise BadPack(f"{where}: the index does not contain one complete line")

    def read_members(self, hits: Hits) -> Iterable[DrawnMember]:
        """The members that were hit, as the indexes describe them."""

        def read(number: int) -> list[DrawnMember] | GroupFailed:
            pack_key, wanted = self.packs.keys[number], hits[number]
            try:
                index = read_index(self.job.store, self.target, pack_key).scan()
                return [
                    DrawnMember(pack_key, member)
                    for place, member in enumerate(index.members)
                    if place in wanted
                ]
            except GroupFailed as error:
                return error

        numbers = sorted(number for number in hits if hits[number])
        found = self.job.workers.read_ahead(
            read, numbers, lambda number: estimate_index_memory(self.packs.index_bytes[number])
        )
        for number, members in zip(numbers, found, strict=True):
            if isinstance(members, GroupFailed):
                self._fail(number, members)
            else:
                yield from members

    def _fail(self, number: int, error: GroupFailed) -> None:
        where = f"s3://{self.target.bucket}/{self.packs.keys[number]}"
        self.failures[number] = Failure.of(where, error)

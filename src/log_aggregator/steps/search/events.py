"""Reads the events themselves: only the members that contain what was found, by ranges of their
packs, and of each member only the events that match.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from log_aggregator.core.packformat.inflate import GzipBomb, inflate_whole
from log_aggregator.core.terms.events import LogEvent, split_events, terms_of
from log_aggregator.core.terms.table import has_terms
from log_aggregator.errors import BadTerms, Failure, GroupFailed
from log_aggregator.limits import MIB, SEARCHED_MEMBER_BYTES_MAX
from log_aggregator.model import Group, Member
from log_aggregator.ports.store import ObjectStore
from log_aggregator.steps.packs.index import format_of, read_index
from log_aggregator.steps.packs.terms import read_terms
from log_aggregator.steps.retrieval.fetch import Fetched, Losses, VersionChoice, choose, fetch
from log_aggregator.steps.retrieval.find import FoundPack
from log_aggregator.steps.retrieval.thaw import PackState, State, look_at_packs
from log_aggregator.steps.search.answers import SightedPack
from log_aggregator.steps.search.look_up import Asked
from log_aggregator.steps.workers import Workers

_GZIP = b"\x1f\x8b"
_INDEX_BYTES = MIB
"""Roughly what a pack's index and terms take in memory while they are read."""


@dataclass(frozen=True, slots=True)
class FoundEvent:
    """An event that matches, and where it was delivered."""

    group: Group
    member: Member
    event: LogEvent

    @property
    def where(self) -> str:
        return f"s3://{self.group.bucket}/{self.member.key}"


@dataclass(slots=True)
class EventsResult:
    """What was read, and what was not. `frozen` are packs that must be thawed first."""

    events: int = 0
    members: int = 0
    frozen: list[PackState] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)


def look_at(
    store: ObjectStore, workers: Workers, packs: Iterable[SightedPack]
) -> tuple[list[PackState], list[Failure]]:
    """The states of packs, as for thawing."""
    return look_at_packs(store, workers, map(_found_pack, packs))


def find_events(
    store: ObjectStore,
    workers: Workers,
    packs: Sequence[SightedPack],
    asked: Asked,
    result: EventsResult,
) -> Iterator[FoundEvent]:
    """The events, by pack and member. What cannot be read is in the result at the end, and does not
    stop the rest. Raises Unreachable.
    """
    states, failures = look_at(store, workers, packs)
    result.failures += failures
    result.frozen += [each for each in states if each.state in (State.FROZEN, State.THAWING)]
    readable = {(each.bucket, each.key) for each in states} - {
        (each.bucket, each.key) for each in result.frozen
    }
    wanted = [pack for pack in packs if (pack.target.bucket, pack.pack_key) in readable]
    losses = Losses()
    found = find_members(store, workers, wanted, asked, result.failures)
    for original in fetch(store, workers, choose(found, VersionChoice())):
        try:
            data = _inflate(b"".join(original.pieces))
        except GroupFailed as error:
            losses.add(original, error)
            continue
        result.members += 1
        for event in _matching(original, data, asked):
            result.events += 1
            yield event
    result.failures += losses.failures


def find_members(
    store: ObjectStore,
    workers: Workers,
    packs: Iterable[SightedPack],
    asked: Asked,
    failures: list[Failure],
) -> Iterator[FoundPack]:
    """The members of each pack that contain what is looked for, by its terms and its index."""

    def read(pack: SightedPack) -> FoundPack | Failure:
        try:
            return _read_members(store, pack, asked)
        except (BadTerms, GroupFailed) as error:
            return Failure.of(pack.where, error)

    for found in workers.read_ahead(read, packs, lambda _: _INDEX_BYTES):
        if isinstance(found, Failure):
            failures.append(found)
        elif found.members:
            yield found


def _read_members(store: ObjectStore, pack: SightedPack, asked: Asked) -> FoundPack:
    _, sightings = read_terms(store, pack.target, pack.pack_key)
    places = {
        place
        for sighting in sightings
        if asked.match(sighting.term.value, sighting.term.field.value) is not None
        for place in sighting.members
    }
    index = read_index(store, pack.target, pack.pack_key).scan()
    members = (member for place, member in enumerate(index.members) if place in places)
    return replace(_found_pack(pack), format=index.format, members=tuple(members))


def _found_pack(pack: SightedPack) -> FoundPack:
    """Without members."""
    return FoundPack(
        pack.target,
        pack.pack_key,
        pack.group,
        format_of(pack.group, pack.target, pack.pack_key),
        (),
        pack.size_bytes,
        pack.storage_class,
    )


def _inflate(data: bytes) -> bytes:
    """A member's text, whether it is gzip or plain. Its hash was compared before."""
    if not data.startswith(_GZIP):
        return data
    try:
        return inflate_whole(data, SEARCHED_MEMBER_BYTES_MAX)
    except (zlib.error, EOFError, GzipBomb):
        return b""  # such a member has no terms either, so no term led here


def _matching(original: Fetched, data: bytes, asked: Asked) -> Iterator[FoundEvent]:
    group = original.pack.group
    if not has_terms(group.log_type):
        return
    for event in split_events(group.log_type, data):
        if _is_wanted(group.log_type, event, asked):
            yield FoundEvent(group, original.member, event)


def _is_wanted(log_type: str, event: LogEvent, asked: Asked) -> bool:
    return any(
        asked.match(term.value, term.field.value) is not None for term in terms_of(log_type, event)
    )

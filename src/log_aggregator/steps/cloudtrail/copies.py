"""Copies of digests and logs, and how they are read.

Members that are neighbours in a pack are read with one range.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from log_aggregator.core.digests import NOT_FOUND, Flaw
from log_aggregator.errors import GroupFailed, NotFound, StoreError, Unsound
from log_aggregator.model import PackedMember, Target
from log_aggregator.ports.store import ObjectStore
from log_aggregator.steps.packs.index import format_of
from log_aggregator.steps.packs.ranges import READ_BYTES, RangeReader
from log_aggregator.steps.retrieval.catalog import entry_of
from log_aggregator.steps.retrieval.fetch import Wanted, fetch
from log_aggregator.steps.retrieval.find import FoundPack
from log_aggregator.steps.workers import Workers

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Copy:
    """A digest or log that exists, in a pack or in its own bucket."""

    bucket: str
    key: str
    size_bytes: int
    etag: str
    packed: PackedMember | None = None

    @property
    def where(self) -> str:
        """The object to check if it cannot be read."""
        return self.pack or f"s3://{self.bucket}/{self.key}"

    @property
    def pack(self) -> str:
        """The pack that it lies in; empty if it lies in its own bucket."""
        return self.packed.where if self.packed else ""


@dataclass(frozen=True, slots=True)
class Reading(Generic[T]):
    """The result of reading a copy: a value, or a flaw, or why it could not be read."""

    copy: Copy
    value: T | None = None
    flaw: Flaw | None = None
    error: GroupFailed | None = None


Use = Callable[[Mapping[str, str], Iterable[bytes]], T]
"""Makes a value of an object's user metadata and its bytes, piece by piece."""


def read_copies(
    store: ObjectStore, workers: Workers, copies: Iterable[Copy], use: Use[T]
) -> Iterator[Reading[T]]:
    """Reads every copy once, in any order. Raises Unreachable."""
    copies = list(copies)
    originals = [copy for copy in copies if copy.packed is None]
    yield from workers.read_ahead(
        lambda copy: _read_original(store, copy, use),
        originals,
        lambda copy: min(copy.size_bytes, READ_BYTES),
    )
    packed = {
        (copy.packed.pack_key, copy.packed.member.identity): copy
        for copy in copies
        if copy.packed is not None
    }
    for fetched in fetch(store, workers, _plan_fetch(packed.values())):
        copy = packed[fetched.pack.pack_key, fetched.member.identity]
        try:
            reading = Reading(copy, use(fetched.member.metadata, fetched.pieces))
        except GroupFailed as error:
            reading = _failed(copy, error)
        yield reading


def _plan_fetch(copies: Iterable[Copy]) -> Iterator[Wanted]:
    """What to fetch, pack by pack, with members in the order of their offsets."""
    by_pack: dict[tuple[Target, str], list[PackedMember]] = {}
    for copy in copies:
        if copy.packed is not None:
            by_pack.setdefault((copy.packed.target, copy.packed.pack_key), []).append(copy.packed)
    for (target, pack_key), places in by_pack.items():
        group = entry_of(target, pack_key).group
        members = tuple(
            sorted(
                (place.member for place in places),
                key=lambda member: (member.offset, member.inner_offset),
            )
        )
        yield Wanted(
            FoundPack(target, pack_key, group, format_of(group, target, pack_key), members),
            frozenset(),
        )


def _read_original(store: ObjectStore, copy: Copy, use: Use[T]) -> Reading[T]:
    bodies = RangeReader(store, copy.bucket, copy.key).read_all(copy.size_bytes)
    try:
        first = next(bodies)
        return Reading(
            copy, use(first.metadata, (body.data for body in itertools.chain([first], bodies)))
        )
    except GroupFailed as error:
        return _failed(copy, error)


def _failed(copy: Copy, error: GroupFailed) -> Reading[T]:
    """A member that does not match its index is as bad as a changed log, so it is a flaw. One that
    could not be read at all is an error, which shows nothing about it.
    """
    if isinstance(error, NotFound):
        is_original = copy.packed is None
        gone = NOT_FOUND if is_original else Flaw(f"not found: its pack {copy.where} is gone")
        return Reading(copy, flaw=gone)
    if isinstance(error, Unsound) or (
        isinstance(error, StoreError) and error.code == "InvalidRange"
    ):
        text = f"damaged in its pack {copy.where}" if copy.packed else "shorter than when listed"
        return Reading(copy, flaw=Flaw(text))
    return Reading(copy, error=error)

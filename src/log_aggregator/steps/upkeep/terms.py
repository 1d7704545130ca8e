"""Makes terms for packs that have none: packs written before terms existed, or when writing them
failed.

A pack is read once from front to end, and its bytes are compared with the checksum in its index
before its terms are stored. Frozen packs are left alone and reported.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby

from log_aggregator.core.packformat.inflate import GzipBomb, inflate_members
from log_aggregator.core.packformat.unpack import decode_stored
from log_aggregator.core.query import Query
from log_aggregator.core.terms.collect import Collector
from log_aggregator.core.terms.model import Unsearched
from log_aggregator.core.terms.packterms import decode_terms
from log_aggregator.core.terms.table import has_terms
from log_aggregator.errors import BadPack, NotFound, VerificationError
from log_aggregator.limits import SEARCHED_MEMBER_BYTES_MAX, TEXT_BLOCK_BYTES
from log_aggregator.model import Encoding, Index, Member, PackFormat, Target
from log_aggregator.ports.store import ObjectStore
from log_aggregator.steps.job import Job
from log_aggregator.steps.packs.index import format_of, naming, read_index
from log_aggregator.steps.packs.pages import list_all
from log_aggregator.steps.packs.stream import ObjectStream
from log_aggregator.steps.packs.terms import finish_terms, write_terms
from log_aggregator.steps.retrieval.catalog import (
    CatalogEntry,
    entry_of,
    iter_packs,
    list_folder,
)
from log_aggregator.steps.retrieval.find import FoundPack
from log_aggregator.steps.rules import TermsOptions

_TERMS = "terms/"
_BLOCK_BYTES_MAX = SEARCHED_MEMBER_BYTES_MAX + TEXT_BLOCK_BYTES


@dataclass(frozen=True, slots=True)
class TermsMade:
    """The terms of a pack, just written."""

    target: Target
    pack_key: str
    members: int
    unsearched: Mapping[Unsearched, int]
    """Members that were not searched, by reason."""
    size_bytes: int
    """The size of the terms."""


@dataclass(slots=True)
class Lack:
    """Packs that need terms, and the numbers of others."""

    packs: list[FoundPack] = field(default_factory=list)
    """The packs as they were listed."""
    present: int = 0
    """Packs that already have terms."""
    never: int = 0
    """Packs of log types without terms, and copies of large objects."""

    def sort(self, target: Target, entry: CatalogEntry, *, has_terms_already: bool) -> None:
        """Adds or counts a pack. An index whose pack is gone is ignored."""
        pack_format = format_of(entry.group, target, entry.pack_key)
        if pack_format is PackFormat.COPY or not has_terms(entry.group.log_type):
            self.never += 1
        elif has_terms_already:
            self.present += 1
        elif entry.pack_bytes is not None or entry.index_bytes is None:
            key, size, storage_class = entry.pack_key, entry.pack_bytes, entry.storage_class
            found = FoundPack(target, key, entry.group, pack_format, (), size, storage_class)
            self.packs.append(found)


def find_lack(job: Job, query: Query, *, again: bool) -> Lack:
    """All packs without terms, from listings only. `again`: make terms also for packs that have
    some.
    """
    lack, store, workers = Lack(), job.store, job.workers
    for target in job.list_targets():
        listed = [] if again else list_folder(store, workers, target, query, _TERMS)
        known = {found.key for _, found in listed}
        for entry in iter_packs(store, workers, target, query):
            is_known = target.terms_key(entry.pack_key) in known
            lack.sort(target, entry, has_terms_already=is_known)
    return lack


def find_named_lack(job: Job, packs: Iterable[tuple[Target, str]], *, again: bool) -> Lack:
    """The same for packs by their keys. Raises ValueError if a key is not a pack's."""
    lack = Lack()
    for target, pack_key in packs:
        key = target.terms_key(pack_key)
        listed = [] if again else list_all(job.store, target.bucket, key)
        is_known = any(found.key == key for found in listed)
        lack.sort(target, entry_of(target, pack_key), has_terms_already=is_known)
    return lack


def make_terms(store: ObjectStore, pack: FoundPack, options: TermsOptions) -> TermsMade:
    """Reads a pack and writes its terms. Memory: one range, one inflated member of up to 16 MiB,
    and the terms.

    Raises BadPack if it has no index, VerificationError if its bytes do not match its index,
    ObjectFrozen, NotFound, AccessDenied; nothing is written then.
    """
    target, where = pack.target, pack.where
    try:
        index = read_index(store, target, pack.pack_key).scan()
    except NotFound:
        raise BadPack(
            f"{where}: the pack has no index; `log-aggregator index rebuild` writes a new one"
        ) from None
    stored = store.head_object(target.bucket, pack.pack_key)
    stream, collector = ObjectStream(store, stored), Collector(pack.group.log_type, options.key)
    with naming(where):
        for extent in _extents(index):
            _collect(collector, extent, stream)
            stream.skip_to(extent.last)
        stream.skip_to(index.content_length_bytes)
    if stream.running.crc != index.content_crc64nvme:
        raise VerificationError(f"{where}: its bytes do not match its index")
    data = finish_terms(collector, pack.pack_key, lambda place: place)
    write_terms(store, target, pack.pack_key, data, options.write)
    head, _ = decode_terms(data)
    return TermsMade(target, pack.pack_key, head.members, head.unsearched, len(data))


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a member lies, and its place in the index. Without other fields, to save memory: a pack
    may have 200,000 members.
    """

    offset: int
    length_bytes: int
    encoding: Encoding
    first: int
    size_bytes: int
    place: int


@dataclass(frozen=True, slots=True)
class _Extent:
    """Bytes of a pack that are decoded together: a member's, or those of a text block."""

    length_bytes: int
    last: int
    encoding: Encoding
    members: list[_Place]


def _extents(index: Index) -> Iterator[_Extent]:
    """The extents of a pack, from front to end."""
    places = sorted(
        (_place_of(member, place) for place, member in enumerate(index.members)),
        key=lambda each: (each.offset, each.length_bytes, each.first),
    )
    for (offset, length, encoding), members in groupby(
        places, key=lambda each: (each.offset, each.length_bytes, each.encoding)
    ):
        yield _Extent(length, offset + length, encoding, list(members))


def _place_of(member: Member, place: int) -> _Place:
    return _Place(
        member.offset,
        member.length_bytes,
        member.encoding,
        member.inner_offset,
        member.size_bytes,
        place,
    )


def _collect(collector: Collector, extent: _Extent, stream: ObjectStream) -> None:
    stream.skip_to(extent.last - extent.length_bytes)
    try:
        pieces = stream.read(extent.length_bytes)
        match extent.encoding:
            case Encoding.BLOCK:
                _collect_block(collector, extent, pieces)
            case Encoding.RAW:
                inflated = b"".join(inflate_members(pieces, SEARCHED_MEMBER_BYTES_MAX))
                for member in extent.members:
                    collector.add(member.place, inflated)
            case _:
                _skip(collector, extent, Unsearched.UNPARSABLE)
    except GzipBomb:
        _skip(collector, extent, Unsearched.TOO_LARGE)
    except (zlib.error, EOFError):
        _skip(collector, extent, Unsearched.UNPARSABLE)


def _collect_block(collector: Collector, extent: _Extent, pieces: Iterator[bytes]) -> None:
    """Takes the members of a text block, which ends with the last of them."""
    if max(member.first + member.size_bytes for member in extent.members) > _BLOCK_BYTES_MAX:
        raise GzipBomb
    text = b"".join(decode_stored(Encoding.BLOCK, pieces))
    for member in extent.members:
        collector.add(member.place, text[member.first : member.first + member.size_bytes])


def _skip(collector: Collector, extent: _Extent, reason: Unsearched) -> None:
    for member in extent.members:
        collector.skip(member.place, reason)

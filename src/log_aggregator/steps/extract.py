"""One original back out of its pack: read by ranges, checked before it is handed over."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from log_aggregator.core.packformat.unpack import MemberCheck, cut_member, decode_stored
from log_aggregator.errors import NotFound, VerificationError
from log_aggregator.limits import MIB
from log_aggregator.model import Member, Target
from log_aggregator.ports import ObjectStore

_READ_BYTES = 8 * MIB


@dataclass(frozen=True, slots=True)
class Place:
    """Where an original lies."""

    target: Target
    pack_key: str
    member: Member


def read_original_back(store: ObjectStore, place: Place) -> Iterator[bytes]:
    """The original's bytes, piece by piece. They are right only once the iterator has ended without
    an error.

    Raises VerificationError, BadPack, NotFound, ObjectFrozen.
    """
    check = MemberCheck(place.member)
    stored = _read_extent(store, place)
    for piece in cut_member(place.member, decode_stored(place.member.encoding, stored)):
        check.take(piece)
        yield piece
    check.finish()


def list_source_buckets(store: ObjectStore, target: Target) -> list[str]:
    """The source buckets that a target has packs of."""
    prefixes = store.list_prefixes(target.bucket, prefix=f"{target.root}indexes/").prefixes
    return [prefix.rstrip("/").rpartition("/")[2] for prefix in prefixes]


def _read_extent(store: ObjectStore, place: Place) -> Iterator[bytes]:
    member = place.member
    etag = None
    for first in range(member.offset, member.offset + member.length_bytes, _READ_BYTES):
        last = min(first + _READ_BYTES, member.offset + member.length_bytes)
        try:
            body = store.get_object(
                place.target.bucket, place.pack_key, if_match=etag, byte_range=(first, last)
            )
        except NotFound:
            raise NotFound(
                f"s3://{place.target.bucket}/{place.pack_key}: the index is there, the pack is not"
            ) from None
        if len(body.data) != last - first:
            raise VerificationError(
                f"s3://{place.target.bucket}/{place.pack_key}: shorter than its index says"
            )
        etag = body.etag or etag
        yield body.data

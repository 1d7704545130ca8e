"""Unpacks one original from a pack, using only its member's line of the index: no shared ranges,
and no second pack that also holds it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from log_aggregator.core.packformat.unpack import MemberCheck, decode_stored
from log_aggregator.model import Member


def unpack_member(member: Member, stored: bytes) -> bytes:
    """The original's bytes, from the pack's bytes [offset, offset + length). Raises as
    `unpack_pieces` does.
    """
    return b"".join(unpack_pieces(member, [stored]))


def unpack_pieces(member: Member, stored: Iterable[bytes]) -> Iterator[bytes]:
    """The same, piece by piece. The pieces are proven right only once the iterator ends without an
    error.

    Raises BadPack where they cannot be read, VerificationError where they are not the original's.
    """
    check = MemberCheck(member)
    for piece in _cut(member, decode_stored(member.encoding, stored)):
        check.take(piece)
        yield piece
    check.finish()


def _cut(member: Member, decoded: Iterable[bytes]) -> Iterator[bytes]:
    """Only the member's own bytes, from what its extent decodes to."""
    skip, left = member.inner_offset, member.size_bytes
    for piece in decoded:
        own = piece[skip : skip + left]
        skip = max(0, skip - len(piece))
        left -= len(own)
        yield own

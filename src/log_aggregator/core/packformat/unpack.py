"""Recovers originals from their pack's bytes and checks them against the index. It streams, with
one piece in memory at a time.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterable, Iterator

from log_aggregator.core.checksums import RunningChecksum
from log_aggregator.core.packformat.extra import OVERHEAD_BYTES, SEALED_PIECE, decode_extra
from log_aggregator.core.packformat.inflate import GZIP_WBITS
from log_aggregator.errors import BadPack, VerificationError
from log_aggregator.limits import EXTRA_PIECE_BYTES_MAX, MIB
from log_aggregator.model import Encoding, Member


def decode_stored(encoding: Encoding, stored: Iterable[bytes]) -> Iterator[bytes]:
    """Decodes the stored bytes of one extent. Raises BadPack."""
    decoders: dict[Encoding, Callable[[Iterable[bytes]], Iterator[bytes]]] = {
        Encoding.RAW: iter,
        Encoding.BLOCK: _inflate,
        Encoding.SEALED: _unseal,
    }
    return decoders[encoding](stored)


class MemberCheck:
    """Compares a member's bytes with the index as they pass."""

    def __init__(self, member: Member) -> None:
        self._member = member
        self._digest = hashlib.sha256()
        self._running = RunningChecksum()

    def take(self, piece: bytes) -> None:
        if self._member.sha256 is not None:
            self._digest.update(piece)
        self._running.take(piece)

    def finish(self) -> None:
        """Raises VerificationError if the bytes are not the original's."""
        member, running = self._member, self._running
        if running.length_bytes != member.size_bytes:
            raise VerificationError(
                f"{member.key}: it has {running.length_bytes} bytes in the pack, but the original "
                f"had {member.size_bytes}"
            )
        if member.sha256 is not None and self._digest.hexdigest() != member.sha256:
            raise VerificationError(f"{member.key}: its SHA-256 differs from the one in the index")
        if member.crc64nvme is not None and running.crc != member.crc64nvme:
            raise VerificationError(
                f"{member.key}: its CRC64NVME differs from the one in the index"
            )


def _inflate(stored: Iterable[bytes]) -> Iterator[bytes]:
    inflater = zlib.decompressobj(GZIP_WBITS)
    for piece in stored:
        rest = piece
        while rest:
            try:
                inflated = inflater.decompress(rest, MIB)
            except zlib.error:
                raise BadPack("a text block of the pack is damaged") from None
            yield inflated
            rest = inflater.unconsumed_tail
            if inflater.unused_data:
                raise BadPack("a text block of the pack is longer than its index says")
    if not inflater.eof:
        raise BadPack("a text block of the pack is cut short")


def _unseal(stored: Iterable[bytes]) -> Iterator[bytes]:
    held = b""
    for piece in stored:
        held, position = held + piece, 0
        while len(held) - position >= EXTRA_PIECE_BYTES_MAX + OVERHEAD_BYTES:
            payload = decode_extra(SEALED_PIECE, held, position)
            position += len(payload) + OVERHEAD_BYTES
            yield payload
        held = held[position:]
    while held:
        payload = decode_extra(SEALED_PIECE, held, 0)
        held = held[len(payload) + OVERHEAD_BYTES :]
        yield payload

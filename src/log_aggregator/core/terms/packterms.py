"""The terms of one pack as an object: JSON Lines in xz. A line for the pack, then blocks of terms,
then a final line. docs/internals/terms-format.md specifies it byte by byte.
"""

from __future__ import annotations

import lzma
from array import array
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from log_aggregator.core.formats import check_format
from log_aggregator.core.terms.model import (
    Field,
    PlainSighting,
    Sighting,
    Term,
    TermsHead,
    Unsearched,
)
from log_aggregator.errors import BadTerms
from log_aggregator.limits import KIB, MIB

FORMAT = "log-aggregator-terms"
VERSION = 1
BLOCK_TERMS_MAX = 4_000
"""Terms in one line. Longer columns hardly compress better, and a reader holds a whole line."""
BLOCK_PLACES_MAX = 1_000_000
"""A line is full with this many numbers of members: thousands of terms that are each in most of a
hundred thousand members would make a line of 1 GB.
"""
LINE_BYTES_MAX = 16 * MIB
"""None of our lines is longer."""
MEMBERS_MAX = 2_000_000
"""None of our packs has more members. Without a limit, a damaged line could make us allocate any
amount of memory.
"""
TIME_MAX = 253_402_300_799
"""The last second of the year 9999."""


def encode_terms(head: TermsHead, sightings: Iterable[Sighting]) -> bytes:
    """The object's bytes. Sightings must be sorted by term, each term once; they are consumed one
    by one. The same sightings give the same bytes (with the same liblzma).
    """
    return encode_plain(head, map(_plain, sightings))


def encode_plain(head: TermsHead, sightings: Iterable[PlainSighting]) -> bytes:
    """Like `encode_terms`."""
    encoder = lzma.LZMACompressor(lzma.FORMAT_XZ, lzma.CHECK_CRC32, filters=_FILTERS)
    clock = _Clock(head.members)
    pieces = [encoder.compress(_line(_encode_head(head)))]
    terms = 0
    for block in _cut_blocks(sightings):
        terms += len(block)
        pieces.append(encoder.compress(_line(_encode_block(block, clock))))
    pieces += [encoder.compress(_line({"terms": terms})), encoder.flush()]
    return b"".join(pieces)


def decode_terms(data: bytes) -> tuple[TermsHead, Iterator[Sighting]]:
    """The inverse. Sightings are decoded as they are iterated. Raises BadTerms, also during
    iteration: not terms, cut short, another version, out of order.
    """
    lines = _inflate_lines(data)
    head = _decode_head(next(lines, b""))
    return head, _decode_blocks(head, lines)


class _Format(msgspec.Struct):
    """What a first line says in every version."""

    format: str
    version: int


class _Head(msgspec.Struct):
    format: str
    version: int
    pack: str
    members: int
    unsearched: dict[str, int]
    search_key: str = ""


class _Block(msgspec.Struct):
    """One line: a column for each part of a sighting."""

    field: str = ""
    values: list[str] = []
    counts: list[int] = []
    first: list[int | None] = []
    last: list[int | None] = []
    members: list[int | list[int]] = []
    terms: int | None = None


_FILTERS = [
    {
        "id": lzma.FILTER_LZMA2,
        "dict_size": 256 * KIB,
        "mode": lzma.MODE_FAST,
        "mf": lzma.MF_HC4,
        "nice_len": 64,
        "depth": 4,
        "lc": 3,
        "lp": 0,
        "pb": 0,
    }
]
"""Two thirds of gzip's size in the same time, with 4 MB of memory. Slower filters save another
tenth and take twice the time.
"""
_INFLATER_BYTES_MAX = 64 * MIB
"""The limit of memory for reading, whatever size of dictionary the xz header demands."""
_PIECE_BYTES = 64 * KIB
_ENCODER = msgspec.json.Encoder()
_FORMATS = msgspec.json.Decoder(_Format)
_HEADS = msgspec.json.Decoder(_Head)
_BLOCKS = msgspec.json.Decoder(_Block)


def _line(value: object) -> bytes:
    return _ENCODER.encode(value) + b"\n"


def _encode_head(head: TermsHead) -> _Head:
    unsearched = {reason.name.lower(): count for reason, count in sorted(head.unsearched.items())}
    return _Head(FORMAT, VERSION, head.pack_key, head.members, unsearched, head.search_key)


def _plain(sighting: Sighting) -> PlainSighting:
    term, s = sighting.term, sighting
    return term.field, term.value, s.count, s.first, s.last, s.members


def _cut_blocks(sightings: Iterable[PlainSighting]) -> Iterator[list[PlainSighting]]:
    """Blocks of sightings of one field each, within the limits."""
    block: list[PlainSighting] = []
    places = 0
    for sighting in sightings:
        is_full = len(block) >= BLOCK_TERMS_MAX or places >= BLOCK_PLACES_MAX
        if block and (is_full or block[0][0] != sighting[0]):
            yield block
            block, places = [], 0
        block.append(sighting)
        places += len(sighting[5])
    if block:
        yield block


def _encode_block(block: Sequence[PlainSighting], clock: _Clock) -> dict[str, object]:
    fields, values, counts, first, last, members = zip(*block, strict=True)
    return {
        "field": fields[0],
        "values": values,
        "counts": counts,
        "first": [
            clock.encode(places[0], time) for places, time in zip(members, first, strict=True)
        ],
        "last": [
            None if begin is None else end - begin for begin, end in zip(first, last, strict=True)
        ],
        "members": [_encode_places(places) for places in members],
    }


class _Clock:
    """Times as differences. Nearly all terms of a member are seen within minutes, so a time is
    encoded relative to that of the last term with the same first member, or if there is none, to
    that of the last term.
    """

    def __init__(self, members: int) -> None:
        self._of_member = array("q", (-1,)) * members
        self._before = 0

    def encode(self, member: int, time: int | None) -> int | None:
        if time is None:
            return None
        start = self._start(member)
        self._set(member, time)
        return time - start

    def decode(self, member: int, difference: int | None) -> int | None:
        if difference is None:
            return None
        time = self._start(member) + difference
        if not 0 <= time <= TIME_MAX:
            raise BadTerms("the terms have an impossible time")
        self._set(member, time)
        return time

    def _start(self, member: int) -> int:
        known = self._of_member[member]
        return self._before if known < 0 else known

    def _set(self, member: int, time: int) -> None:
        self._of_member[member] = self._before = time


def _encode_places(places: Sequence[int]) -> int | list[int]:
    """One place as its number; several as their differences, in which a run of neighbours is one
    negative number, their count: 5, 6, 7, 8, 20 become [5, -3, 12].
    """
    if len(places) == 1:
        return places[0]
    encoded: list[int] = []
    before = 0
    for place in places:
        if encoded and place == before + 1:
            if encoded[-1] < 0:
                encoded[-1] -= 1
            else:
                encoded.append(-1)
        else:
            encoded.append(place - before)
        before = place
    return encoded


def _decode_places(encoded: int | list[int], members: int) -> tuple[int, ...]:
    if isinstance(encoded, int):
        encoded = [encoded]
    places: list[int] = []
    before = 0
    for number in encoded:
        if number < 0:
            if before - number >= members:
                raise BadTerms("the terms name a member that the pack does not have")
            places.extend(range(before + 1, before - number + 1))
            before -= number
        else:
            before += number
            places.append(before)
    if before >= members or not places:
        raise BadTerms("the terms name a member that the pack does not have")
    return tuple(places)


def _decode_head(line: bytes) -> TermsHead:
    try:
        of = _FORMATS.decode(line)
        said = {"format": of.format, "version": of.version}
        check_format("the object of terms", said, FORMAT, VERSION, BadTerms)
        head = _HEADS.decode(line)
        unsearched = {Unsearched[name.upper()]: count for name, count in head.unsearched.items()}
    except (msgspec.MsgspecError, KeyError, UnicodeError, RecursionError) as error:
        raise _unreadable(error) from error
    counts = [head.members, *unsearched.values()]
    if min(counts) < 0 or sum(unsearched.values()) > head.members or head.members > MEMBERS_MAX:
        raise BadTerms("the terms have an impossible count of members")
    return TermsHead(head.pack, head.members, unsearched, head.search_key)


def _decode_blocks(head: TermsHead, lines: Iterator[bytes]) -> Iterator[Sighting]:
    terms = 0
    before: Term | None = None
    clock = _Clock(head.members)
    for line in lines:
        try:
            block = _BLOCKS.decode(line)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            raise _unreadable(error) from error
        if block.terms is not None:
            if block.terms != terms or next(lines, None) is not None:
                break
            return
        for sighting in _decode_block(block, head.members, clock):
            if before is not None and not before < sighting.term:
                raise BadTerms("the terms are out of order")
            before = sighting.term
            terms += 1
            yield sighting
    raise BadTerms("the terms are cut short, or their number is wrong")


def _decode_block(block: _Block, members: int, clock: _Clock) -> Iterator[Sighting]:
    try:
        field = Field(block.field)
        rows = zip(block.values, block.counts, block.first, block.last, block.members, strict=True)
        for value, count, first, last, encoded in rows:
            places = _decode_places(encoded, members)
            begin = clock.decode(places[0], first)
            end = None if begin is None or last is None else begin + last
            if count < 1 or (begin is None) != (last is None) or not 0 <= (last or 0) <= TIME_MAX:
                raise BadTerms("the terms have an impossible count or time")
            yield Sighting(Term(field, value), count, begin, end, places)
    except ValueError as error:
        raise _unreadable(error) from error


def _inflate_lines(data: bytes) -> Iterator[bytes]:
    """Lines, one at a time, up to the longest of ours."""
    rest = b""
    for piece in _inflate(data):
        *lines, rest = (rest + piece).split(b"\n")
        yield from lines
        if len(rest) > LINE_BYTES_MAX:
            raise BadTerms("the terms have a line that is too long")
    if rest:
        raise BadTerms("the terms are cut short")


def _inflate(data: bytes) -> Iterator[bytes]:
    inflater = lzma.LZMADecompressor(lzma.FORMAT_XZ, _INFLATER_BYTES_MAX)
    try:
        while not inflater.eof:
            if piece := inflater.decompress(data, _PIECE_BYTES):
                yield piece
            elif inflater.needs_input:
                raise BadTerms("the terms are cut short")
            data = b""
    except (lzma.LZMAError, EOFError) as error:
        raise _unreadable(error) from error
    if inflater.unused_data:
        raise BadTerms("there are bytes after the terms")


def _unreadable(error: Exception) -> BadTerms:
    return BadTerms(f"the terms cannot be read: {type(error).__name__}")

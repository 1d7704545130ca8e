"""The terms of one pack as an object: JSON Lines in gzip. A line for the pack, then blocks of
terms, then a line that ends it. docs/internals/terms-format.md has it byte by byte.
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from log_aggregator.core.packformat.deflate import GzipEncoder
from log_aggregator.core.terms.model import Field, Sighting, Term, TermsHead, Unsearched
from log_aggregator.errors import BadTerms
from log_aggregator.limits import MIB

FORMAT = "log-aggregator-terms"
VERSION = 1
BLOCK_TERMS_MAX = 1_000
"""Terms in one line. Columns of more hardly compress better, and whoever reads holds one."""
BLOCK_PLACES_MAX = 1_000_000
"""From so many numbers of members on a line is full: a thousand terms that are each in most of a
hundred thousand members would make one of 400 MB.
"""
LINE_BYTES_MAX = 16 * MIB
"""None of ours is longer."""
MEMBERS_MAX = 2_000_000
"""No pack of ours has more members; a damaged line could ask for memory for any number."""
TIME_MAX = 253_402_300_799
"""The last second of the year 9999."""


def encode_terms(head: TermsHead, sightings: Iterable[Sighting]) -> bytes:
    """The object. The sightings come sorted by term, each term once; they are taken one by one. The
    same ones give the same bytes (with the same zlib).
    """
    encoder = GzipEncoder()
    pieces = [encoder.begin(), encoder.take(_line(_encode_head(head)))]
    terms = 0
    for block in _cut_blocks(sightings):
        terms += len(block)
        pieces.append(encoder.take(_line(_encode_block(block))))
    pieces += [encoder.take(_line({"terms": terms})), encoder.finish()]
    return b"".join(pieces)


def decode_terms(data: bytes) -> tuple[TermsHead, Iterator[Sighting]]:
    """The inverse: the sightings are read while they are taken. Raises BadTerms, also while they
    are: not terms, cut short, another version, out of order.
    """
    lines = _inflate_lines(data)
    head = _decode_head(next(lines, b""))
    return head, _decode_blocks(head, lines)


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


_ENCODER = msgspec.json.Encoder()
_HEADS = msgspec.json.Decoder(_Head)
_BLOCKS = msgspec.json.Decoder(_Block)


def _line(value: object) -> bytes:
    return _ENCODER.encode(value) + b"\n"


def _encode_head(head: TermsHead) -> _Head:
    unsearched = {reason.name.lower(): count for reason, count in sorted(head.unsearched.items())}
    return _Head(FORMAT, VERSION, head.pack_key, head.members, unsearched, head.search_key)


def _cut_blocks(sightings: Iterable[Sighting]) -> Iterator[list[Sighting]]:
    """Sightings of one field, at most so many."""
    block: list[Sighting] = []
    places = 0
    for sighting in sightings:
        is_full = len(block) >= BLOCK_TERMS_MAX or places >= BLOCK_PLACES_MAX
        if block and (is_full or block[0].term.field is not sighting.term.field):
            yield block
            block, places = [], 0
        block.append(sighting)
        places += len(sighting.members)
    if block:
        yield block


def _encode_block(block: Sequence[Sighting]) -> dict[str, object]:
    return {
        "field": block[0].term.field.value,
        "values": [sighting.term.value for sighting in block],
        "counts": [sighting.count for sighting in block],
        "first": list(_differences([sighting.first for sighting in block])),
        "last": [None if s.first is None or s.last is None else s.last - s.first for s in block],
        "members": [_encode_places(sighting.members) for sighting in block],
    }


def _differences(times: Sequence[int | None]) -> Iterator[int | None]:
    """Each from the one before; the first from 0."""
    before = 0
    for time in times:
        yield None if time is None else time - before
        before = before if time is None else time


def _encode_places(places: Sequence[int]) -> int | list[int]:
    """Of one its number. Of several the differences, and for a run of neighbours the number of
    those that follow, below zero: 5, 6, 7, 8, 20 are [5, -3, 12].
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
        head = _HEADS.decode(line)
        unsearched = {Unsearched[name.upper()]: count for name, count in head.unsearched.items()}
    except (msgspec.MsgspecError, KeyError, UnicodeError, RecursionError) as error:
        raise _unreadable(error) from error
    if head.format != FORMAT or head.version != VERSION:
        raise BadTerms("the terms are of another format or version")
    counts = [head.members, *unsearched.values()]
    if min(counts) < 0 or sum(unsearched.values()) > head.members or head.members > MEMBERS_MAX:
        raise BadTerms("the terms count members that cannot be")
    return TermsHead(head.pack, head.members, unsearched, head.search_key)


def _decode_blocks(head: TermsHead, lines: Iterator[bytes]) -> Iterator[Sighting]:
    terms = 0
    before: Term | None = None
    for line in lines:
        try:
            block = _BLOCKS.decode(line)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            raise _unreadable(error) from error
        if block.terms is not None:
            if block.terms != terms or next(lines, None) is not None:
                break
            return
        for sighting in _decode_block(block, head.members):
            if before is not None and not before < sighting.term:
                raise BadTerms("the terms are out of order")
            before = sighting.term
            terms += 1
            yield sighting
    raise BadTerms("the terms are cut short, or not as many as they say")


def _decode_block(block: _Block, members: int) -> Iterator[Sighting]:
    try:
        field = Field(block.field)
        rows = zip(block.values, block.counts, block.first, block.last, block.members, strict=True)
        moment = 0
        for value, count, first, last, encoded in rows:
            if count < 1 or (last or 0) < 0 or (first is None) != (last is None):
                raise BadTerms("the terms hold a count or a time that cannot be")
            begin = end = None
            if first is not None and last is not None:
                moment += first
                begin, end = moment, moment + last
                if begin < 0 or end > TIME_MAX:
                    raise BadTerms("the terms hold a count or a time that cannot be")
            places = _decode_places(encoded, members)
            yield Sighting(Term(field, value), count, begin, end, places)
    except ValueError as error:
        raise _unreadable(error) from error


def _inflate_lines(data: bytes) -> Iterator[bytes]:
    """One at a time, none longer than any of ours."""
    lines = gzip.GzipFile(fileobj=io.BytesIO(data))
    try:
        while line := lines.readline(LINE_BYTES_MAX + 1):
            if len(line) > LINE_BYTES_MAX:
                raise BadTerms("the terms have a longer line than any of ours")
            yield line
    except (OSError, EOFError, zlib.error) as error:
        raise _unreadable(error) from error


def _unreadable(error: Exception) -> BadTerms:
    return BadTerms(f"the terms cannot be read: {type(error).__name__}")

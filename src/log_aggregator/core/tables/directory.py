"""A table's directory: the packs that it covers, how much of them was searched, and the positions
of its pieces.

It is right before the footer of the file and ends with its own length, so that one read of the
file's end gets both.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, NamedTuple

from log_aggregator.core.formats import check_format, check_version
from log_aggregator.core.jsontext import encode_json_line
from log_aggregator.core.tables.wanted import Range, join_ranges
from log_aggregator.core.terms.model import Unsearched
from log_aggregator.errors import BadTerms

FORMAT = "log-aggregator-terms-table"
VERSION = 1
_MAGIC = b"LATABLE"
_END_BYTES = 4 + len(_MAGIC) + 1
"""Length, magic, and one digit, the version."""
_INFLATED_BYTES_MAX = 1 << 30


_ALL_SEARCHED: Mapping[Unsearched, int] = MappingProxyType({})


class Covered(NamedTuple):
    """A pack in a table: the number of its members, and of unsearched ones by reason."""

    pack: str
    """Its key without the target's root and "packs/"."""
    members: int
    unsearched: Mapping[Unsearched, int] = _ALL_SEARCHED
    search_key: str = ""
    """The id of the key with which its values are hashed; empty if they are not."""

    @property
    def is_plain(self) -> bool:
        """Whether all of its members were searched and its values are not hashed."""
        return not self.unsearched and not self.search_key


@dataclass(frozen=True, slots=True)
class Piece:
    """A row group: a Parquet file inside the file. `fields` has the first and last value of each
    field. Without that, a search in all fields, of which some keep upper case and others do not,
    would read two pieces of each table.
    """

    offset: int
    length_bytes: int
    rows: int
    crc32: int
    fields: Mapping[str, tuple[str, str]]

    def may_hold(self, field: str, span: Range) -> bool:
        first, last = self.fields.get(field, ("", ""))
        return first < span[1] and last >= span[0] and field in self.fields


@dataclass(frozen=True, slots=True)
class Directory:
    """The directory of one table. `names` and `members` are the name and the number of members of
    each pack; `others` has the full entries of packs that are not `is_plain`. (A search goes
    through the packs of seven years, too many to make an object of each.) `replaces` are the file
    names of tables whose packs are all in this one.
    """

    log_type: str
    month: str
    names: tuple[str, ...]
    members: tuple[int, ...]
    others: Mapping[str, Covered]
    replaces: tuple[str, ...] = ()
    pieces: Sequence[Piece] = ()

    @classmethod
    def of(
        cls, log_type: str, month: str, packs: Iterable[Covered], replaces: tuple[str, ...] = ()
    ) -> Directory:
        ordered = sorted(packs, key=lambda each: each.pack)
        return cls(
            log_type,
            month,
            tuple(each.pack for each in ordered),
            tuple(each.members for each in ordered),
            {each.pack: each for each in ordered if not each.is_plain},
            replaces,
        )

    @property
    def packs(self) -> Iterator[Covered]:
        for name, members in zip(self.names, self.members, strict=True):
            yield self.others.get(name) or Covered(name, members)

    def with_pieces(self, pieces: Sequence[Piece]) -> Directory:
        return replace(self, pieces=tuple(pieces))

    @property
    def id(self) -> str:
        """The id of the set of packs."""
        return hashlib.sha256("\n".join(sorted(self.names)).encode()).hexdigest()[:16]

    def find_pieces(
        self, spans: Mapping[str, Sequence[Range]]
    ) -> Iterator[tuple[Piece, list[Range]]]:
        """The pieces that may have a value in a span of its field, with these spans."""
        for piece in self.pieces:
            wanted = [
                span
                for field in piece.fields
                for span in spans.get(field, ())
                if piece.may_hold(field, span)
            ]
            if wanted:
                yield piece, list(join_ranges(wanted))


def encode_directory(directory: Directory) -> bytes:
    """The directory with its length at the end."""
    text = zlib.compress(b"".join(map(encode_json_line, _lines(directory))), 6)
    return text + len(text).to_bytes(4, "little") + _MAGIC + b"%d" % VERSION


def find_end(tail: bytes) -> int | None:
    """The number of bytes at the end of the file with the directory and the footer, from its last
    bytes. None if more of them are needed to find out. Raises BadTerms.
    """
    if len(tail) < 8 or tail[-4:] != b"PAR1":
        raise BadTerms("it is not a Parquet file")
    footer = 8 + int.from_bytes(tail[-8:-4], "little")
    if len(tail) < footer + _END_BYTES:
        return None
    end = tail[len(tail) - footer - _END_BYTES : len(tail) - footer]
    if end[4:-1] != _MAGIC or not end[-1:].isdigit():
        raise BadTerms("it is a Parquet file without the directory of a table")
    check_version("the table", int(end[-1:]), VERSION, BadTerms)
    return footer + _END_BYTES + int.from_bytes(end[:4], "little")


def footer_bytes(tail: bytes) -> int:
    """The number of bytes at the end from which the directory's length can be read."""
    return 8 + int.from_bytes(tail[-8:-4], "little") + _END_BYTES


def decode_directory(tail: bytes) -> Directory:
    """From the last bytes of the file, as many as `find_end` says, or more. Raises BadTerms."""
    length = find_end(tail)
    if length is None or length > len(tail):
        raise BadTerms("the directory of the table is cut short")
    text = tail[len(tail) - length : len(tail) - footer_bytes(tail)]
    try:
        return _parse(_inflate(text).split(b"\n"))
    except (zlib.error, ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
        raise BadTerms(
            f"the directory of the table cannot be read: {type(error).__name__}"
        ) from error


def _inflate(text: bytes) -> bytes:
    inflater = zlib.decompressobj()
    data = inflater.decompress(text, _INFLATED_BYTES_MAX)
    if not inflater.eof:
        raise BadTerms("the directory of the table is too large, or cut short")
    return data


def _lines(directory: Directory) -> Iterator[Any]:
    yield {
        "format": FORMAT,
        "version": VERSION,
        "log_type": directory.log_type,
        "month": directory.month,
        "replaces": list(directory.replaces),
        "pieces": [
            [each.offset, each.length_bytes, each.rows, each.crc32, dict(each.fields)]
            for each in directory.pieces
        ],
    }
    yield directory.names
    yield directory.members
    yield [
        [
            each.pack,
            {reason.name: count for reason, count in sorted(each.unsearched.items())},
            each.search_key,
        ]
        for each in directory.others.values()
    ]


def _parse(lines: Sequence[bytes]) -> Directory:
    head = json.loads(lines[0])
    check_format("the directory of the table", head, FORMAT, VERSION, BadTerms)
    names, members, others = map(json.loads, lines[1:4])
    _check_texts(head["replaces"])
    if len(names) != len(members):
        raise BadTerms(
            f"the table has {len(names)} names of packs and {len(members)} counts of members"
        )
    _check_texts(names)
    _check_counts(members)
    counts = dict(zip(names, members, strict=True))
    return Directory(
        head["log_type"],
        head["month"],
        tuple(names),
        tuple(members),
        {
            name: Covered(name, counts[name], _parse_unsearched(unsearched), key)
            for name, unsearched, key in others
        },
        tuple(head["replaces"]),
        tuple(map(_parse_piece, head["pieces"])),
    )


def _parse_unsearched(counts: Mapping[str, int]) -> Mapping[Unsearched, int]:
    _check_counts(counts.values())
    return {Unsearched[name]: count for name, count in counts.items()}


def _parse_piece(line: Sequence[Any]) -> Piece:
    offset, length, rows, crc, fields = line
    _check_counts((offset, length, rows, crc))
    bounds = {name: (first, last) for name, (first, last) in fields.items()}
    for first_and_last in bounds.values():
        _check_texts(first_and_last)
    return Piece(offset, length, rows, crc, bounds)


def _check_texts(values: Iterable[Any]) -> None:
    """Anyone who can write to the bucket can put anything into JSON. The set of types is checked,
    because there may be 200,000 values.
    """
    if not set(map(type, values)) <= {str}:
        raise TypeError("expected texts")


def _check_counts(values: Collection[Any]) -> None:
    if not set(map(type, values)) <= {int} or min(values, default=0) < 0:
        raise TypeError("expected counts")

"""What a table says of itself: which packs it covers, how much of them was searched, and where its
pieces lie.

It stands right before the footer of the file, and ends in its own length, so that one read of a
file's end has it.
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
    """A pack in a table: how many members it has, and how many of them were not looked at, by
    reason.
    """

    pack: str
    """Its key without the target's root and "packs/"."""
    members: int
    unsearched: Mapping[Unsearched, int] = _ALL_SEARCHED
    search_key: str = ""
    """The id of the key that its values are hashed with, if they are."""

    @property
    def is_plain(self) -> bool:
        """All of its members were searched, and their values are kept as they are."""
        return not self.unsearched and not self.search_key


@dataclass(frozen=True, slots=True)
class Piece:
    """A row group: a file of Parquet inside the file. `fields` has the first and the last value of
    each field: what is looked for in all fields, written in upper and in lower case, would else be
    looked for in two pieces of each table.
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
    """Of one table. `names` and `members` say of each pack its name and how many members it has,
    and `others` all of those packs that are not `is_plain`: an answer goes through the packs of
    seven years, and cannot make an object of each. `replaces` names the tables, by their file
    names, whose packs are all in this one.
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
        """Of the set of packs."""
        return hashlib.sha256("\n".join(sorted(self.names)).encode()).hexdigest()[:16]

    def find_pieces(
        self, spans: Mapping[str, Sequence[Range]]
    ) -> Iterator[tuple[Piece, list[Range]]]:
        """Those that may hold a value of one of the spans of its field, and these spans."""
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
    """With its length at the end."""
    text = zlib.compress(b"".join(map(encode_json_line, _lines(directory))), 6)
    return text + len(text).to_bytes(4, "little") + _MAGIC + b"%d" % VERSION


def find_end(tail: bytes) -> int | None:
    """How many bytes at the end of the file hold the directory and the footer, by the last bytes of
    the file. None where more of them are needed to tell. Raises BadTerms.
    """
    if len(tail) < 8 or tail[-4:] != b"PAR1":
        raise BadTerms("not a file of Parquet")
    footer = 8 + int.from_bytes(tail[-8:-4], "little")
    if len(tail) < footer + _END_BYTES:
        return None
    end = tail[len(tail) - footer - _END_BYTES : len(tail) - footer]
    if end[4:-1] != _MAGIC or not end[-1:].isdigit():
        raise BadTerms("a file of Parquet without the directory of a table")
    check_version("the table", int(end[-1:]), VERSION, BadTerms)
    return footer + _END_BYTES + int.from_bytes(end[:4], "little")


def footer_bytes(tail: bytes) -> int:
    """How long the end is up to the directory's length, for whoever read too little."""
    return 8 + int.from_bytes(tail[-8:-4], "little") + _END_BYTES


def decode_directory(tail: bytes) -> Directory:
    """By the last bytes of the file, as many as `find_end` says, or more. Raises BadTerms."""
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
        raise BadTerms(f"the table names {len(names)} packs and counts members of {len(members)}")
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
    """JSON holds what whoever can write there likes. By types, for there may be 200,000."""
    if not set(map(type, values)) <= {str}:
        raise TypeError("expected texts")


def _check_counts(values: Collection[Any]) -> None:
    if not set(map(type, values)) <= {int} or min(values, default=0) < 0:
        raise TypeError("expected counts")

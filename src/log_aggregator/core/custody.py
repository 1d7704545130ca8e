"""Custody records: what a run did, written once, each naming the hash of the one before it.

A run opens a record before it touches a window of days, and closes it when that window is done.
What a run that died left behind is taken down by a later one, in a record of recovery. A drill
writes one when it is over; it changes nothing.

A record is JSON Lines in gzip: a line for the run, then a line for each group that it had to do
with. Its hash is the SHA-256 of the object as it is stored. docs/internals/custody.md shows one,
and how to check a chain with shell tools.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from log_aggregator.core.evidence.at_rest import (
    AtRestCheck,
    PackAtRest,
    describe_check,
    describe_pack,
    parse_check,
)
from log_aggregator.core.evidence.drills import Drill, describe_drill, parse_drill
from log_aggregator.core.formats import check_format
from log_aggregator.core.jsontext import decode_json, decoding, encode_json_line, record_bytes_max
from log_aggregator.core.listed import decode_group, encode_group
from log_aggregator.core.packformat.deflate import GZIP_HEADER, encode_gzip
from log_aggregator.core.packformat.index import source_bytes_of
from log_aggregator.core.packformat.inflate import GZIP_WBITS
from log_aggregator.core.times import decode_time, encode_time
from log_aggregator.errors import NewerFormat
from log_aggregator.model import Group, Stage, Target, VerifiedPack

FORMAT = "log-aggregator-custody"
VERSION = 1

_SEQUENCE_DIGITS = 10
# A folder has a thousand records: a page of a listing, so that the newest is found with two
# requests however many there are.
_KEY = re.compile(r"(?P<folder>[0-9]{7})/(?P<sequence>(?P=folder)[0-9]{3})\.jsonl\.gz")


class RecordKind(StrEnum):
    """What a record is about."""

    OPENING = "opening"  # the groups that a run is about to work on
    CLOSING = "closing"  # what it did
    RECOVERY = "recovery"  # what was found of a run that did not say it itself
    DRILL = "drill"  # what came back of a sample of the members
    AT_REST = "at-rest"  # what S3's own hashes of whole packs say


@dataclass(slots=True, kw_only=True)
class GroupCounts:
    """What became of a group's log objects: counted while a run goes on, and taken down in its
    record.
    """

    listed: int = 0
    """Log objects that were found and are to be in packs: those packed now, those that were packed
    before, and those left.
    """
    listed_bytes: int = 0
    packed: int = 0
    copied: int = 0
    bytes_in: int = 0
    packed_before: int = 0
    """Of those listed, how many were members of packs already."""
    packed_before_bytes: int = 0
    changed: int = 0
    deleted: int = 0
    kept: int = 0
    retained: int = 0
    unknown: int = 0
    """Originals of which S3 did not say whether it deleted them, nor whether they are there."""
    discarded: int = 0


COUNTS = tuple(item.name for item in fields(GroupCounts))


def sum_counts(groups: Iterable[GroupCounts]) -> GroupCounts:
    total = GroupCounts()
    for group in groups:
        for name in COUNTS:
            setattr(total, name, getattr(total, name) + getattr(group, name))
    return total


@dataclass(slots=True)
class PackEntry:
    """A pack that a run wrote, or verified again, and what became of the originals of its
    members.
    """

    key: str
    members: int
    source_bytes: int
    """Bytes of its members' originals: as they were read where the pack is not verified, else as
    the verified index has them.
    """
    size_bytes: int
    is_new: bool = False
    """The record's run wrote it. Else an earlier one did, and this run found it. Of all records of
    a chain exactly one says so.
    """
    index_sha256: str | None = None
    """Hex, of the index as it is stored. None where the pack was not verified; nothing of it was
    deleted then.
    """
    deleted: int | None = None
    """Versions that are known to be gone. None where the deletion was not begun."""
    kept: int = 0
    retained: int = 0
    changed: int = 0
    unknown: int = 0
    sha256: str | None = None
    """Hex, of the whole pack, as its run computed it while it wrote it. None where a member was
    copied unread, and of a pack that the run only found: it says nothing that it has not seen.
    """

    @classmethod
    def of(cls, verified: VerifiedPack) -> PackEntry:
        members = verified.index.members
        return cls(
            verified.index.pack_key,
            len(members),
            source_bytes_of(members),
            verified.stored.size_bytes,
            index_sha256=verified.index_sha256,
        )


@dataclass(frozen=True, slots=True)
class GroupEntry:
    """A group, or a part of one: a large group is done in several parts."""

    group: Group
    counts: GroupCounts = field(default_factory=GroupCounts)
    discard_lists: tuple[str, ...] = ()
    """Keys of the lists of what was deleted without a pack."""
    packs: tuple[PackEntry, ...] = ()
    failures: tuple[tuple[str, str], ...] = ()
    """(error, message)."""

    @property
    def left(self) -> int:
        """Log objects that are in no pack yet: they changed, could not be read, or the group
        failed.
        """
        counts = self.counts
        return counts.listed - counts.packed - counts.copied - counts.packed_before

    @property
    def left_bytes(self) -> int:
        counts = self.counts
        return counts.listed_bytes - counts.bytes_in - counts.packed_before_bytes

    def without_new(self, claimed: Container[str], target: Target) -> GroupEntry:
        """The same, where other records say already who wrote some of its packs."""
        counts = replace(self.counts)
        for pack in self.packs:
            if pack.is_new and pack.key in claimed:
                is_copy = "/" in pack.key.removeprefix(target.packs_prefix(self.group))
                counts.copied -= pack.members if is_copy else 0
                counts.packed -= 0 if is_copy else pack.members
                counts.packed_before += pack.members
                counts.bytes_in -= pack.source_bytes
                counts.packed_before_bytes += pack.source_bytes
        packs = (
            replace(pack, is_new=pack.is_new and pack.key not in claimed) for pack in self.packs
        )
        return replace(self, counts=counts, packs=tuple(packs))

    def find_imbalance(self) -> str | None:
        """Where more or less came out than went in, and no failure or change explains it."""
        if self.left < 0 or self.left_bytes < 0:
            return "more was packed than listed"
        if (self.left or self.left_bytes) and not self.counts.changed and not self.failures:
            return f"{self.left} log objects, {self.left_bytes} bytes, are not accounted for"
        new = [pack for pack in self.packs if pack.is_new]
        if (sum(pack.members for pack in new), sum(pack.source_bytes for pack in new)) != (
            self.counts.packed + self.counts.copied,
            self.counts.bytes_in,
        ):
            return "its packs do not hold what was packed"
        if any(pack.index_sha256 is None and (pack.deleted or pack.kept) for pack in self.packs):
            return "originals of a pack were deleted that was not verified"
        return None


@dataclass(frozen=True, slots=True)
class Record:
    """What one run is about to do, or did, in one target, in one window of days."""

    target: Target
    run: str
    tool: str
    began: datetime
    ended: datetime
    first: date
    last: date
    objects: Mapping[str, int] = field(default_factory=dict)
    """How many objects the run's listings left alone, by reason; of all source buckets together."""
    layouts: tuple[Mapping[str, Any], ...] = ()
    """The layouts that were declared for the run, as `describe_declarations` gives them."""
    stage: Stage = Stage.PACK
    """How far it goes, or went, with originals."""
    groups: tuple[GroupEntry, ...] = ()
    failures: tuple[tuple[str, str, str], ...] = ()
    """(where, error, message), those of groups too."""
    kind: RecordKind = RecordKind.CLOSING
    planned: tuple[Group, ...] = ()
    """Of an opening: the groups that may be touched."""
    about: int | None = None
    """Of a recovery: the number of the opening that it is about."""
    closes: int | None = None
    """The number of the opening of which all is known now."""
    open: tuple[int, ...] = ()
    """The numbers of all openings, this record's included, that none has closed yet."""
    at_rest: AtRestCheck | None = None
    """Of a check of packs at rest: what it found."""
    sequence: int = 0
    previous: str | None = None
    """Hex SHA-256 of the record before this one; None for the first."""
    drill: Drill | None = None
    """Of a drill's record, and of no other: what came of it."""

    def __post_init__(self) -> None:
        if (self.drill is not None) != (self.kind is RecordKind.DRILL):
            raise ValueError("a drill's record has a drill, and no other has one")

    @property
    def step(self) -> tuple[str, RecordKind, date, date]:
        """What a run writes down once."""
        return (self.run, self.kind, self.first, self.last)

    @property
    def key(self) -> str:
        return record_key(self.target, self.sequence)

    @property
    def totals(self) -> dict[str, int]:
        return asdict(sum_counts(group.counts for group in self.groups))

    @property
    def packs(self) -> Iterator[PackEntry]:
        return (pack for group in self.groups for pack in group.packs)


@dataclass(frozen=True, slots=True)
class WrittenRecord:
    """Where a record is, and its hash: who keeps it elsewhere can show later that the chain up to
    it was never changed.
    """

    bucket: str
    key: str
    sequence: int
    sha256: str


def custody_prefix(target: Target) -> str:
    return f"{target.root}custody/"


def record_key(target: Target, sequence: int) -> str:
    """`<root>custody/0000000/0000000042.jsonl.gz`: a folder for every thousand."""
    text = f"{sequence:0{_SEQUENCE_DIGITS}}"
    return f"{custody_prefix(target)}{text[:-3]}/{text}.jsonl.gz"


def parse_record_key(target: Target, key: str) -> int | None:
    """The sequence number; None for what is no record's key."""
    found = _KEY.fullmatch(key.removeprefix(custody_prefix(target)))
    return int(found["sequence"]) if found and key.startswith(custody_prefix(target)) else None


def hash_record(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def encode_record(record: Record) -> bytes:
    """The record as it is stored."""
    return encode_gzip(b"".join(encode_json_line(line) for line in _lines(record)))


def describe_entry(entry: GroupEntry) -> dict[str, Any]:
    """In plain types, as it stands in a record."""
    return {
        **encode_group(entry.group),
        **asdict(entry.counts),
        "discard_lists": list(entry.discard_lists),
        "packs": [asdict(pack) for pack in entry.packs],
        "failures": [list(failure) for failure in entry.failures],
    }


def decode_record(data: bytes) -> Record:
    """The inverse of `encode_record`. Raises BadPack: no record, cut short, totals that are not
    those of its groups.
    """
    with decoding("the custody record"):
        return _parse(_inflate(data).splitlines())


def _inflate(data: bytes) -> bytes:
    """Exactly one gzip member with our own header: nothing may hide beside it."""
    if not data.startswith(GZIP_HEADER):
        raise ValueError("not a record's header")
    inflater = zlib.decompressobj(GZIP_WBITS)
    text = inflater.decompress(data, record_bytes_max(len(data)))
    if not inflater.eof or inflater.unused_data:
        raise ValueError("not one whole gzip member")
    return text


def _lines(record: Record) -> Iterator[dict[str, Any]]:
    yield {
        "format": FORMAT,
        "version": VERSION,
        "sequence": record.sequence,
        "previous": record.previous,
        "bucket": record.target.bucket,
        "root": record.target.root,
        "run": record.run,
        "tool": record.tool,
        "began": encode_time(record.began),
        "ended": encode_time(record.ended),
        "first_date": record.first.isoformat(),
        "last_date": record.last.isoformat(),
        "groups": len(record.planned) + len(record.groups) + len(_packs_at_rest(record)),
        "totals": record.totals,
        "left_alone": dict(record.objects),
        "layouts": [dict(row) for row in record.layouts],
        "stage": record.stage.value,
        "failures": [list(failure) for failure in record.failures],
        "kind": record.kind.value,
        "about": record.about,
        "closes": record.closes,
        "open": list(record.open),
        **({} if record.drill is None else {"drill": describe_drill(record.drill)}),
        **({} if record.at_rest is None else {"at_rest": describe_check(record.at_rest)}),
    }
    yield from map(encode_group, record.planned)
    yield from map(describe_entry, record.groups)
    yield from map(describe_pack, _packs_at_rest(record))


def _packs_at_rest(record: Record) -> tuple[PackAtRest, ...]:
    return () if record.at_rest is None else record.at_rest.packs


def _parse(lines: list[bytes]) -> Record:
    head = decode_json(lines[0])
    check_format("the custody record", head, FORMAT, VERSION)
    kind, rows = _parse_kind(head["kind"]), [decode_json(line) for line in lines[1:]]
    is_opening, is_at_rest = kind is RecordKind.OPENING, kind is RecordKind.AT_REST
    record = Record(
        target=Target(head["bucket"], head["root"]),
        run=head["run"],
        tool=head["tool"],
        began=decode_time(head["began"]),
        ended=decode_time(head["ended"]),
        first=date.fromisoformat(head["first_date"]),
        last=date.fromisoformat(head["last_date"]),
        objects=head["left_alone"],
        layouts=tuple(_parse_layouts(head["layouts"])),
        stage=Stage(head["stage"]),
        groups=() if is_opening or is_at_rest else tuple(map(_parse_group, rows)),
        failures=tuple((where, error, message) for where, error, message in head["failures"]),
        kind=kind,
        planned=tuple(map(decode_group, rows)) if is_opening else (),
        about=head["about"],
        closes=head["closes"],
        open=tuple(map(int, head["open"])),
        at_rest=parse_check(head["at_rest"], rows) if is_at_rest else None,
        sequence=head["sequence"],
        previous=head["previous"],
        drill=parse_drill(head["drill"]) if kind is RecordKind.DRILL else None,
    )
    if (head["groups"], head["totals"]) != (len(rows), record.totals):
        raise ValueError("the totals are not those of the groups")
    return record


def _parse_kind(text: str) -> RecordKind:
    if text not in {kind.value for kind in RecordKind}:
        raise NewerFormat(
            f"the custody record is of the kind {text!r}, which this release does not know: "
            "install a newer release"
        )
    return RecordKind(text)


def _parse_layouts(rows: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Names and patterns are shown, so they must be text."""
    for row in rows:
        if not isinstance(row["name"], str) or not isinstance(row["pattern"], str):
            raise TypeError("a layout without a name or a pattern")
        yield row


_PACK_FIELDS = {item.name for item in fields(PackEntry)}
_LATER_FIELDS = {"sha256"}
"""Older records do not have them."""


def _parse_group(line: Mapping[str, Any]) -> GroupEntry:
    return GroupEntry(
        decode_group(line),
        GroupCounts(**{name: int(line[name]) for name in COUNTS}),
        discard_lists=tuple(line["discard_lists"]),
        packs=tuple(_parse_packs(line["packs"])),
        failures=tuple((error, message) for error, message in line["failures"]),
    )


def _parse_packs(packs: Iterable[Mapping[str, Any]]) -> Iterator[PackEntry]:
    for pack in packs:
        if set(pack) | _LATER_FIELDS != _PACK_FIELDS:
            raise ValueError("a pack with other fields")
        yield PackEntry(**pack)

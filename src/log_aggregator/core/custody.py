"""Custody records: what a run did. Each is written once and names the hash of the one before it.

A run writes an opening before it changes anything in a window of days, and a closing when that
window is done. If a run dies, a later one writes down what it left, in a recovery record. A drill
changes nothing and writes one record when it is over.

A record is JSON Lines in gzip: a line for the run, then a line for each group that it dealt with.
Its hash is the SHA-256 of the object as it is stored. docs/internals/custody.md shows one, and how
to check a chain with shell tools.
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
# A folder has a thousand records, which is one page of a listing. So the newest record is found
# with two requests, however many there are.
_KEY = re.compile(r"(?P<folder>[0-9]{7})/(?P<sequence>(?P=folder)[0-9]{3})\.jsonl\.gz")


class RecordKind(StrEnum):
    """What a record is about."""

    OPENING = "opening"  # the groups that a run is about to work on
    CLOSING = "closing"  # what it did
    RECOVERY = "recovery"  # what a run did that died before its closing
    DRILL = "drill"  # a random sample of members that was read back
    AT_REST = "at-rest"  # packs compared by S3's own hashes


@dataclass(slots=True, kw_only=True)
class GroupCounts:
    """The outcome for a group's log objects: counted during a run, and written into its record."""

    listed: int = 0
    """Log objects that were found and belong into packs: packed now, packed before, or left."""
    listed_bytes: int = 0
    packed: int = 0
    copied: int = 0
    bytes_in: int = 0
    packed_before: int = 0
    """How many of those listed were in packs already."""
    packed_before_bytes: int = 0
    changed: int = 0
    deleted: int = 0
    kept: int = 0
    retained: int = 0
    unknown: int = 0
    """Originals of which it is not known whether S3 deleted them."""
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
    """A pack that a run wrote, or verified again, and the outcome for its members' originals."""

    key: str
    members: int
    source_bytes: int
    """Bytes of its members' originals: from the verified index, or as they were read if the pack is
    not verified.
    """
    size_bytes: int
    is_new: bool = False
    """Whether this record's run wrote it; otherwise an earlier run did, and this one found it. In a
    chain exactly one record has it as new.
    """
    index_sha256: str | None = None
    """Hex, of the index as it is stored. None if the pack was not verified; then none of its
    originals were deleted.
    """
    deleted: int | None = None
    """Versions that are known to be gone. None if the deletion was not begun."""
    kept: int = 0
    retained: int = 0
    changed: int = 0
    unknown: int = 0
    sha256: str | None = None
    """Hex, of the whole pack, computed by the run that wrote it. None if S3 copied a member without
    our reading it, or if the run only found the pack: a record says only what its run has seen.
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
    """A group, or a part of one: a large group is processed in several parts."""

    group: Group
    counts: GroupCounts = field(default_factory=GroupCounts)
    discard_lists: tuple[str, ...] = ()
    """Keys of the lists of objects that were deleted without being packed."""
    packs: tuple[PackEntry, ...] = ()
    failures: tuple[tuple[str, str], ...] = ()
    """(error, message)."""

    @property
    def left(self) -> int:
        """Log objects that are in no pack yet: they changed or could not be read, or the group
        failed.
        """
        counts = self.counts
        return counts.listed - counts.packed - counts.copied - counts.packed_before

    @property
    def left_bytes(self) -> int:
        counts = self.counts
        return counts.listed_bytes - counts.bytes_in - counts.packed_before_bytes

    def without_new(self, claimed: Container[str], target: Target) -> GroupEntry:
        """The same entry, but packs that other records `claimed` as new are not new in it."""
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
        """Why the counts do not add up and no failure or change explains it; None if they do."""
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
            return "originals of a pack were deleted although the pack was not verified"
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
    """The number of objects that the run left alone, by reason, for all source buckets together."""
    layouts: tuple[Mapping[str, Any], ...] = ()
    """The layouts that were declared for the run, in the form of `describe_declarations`."""
    stage: Stage = Stage.PACK
    """How far the run may go with originals, or went."""
    groups: tuple[GroupEntry, ...] = ()
    failures: tuple[tuple[str, str, str], ...] = ()
    """(where, error, message), including those of groups."""
    kind: RecordKind = RecordKind.CLOSING
    planned: tuple[Group, ...] = ()
    """In an opening: the groups that the run may change."""
    about: int | None = None
    """In a recovery: the number of the opening that it is about."""
    closes: int | None = None
    """The number of the opening that this record closes."""
    open: tuple[int, ...] = ()
    """The numbers of all openings that no record has closed yet, including this one's."""
    at_rest: AtRestCheck | None = None
    """In the record of a check of packs at rest: its result."""
    sequence: int = 0
    previous: str | None = None
    """Hex SHA-256 of the record before this one; None for the first."""
    drill: Drill | None = None
    """In a drill's record, and in no other: its result."""

    def __post_init__(self) -> None:
        if (self.drill is not None) != (self.kind is RecordKind.DRILL):
            raise ValueError("expected a drill in a drill's record, and in no other")

    @property
    def step(self) -> tuple[str, RecordKind, date, date]:
        """The identity of a record: a run writes only one with the same."""
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
    """A record's key and hash. Anyone who keeps the hash elsewhere can show later that the chain up
    to this record was never changed.
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
    """The sequence number; None if it is not a record's key."""
    found = _KEY.fullmatch(key.removeprefix(custody_prefix(target)))
    return int(found["sequence"]) if found and key.startswith(custody_prefix(target)) else None


def hash_record(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def encode_record(record: Record) -> bytes:
    """The record as it is stored."""
    return encode_gzip(b"".join(encode_json_line(line) for line in _lines(record)))


def describe_entry(entry: GroupEntry) -> dict[str, Any]:
    """In plain types, as it is written in a record."""
    return {
        **encode_group(entry.group),
        **asdict(entry.counts),
        "discard_lists": list(entry.discard_lists),
        "packs": [asdict(pack) for pack in entry.packs],
        "failures": [list(failure) for failure in entry.failures],
    }


def decode_record(data: bytes) -> Record:
    """The inverse of `encode_record`. Raises BadPack if it is not a record, is cut short, or its
    totals are not those of its groups.
    """
    with decoding("the custody record"):
        return _parse(_inflate(data).splitlines())


def decode_place(data: bytes) -> tuple[Target, int, str | None]:
    """Where a record says that it belongs: its chain, its number, the hash of the record before it.

    Every version of the format has these fields (docs/reference/compatibility.md). Raises BadPack.
    """
    with decoding("the custody record"):
        head = decode_json(_inflate(data).splitlines()[0])
        return Target(head["bucket"], head["root"]), head["sequence"], head["previous"]


def _inflate(data: bytes) -> bytes:
    """Accepts exactly one gzip member with our own header, so that nothing can be hidden in extra
    members or header fields.
    """
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
    """Names and patterns are printed, so they must be text."""
    for row in rows:
        if not isinstance(row["name"], str) or not isinstance(row["pattern"], str):
            raise TypeError("a layout without a name or a pattern")
        yield row


_PACK_FIELDS = {item.name for item in fields(PackEntry)}
_LATER_FIELDS = {"sha256"}
"""Records of older versions do not have them."""


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

"""The sample of a drill, and its requests to thaw. They are written before anything is thawed, so
that anyone can continue the drill days later.

`<root>drills/<name>/sample.jsonl.gz` is JSON Lines in gzip: a line for the drill, and one for each
member with its pack and its line in the index. `thaw-<n>.json` is written before packs are
requested, `end.json` after the drill's custody record.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from log_aggregator.core.formats import check_format
from log_aggregator.core.jsontext import (
    decode_json,
    decoding,
    encode_json,
    encode_json_line,
    inflate_lines,
)
from log_aggregator.core.packformat.deflate import encode_gzip
from log_aggregator.core.packformat.index import decode_member, encode_member
from log_aggregator.core.times import decode_time, encode_time
from log_aggregator.model import DRILLS, Member, Target

FORMAT = "log-aggregator-drill"
VERSION = 1
SAMPLE = "sample.jsonl.gz"
END = "end.json"
_NAME = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9]{1,20}")


@dataclass(frozen=True, slots=True)
class DrawnMember:
    """A member that the drill reads back, as it was in its index when it was drawn."""

    pack_key: str
    member: Member


@dataclass(frozen=True, slots=True)
class Sample:
    """The members that were drawn, and the packs that they were drawn from."""

    target: Target
    seed: int
    drawn: datetime
    confidence: float
    population: int
    is_counted: bool
    """If False, `population` is an estimate."""
    packs: int
    """The number of all packs."""
    first: date
    last: date
    """Log dates of all packs."""
    members: tuple[DrawnMember, ...]
    """By pack, in the order of its index."""
    lost: int = 0
    """Further members that were drawn, but whose index can no longer be read: they count as bad."""
    packs_without_index: int = 0
    """Packs from which nothing was drawn, because a run may be writing them."""
    failures: tuple[tuple[str, str, str], ...] = ()
    """(where, error, message), for packs whose index cannot be read."""

    @property
    def name(self) -> str:
        return f"{self.drawn:%Y%m%dT%H%M%SZ}-{self.seed}"

    @property
    def by_pack(self) -> dict[str, list[Member]]:
        found: dict[str, list[Member]] = {}
        for each in self.members:
            found.setdefault(each.pack_key, []).append(each.member)
        return found


@dataclass(frozen=True, slots=True)
class ThawRequest:
    """A request to thaw packs, written before it was sent."""

    asked: datetime
    tier: str
    days: int
    dollars: float
    packs: tuple[str, ...]


def drills_prefix(target: Target) -> str:
    return f"{target.root}{DRILLS}"


def drill_key(target: Target, name: str, part: str) -> str:
    return f"{drills_prefix(target)}{name}/{part}"


def parse_drill_key(target: Target, key: str) -> tuple[str, str] | None:
    """(name, part); None if it is not the key of a drill's file."""
    name, slash, part = key.removeprefix(drills_prefix(target)).partition("/")
    is_own = key.startswith(drills_prefix(target)) and bool(slash) and "/" not in part
    if not is_own or not _NAME.fullmatch(name):
        return None
    try:
        parse_drawn(name)
    except ValueError:
        return None
    return name, part


def parse_drawn(name: str) -> datetime:
    """When the sample of the drill with this name was drawn."""
    return datetime.strptime(name.partition("-")[0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


def thaw_part(number: int) -> str:
    """The name of the file for the `number`th request, counted from 0."""
    return f"thaw-{number:04}.json"


def encode_sample(sample: Sample) -> bytes:
    return encode_gzip(b"".join(map(encode_json_line, _lines(sample))))


def decode_sample(data: bytes, target: Target, name: str) -> Sample:
    """The inverse. Raises BadPack if it is not a sample, is cut short, or belongs to another drill
    or target.
    """
    with decoding("the drill's sample"):
        lines = inflate_lines(data)
        head = decode_json(next(lines, b""))
        check_format("the drill's sample", head, FORMAT, VERSION)
        sample = Sample(
            Target(head["bucket"], head["root"]),
            int(head["seed"]),
            decode_time(head["drawn"]),
            float(head["confidence"]),
            int(head["population"]),
            bool(head["is_counted"]),
            int(head["packs"]),
            date.fromisoformat(head["first_date"]),
            date.fromisoformat(head["last_date"]),
            tuple(_parse_drawn(line) for line in lines),
            int(head["lost"]),
            int(head["packs_without_index"]),
            tuple((str(where), str(error), str(text)) for where, error, text in head["failures"]),
        )
        if len(sample.members) != head["members"]:
            raise ValueError("it announces another number of members")
        if (sample.target, sample.name) != (target, name):
            raise ValueError("it belongs to another drill")
        return sample


def encode_request(request: ThawRequest) -> bytes:
    return encode_json(
        {
            "asked": encode_time(request.asked),
            "tier": request.tier,
            "days": request.days,
            "dollars": request.dollars,
            "packs": list(request.packs),
        }
    )


def decode_request(data: bytes) -> ThawRequest:
    """The inverse. Raises BadPack."""
    with decoding("the drill's request"):
        found = decode_json(data)
        return ThawRequest(
            decode_time(found["asked"]),
            str(found["tier"]),
            int(found["days"]),
            float(found["dollars"]),
            tuple(map(str, found["packs"])),
        )


def _lines(sample: Sample) -> Iterator[Mapping[str, Any]]:
    yield {
        "format": FORMAT,
        "version": VERSION,
        "bucket": sample.target.bucket,
        "root": sample.target.root,
        "seed": sample.seed,
        "drawn": encode_time(sample.drawn),
        "confidence": sample.confidence,
        "population": sample.population,
        "is_counted": sample.is_counted,
        "packs": sample.packs,
        "first_date": sample.first.isoformat(),
        "last_date": sample.last.isoformat(),
        "members": len(sample.members),
        "lost": sample.lost,
        "packs_without_index": sample.packs_without_index,
        "failures": [list(failure) for failure in sample.failures],
    }
    for each in sample.members:
        yield {"pack": each.pack_key, **decode_json(encode_member(each.member))}


def _parse_drawn(line: bytes) -> DrawnMember:
    return DrawnMember(str(decode_json(line)["pack"]), decode_member(line))

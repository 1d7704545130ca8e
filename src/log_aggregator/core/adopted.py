"""Aggregates that other tools made, plain concatenations of gzip files, and the indexes that `index
adopt` makes of them.

An adopted aggregate is not a pack: the names of its members are lost, and nothing may ever be
deleted because of it. So its index has another format, another name and another folder.
`decode_index` refuses it, and no `VerifiedPack` can be made from it. docs/internals/pack-format.md
specifies the format.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from log_aggregator.core.checksums import decode_crc64nvme, encode_crc64nvme
from log_aggregator.core.formats import check_format
from log_aggregator.core.jsontext import decode_json, decoding, encode_json_line, inflate_lines
from log_aggregator.core.layouts import LAYOUTS, Dated, parse_key
from log_aggregator.core.layouts.hints import Hint, hint_of
from log_aggregator.core.layouts.table import OTHER
from log_aggregator.core.listed import decode_group, encode_group
from log_aggregator.core.packformat.deflate import GzipEncoder, encode_gzip
from log_aggregator.core.packformat.index import decode_member, encode_member
from log_aggregator.core.packformat.split import GzipMember
from log_aggregator.core.query import Query
from log_aggregator.core.times import decode_time, encode_time
from log_aggregator.errors import BadPack, SettingsError
from log_aggregator.model import NO_ACCOUNT, Group, KeyFacts, Member, Target

FORMAT = "log-aggregator-adopted-index"
VERSION = 1
FLAG = "adopted"
"""The flag of every member of an adopted aggregate: its key is made up."""

ADOPTED = "adopted/"
"""A folder next to `packs/` and `indexes/`, so that neither the nightly job nor a table over the
indexes ever finds one.
"""
INDEX_SUFFIX = ".index.jsonl.gz"
_ID_LENGTH = 32  # hex digits: 128 bits, so that two aggregates do not get the same name


@dataclass(frozen=True, slots=True)
class Aggregate:
    """One object that another tool made, as it was when it was read, and the group of its gzip
    members.
    """

    bucket: str
    key: str
    etag: str
    size_bytes: int
    last_modified: datetime
    group: Group

    @property
    def place(self) -> str:
        return f"s3://{self.bucket}/{self.key}"

    def index_key(self, target: Target) -> str:
        """The same aggregate, adopted as the same group, has the same index."""
        identity = json.dumps([self.bucket, self.key, self.etag, self.size_bytes])
        name = hashlib.sha256(identity.encode()).hexdigest()[:_ID_LENGTH]
        return f"{target.root}{ADOPTED}{self.group.path}{name}{INDEX_SUFFIX}"


@dataclass(frozen=True, slots=True)
class Adopted:
    """The first line of an adopted aggregate's index."""

    aggregate: Aggregate
    crc64nvme: int
    """Of the whole aggregate."""
    member_count: int
    padding_bytes: int
    """Zero bytes between and after its gzip members."""
    tool: str = ""


@dataclass(frozen=True, slots=True)
class Said:
    """What the operator says about aggregates. It takes precedence over what their keys say."""

    bucket: str | None = None
    log_type: str | None = None
    account: str | None = None
    date: date | None = None


def group_of_aggregate(bucket: str, key: str, said: Said) -> Group:
    """The group of an aggregate, from its key and what was said. A hint in the key is enough,
    because an operator named the aggregate and nothing is deleted because of it.

    Raises SettingsError if neither has a date.
    """
    told = _told_by(key)
    day = said.date or _date_of(bucket, key, told)
    older = _OLDER_KEY.match(key)
    name = _NAME.match(key.rpartition("/")[2])
    log_type = _LOG_TYPES.get(name["type"].lower()) if name else None
    return Group(
        said.bucket or (older["bucket"] if older else bucket),
        said.log_type or log_type or (told.log_type if isinstance(told, KeyFacts) else OTHER),
        said.account or told.account or (name["account"] if name else NO_ACCOUNT),
        day,
    )


def member_key(aggregate_key: str, number: int) -> str:
    """The made-up key of a gzip member, whose own key is lost. The first has the number 1."""
    return (
        f"{aggregate_key}#{number:06}{'.json.gz' if aggregate_key.endswith('.json.gz') else '.gz'}"
    )


class AdoptedIndexEncoder:
    """Takes members one by one, and keeps their lines compressed: about 50 bytes for each."""

    def __init__(self, aggregate: Aggregate) -> None:
        self._aggregate = aggregate
        self._encoder = GzipEncoder()
        self._lines = bytearray(self._encoder.begin())
        self.member_count = 0
        self.member_bytes = 0

    def take(self, found: GzipMember) -> None:
        self.member_count += 1
        self.member_bytes += found.length_bytes
        self._lines += self._encoder.take(
            encode_member(_member(self._aggregate, self.member_count, found))
        )

    def finish(self, crc64nvme: int, tool: str) -> tuple[Adopted, bytes]:
        """The first line is a gzip member of its own, because it holds the count, which is known
        last.
        """
        padding = self._aggregate.size_bytes - self.member_bytes
        adopted = Adopted(self._aggregate, crc64nvme, self.member_count, padding, tool)
        return adopted, encode_gzip(_head(adopted)) + bytes(self._lines + self._encoder.finish())


def decode_adopted(data: bytes) -> tuple[Adopted, Iterator[Member]]:
    """The first line, and the members one by one. Raises BadPack, also while the members are
    iterated.
    """
    with decoding("the index"):
        lines = inflate_lines(data)
        adopted = _parse_head(decode_json(next(lines, b"")))
    return adopted, _members(adopted, lines)


@dataclass(frozen=True, slots=True)
class AdoptedQuery:
    """The part of a query that adopted aggregates can answer: their keys have a day but no hour."""

    place: Query
    """For groups: everything but the keys and regions."""
    names: Query
    """For members' keys."""
    regions: frozenset[str]

    @classmethod
    def of(cls, query: Query) -> AdoptedQuery | None:
        """None if no adopted member can match, because all keys of the query are whole keys that
        `member_key` cannot have made.
        """
        keys = tuple(key for key in query.keys if "#" in key or re.search(r"[*?\[]", key))
        if query.keys and not keys:
            return None
        return cls(replace(query, keys=(), regions=frozenset()), Query(keys=keys), query.regions)

    def matches(self, adopted_group: Group, key: str) -> bool:
        """Whether a member with this key matches, in a group that matches `place`."""
        return self.names.matches(adopted_group, key) and (
            not self.regions or _region_of(key) in self.regions
        )


_LOG_TYPES = {name.lower(): name for row in LAYOUTS if (name := row.log_type or row.service)}
_OLDER_KEY = re.compile(
    r"(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/[0-9]{4}/[0-9]{2}/[0-9]{2}/[^/]+\Z"
)
"""`<source bucket>/<YYYY>/<MM>/<DD>/<name>`: keys of the older stack."""
_NAME = re.compile(r"(?P<account>[0-9]{12})_(?P<type>[A-Za-z][A-Za-z0-9-]*)(?:[_.]|\Z)")


def _told_by(key: str) -> KeyFacts | Hint:
    parsed = parse_key(key)
    return parsed.facts if isinstance(parsed, Dated) else hint_of(key)


def _date_of(bucket: str, key: str, told: KeyFacts | Hint) -> date:
    if isinstance(told, Hint) and told.disagrees:
        days = ", ".join(str(day) for day in sorted({found.date for found in told.dates}))
        raise SettingsError(
            f"s3://{bucket}/{key}: the dates in its key disagree ({days}); set --date to the day "
            "that it holds"
        )
    if told.date is None:
        raise SettingsError(
            f"s3://{bucket}/{key}: there is no date in its key; set --date to the day that it holds"
        )
    return told.date


def _region_of(key: str) -> str | None:
    return _told_by(key).region or hint_of(key).region


def _member(aggregate: Aggregate, number: int, found: GzipMember) -> Member:
    return Member(
        key=member_key(aggregate.key, number),
        version_id=None,
        etag="",
        size_bytes=found.length_bytes,
        last_modified=aggregate.last_modified,
        offset=found.offset,
        length_bytes=found.length_bytes,
        sha256=found.sha256,
        flags=(FLAG,),
    )


def _head(adopted: Adopted) -> bytes:
    aggregate = adopted.aggregate
    line = {
        "format": FORMAT,
        "version": VERSION,
        "aggregate_bucket": aggregate.bucket,
        "aggregate_key": aggregate.key,
        "etag": aggregate.etag,
        "size": aggregate.size_bytes,
        "last_modified": encode_time(aggregate.last_modified),
        "crc64nvme": encode_crc64nvme(adopted.crc64nvme),
        **encode_group(aggregate.group),
        "members": adopted.member_count,
        "padding": adopted.padding_bytes,
        "tool": adopted.tool,
    }
    return encode_json_line(line)


def _parse_head(line: dict[str, Any]) -> Adopted:
    check_format("the index of an adopted aggregate", line, FORMAT, VERSION)
    aggregate = Aggregate(
        line["aggregate_bucket"],
        line["aggregate_key"],
        line["etag"],
        int(line["size"]),
        decode_time(line["last_modified"]),
        decode_group(line),
    )
    return Adopted(
        aggregate,
        decode_crc64nvme(line["crc64nvme"]),
        int(line["members"]),
        int(line["padding"]),
        line["tool"],
    )


def _members(adopted: Adopted, lines: Iterable[bytes]) -> Iterator[Member]:
    count = 0
    with decoding("the index"):
        for line in lines:
            count += 1
            yield decode_member(line)
    if count != adopted.member_count:
        raise BadPack(f"the index announces {adopted.member_count} members and lists {count}")

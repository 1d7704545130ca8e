"""What `find` found: rows for people, JSON Lines for programs. Each pack is shown as it comes, so
that nothing is held in memory.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from log_aggregator.core.layouts.declared import Layouts
from log_aggregator.core.query import region_of
from log_aggregator.core.times import encode_time
from log_aggregator.model import NO_ACCOUNT, Member
from log_aggregator.reports.numbers import format_bytes, format_count
from log_aggregator.steps.retrieval.find import FoundPack

GONE = "GONE"
"""Shown in place of the storage class where the index is there, but the pack has expired or was
deleted.
"""


@dataclass(slots=True)
class Tally:
    """How much was found."""

    members: int = 0
    bytes: int = 0
    packs: int = 0
    packs_gone: int = 0

    def add(self, found: FoundPack) -> None:
        self.members += len(found.members)
        self.bytes += sum(member.size_bytes for member in found.members)
        self.packs += 1
        self.packs_gone += found.storage_class is None

    def describe(self) -> dict[str, int]:
        return {
            "members": self.members,
            "bytes": self.bytes,
            "packs": self.packs,
            "packs_gone": self.packs_gone,
        }

    def render(self) -> str:
        text = (
            f"{format_count(self.members, 'log object')}, {format_bytes(self.bytes)}, in "
            f"{format_count(self.packs, 'pack')}"
        )
        gone = (
            f"; {format_count(self.packs_gone, 'pack is', 'packs are')} gone, and only the index "
            "is left"
            if self.packs_gone
            else ""
        )
        return text + gone


def render_pack(found: FoundPack) -> str:
    """One row: log date, account, log type, members and bytes found, storage class, and the key,
    which comes last because its width varies.
    """
    account = "-" if found.group.account == NO_ACCOUNT else found.group.account
    count, size = f"{len(found.members):,}", format_bytes(_size_bytes(found))
    return (
        f"{found.group.date}  {account:<12}  {found.group.log_type:<20}  {count:>7}  "
        f"{size:>9}  {found.storage_class or GONE:<12}"
        f"  s3://{found.target.bucket}/{found.pack_key}"
    )


def render_members(found: FoundPack) -> Iterator[str]:
    """A row for each member: its size, where it was, and its version if the pack has several of a
    key.
    """
    versions = Counter(member.key for member in found.members)
    for member in found.members:
        version = f"  version {member.version_id}" if versions[member.key] > 1 else ""
        yield (
            f"{format_bytes(member.size_bytes):>14}  "
            f"s3://{found.group.bucket}/{member.key}{version}"
        )


def describe_pack(found: FoundPack) -> str:
    """A pack as a line of JSON. The names are documented in docs/reference/json.md."""
    return _dump(
        {
            **_place(found),
            "pack_bytes": found.pack_bytes,
            "pack_format": found.format.value,
            "members": len(found.members),
            "bytes": _size_bytes(found),
        }
    )


def describe_members(found: FoundPack, layouts: Layouts) -> Iterator[str]:
    """Each member as a line of JSON: what the original was, and where it is now. Where the key does
    not name its region for certain, `layouts` or a hint give it.
    """
    place, bucket = _place(found), found.group.bucket
    return (
        _dump(
            {**_describe_member(member), "region": region_of(layouts, bucket, member.key), **place}
        )
        for member in found.members
    )


def _place(found: FoundPack) -> dict[str, Any]:
    group = found.group
    return {
        "bucket": group.bucket,
        "log_type": group.log_type,
        "account": None if group.account == NO_ACCOUNT else group.account,
        "date": group.date.isoformat(),
        "pack_bucket": found.target.bucket,
        "pack": found.pack_key,
        "storage_class": found.storage_class,
    }


def _describe_member(member: Member) -> dict[str, Any]:
    return {
        "key": member.key,
        "version_id": member.version_id,
        "etag": member.etag,
        "size": member.size_bytes,
        "last_modified": encode_time(member.last_modified),
        "sha256": member.sha256,
        "metadata": dict(member.metadata),
    }


def _size_bytes(found: FoundPack) -> int:
    return sum(member.size_bytes for member in found.members)


def _dump(line: dict[str, Any]) -> str:
    return json.dumps(line, ensure_ascii=False, separators=(",", ":"))

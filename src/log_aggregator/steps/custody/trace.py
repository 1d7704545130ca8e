"""Traces the life of one log object: the pack that holds it, the runs that verified that pack, and
the run that deleted the original.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from log_aggregator.core.custody import GroupEntry, PackEntry, Record
from log_aggregator.core.query import Query
from log_aggregator.errors import NoSuchOriginal
from log_aggregator.model import Group, LogObject, Member, Target
from log_aggregator.ports.store import ObjectStore
from log_aggregator.steps.custody.walk import list_records, read_records
from log_aggregator.steps.job import Job
from log_aggregator.steps.packs.index import read_index
from log_aggregator.steps.packs.pages import list_all
from log_aggregator.steps.retrieval.find import FoundPack, find
from log_aggregator.steps.workers import Workers


@dataclass(frozen=True, slots=True)
class Mention:
    """What one run did to a pack."""

    sequence: int
    record_key: str
    run: str
    tool: str
    began: datetime
    ended: datetime
    pack: PackEntry


@dataclass(frozen=True, slots=True)
class Unread:
    """A record that might say more, but cannot be read."""

    record_key: str
    problem: str


@dataclass(slots=True)
class Life:
    """A log object, in one pack."""

    target: Target
    group: Group
    pack_key: str
    index_key: str
    member: Member
    index_written: datetime
    index_sha256: str
    """SHA-256 of the index as it is now."""
    mentions: list[Mention] = field(default_factory=list)
    """What runs did to its pack, oldest first."""
    unread: list[Unread] = field(default_factory=list)

    @property
    def index_is_unchanged(self) -> bool:
        """Whether every run that verified the pack saw this index, and at least one did."""
        seen = {
            mention.pack.index_sha256
            for mention in self.mentions
            if mention.pack.index_sha256 is not None
        }
        return seen == {self.index_sha256}


def trace(job: Job, bucket: str, key: str) -> Iterator[Life]:
    """Every version of the key, in every pack of ours that holds it.

    Raises NoSuchOriginal and StoreError; and at the end IncompleteSearch, if packs that may hold it
    could not be searched.
    """
    is_found = False
    query = Query(
        buckets=frozenset({bucket}),
        keys=(f"s3://{bucket}/{key}",),
        layouts=job.rules.layouts,
    )
    for found in find(job.store, job.workers, job.list_targets(), query):
        # Otherwise it is an adopted aggregate, about which no custody record says anything.
        if found.pack_key.startswith(f"{found.target.root}packs/"):
            is_found = True
            yield from _lives_in(job.store, job.workers, found)
    if not is_found:
        raise NoSuchOriginal(f"no pack holds s3://{bucket}/{key}")


def _lives_in(store: ObjectStore, workers: Workers, found: FoundPack) -> Iterator[Life]:
    """One life for each version."""
    target = found.target
    index_key = target.index_key(found.pack_key)
    written = _written(store, target, index_key)
    sha256 = read_index(store, target, found.pack_key).sha256
    seen = list(_mentions(store, workers, target, found.group, found.pack_key, written))
    mentions = [each for each in seen if isinstance(each, Mention)]
    unread = [each for each in seen if isinstance(each, Unread)]
    for member in found.members:
        yield Life(
            target,
            found.group,
            found.pack_key,
            index_key,
            member,
            written,
            sha256,
            mentions,
            unread,
        )


def _written(store: ObjectStore, target: Target, index_key: str) -> datetime:
    listed: dict[str, LogObject] = {
        entry.key: entry for entry in list_all(store, target.bucket, index_key)
    }
    return listed[index_key].last_modified


def _mentions(
    store: ObjectStore,
    workers: Workers,
    target: Target,
    group: Group,
    pack_key: str,
    written: datetime,
) -> Iterator[Mention | Unread]:
    """What records say about a pack, from the first one written after its index to the one whose
    run deleted the last original.
    """
    listed = {
        sequence: entry
        for sequence, entry in list_records(store, target).items()
        if entry.last_modified >= written
    }
    deleted = 0
    for found in read_records(store, workers, target, listed):
        if found.record is None:
            yield Unread(found.key, found.problem)
            continue
        for pack in _packs_of(found.record, group, pack_key):
            record = found.record
            yield Mention(
                found.sequence, found.key, record.run, record.tool, record.began, record.ended, pack
            )
            deleted += pack.deleted or 0
            if deleted >= pack.members:
                return


def _packs_of(record: Record, group: Group, pack_key: str) -> Iterator[PackEntry]:
    entries: Iterable[GroupEntry] = (entry for entry in record.groups if entry.group == group)
    return (pack for entry in entries for pack in entry.packs if pack.key == pack_key)

"""Where a life is rehearsed: three empty buckets, an organisation that delivers to one of them, and
the means to see what is left.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol

from log_aggregator.core.query import Query
from log_aggregator.core.windows import DateWindow
from log_aggregator.errors import Failure, GroupFailed, NotFound
from log_aggregator.model import Target
from log_aggregator.ports.store import ObjectStore
from log_aggregator.steps.cloudtrail.run_keys import archive_run_keys
from log_aggregator.steps.custody.keep import CustodyKeeper
from log_aggregator.steps.job import Job
from log_aggregator.steps.packing.listing import Progress
from log_aggregator.steps.packing.results import RunResult
from log_aggregator.steps.packing.run import run
from log_aggregator.steps.rehearsal.organisation import Organisation, Original
from log_aggregator.steps.rehearsal.signing import RehearsalKeys
from log_aggregator.steps.retrieval.fetch import (
    Fetched,
    VersionChoice,
    Wanted,
    choose,
    fetch,
    tolerate_gaps,
)
from log_aggregator.steps.retrieval.find import FoundPack, find

LOGS, PACKS, RETURNED = "rehearsal-logs", "rehearsal-packs", "rehearsal-returned"
"""The buckets of a life. Each is a prefix of a real bucket."""
TARGET = Target(PACKS)


class Killed(BaseException):
    """The process is dead, as after `kill -9`. A BaseException, so `except Exception` does not
    catch it.
    """


@dataclass(frozen=True, slots=True)
class Death:
    """The call at which a run dies: the first of these operations in this bucket on a key with this
    prefix.
    """

    operations: frozenset[str]
    bucket: str
    prefix: str = ""


class OpenJob(Protocol):
    """Makes what one command works with, in the buckets of this life."""

    def __call__(
        self, window: DateWindow, death: Death | None = None
    ) -> AbstractContextManager[Job]: ...


@dataclass(slots=True)
class Stage:
    """One life in progress. `deliver` writes as AWS's services do: without our object store, and
    without conditions.
    """

    open_job: OpenJob
    deliver: Callable[[Original], None]
    hide: Callable[[str], None]
    """Deletes a key without a version id: where there are versions, a delete marker hides them."""
    wait: Callable[[], None]
    """Waits until S3's clock, which counts whole seconds, has moved on."""
    organisation: Organisation
    has_versions: bool = False
    """Whether the bucket that logs are delivered to has versions."""
    older: dict[str, bytes] = field(default_factory=dict)
    """Older versions of logs, by their keys; `originals` has the newest."""
    hidden: set[str] = field(default_factory=set)
    """Keys whose newest entry is a delete marker."""
    originals: dict[str, Original] = field(default_factory=dict)
    """Everything that was delivered, by its key."""
    _compared: set[tuple[str, str, str]] = field(default_factory=set)
    """(bucket, key, ETag) of objects that were read and equal what was delivered."""

    @property
    def window(self) -> DateWindow:
        return DateWindow(self.organisation.day, self.organisation.day)

    @property
    def logs(self) -> dict[str, Original]:
        """The originals that a run should pack."""
        return {key: each for key, each in self.originals.items() if each.is_log}

    def take(self, original: Original) -> None:
        """Delivers an original."""
        self.originals[original.key] = original
        self.deliver(original)

    def take_versions(self, log: Original, hidden: Original) -> None:
        """Delivers a log twice, and another one that is then deleted.

        A second must pass between the two versions: LastModified counts whole seconds, so otherwise
        they could not be told apart by age.
        """
        self.older[log.key] = gzip.compress(log.data, mtime=0)
        self.deliver(replace(log, data=self.older[log.key]))
        self.wait()
        self.take(log)
        self.deliver(hidden)
        self.hide(hidden.key)
        self.hidden.add(hidden.key)

    def run(self, death: Death | None = None) -> RunResult | None:
        """Runs as the command `run` does. None if it was killed."""
        try:
            with self.open_job(self.window, death) as job:
                now = job.clock.now()
                keys = RehearsalKeys(self.organisation.key, now)
                archive_keys = partial(archive_run_keys, job, lambda: keys)
                name = f"{now:%Y-%m-%d}/rehearsal-{now:%H%M%S%f}"
                return run(job, Progress(), recorder=CustodyKeeper(job, name, archive_keys))
        except Killed:
            return None

    def find(self, job: Job, gaps: list[Failure]) -> Iterator[FoundPack]:
        """All packs of the day."""
        query = Query.of_days(self.window.first, self.window.last)
        return tolerate_gaps(find(job.store, job.workers, [TARGET], query), gaps)

    def choose(self, job: Job, *, newest_only: bool = False) -> Iterator[Wanted]:
        """All members of packs that have an index."""
        return choose(self.find(job, []), VersionChoice(newest_only=newest_only))

    def read_versions(self, job: Job, key: str) -> set[bytes]:
        """The bytes of every version of a key that is packed."""
        wanted = (narrow for each in self.choose(job) if (narrow := _narrow(each, {key})))
        return {b"".join(fetched.pieces) for fetched in fetch(job.store, job.workers, wanted)}

    def read_packed(self, job: Job, keys: Collection[str]) -> set[str]:
        """Those of the keys whose originals come out of packs with the same bytes and metadata."""
        found = set()
        wanted = (narrow for each in self.choose(job) if (narrow := _narrow(each, keys)))
        for fetched in fetch(job.store, job.workers, wanted):
            with suppress(GroupFailed):
                if self._is_original(fetched):
                    found.add(fetched.member.key)
        return found

    def list_packed(self, job: Job) -> set[str]:
        """The keys of originals that the indexes name as members."""
        return {member.key for found in self.find(job, []) for member in found.members}

    def find_left(self, store: ObjectStore, bucket: str = LOGS) -> set[str]:
        """The keys of originals that lie in a bucket with the same bytes and metadata."""
        return {key for key in self.originals if self._is_there(store, bucket, key)}

    def find_lost(self) -> set[str]:
        """The keys of originals that neither lie where they were delivered nor come out of a
        pack.
        """
        with self.open_job(self.window) as job:
            gone = self.originals.keys() - self.find_left(job.store)
            return gone - self.read_packed(job, gone) if gone else set()

    def _is_original(self, fetched: Fetched) -> bool:
        data, metadata = b"".join(fetched.pieces), dict(fetched.member.metadata)
        original = self.originals.get(fetched.member.key)
        return original is not None and (data, metadata) == (
            original.data,
            dict(original.metadata),
        )

    def _is_there(self, store: ObjectStore, bucket: str, key: str) -> bool:
        """Whether the original lies there unchanged. An ETag that was compared before is not read
        again.
        """
        original = self.originals[key]
        try:
            etag = store.head_object(bucket, key).etag
            if (bucket, key, etag) in self._compared:
                return True
            body = store.get_object(bucket, key, if_match=etag)
        except NotFound:
            return False
        is_same = (body.data, dict(body.metadata)) == (original.data, dict(original.metadata))
        if is_same:
            self._compared.add((bucket, key, etag))
        return is_same


def _narrow(wanted: Wanted, keys: Collection[str]) -> Wanted | None:
    """Only these members; None if the pack has none of them."""
    members = tuple(member for member in wanted.pack.members if member.key in keys)
    return replace(wanted, pack=replace(wanted.pack, members=members)) if members else None

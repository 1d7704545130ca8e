"""The requests of a rehearsal that no run makes: it overwrites objects, locks them, and makes
buckets.

Every method raises only errors of the branch `log_aggregator.errors.RequestFailed`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from log_aggregator.ports.store import WriteOptions


class Hands(Protocol):
    """What a probe needs in addition to the object store, because a run never does it."""

    def overwrite(
        self, bucket: str, key: str, data: bytes, options: WriteOptions | None = None
    ) -> None:
        """PutObject without a condition."""

    def delete(self, bucket: str, key: str, *, if_match: str | None = None) -> None:
        """DeleteObject of the current object, if it has this ETag."""

    def list_of_owner(self, bucket: str, prefix: str, owner: str) -> None:
        """A listing that names the bucket's expected owner."""

    def hold(self, bucket: str, key: str, version_id: str, *, is_held: bool) -> None:
        """Puts a version under a legal hold, or removes the hold."""

    def retain(self, bucket: str, key: str, version_id: str, until: datetime) -> None:
        """Locks a version until then, in governance mode: only a caller with permission to bypass
        it can delete the version.
        """

    def clear(self, bucket: str, prefix: str, keys: Iterable[str]) -> None:
        """Removes everything under a prefix, and these keys, which a listing might not show. What
        the server refuses to remove stays.
        """

    def now(self) -> datetime:
        """The time, in UTC."""

    def wait(self) -> None:
        """Waits until S3's LastModified, which is in whole seconds, will be later."""


@dataclass(frozen=True, slots=True)
class Lock:
    """A bucket's Object Lock. `is_default`: every new object is locked immediately."""

    is_default: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """A version or a delete marker; without a version id, an object."""

    key: str
    version_id: str | None = None


class ScratchBuckets(Protocol):
    """The buckets of a rehearsal, and what is under its prefix in any bucket."""

    def exists(self, bucket: str) -> bool:
        """Whether there is a bucket of that name, in any account."""

    def create(self, bucket: str, *, has_lock: bool = False) -> None:
        """Without versions, or with Object Lock, which implies versions."""

    def switch_versions_on(self, bucket: str) -> None: ...

    def find_lock(self, bucket: str) -> Lock | None:
        """None if the bucket has no Object Lock, or the server does not support it."""

    def list_entries(self, bucket: str, prefix: str) -> list[Entry]:
        """Everything under a prefix, over all pages: versions and delete markers; objects if the
        server has no versions.
        """

    def remove_entries(self, bucket: str, entries: Sequence[Entry]) -> None:
        """Removes them, bypassing governance locks. What the server refuses to remove stays."""

    def abort_uploads(self, bucket: str, prefix: str) -> None:
        """Aborts all open multipart uploads under a prefix."""

    def remove(self, bucket: str) -> None:
        """Removes an empty bucket."""

"""What a rehearsal does to S3 that no run does: it writes over objects, locks them, and makes
buckets of its own.

Every method raises the errors of `log_aggregator.errors.RequestFailed`'s branch and nothing else of
its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from log_aggregator.ports.store import WriteOptions


class Hands(Protocol):
    """What a probe needs beyond the object store, because the program itself never does it."""

    def overwrite(
        self, bucket: str, key: str, data: bytes, options: WriteOptions | None = None
    ) -> None:
        """PutObject without any condition."""

    def delete(self, bucket: str, key: str, *, if_match: str | None = None) -> None:
        """DeleteObject of the current object, where it has this ETag."""

    def list_of_owner(self, bucket: str, prefix: str, owner: str) -> None:
        """A listing that names the bucket's expected owner."""

    def hold(self, bucket: str, key: str, version_id: str, *, is_held: bool) -> None:
        """Puts a version under a legal hold, or takes the hold away."""

    def retain(self, bucket: str, key: str, version_id: str, until: datetime) -> None:
        """Locks a version until then, in governance mode: whoever may bypass that may delete it."""

    def clear(self, bucket: str, prefix: str, keys: Iterable[str]) -> None:
        """Removes all that is under a prefix, and these keys, which no listing may give: as far as
        the server lets it.
        """

    def now(self) -> datetime:
        """The time, in UTC."""

    def wait(self) -> None:
        """Until the clock of S3's times, which are whole seconds, has moved on."""


@dataclass(frozen=True, slots=True)
class Lock:
    """A bucket's Object Lock. `is_default`: each new object is locked at once."""

    is_default: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """A version, a delete marker, or, without a version id, an object."""

    key: str
    version_id: str | None = None


class ScratchBuckets(Protocol):
    """Buckets that are made for a rehearsal, and what lies under its prefix in any bucket."""

    def exists(self, bucket: str) -> bool:
        """Whether there is a bucket of that name, whoever owns it."""

    def create(self, bucket: str, *, has_lock: bool = False) -> None:
        """Without versions, or with Object Lock, which brings versions."""

    def switch_versions_on(self, bucket: str) -> None: ...

    def find_lock(self, bucket: str) -> Lock | None:
        """None where the bucket has no Object Lock, or the server knows none."""

    def list_entries(self, bucket: str, prefix: str) -> list[Entry]:
        """Everything under a prefix, of all pages: versions and delete markers; where the server
        has no versions, objects.
        """

    def remove_entries(self, bucket: str, entries: Sequence[Entry]) -> None:
        """Each of them, past governance locks. What is refused stays and is listed again."""

    def abort_uploads(self, bucket: str, prefix: str) -> None:
        """All multipart uploads that are open under a prefix."""

    def remove(self, bucket: str) -> None:
        """An empty bucket."""

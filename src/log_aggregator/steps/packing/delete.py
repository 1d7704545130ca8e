"""Deletes originals: exactly the members of a verified pack, exactly the versions that were packed,
and nothing else ever.

In a versioned bucket an entry is deleted by its version id, in any other on the condition that its
ETag still holds. Of a key with several versions the newest goes last, and only when all others have
gone, so that no reader ever sees an older one come to light.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from log_aggregator.errors import StoreError
from log_aggregator.limits import DELETE_COUNT_MAX
from log_aggregator.model import NULL_VERSION, Identity, LogObject, VerifiedPack
from log_aggregator.ports.store import Deletion, DeletionFailure, ObjectStore
from log_aggregator.steps.packing.buckets import SourceBucket
from log_aggregator.steps.packs.verify import verify_again
from log_aggregator.steps.workers import Workers

_ATTEMPTS_MAX = 4
_PAUSE_SECONDS = 0.25
"""1, 4, 16 seconds: S3 needs some to make room for a rate that it was not used to. The client's own
retries do not see errors of keys.
"""

_GONE = {"NoSuchKey", "NoSuchVersion", "NotFound"}
_CHANGED = {"PreconditionFailed", "ConditionalRequestConflict"}
_RETAINED = {"AccessDenied", "InvalidRequest", "MethodNotAllowed", "ObjectLocked", "Forbidden"}


@dataclass(slots=True)
class DeletionReport:
    """What became of the originals of a pack."""

    deleted: int = 0
    retained: list[DeletionFailure] = field(default_factory=list)
    """S3 refuses to delete them: Object Lock, legal hold, MFA delete, a policy."""
    changed: list[DeletionFailure] = field(default_factory=list)
    """Replaced since they were packed; the new object is the next run's."""
    withheld: int = 0
    """Versions that stay for now: the newest of a key while an older one is still there, and what
    can be written over unseen.
    """
    list_key: str | None = None
    """Where what went without a pack is written down."""


class ListedVersions(Container[Identity]):
    """The log objects of a group as they were listed (versions of a key side by side), and which of
    their versions are still there.
    """

    def __init__(self, objects: Iterable[LogObject]) -> None:
        self._identities: set[Identity] = set()
        self._newest: dict[str, Identity] = {}
        self._older: dict[str, set[Identity]] = {}
        for key, same in groupby(objects, lambda each: each.key):
            versions = list(same)
            self._identities.update(version.identity for version in versions)
            if len(versions) > 1:
                self._newest.update(
                    (key, version.identity) for version in versions if version.is_latest
                )
                self._older[key] = {
                    version.identity for version in versions if not version.is_latest
                }

    def __contains__(self, identity: object) -> bool:
        return identity in self._identities

    def is_newest(self, identity: Identity) -> bool:
        """It is the newest of several versions, and has to go last."""
        return self._newest.get(identity[0]) == identity

    def is_older(self, identity: Identity) -> bool:
        """It is one of several versions, not the newest, and still there."""
        return identity in self._older.get(identity[0], ())

    def has_older(self, key: str) -> bool:
        """Versions of the key besides its newest are still there."""
        return bool(self._older.get(key))

    def took(self, identity: Identity) -> None:
        """It is gone."""
        self._older.get(identity[0], set()).discard(identity)

    def forget(self, identities: Iterable[Identity]) -> None:
        """They had gone before."""
        for identity in identities:
            self._identities.discard(identity)
            self.took(identity)


def delete_originals(
    deleter: Deleter, pack: VerifiedPack, listed: ListedVersions
) -> DeletionReport:
    """Deletes the originals of a verified pack, after one more look at the pack.

    What is deleted stands in the index that was verified; `listed` can only narrow it, to what is
    still there. Raises StoreError where S3 keeps failing, VerificationError where the pack has
    changed, ValueError where the deleter is another bucket's.
    """
    if deleter.bucket.name != pack.source_bucket:
        raise ValueError(f"{deleter.bucket.name} is not where {pack.index.pack_key} came from")
    verify_again(deleter.store, pack)
    going = [member for member in pack.index.members if member.identity in listed]
    # Of a report of their own, as they are no originals, only the refusals count.
    markers = DeletionReport()
    deleter.delete(_find_markers(pack, {member.key for member in going}), markers)
    report = DeletionReport(retained=markers.retained)
    deleter.delete_in_order([member.identity for member in going], listed, report)
    return report


@dataclass(frozen=True, slots=True)
class Deleter:
    """Deletes from one bucket, exactly what it is told, and takes down what became of it."""

    store: ObjectStore
    workers: Workers
    bucket: SourceBucket

    def delete_in_order(
        self, going: Sequence[Identity], listed: ListedVersions, report: DeletionReport
    ) -> None:
        """Deletes versions exactly as they were listed, the newest of several only when all others
        of its key have gone.

        Raises StoreError where S3 keeps failing.
        """
        versioning = self.bucket.versioning
        others = [identity for identity in going if not listed.is_newest(identity)]
        # Another object could take its place under the same id, and S3 compares an ETag with the
        # newest version's only.
        fixed = [
            identity
            for identity in others
            if not (listed.is_older(identity) and _can_be_replaced(identity[1], versioning))
        ]
        self._delete_versions(fixed, listed, report)
        newest = [identity for identity in going if listed.is_newest(identity)]
        ready = [identity for identity in newest if not listed.has_older(identity[0])]
        self._delete_versions(ready, listed, report)
        report.withheld += len(others) - len(fixed) + len(newest) - len(ready)

    def delete(self, deletions: Sequence[Deletion], report: DeletionReport) -> None:
        """Deletes in batches. Raises StoreError where S3 keeps failing."""
        for start in range(0, len(deletions), DELETE_COUNT_MAX):
            self.workers.check_stop()
            self._delete_batch(deletions[start : start + DELETE_COUNT_MAX], report)

    def _delete_versions(
        self, going: Sequence[Identity], listed: ListedVersions, report: DeletionReport
    ) -> None:
        deletions = {
            deletion_of(key, version_id, etag, self.bucket.versioning): (
                key,
                version_id,
                etag,
                size,
            )
            for key, version_id, etag, size in going
        }
        refused = len(report.retained), len(report.changed)
        self.delete(list(deletions), report)
        staying = {
            failure.deletion
            for failure in (*report.retained[refused[0] :], *report.changed[refused[1] :])
        }
        for deletion, identity in deletions.items():
            if deletion not in staying:
                listed.took(identity)

    def _delete_batch(self, batch: Sequence[Deletion], report: DeletionReport) -> None:
        """Per-key errors are looked at one by one; those that may go away (SlowDown,
        InternalError) are tried again after a while.
        """
        waiting = batch
        for attempt in range(_ATTEMPTS_MAX):
            if attempt:
                self.workers.pause(_PAUSE_SECONDS * 4**attempt)
            failures = self.store.delete_objects(self.bucket.name, waiting)
            report.deleted += len(waiting) - len(failures)
            report.retained += [failure for failure in failures if failure.code in _RETAINED]
            report.changed += [failure for failure in failures if failure.code in _CHANGED]
            settled = _RETAINED | _CHANGED | _GONE
            waiting = [failure.deletion for failure in failures if failure.code not in settled]
            if not waiting:
                return
        codes = sorted({failure.code for failure in failures if failure.code not in settled})
        raise StoreError(
            f"s3://{self.bucket.name}: {len(waiting)} originals could not be deleted: "
            f"{', '.join(codes)}",
            code=codes[0],
            operation="DeleteObjects",
        )


def deletion_of(key: str, version_id: str | None, etag: str, versioning: str | None) -> Deletion:
    """By version id, and on the condition of the ETag where that version can be replaced by another
    one.
    """
    if version_id is None:
        return Deletion(key, etag=etag)
    if _can_be_replaced(version_id, versioning):
        return Deletion(key, version_id=version_id, etag=etag)
    return Deletion(key, version_id=version_id)


def _can_be_replaced(version_id: str | None, versioning: str | None) -> bool:
    """A version is immutable, but for the "null" one of a bucket whose versioning is suspended:
    each write and delete makes it anew.
    """
    return version_id == NULL_VERSION and versioning != "Enabled"


def _find_markers(pack: VerifiedPack, keys: Container[str]) -> list[Deletion]:
    """Old delete markers, of those keys only whose members go now: a key that is held, or was
    deleted meanwhile, is left alone.

    A "null" one stays: while versioning was suspended a log object may have come in its place, and
    a marker has no ETag to tell.
    """
    return [
        Deletion(key, version_id=version_id)
        for key, version_id in pack.index.markers
        if key in keys and version_id != NULL_VERSION
    ]

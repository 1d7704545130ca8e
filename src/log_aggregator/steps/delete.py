"""Deletes originals: exactly the members of a verified pack, exactly the versions that were packed, and nothing else ever.

In a versioned bucket an entry is deleted by its version id, in any other on the condition that its ETag still holds. Of a key
with several versions the newest goes last, so that a run that dies in between leaves the key as it was for its readers.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field

from log_aggregator.errors import StoreError
from log_aggregator.limits import DELETE_COUNT_MAX
from log_aggregator.model import Identity, Member, VerifiedPack
from log_aggregator.ports import Deletion, DeletionFailure, ObjectStore
from log_aggregator.steps.verify import verify_again
from log_aggregator.steps.workers import Workers

_ATTEMPTS_MAX = 4
_PAUSE_SECONDS = 0.25
"""1, 4, 16 seconds: S3 needs some to make room for a rate that it was not used to. The client's own retries do not see errors of keys."""

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
    list_key: str | None = None
    """Where what went without a pack is written down."""


def delete_originals(
    store: ObjectStore, workers: Workers, pack: VerifiedPack, versioning: str | None, listed: Container[Identity]
) -> DeletionReport:
    """Deletes the originals of a verified pack, after one more look at the pack.

    What is deleted stands in the index that was verified; `listed` can only narrow it, to what is still there.
    Raises StoreError where S3 keeps failing, VerificationError where the pack has changed.
    """
    verify_again(store, pack)
    report = DeletionReport()
    going = [member for member in pack.index.members if member.identity in listed]
    older, newest = _in_order(going)
    report.retained += _delete_markers(store, workers, pack, {member.key for member in going})
    for members in (older, newest):
        deletions = [deletion_of(member.key, member.version_id, member.etag, versioning) for member in members]
        delete_exactly(store, workers, pack.source_bucket, deletions, report)
    return report


def delete_exactly(store: ObjectStore, workers: Workers, bucket: str, deletions: Sequence[Deletion], report: DeletionReport) -> None:
    """Deletes in batches and takes down what became of each entry. Raises StoreError where S3 keeps failing."""
    for start in range(0, len(deletions), DELETE_COUNT_MAX):
        workers.check_stop()
        _delete_batch(store, workers, bucket, deletions[start : start + DELETE_COUNT_MAX], report)


def deletion_of(key: str, version_id: str | None, etag: str, versioning: str | None) -> Deletion:
    """By version id: immutable, but for the "null" version of a bucket whose versioning is suspended, which can be overwritten."""
    if version_id is None:
        return Deletion(key, etag=etag)
    if version_id == "null" and versioning != "Enabled":
        return Deletion(key, version_id="null", etag=etag)
    return Deletion(key, version_id=version_id)


def _delete_markers(store: ObjectStore, workers: Workers, pack: VerifiedPack, keys: Container[str]) -> list[DeletionFailure]:
    """Old delete markers, of those keys only whose members go now: a key that is held, or was deleted meanwhile, is left alone."""
    markers = [Deletion(key, version_id=version_id) for key, version_id in pack.index.markers if key in keys]
    report = DeletionReport()
    delete_exactly(store, workers, pack.source_bucket, markers, report)
    return report.retained


def _in_order(members: Iterable[Member]) -> tuple[list[Member], list[Member]]:
    """(older versions, the newest of each key)."""
    older: list[Member] = []
    newest: list[Member] = []
    for member in members:
        (newest if member.is_latest else older).append(member)
    return older, newest


def _delete_batch(store: ObjectStore, workers: Workers, bucket: str, batch: Sequence[Deletion], report: DeletionReport) -> None:
    """Per-key errors are looked at one by one; those that may go away (SlowDown, InternalError) are tried again after a while."""
    waiting = batch
    for attempt in range(_ATTEMPTS_MAX):
        if attempt:
            workers.pause(_PAUSE_SECONDS * 4**attempt)
        failures = store.delete_objects(bucket, waiting)
        report.deleted += len(waiting) - len(failures)
        report.retained += [failure for failure in failures if failure.code in _RETAINED]
        report.changed += [failure for failure in failures if failure.code in _CHANGED]
        settled = _RETAINED | _CHANGED | _GONE
        waiting = [failure.deletion for failure in failures if failure.code not in settled]
        if not waiting:
            return
    codes = sorted({failure.code for failure in failures if failure.code not in settled})
    raise StoreError(
        f"s3://{bucket}: {len(waiting)} originals could not be deleted: {', '.join(codes)}", code=codes[0], operation="DeleteObjects"
    )

"""Deletes originals: exactly the members of a verified pack, exactly the versions that were packed,
and never anything else.

In a versioned bucket an entry is deleted by its version id: S3 versions cannot change. In any other
bucket it is deleted on the condition that its ETag is unchanged
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-deletes.html). If a key has
several versions, the newest is deleted last, and only once all others are gone; otherwise a reader
would see an older version become the current one.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import groupby
from typing import TypeVar

from log_aggregator.errors import OutcomeUnknown, RequestFailed, StoreError
from log_aggregator.limits import DELETE_COUNT_MAX
from log_aggregator.model import NULL_VERSION, Identity, LogObject, Member, VerifiedPack, is_fixed
from log_aggregator.ports.store import Deletion, DeletionFailure, ObjectStore
from log_aggregator.steps.packing.buckets import SourceBucket
from log_aggregator.steps.packing.compare import compare_original
from log_aggregator.steps.packing.read import Changed, Unreadable
from log_aggregator.steps.packing.scan import list_keys
from log_aggregator.steps.packs.ranges import READ_BYTES
from log_aggregator.steps.packs.verify import verify_again
from log_aggregator.steps.workers import Workers

_ATTEMPTS_MAX = 4
_PAUSE_SECONDS = 0.25
"""Pauses of 1, 4 and 16 seconds. S3 answers 503 SlowDown while it scales to a new request rate
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance.html). DeleteObjects
reports that per key in a response with status 200, which the client's own retries do not see
(https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html).
"""

_GONE = {"NoSuchKey", "NoSuchVersion", "NotFound"}
# 412: the ETag differs now. 409: another write of the key was under way. Both leave the object.
_CHANGED = {"PreconditionFailed", "ConditionalRequestConflict"}
_NONE: Mapping[Identity, Member] = {}
# S3 answers AccessDenied also for Object Lock, legal holds and MFA delete; the other codes come
# from S3-compatible servers.
_RETAINED = {"AccessDenied", "InvalidRequest", "MethodNotAllowed", "ObjectLocked", "Forbidden"}


@dataclass(slots=True)
class DeletionReport:
    """The outcome for the originals of a pack."""

    deleted: int = 0
    retained: list[DeletionFailure] = field(default_factory=list)
    """S3 refuses to delete them: Object Lock, legal hold, MFA delete, a policy."""
    changed: list[DeletionFailure] = field(default_factory=list)
    """Replaced since they were packed; the next run takes the new object."""
    different: list[Unreadable] = field(default_factory=list)
    """Their ETag says that they were packed, but their bytes differ or cannot be read. They
    stay.
    """
    unknown: int = 0
    """The answer to the deletion was lost, and listing what is still there failed too."""
    withheld: int = 0
    """Versions that stay for now: the newest of a key while an older one still exists, and those
    that could be overwritten unnoticed.
    """
    list_key: str | None = None
    """The key of the list of what was deleted without a pack."""

    @property
    def gone(self) -> int:
        """The number of originals that are accounted for: deleted, or staying for a known
        reason.
        """
        staying = len(self.retained) + len(self.changed) + len(self.different)
        return self.deleted + staying + self.withheld + self.unknown


class ListedVersions(Container[Identity]):
    """The log objects of a group as they were listed (versions of a key together), and which of
    their versions still exist.
    """

    def __init__(self, objects: Iterable[LogObject]) -> None:
        self._versions: dict[str, LogObject | tuple[LogObject, ...]] = {}
        """By key; most keys have one version. Holds the objects themselves, which exist anyway:
        separate identities would double the memory.
        """
        self._forgotten: set[Identity] = set()
        self._newest: dict[str, Identity] = {}
        self._older: dict[str, set[Identity]] = {}
        for key, same in groupby(objects, lambda each: each.key):
            versions = (*self._of_key(key), *same)
            self._versions[key] = versions[0] if len(versions) == 1 else versions
            if len(versions) > 1:
                self._newest.update(
                    (key, version.identity) for version in versions if version.is_latest
                )
                self._older[key] = {
                    version.identity for version in versions if not version.is_latest
                }

    def __contains__(self, identity: object) -> bool:
        return isinstance(identity, tuple) and self.find(identity) is not None

    def find(self, identity: Identity) -> LogObject | None:
        """The log object as it was listed, unless it was forgotten."""
        if identity in self._forgotten:
            return None
        versions = self._of_key(identity[0])
        return next((each for each in versions if each.identity == identity), None)

    def _of_key(self, key: str) -> tuple[LogObject, ...]:
        found = self._versions.get(key, ())
        return found if isinstance(found, tuple) else (found,)

    def is_newest(self, identity: Identity) -> bool:
        """Whether it is the newest of several versions, which must be deleted last."""
        return self._newest.get(identity[0]) == identity

    def is_older(self, identity: Identity) -> bool:
        """Whether it is one of several versions, not the newest, and still exists."""
        return identity in self._older.get(identity[0], ())

    def has_older(self, key: str) -> bool:
        """Whether versions of the key other than its newest still exist."""
        return bool(self._older.get(key))

    def took(self, identity: Identity) -> None:
        """Notes that a version was deleted."""
        self._older.get(identity[0], set()).discard(identity)

    def forget(self, identities: Iterable[Identity]) -> None:
        """Notes versions that were gone before this run."""
        for identity in identities:
            self._forgotten.add(identity)
            self.took(identity)


def delete_originals(
    deleter: OriginalDeleter,
    pack: VerifiedPack,
    listed: ListedVersions,
    report: DeletionReport | None = None,
    *,
    packed_now: bool = False,
) -> DeletionReport:
    """Deletes the originals of a verified pack, after checking the pack once more. `report` has the
    outcome, also if this ends with an error.

    Only what the verified index names is deleted; `listed` can only narrow that to what still
    exists. Originals that only an ETag identifies are first read and compared with what was packed,
    unless this run has just read and packed them.

    Raises StoreError if S3 keeps failing, VerificationError if the pack has changed,
    ConditionsIgnored, and ValueError if the deleter belongs to another bucket.
    """
    if deleter.bucket.name != pack.source_bucket:
        raise ValueError(f"{deleter.bucket.name} is not where {pack.index.pack_key} came from")
    verify_again(deleter.store, pack)
    going = list(_find_going(pack, listed, packed_now=packed_now))
    report = DeletionReport() if report is None else report
    # Delete markers are not originals: of their separate report only the refusals count.
    markers = DeletionReport(retained=report.retained)
    if pack.index.markers:
        deleter.delete(_find_markers(pack, {member.key for member in going}), markers)
    doubted = {each.identity: each for each in going if isinstance(each, Member)}
    deleter.delete_in_order(going, listed, report, doubted)
    return report


def _find_going(
    pack: VerifiedPack, listed: ListedVersions, *, packed_now: bool
) -> Iterator[Member | LogObject]:
    """The members that are listed. Each is the equal log object of the listing, which exists
    anyway; those that must be compared with what was packed stay members.
    """
    for member in pack.index.members:
        found = listed.find(member.identity)
        if found is not None:
            yield found if packed_now or is_fixed(member.version_id) else member


@dataclass(frozen=True, slots=True)
class Deleter:
    """Deletes exactly what it is told from one bucket, and records the outcome."""

    store: ObjectStore
    workers: Workers
    bucket: SourceBucket

    def delete(self, deletions: Sequence[Deletion], report: DeletionReport) -> None:
        """Deletes entries that are not originals, such as delete markers, in batches. Raises
        StoreError if S3 keeps failing.
        """
        for batch in _batches(deletions):
            self.workers.check_stop()
            try:
                self._delete_batch(batch, report)
            except _Unanswered as unanswered:
                raise unanswered.error from None

    def _delete_batch(
        self, batch: Sequence[Deletion], report: DeletionReport
    ) -> Container[Deletion]:
        """Deletes one batch and returns what stays. DeleteObjects answers 200 even if keys failed,
        so each key's error is examined; those that may pass (SlowDown, InternalError) are retried.
        """
        waiting, staying = batch, set[Deletion]()
        for attempt in range(_ATTEMPTS_MAX):
            if attempt:
                self.workers.pause(_PAUSE_SECONDS * 4**attempt)
            try:
                failures = self.store.delete_objects(self.bucket.name, waiting)
            except RequestFailed as error:
                raise _Unanswered(waiting, error) from error
            # A key that is gone may have been deleted by this request: if its first answer was
            # lost, the client sent it again.
            gone = [failure for failure in failures if failure.code in _GONE]
            report.deleted += len(waiting) - len(failures) + len(gone)
            retained = [failure for failure in failures if failure.code in _RETAINED]
            changed = [failure for failure in failures if failure.code in _CHANGED]
            report.retained += retained
            report.changed += changed
            staying.update(failure.deletion for failure in (*retained, *changed))
            settled = _RETAINED | _CHANGED | _GONE
            waiting = [failure.deletion for failure in failures if failure.code not in settled]
            if not waiting:
                return staying
        codes = sorted({failure.code for failure in failures if failure.code not in settled})
        raise StoreError(
            f"s3://{self.bucket.name}: {len(waiting)} originals could not be deleted: "
            f"{', '.join(codes)}",
            code=codes[0],
            operation="DeleteObjects",
        )


@dataclass(frozen=True, slots=True)
class OriginalDeleter(Deleter):
    """Deletes log objects of one day, in the order in which the versions of a key must go. If S3
    does not answer a deletion, that day is listed to see what is gone.
    """

    day: date
    check_conditions: Callable[[Sequence[str]], None]
    """Called before these keys are deleted on the condition of their ETags."""
    tell_deleted: Callable[[int], object] = int
    """Gets the number of originals that were deleted since the last call."""

    def delete_in_order(
        self,
        going: Sequence[Member | LogObject],
        listed: ListedVersions,
        report: DeletionReport,
        doubted: Mapping[Identity, Member] = _NONE,
    ) -> None:
        """Deletes versions exactly as they were listed, the newest of several only once all others
        of its key are gone. Those `doubted` are first read and compared with what was packed,
        unless their version id identifies them.

        Raises StoreError if S3 keeps failing, ConditionsIgnored.
        """
        versioning = self.bucket.versioning
        others = [each for each in going if not listed.is_newest(each.identity)]
        # While versioning is suspended, a new object can replace the "null" version under the same
        # id (https://docs.aws.amazon.com/AmazonS3/latest/userguide/AddingObjectstoVersionSuspendedBuckets.html).
        # A condition could not protect it: S3 compares the ETag with the current version only
        # (https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-deletes.html).
        fixed = [
            each
            for each in others
            if not (
                listed.is_older(each.identity) and _can_be_replaced(each.version_id, versioning)
            )
        ]
        self._delete_versions(fixed, listed, report, doubted)
        newest = [each for each in going if listed.is_newest(each.identity)]
        ready = [each for each in newest if not listed.has_older(each.key)]
        self._delete_versions(ready, listed, report, doubted)
        report.withheld += len(others) - len(fixed) + len(newest) - len(ready)

    def _delete_versions(
        self,
        going: Sequence[Member | LogObject],
        listed: ListedVersions,
        report: DeletionReport,
        doubted: Mapping[Identity, Member],
    ) -> None:
        for batch in _batches(going):
            self.workers.check_stop()
            same = self._compare([each.identity for each in batch], doubted, report)
            deletions = {self._deletion_of(identity): identity for identity in same}
            conditional = [deletion.key for deletion in deletions if deletion.etag is not None]
            if conditional:
                self.check_conditions(conditional)
            try:
                before = report.deleted
                staying = self._delete_batch(list(deletions), report)
                self.tell_deleted(report.deleted - before)
            except _Unanswered as unanswered:
                asked = {deletions[deletion] for deletion in unanswered.deletions}
                self._look_up(asked, listed, report, unanswered.error)
                continue
            for deletion, identity in deletions.items():
                if deletion not in staying:
                    listed.took(identity)

    def _look_up(
        self,
        asked: set[Identity],
        listed: ListedVersions,
        report: DeletionReport,
        error: RequestFailed,
    ) -> None:
        """Lists which of these originals still exist, after the answer to their deletion was lost.
        Raises the error if some do, OutcomeUnknown if they cannot be listed.
        """
        keys = {key for key, *_ in asked}
        try:
            found = list(list_keys(self.store, self.bucket, keys, self.day))
        except RequestFailed as silence:
            report.unknown += len(asked)
            raise OutcomeUnknown(
                f"s3://{self.bucket.name}: it is not known whether {len(asked)} originals of a "
                f"verified pack were deleted: {error}; listing them failed too: {silence}"
            ) from error
        there = {version.identity for each in found for version in each.versions} & asked
        replaced = {each.key for each in found if each.versions} if self._has_no_versions else set()
        for identity in asked - there:
            listed.took(identity)
            if identity[0] in replaced:
                report.changed.append(DeletionFailure(self._deletion_of(identity), "Replaced"))
            else:
                report.deleted += 1
        if there:
            raise error

    @property
    def _has_no_versions(self) -> bool:
        """Whether a key has one object only, so that a new object replaces the old one."""
        return self.bucket.versioning is None

    def _deletion_of(self, identity: Identity) -> Deletion:
        key, version_id, etag, *_ = identity
        return deletion_of(key, version_id, etag, self.bucket.versioning)

    def _compare(
        self,
        identities: Sequence[Identity],
        doubted: Mapping[Identity, Member],
        report: DeletionReport,
    ) -> list[Identity]:
        """The originals that may be deleted: their version id identifies them, or their bytes equal
        those in the pack.
        """
        unsure = [
            doubted[identity]
            for identity in identities
            if identity in doubted and not is_fixed(identity[1])
        ]
        if not unsure:
            return list(identities)
        compared = self.workers.read_ahead(
            lambda member: compare_original(self.store, self.bucket.name, member),
            unsure,
            lambda member: min(member.size_bytes, READ_BYTES),
        )
        staying = set[Identity]()
        for member, difference in zip(unsure, compared, strict=True):
            if difference is None:
                continue
            staying.add(member.identity)
            if isinstance(difference, Changed):
                gone = self._deletion_of(member.identity)
                report.changed.append(DeletionFailure(gone, "PreconditionFailed"))
            else:
                report.different.append(difference)
        return [identity for identity in identities if identity not in staying]


class _Unanswered(Exception):
    """A request to delete failed or was not answered, so some originals may be gone."""

    def __init__(self, deletions: Sequence[Deletion], error: RequestFailed) -> None:
        super().__init__()
        self.deletions, self.error = deletions, error


Item = TypeVar("Item")


def _batches(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    return (
        items[start : start + DELETE_COUNT_MAX] for start in range(0, len(items), DELETE_COUNT_MAX)
    )


def deletion_of(key: str, version_id: str | None, etag: str, versioning: str | None) -> Deletion:
    """Deletes by version id, and on the condition of the ETag if another object can replace that
    version.
    """
    if version_id is None:
        return Deletion(key, etag=etag)
    if _can_be_replaced(version_id, versioning):
        return Deletion(key, version_id=version_id, etag=etag)
    return Deletion(key, version_id=version_id)


def _can_be_replaced(version_id: str | None, versioning: str | None) -> bool:
    """Versions are immutable, except the "null" version of a bucket whose versioning is suspended:
    each write and each delete without a version id replaces it
    (https://docs.aws.amazon.com/AmazonS3/latest/userguide/DeletingObjectsfromVersioningSuspendedBuckets.html).
    """
    return version_id == NULL_VERSION and versioning != "Enabled"


def _find_markers(pack: VerifiedPack, keys: Container[str]) -> list[Deletion]:
    """Old delete markers of the keys whose members are deleted now. A key that is held, or that was
    deleted meanwhile, is left alone.

    A "null" marker stays: while versioning is suspended a log object may have replaced it under the
    same id, and a marker has no ETag that a condition could check.
    """
    return [
        Deletion(key, version_id=version_id)
        for key, version_id in pack.index.markers
        if key in keys and version_id != NULL_VERSION
    ]

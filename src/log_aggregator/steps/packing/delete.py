"""Deletes originals: exactly the members of a verified pack, exactly the versions that were packed,
and nothing else ever.

In a versioned bucket an entry is deleted by its version id, in any other on the condition that its
ETag still holds. Of a key with several versions the newest goes last, and only when all others have
gone, so that no reader ever sees an older one come to light.
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
"""1, 4, 16 seconds: S3 needs some to make room for a rate that it was not used to. The client's own
retries do not see errors of keys.
"""

_GONE = {"NoSuchKey", "NoSuchVersion", "NotFound"}
_CHANGED = {"PreconditionFailed", "ConditionalRequestConflict"}
_NONE: Mapping[Identity, Member] = {}
_RETAINED = {"AccessDenied", "InvalidRequest", "MethodNotAllowed", "ObjectLocked", "Forbidden"}


@dataclass(slots=True)
class DeletionReport:
    """What became of the originals of a pack."""

    deleted: int = 0
    retained: list[DeletionFailure] = field(default_factory=list)
    """S3 refuses to delete them: Object Lock, legal hold, MFA delete, a policy."""
    changed: list[DeletionFailure] = field(default_factory=list)
    """Replaced since they were packed; the new object is the next run's."""
    different: list[Unreadable] = field(default_factory=list)
    """Packed before, it seemed, and what is there now has other bytes, or cannot be read. They
    stay.
    """
    unknown: int = 0
    """S3 did not answer, and could not be asked what is still there."""
    withheld: int = 0
    """Versions that stay for now: the newest of a key while an older one is still there, and what
    can be written over unseen.
    """
    list_key: str | None = None
    """Where what went without a pack is written down."""

    @property
    def gone(self) -> int:
        """Of those that were to go, how many are spoken for already: deleted, or staying for a
        reason of their own.
        """
        staying = len(self.retained) + len(self.changed) + len(self.different)
        return self.deleted + staying + self.withheld + self.unknown


class ListedVersions(Container[Identity]):
    """The log objects of a group as they were listed (versions of a key side by side), and which of
    their versions are still there.
    """

    def __init__(self, objects: Iterable[LogObject]) -> None:
        self._versions: dict[str, LogObject | tuple[LogObject, ...]] = {}
        """By key; most have one. The objects themselves, which are held anyway: an identity for
        each would take twice the memory.
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
        """The very log object, where it was listed and not forgotten."""
        if identity in self._forgotten:
            return None
        versions = self._of_key(identity[0])
        return next((each for each in versions if each.identity == identity), None)

    def _of_key(self, key: str) -> tuple[LogObject, ...]:
        found = self._versions.get(key, ())
        return found if isinstance(found, tuple) else (found,)

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
    """Deletes the originals of a verified pack, after one more look at the pack. What became of
    them is in `report`, also where this ends with an error.

    What is deleted stands in the index that was verified; `listed` can only narrow it, to what is
    still there. Unless they were read and packed just now, originals that nothing but an ETag tells
    apart are read and compared with what was packed.

    Raises StoreError where S3 keeps failing, VerificationError where the pack has changed,
    ConditionsIgnored, ValueError where the deleter is another bucket's.
    """
    if deleter.bucket.name != pack.source_bucket:
        raise ValueError(f"{deleter.bucket.name} is not where {pack.index.pack_key} came from")
    verify_again(deleter.store, pack)
    going = list(_find_going(pack, listed, packed_now=packed_now))
    report = DeletionReport() if report is None else report
    # Of a report of their own, as they are no originals, only the refusals count.
    markers = DeletionReport(retained=report.retained)
    if pack.index.markers:
        deleter.delete(_find_markers(pack, {member.key for member in going}), markers)
    doubted = {each.identity: each for each in going if isinstance(each, Member)}
    deleter.delete_in_order(going, listed, report, doubted)
    return report


def _find_going(
    pack: VerifiedPack, listed: ListedVersions, *, packed_now: bool
) -> Iterator[Member | LogObject]:
    """The members that are listed, each as the equal log object of the listing, which is held
    anyway; as members those that have to be compared with what was packed.
    """
    for member in pack.index.members:
        found = listed.find(member.identity)
        if found is not None:
            yield found if packed_now or is_fixed(member.version_id) else member


@dataclass(frozen=True, slots=True)
class Deleter:
    """Deletes from one bucket, exactly what it is told, and takes down what became of it."""

    store: ObjectStore
    workers: Workers
    bucket: SourceBucket

    def delete(self, deletions: Sequence[Deletion], report: DeletionReport) -> None:
        """Deletes in batches what is no original: markers. Raises StoreError where S3 keeps
        failing.
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
        """Per-key errors are looked at one by one; those that may go away (SlowDown,
        InternalError) are tried again after a while. Gives what stays.
        """
        waiting, staying = batch, set[Deletion]()
        for attempt in range(_ATTEMPTS_MAX):
            if attempt:
                self.workers.pause(_PAUSE_SECONDS * 4**attempt)
            try:
                failures = self.store.delete_objects(self.bucket.name, waiting)
            except RequestFailed as error:
                raise _Unanswered(waiting, error) from error
            # What is gone may have gone by this very request, whose first answer was lost.
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
    """Deletes log objects of one day, in the order in which the versions of a key must go. That day
    is listed where S3 does not say what it deleted.
    """

    day: date
    check_conditions: Callable[[Sequence[str]], None]
    """Is called before these keys are deleted on the condition of their ETags."""
    tell_deleted: Callable[[int], object] = int
    """Is told how many more are gone."""

    def delete_in_order(
        self,
        going: Sequence[Member | LogObject],
        listed: ListedVersions,
        report: DeletionReport,
        doubted: Mapping[Identity, Member] = _NONE,
    ) -> None:
        """Deletes versions exactly as they were listed, the newest of several only when all others
        of its key have gone. Those `doubted` are read and compared with what was packed first,
        unless their version id says enough.

        Raises StoreError where S3 keeps failing, ConditionsIgnored.
        """
        versioning = self.bucket.versioning
        others = [each for each in going if not listed.is_newest(each.identity)]
        # Another object could take its place under the same id, and S3 compares an ETag with the
        # newest version's only.
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
        """S3 may have deleted these, or some of them, and its answer was lost: looks which are
        there. Raises the error where some are, OutcomeUnknown where they cannot be listed.
        """
        keys = {key for key, *_ in asked}
        try:
            found = list(list_keys(self.store, self.bucket, keys, self.day))
        except RequestFailed as silence:
            report.unknown += len(asked)
            raise OutcomeUnknown(
                f"s3://{self.bucket.name}: {len(asked)} originals of a verified pack were to be "
                f"deleted, and whether they are gone is not known: {error}; and then: {silence}"
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
        """A key has one object, and what was there is gone when another one is."""
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
        """Those that may go: their version id says enough, or their bytes are those in the pack."""
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
    """A request to delete failed, or was not answered: some may be gone."""

    def __init__(self, deletions: Sequence[Deletion], error: RequestFailed) -> None:
        super().__init__()
        self.deletions, self.error = deletions, error


Item = TypeVar("Item")


def _batches(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    return (
        items[start : start + DELETE_COUNT_MAX] for start in range(0, len(items), DELETE_COUNT_MAX)
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

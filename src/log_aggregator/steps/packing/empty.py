"""Empties an access-log bucket that logs to itself.

Landing zones 2.8 to 3.0 of Control Tower turned on access logging of the access-log bucket into
that same bucket: every log delivered there is itself an access to the bucket, which causes another
log, and so on for ever. 3.1 stopped it, and removed nothing
(https://docs.aws.amazon.com/controltower/latest/userguide/2023-all.html). The operator of a bucket
like this can name it in the settings, and it is emptied every hour.

Apart from `discard` this is the only place that deletes anything that is not in a pack. These are
logs about the delivery of logs: packing them would read each once, which causes new ones, and no
one will need them. It does not wait until they are old, and writes no list of them: there are
millions, and the next hour brings as many again. The keys that Control Tower sets up (at the
bucket's root, `2025-04-03-10-11-12-0123456789ABCDEF`) do not tell which bucket was accessed: access
logs of other buckets there are deleted too, and the operator who names the bucket must know that.

Three rules limit it: the bucket must not be one that the aggregator reads or writes; only keys that
are recognised as S3 server access logs are deleted, and everything else is left and counted; and
each entry is deleted by its version id, or on the condition of its ETag.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from log_aggregator.core.layouts import Dated, parse_key
from log_aggregator.errors import SettingsError
from log_aggregator.model import DeleteMarker, LogObject
from log_aggregator.ports.store import Deletion, ListStart, ObjectStore, Page
from log_aggregator.steps.packing.buckets import SourceBucket, read_versioning
from log_aggregator.steps.packing.delete import Deleter, DeletionReport, deletion_of
from log_aggregator.steps.workers import Workers

ACCESS_LOGS = frozenset({"S3AccessLogs", "S3AccessLogs-partitioned"})
"""The layouts that may be deleted: names that S3 itself writes. Copies that a user files under
`AWSLogs/` are of the same log type, and stay.
"""

EMPTYING_SAMPLES_MAX = 5

Entry = TypeVar("Entry", LogObject, DeleteMarker)


@dataclass(slots=True)
class EmptyReport:
    """The outcome for the bucket's entries. Versions and delete markers count separately."""

    deleted: int = 0
    left: int = 0
    """Entries that are not access logs, and were not touched."""
    left_samples: dict[str, str] = field(default_factory=dict)
    """A few of their keys, and what they are."""
    retained: int = 0
    """S3 refuses to delete them: Object Lock, legal hold, MFA delete, a policy."""
    retained_samples: dict[str, str] = field(default_factory=dict)
    """A few of their keys, and S3's code."""
    changed: int = 0
    """Overwritten since they were listed; the next hour deletes them."""
    is_finished: bool = False
    """All pages were processed."""


def empty_access_logs(
    store: ObjectStore, workers: Workers, bucket: str, others: Collection[str], report: EmptyReport
) -> None:
    """Deletes every access log in the bucket, all versions and delete markers of each, page by
    page.

    `others` are all buckets that the aggregator reads or writes: names, and patterns that end in
    `*`. `report` is filled page by page, so it is right also if this ends with an error.

    Raises SettingsError if the bucket is one of the others, and CannotStart if it cannot be read,
    before anything is touched; Interrupted, between two requests, if the workers are told to stop;
    StoreError if S3 keeps failing. The next call continues.
    """
    check_bucket_to_empty(bucket, others)
    deleter = Deleter(store, workers, SourceBucket(bucket, read_versioning(store, bucket)))
    start: ListStart | None = None
    is_more = True
    while is_more:
        workers.check_stop()
        page = _list_page(store, deleter.bucket, start)
        _delete_page(deleter, page, report)
        start = page.next_start
        is_more = start is not None
    report.is_finished = True


def check_bucket_to_empty(bucket: str, others: Collection[str]) -> None:
    """Raises SettingsError if the bucket is one of the others, and ValueError if there are none to
    compare with.
    """
    if isinstance(others, str) or not others:
        raise ValueError(
            "others: a collection with the names of all buckets that the aggregator reads or writes"
        )
    for other in others:
        if bucket == other or (other.endswith("*") and bucket.startswith(other.removesuffix("*"))):
            raise SettingsError(
                f"access_log_bucket = {bucket!r}: expected a bucket that no other setting names; "
                f"this is also {other!r}"
            )


def _list_page(store: ObjectStore, bucket: SourceBucket, start: ListStart | None) -> Page:
    if bucket.versioning is None:
        return store.list_objects(bucket.name, start=start)
    return store.list_object_versions(bucket.name, start=start)


def _delete_page(deleter: Deleter, page: Page, report: EmptyReport) -> None:
    """Each page has its own DeletionReport: it keeps every refusal, and there may be millions."""
    markers = [
        Deletion(marker.key, version_id=marker.version_id)
        for marker in _access_logs(page.markers, report)
    ]
    logs = [
        deletion_of(log.key, log.version_id, log.etag, deleter.bucket.versioning)
        for log in _access_logs(page.objects, report)
    ]
    deletions = DeletionReport()
    try:
        # Markers first: a condition on an ETag is compared with the key's current version, and the
        # log under a marker is that only once the marker is gone
        # (https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-deletes.html).
        deleter.delete(markers, deletions)
        deleter.delete(logs, deletions)
    finally:
        _take(deletions, report)


def _access_logs(entries: tuple[Entry, ...], report: EmptyReport) -> Iterator[Entry]:
    """Those entries that are access logs; the others are counted."""
    for entry in entries:
        other = _what_else(entry.key)
        if other is None:
            yield entry
        else:
            report.left += 1
            if len(report.left_samples) < EMPTYING_SAMPLES_MAX:
                report.left_samples[entry.key] = other


def _what_else(key: str) -> str | None:
    """What the key is, or None if it is an access log."""
    parsed = parse_key(key)
    if not isinstance(parsed, Dated):
        return parsed.reason
    if parsed.layout in ACCESS_LOGS:
        return None
    return f"a log of another layout: {parsed.layout}"


def _take(deletions: DeletionReport, report: EmptyReport) -> None:
    report.deleted += deletions.deleted
    report.changed += len(deletions.changed)
    report.retained += len(deletions.retained)
    for failure in deletions.retained[: EMPTYING_SAMPLES_MAX - len(report.retained_samples)]:
        report.retained_samples[failure.deletion.key] = failure.code

"""Empties an access-log bucket that logs to itself.

Landing zones 2.8 to 3.0 of Control Tower turned on access logging of the access-log bucket into
that same bucket: every log that is delivered there is itself an access to the bucket, which gives
another log, and so for ever. 3.1 stopped it, and removed nothing
(https://docs.aws.amazon.com/controltower/latest/userguide/2023-all.html). Somebody who has such a
bucket can ask for it to be emptied every hour, by naming it.

Beside `discard` this is the one place where something is deleted that is in no pack. What goes are
logs about the delivery of logs: to pack them is to read each once, which makes new ones, and nobody
will ask for one of them. It does not wait until they are old, and it writes no list of them: there
are millions, and the next hour as many again. The keys that Control Tower sets up (at the bucket's
root, `2025-04-03-10-11-12-0123456789ABCDEF`) do not tell which bucket was accessed: access logs of
other buckets that lie there go with the rest, which whoever names the bucket must know.

Three things hold it back: the bucket may be none of those that the aggregator reads or writes; only
keys go that are recognised as S3 server access logs, everything else is left and counted; and each
entry goes by its version id, or on the condition of its ETag.
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
"""The layouts of what may go: names that S3 itself writes. Copies that somebody files under
`AWSLogs/` are of the same log type, and stay.
"""

EMPTYING_SAMPLES_MAX = 5

Entry = TypeVar("Entry", LogObject, DeleteMarker)


@dataclass(slots=True)
class EmptyReport:
    """What became of the bucket's entries: versions and delete markers, each counted."""

    deleted: int = 0
    left: int = 0
    """No access logs; not touched."""
    left_samples: dict[str, str] = field(default_factory=dict)
    """A few of their keys, and what they are instead."""
    retained: int = 0
    """S3 refuses to delete them: Object Lock, legal hold, MFA delete, a policy."""
    retained_samples: dict[str, str] = field(default_factory=dict)
    """A few of their keys, and S3's code."""
    changed: int = 0
    """Written over since they were listed; the next hour's."""
    is_finished: bool = False
    """All pages were seen. If not, there is more to do."""


def empty_access_logs(
    store: ObjectStore, workers: Workers, bucket: str, others: Collection[str], report: EmptyReport
) -> None:
    """Deletes every access log in the bucket, all versions and delete markers of each, page by
    page.

    `others` are all buckets that the aggregator reads or writes: names, and beginnings of names
    that end in `*`. `report` is the caller's, and filled page by page, so it tells what was done
    also when this ends with an error.

    Raises SettingsError where the bucket is one of the others and CannotStart where it cannot be
    looked at, before anything was touched; Interrupted, between two requests, once the workers are
    told to stop; StoreError where S3 keeps failing. The next call goes on.
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
    """Raises SettingsError where the bucket is one of the others, and ValueError where there are
    none to compare with.
    """
    if isinstance(others, str) or not others:
        raise ValueError(
            "others: a collection with the names of all buckets that the aggregator reads or writes"
        )
    for other in others:
        if bucket == other or (other.endswith("*") and bucket.startswith(other.removesuffix("*"))):
            raise SettingsError(
                f"access_log_bucket = {bucket!r}: expected a bucket that nothing else is "
                f"done with; this is also {other!r}"
            )


def _list_page(store: ObjectStore, bucket: SourceBucket, start: ListStart | None) -> Page:
    if bucket.versioning is None:
        return store.list_objects(bucket.name, start=start)
    return store.list_object_versions(bucket.name, start=start)


def _delete_page(deleter: Deleter, page: Page, report: EmptyReport) -> None:
    """A report of its own for each page: what S3 refuses is kept one by one there, and there may be
    millions of it.
    """
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
        # Markers first: a condition on an ETag looks at the key's newest entry, and the log under a
        # marker is that only then.
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
    """What the key is, or None where it is an access log."""
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

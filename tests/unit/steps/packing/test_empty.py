"""Emptying the access-log bucket: every version of every access log in it, and nothing else in any
bucket.
"""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.world import DAY, READS, access_key, fail_on, nothing, trail_key

from log_aggregator.core.layouts import LAYOUTS
from log_aggregator.core.layouts.table import Head
from log_aggregator.errors import AccessDenied, CannotStart, Interrupted, SettingsError, StoreError
from log_aggregator.ports.store import DeletionFailure, ListStart, Page
from log_aggregator.steps.packing.empty import (
    ACCESS_LOGS,
    EMPTYING_SAMPLES_MAX,
    EmptyReport,
    check_bucket_to_empty,
    empty_access_logs,
)
from log_aggregator.steps.workers import SerialWorkers
from log_aggregator_lab.stores.faults import FaultyStore
from log_aggregator_lab.stores.memory import MemoryStore

BUCKET = "aws-controltower-s3-access-logs-111111111111-eu-west-1"
OTHERS = ("aws-controltower-logs-111111111111-eu-west-1", "all-aggregated-logs", "example-*")
PARTITIONED = f"111111111111/eu-west-1/{BUCKET}/{DAY:%Y/%m/%d}/{access_key(1)}"
STRANGERS = (
    trail_key(1),
    f"AWSLogs/123456789012/s3accesslog/us-east-1/b/{access_key(1)}",
    "folder/",
    "2025/04/03/report.csv",
    "2025-04-03-10-11-12-0123456789ABCDEF.gz",
)


def make_store(versioning: str | None = "Enabled", page_size: int = 1000) -> MemoryStore:
    store = MemoryStore(page_size=page_size)
    store.create_bucket(BUCKET, versioning=versioning)
    return store


def empty(store: Any, **more: Any) -> EmptyReport:
    report = EmptyReport()
    empty_access_logs(store, more.get("workers", SerialWorkers()), BUCKET, OTHERS, report)
    return report


class StopsAfter(SerialWorkers):
    """Workers that report a stop the n-th time that they are asked."""

    def __init__(self, times: int) -> None:
        self.left = times

    def check_stop(self) -> None:
        if not self.left:
            raise Interrupted("the run was stopped")
        self.left -= 1


@pytest.mark.parametrize("versioning", [None, "Enabled", "Suspended"])
@pytest.mark.parametrize("page_size", [1, 2, 1000])
def test_all_access_logs_are_deleted_and_nothing_else(
    versioning: str | None, page_size: int
) -> None:
    """Flat and partitioned access logs are deleted, page by page; every other key stays, is
    counted, and is named.
    """
    store = make_store(versioning, page_size)
    for key in (*map(access_key, range(7)), f"prefix-{access_key(1)}", PARTITIONED, *STRANGERS):
        store.put(BUCKET, key, b"line\n")
    report = empty(store)
    assert [entry[1] for entry in store.snapshot()] == sorted(STRANGERS)
    assert (report.deleted, report.left, report.retained, report.changed) == (
        9,
        len(STRANGERS),
        0,
        0,
    )
    assert set(report.left_samples) == set(STRANGERS)
    assert report.left_samples[trail_key(1)] == "a log of another layout: CloudTrail"
    assert report.is_finished


@pytest.mark.parametrize("page_size", [1, 2, 3, 1000])
def test_versions_and_delete_markers_are_deleted_too(page_size: int) -> None:
    """The bucket is billed for old versions and delete markers: all of them go, even if a page ends
    within a key.
    """
    store = make_store("Enabled", page_size)
    for _ in range(3):
        store.put(BUCKET, access_key(1), b"line\n")
        store.delete(BUCKET, access_key(1))
    store.put(BUCKET, access_key(1), b"line\n")
    store.put(BUCKET, "readme.txt", b"1")
    store.put(BUCKET, "readme.txt", b"2")
    store.delete(BUCKET, "readme.txt")
    before = [entry for entry in store.snapshot() if entry[1] == "readme.txt"]
    report = empty(store)
    assert list(store.snapshot()) == before
    assert (report.deleted, report.left) == (7, 3)


def test_deletions_name_a_version_or_an_etag() -> None:
    """With versions by version id, so that no new delete marker is left; otherwise with the ETag as
    a condition.
    """
    for versioning in ("Enabled", None):
        store = make_store(versioning)
        source = store.put(BUCKET, access_key(1), b"line\n")
        watched = FaultyStore(store, nothing)
        empty(watched)
        (deletion,) = (
            deletion
            for call in watched.calls
            if call.operation == "DeleteObjects"
            for deletion in call.arguments["deletions"]
        )
        wanted = (source.version_id, None) if versioning else (None, source.etag)
        assert (deletion.version_id, deletion.etag) == wanted
        assert store.snapshot() == ()


def test_a_suspended_bucket_is_emptied_completely() -> None:
    """A null version under a delete marker goes in the same run as the marker, which goes first."""
    store = make_store("Suspended")
    store.put(BUCKET, access_key(1), b"line\n")
    store.set_versioning(BUCKET, "Enabled")
    store.delete(BUCKET, access_key(1))
    store.set_versioning(BUCKET, "Suspended")
    report = empty(store)
    assert store.snapshot() == ()
    assert (report.deleted, report.changed) == (2, 0)


def test_an_overwritten_log_is_left_for_the_next_hour() -> None:
    """Without versions, an access log that was replaced before its deletion stays, and is counted
    as changed.
    """
    store = make_store(None)
    store.put(BUCKET, access_key(1), b"old\n")

    class WritesOver(FaultyStore):
        def list_objects(
            self, bucket: str, *, prefix: str = "", start: ListStart | None = None
        ) -> Page:
            page = super().list_objects(bucket, prefix=prefix, start=start)
            store.put(BUCKET, access_key(1), b"new\n")
            return page

    report = empty(WritesOver(store, nothing))
    assert (report.deleted, report.changed) == (0, 1)
    assert store.get_object(BUCKET, access_key(1)).data == b"new\n"


def test_refused_deletions_are_counted_and_the_rest_is_deleted() -> None:
    """A refusal stops nothing; only a few of many are named, so that memory stays bounded."""
    store = make_store(page_size=3)
    for number in range(20):
        store.put(BUCKET, access_key(number), b"line\n")
    for number in range(12):
        store.retain(BUCKET, access_key(number))
    report = empty(store)
    assert (report.deleted, report.retained, report.is_finished) == (8, 12, True)
    assert len(report.retained_samples) == EMPTYING_SAMPLES_MAX
    assert set(report.retained_samples.values()) == {"AccessDenied"}


def test_only_a_few_remaining_keys_are_named() -> None:
    """The report stays small, however much else is in the bucket."""
    store = make_store()
    for number in range(50):
        store.put(BUCKET, f"{number}.txt", b"1")
    report = empty(store)
    assert (report.left, len(report.left_samples)) == (50, EMPTYING_SAMPLES_MAX)


@pytest.mark.parametrize("other", [BUCKET, "aws-controltower-s3-*", "*", f"{BUCKET}*"])
def test_a_protected_bucket_is_refused(other: str) -> None:
    """The guard comes first: the bucket is not even read, let alone emptied."""
    store = make_store()
    store.put(BUCKET, access_key(1), b"line\n")
    watched = FaultyStore(store, nothing)
    with pytest.raises(SettingsError, match="access_log_bucket"):
        empty_access_logs(watched, SerialWorkers(), BUCKET, ["another", other], EmptyReport())
    assert watched.calls == []


def test_a_similar_bucket_name_is_allowed() -> None:
    """A name without a star stands for itself alone; a pattern with a longer beginning does not
    match.
    """
    check_bucket_to_empty("logs", ["logs-2", "logs-*", "log"])


@pytest.mark.parametrize("others", ["aws-controltower-logs", "", [], ()])
def test_an_empty_protection_list_is_refused(others: Any) -> None:
    """A string is a collection of letters, and an empty list names no bucket: either would let
    every bucket pass.
    """
    store = FaultyStore(make_store(), nothing)
    with pytest.raises(ValueError, match="others"):
        empty_access_logs(store, SerialWorkers(), BUCKET, others, EmptyReport())
    assert store.calls == []


def test_an_inaccessible_bucket_is_an_error() -> None:
    """A wrong name or a missing permission ends it before anything is touched."""
    with pytest.raises(CannotStart, match="does not exist"):
        empty(MemoryStore())
    refused = FaultyStore(
        make_store(),
        fail_on(lambda call: call.operation == "GetBucketVersioning", AccessDenied("no")),
    )
    with pytest.raises(CannotStart, match="cannot be read"):
        empty(refused)
    assert {call.operation for call in refused.calls} <= READS


def test_a_stopped_call_is_resumed_by_the_next() -> None:
    """The report keeps what was done before the stop; the next call does the rest."""
    store = make_store(page_size=2)
    for number in range(10):
        store.put(BUCKET, access_key(number), b"line\n")
    report = EmptyReport()
    with pytest.raises(Interrupted):
        empty_access_logs(store, StopsAfter(5), BUCKET, OTHERS, report)
    assert 0 < report.deleted < 10
    assert report.deleted == 10 - len(store.snapshot())
    assert not report.is_finished
    rest = empty(store)
    assert (rest.deleted, rest.is_finished) == (10 - report.deleted, True)
    assert store.snapshot() == ()


def test_a_failed_call_keeps_its_report() -> None:
    """If S3 fails in the middle of a page, what was done of that page is counted."""
    store = make_store()
    for number in range(4):
        store.put(BUCKET, access_key(number), b"line\n")

    class FailsForOne(FaultyStore):
        def delete_objects(self, bucket: str, deletions: Any) -> list[DeletionFailure]:
            bad = [deletion for deletion in deletions if deletion.key == access_key(2)]
            super().delete_objects(
                bucket, [deletion for deletion in deletions if deletion not in bad]
            )
            return [DeletionFailure(deletion, "InternalError") for deletion in bad]

    report = EmptyReport()
    with pytest.raises(StoreError, match="InternalError"):
        empty_access_logs(FailsForOne(store, nothing), SerialWorkers(), BUCKET, OTHERS, report)
    assert (report.deleted, report.is_finished) == (3, False)


def test_only_one_page_is_held_in_memory() -> None:
    """Each page is deleted before the next is listed."""
    store = make_store(page_size=2)
    for number in range(6):
        store.put(BUCKET, access_key(number), b"line\n")
    watched = FaultyStore(store, nothing)
    empty(watched)
    assert [call.operation for call in watched.calls] == [
        "GetBucketVersioning",
        *(["ListObjectVersions", "DeleteObjects"] * 3),
    ]


def test_no_other_bucket_is_touched() -> None:
    """All calls name this bucket."""
    store = make_store()
    store.create_bucket(OTHERS[0])
    store.put(OTHERS[0], access_key(1), b"line\n")
    store.put(BUCKET, access_key(1), b"line\n")
    watched = FaultyStore(store, nothing)
    empty(watched)
    assert {call.bucket for call in watched.calls} == {BUCKET}
    assert [entry[0] for entry in store.snapshot()] == [OTHERS[0]]


def test_access_logs_are_recognised_by_name() -> None:
    """All rows for S3's own names, and none for names behind a folder, which are copies."""
    assert {row.name for row in LAYOUTS if row.log_type == "S3AccessLogs"} == {
        *ACCESS_LOGS,
        "s3accesslog",
    }
    heads = {row.head for row in LAYOUTS if row.name in ACCESS_LOGS}
    assert heads == {Head.NAME}

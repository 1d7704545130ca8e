"""Deletion: exactly the members of a verified pack, and never anything else."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.world import DAY, World, access_key, document, make_world, nothing, trail_key

from log_aggregator.errors import StoreError, VerificationError
from log_aggregator.model import LogObject, VerifiedPack
from log_aggregator.ports.store import Deletion, DeletionFailure, Page
from log_aggregator.steps.packing.buckets import SourceBucket
from log_aggregator.steps.packing.delete import (
    DeletionReport,
    ListedVersions,
    OriginalDeleter,
    delete_originals,
    deletion_of,
)
from log_aggregator.steps.packs.verify import verify_pack
from log_aggregator.steps.workers import SerialWorkers
from log_aggregator_lab.stores.faults import Fault, FaultyStore


class Refusing:
    """A store in which only deletions matter: it gives prepared answers, call by call."""

    def __init__(self, *answers: dict[str, str]) -> None:
        self.answers = list(answers)
        self.calls: list[list[str]] = []

    def delete_objects(self, bucket: str, deletions: list[Deletion]) -> list[DeletionFailure]:
        self.calls.append([deletion.key for deletion in deletions])
        codes = self.answers.pop(0) if self.answers else {}
        return [
            DeletionFailure(deletion, codes[deletion.key])
            for deletion in deletions
            if deletion.key in codes
        ]


def any_keys(keys: object) -> None:
    """Let conditions hold for all keys."""


def deleter(
    store: Any, versioning: str | None = "Enabled", workers: SerialWorkers | None = None
) -> OriginalDeleter:
    bucket = SourceBucket("logs", versioning)
    return OriginalDeleter(store, workers or SerialWorkers(), bucket, DAY, any_keys)


def delete_keys(store: Any, *keys: str) -> DeletionReport:
    report = DeletionReport()
    deleter(store).delete([Deletion(key, version_id="v") for key in keys], report)
    return report


def test_every_answer_is_counted_correctly() -> None:
    """Refused ones are retained, changed ones are left to the next run; missing ones count as
    deleted, as the first answer to the same request may have been lost.
    """
    codes = {
        "a": "AccessDenied",
        "b": "PreconditionFailed",
        "c": "NoSuchKey",
        "d": "NoSuchVersion",
        "e": "InvalidRequest",
    }
    report = delete_keys(Refusing(codes), "a", "b", "c", "d", "e", "f")
    assert report.deleted == 3
    assert [failure.deletion.key for failure in report.retained] == ["a", "e"]
    assert [failure.deletion.key for failure in report.changed] == ["b"]


def test_temporary_errors_are_retried() -> None:
    """Only the failed entries are sent again, and count when they succeed."""
    store = Refusing({"a": "InternalError", "b": "SlowDown"}, {"b": "InternalError"})
    assert delete_keys(store, "a", "b", "c").deleted == 3
    assert store.calls == [["a", "b", "c"], ["a", "b"], ["b"]]


def test_pauses_grow_between_attempts() -> None:
    """When S3 asks to slow down, the pauses get longer."""
    pauses: list[float] = []

    class Watched(SerialWorkers):
        def pause(self, seconds: float) -> None:
            pauses.append(seconds)

    store: Any = Refusing({"a": "SlowDown"}, {"a": "SlowDown"}, {"a": "SlowDown"})
    report = DeletionReport()
    watched = deleter(store, workers=Watched())
    watched.delete([Deletion("a", version_id="v")], report)
    assert (report.deleted, pauses) == (1, [1.0, 4.0, 16.0])


def test_permanent_errors_are_reported() -> None:
    """An entry that keeps failing never counts as success, whatever happened to the others."""
    store = Refusing(*[{"a": "InternalError", "b": "AccessDenied"}] * 5)
    with pytest.raises(StoreError, match="1 originals could not be deleted: InternalError"):
        delete_keys(store, "a", "b", "c")
    assert len(store.calls) == 4


def test_an_unknown_code_is_an_error() -> None:
    """An unknown code never counts as success."""
    with pytest.raises(StoreError, match="Strange"):
        delete_keys(Refusing(*[{"a": "Strange"}] * 4), "a")


def test_a_request_takes_at_most_a_thousand_entries() -> None:
    """A request has at most a thousand entries."""
    store = Refusing()
    assert delete_keys(store, *map(str, range(2001))).deleted == 2001
    assert [len(call) for call in store.calls] == [1000, 1000, 1]


def test_a_refused_request_is_an_error() -> None:
    """An error of the whole request fails the group."""
    world = make_world()
    faulty = FaultyStore(
        world.store, lambda number, call: Fault(before=StoreError("no", code="InternalError"))
    )
    with pytest.raises(StoreError):
        delete_keys(faulty, "a")


@pytest.mark.parametrize(
    ("version_id", "versioning", "expected"),
    [
        (None, None, Deletion("a", etag="e")),
        ("v", "Enabled", Deletion("a", version_id="v")),
        ("v", "Suspended", Deletion("a", version_id="v")),
        ("null", "Enabled", Deletion("a", version_id="null")),
        ("null", "Suspended", Deletion("a", version_id="null", etag="e")),
    ],
)
def test_an_entry_is_identified_by_version_or_etag(
    version_id: str | None, versioning: str | None, expected: Deletion
) -> None:
    """An entry goes by version id if that is immutable; otherwise with the ETag as a condition."""
    assert deletion_of("a", version_id, "e", versioning) == expected


def list_logs(world: World) -> list[LogObject]:
    return list(world.store.list_object_versions("logs").objects)


def packed_world(**settings: Any) -> tuple[World, VerifiedPack, ListedVersions]:
    """A world whose objects are packed and still exist."""
    world = make_world(keep_originals_days=30, **settings)
    world.put("logs", trail_key(1), document(1))
    world.store.delete("logs", trail_key(1))
    world.put("logs", trail_key(1), document(2))
    world.put("logs", trail_key(1), document(3))
    world.put("logs", trail_key(2), document(4))
    result = world.run()
    assert result.failures == []
    (pack,) = result.groups[0].packs
    return (
        world,
        verify_pack(world.store, world.targets[0], pack.key),
        ListedVersions(list_logs(world)),
    )


def test_older_versions_are_deleted_first() -> None:
    """Old delete markers go first, then older versions and single ones, the newest of several last;
    each by its version id.
    """
    world, pack, listed = packed_world()
    store = FaultyStore(world.store, nothing)
    report = delete_originals(deleter(store), pack, listed)
    batches = [
        call.arguments["deletions"] for call in store.calls if call.operation == "DeleteObjects"
    ]
    newest = {stored.source.key: stored.source.version_id for stored in world.originals}
    assert [len(batch) for batch in batches] == [1, 3, 1]
    assert [(deletion.key, deletion.version_id) for deletion in batches[2]] == [
        (trail_key(1), newest[trail_key(1)])
    ]
    assert all(deletion.version_id for batch in batches for deletion in batch)
    assert report.deleted == 4
    assert world.store.list_object_versions("logs") == Page(objects=())


def test_a_retained_older_version_keeps_the_newest() -> None:
    """If Object Lock keeps an older version, the newest stays too: otherwise the older one would
    become visible.
    """
    world = make_world(keep_originals_days=30)
    world.put("logs", trail_key(1), document(1))
    world.store.retain("logs", trail_key(1))
    newest = world.put("logs", trail_key(1), document(2))
    world.put("logs", trail_key(2), document(3))
    (pack,) = world.run().groups[0].packs
    verified = verify_pack(world.store, world.targets[0], pack.key)
    report = delete_originals(deleter(world.store), verified, ListedVersions(list_logs(world)))
    assert (report.deleted, len(report.retained), report.withheld) == (1, 1, 1)
    assert [each.identity for each in list_logs(world) if each.is_latest] == [newest.identity]


def test_an_older_version_in_another_pack_keeps_the_newest() -> None:
    """The order holds across packs: the newest goes once the older ones, packed before,
    have gone.
    """
    world = make_world(keep_originals_days=30)
    world.put("logs", trail_key(1), document(1))
    (first,) = world.run().groups[0].packs
    world.put("logs", trail_key(1), document(2))
    (second,) = world.run().groups[0].packs
    listed = ListedVersions(list_logs(world))
    packs = [verify_pack(world.store, world.targets[0], pack.key) for pack in (first, second)]
    reports = [
        delete_originals(deleter(world.store), packs[number], listed) for number in (1, 0, 1)
    ]
    assert [(report.deleted, report.withheld) for report in reports] == [(0, 1), (1, 0), (1, 0)]
    assert list_logs(world) == []


def two_versions() -> list[LogObject]:
    time = datetime(2025, 4, 3, tzinfo=UTC)
    return [
        LogObject("logs", "a", name, name, 1, time, is_latest=name == "new")
        for name in ("new", "old")
    ]


@pytest.mark.parametrize(
    ("code", "is_gone"),
    [
        ("AccessDenied", False),
        ("PreconditionFailed", False),
        ("ConditionalRequestConflict", False),
        ("NoSuchVersion", True),
    ],
)
@pytest.mark.parametrize("before", [False, True])
def test_the_newest_version_waits_for_existing_older_ones(
    code: str, *, is_gone: bool, before: bool
) -> None:
    """The newest waits for whatever reason an older version stays, and whatever S3 refused earlier
    in the report; one that is gone holds nothing up.
    """

    class Versions(Refusing):
        def delete_objects(self, bucket: str, deletions: list[Deletion]) -> list[DeletionFailure]:
            self.calls.append([str(deletion.version_id) for deletion in deletions])
            return [DeletionFailure(each, code) for each in deletions if each.version_id == "old"]

    versions, report, store = two_versions(), DeletionReport(), Versions()
    if before:
        earlier = DeletionFailure(Deletion("b", version_id="v"), code)
        report.retained.append(earlier)
        report.changed.append(earlier)
    listed = ListedVersions(versions)
    deleter(store).delete_in_order(versions, listed, report)
    assert store.calls == ([["old"], ["new"]] if is_gone else [["old"]])
    assert report.withheld == (not is_gone)


def test_vanished_older_versions_are_not_waited_for() -> None:
    """Versions that an old listing names and that no longer exist are neither deleted nor waited
    for.
    """
    new, old = two_versions()
    listed = ListedVersions([new, old])
    assert (listed.has_older("a"), listed.is_newest(new.identity)) == (True, True)
    assert (listed.is_older(old.identity), listed.is_newest(old.identity)) == (True, False)
    listed.forget([old.identity])
    assert old.identity not in listed
    assert new.identity in listed
    assert not listed.has_older("a")


@given(st.randoms(use_true_random=False))
def test_listed_objects_are_recognised_exactly(random: Random) -> None:
    """Listed versions act like a set of identities, for keys of any number of versions, anywhere in
    the listing, and for similar identities.
    """
    new, _ = two_versions()
    some = [
        replace(
            new,
            key=random.choice("ab"),
            version_id=random.choice((None, "null", "v1", "v2")),
            etag=random.choice(("e", "f")),
            size_bytes=random.choice((1, 2)),
            last_modified=new.last_modified + timedelta(seconds=random.choice((0, 1))),
        )
        for _ in range(random.randrange(12))
    ]
    known = some[: len(some) // 2]
    if random.random() < 0.5:
        known.sort(key=lambda each: each.key)
    listed = ListedVersions(known)
    wanted = {each.identity for each in known}
    for each in some:
        assert (each.identity in listed) == (each.identity in wanted)
    forgotten = {each.identity for each in some if random.random() < 0.3}
    listed.forget(forgotten)
    for each in some:
        assert (each.identity in listed) == (each.identity in wanted - forgotten)


@pytest.mark.parametrize("newest", [0, 1, 2])
def test_s3_decides_which_version_is_newest(newest: int) -> None:
    """The newest need not be the first or last of the versions."""
    versions = [
        replace(two_versions()[0], version_id=f"v{number}", is_latest=number == newest)
        for number in range(3)
    ]
    listed = ListedVersions(versions)
    found = [listed.is_newest(each.identity) for each in versions]
    assert found == [number == newest for number in range(3)]
    assert [listed.is_older(each.identity) for each in versions] == [not each for each in found]


def test_a_report_accumulates_over_attempts_and_batches() -> None:
    """Later answers lose nothing that was recorded."""
    first = {"0": "AccessDenied", "1": "PreconditionFailed", "2": "SlowDown", "3": "SlowDown"}
    again = {"2": "AccessDenied", "3": "ConditionalRequestConflict"}
    last = {"1000": "AccessDenied", "1001": "PreconditionFailed"}
    report = delete_keys(Refusing(first, again, last), *map(str, range(1003)))
    assert [each.deletion.key for each in report.retained] == ["0", "2", "1000"]
    assert [each.deletion.key for each in report.changed] == ["1", "3", "1001"]
    assert report.deleted == 1003 - 6


def test_only_listed_objects_are_deleted() -> None:
    """A member that is not in the listing is not touched, nor are its key's old delete markers."""
    world, pack, _ = packed_world()
    kept = {each.identity for each in list_logs(world) if each.key == trail_key(1)}
    listed = ListedVersions(each for each in list_logs(world) if each.key != trail_key(1))
    assert delete_originals(deleter(world.store), pack, listed).deleted == 1
    page = world.store.list_object_versions("logs")
    assert {found.identity for found in page.objects} == kept
    assert len(page.markers) == 1


def test_a_retained_delete_marker_is_reported() -> None:
    """A refusal to delete an old delete marker is reported like any other."""
    world, pack, listed = packed_world()

    class RefusesMarkers(FaultyStore):
        def delete_objects(self, bucket: str, deletions: Any) -> list[DeletionFailure]:
            markers = dict(pack.index.markers)
            refused = [
                deletion
                for deletion in deletions
                if markers.get(deletion.key) == deletion.version_id
            ]
            super().delete_objects(
                bucket, [deletion for deletion in deletions if deletion not in refused]
            )
            return [DeletionFailure(deletion, "AccessDenied") for deletion in refused]

    report = delete_originals(deleter(RefusesMarkers(world.store, nothing)), pack, listed)
    assert [failure.deletion.key for failure in report.retained] == [trail_key(1)]
    assert report.deleted == 4


def test_a_changed_pack_is_not_trusted() -> None:
    """If the pack is replaced or gone by the time of deletion, nothing is deleted."""
    for spoil in ("replace", "delete"):
        world, pack, listed = packed_world()
        world.store.delete("dest", pack.index.pack_key)
        if spoil == "replace":
            world.store.put("dest", pack.index.pack_key, b"another")
        store = FaultyStore(world.store, nothing)
        with pytest.raises((VerificationError, StoreError)):
            delete_originals(deleter(store), pack, listed)
        assert [call for call in store.calls if call.operation == "DeleteObjects"] == []


def test_an_etag_condition_protects_an_overwritten_object() -> None:
    """Without versions, an object that was replaced after it was packed is kept and counted as
    changed.
    """
    world = make_world(versioning=None, keep_originals_days=30)
    world.put("logs", access_key(1), b"old\n")
    world.put("logs", access_key(2), b"old\n")
    (pack,) = world.run().groups[0].packs
    world.store.put("logs", access_key(1), b"new\n")
    listed = ListedVersions(stored.source for stored in world.originals)
    verified = verify_pack(world.store, world.targets[0], pack.key)
    report = delete_originals(deleter(world.store, None), verified, listed)
    assert (report.deleted, [failure.deletion.key for failure in report.changed]) == (
        1,
        [access_key(1)],
    )
    assert world.store.get_object("logs", access_key(1)).data == b"new\n"


@pytest.mark.parametrize("versioning", ["Suspended", "Enabled"])
def test_a_log_object_in_place_of_a_delete_marker_stays(versioning: str) -> None:
    """Any write while versioning is suspended replaces a "null" delete marker: its id now names a
    log object.
    """
    world = make_world(versioning="Suspended", keep_originals_days=30)
    world.store.delete("logs", trail_key(1))
    world.store.set_versioning("logs", "Enabled")
    world.put("logs", trail_key(1), document(1))
    listed = ListedVersions(list_logs(world))
    (pack,) = world.run().groups[0].packs
    world.store.set_versioning("logs", "Suspended")
    late = world.store.put("logs", trail_key(1), document(2))
    world.store.set_versioning("logs", versioning)
    verified = verify_pack(world.store, world.targets[0], pack.key)
    assert verified.index.markers == ((trail_key(1), "null"),)
    delete_originals(deleter(world.store, versioning), verified, listed)
    assert [each.identity for each in list_logs(world)] == [late.identity]


def test_an_older_null_version_stays() -> None:
    """A "null" version that is not the newest may be delivered again, and then be the newest, with
    the same ETag: no condition can tell.
    """
    world = make_world(versioning=None, keep_originals_days=30)
    world.store.put("logs", trail_key(1), document(1))
    for versioning in ("Enabled", "Suspended"):
        world.store.set_versioning("logs", versioning)
        world.store.put("logs", trail_key(1 if versioning == "Enabled" else 2), document(2))
    (pack,) = world.run().groups[0].packs
    listed = ListedVersions(list_logs(world))
    again = world.store.put("logs", trail_key(1), document(1))
    verified = verify_pack(world.store, world.targets[0], pack.key)
    report = delete_originals(deleter(world.store, "Suspended"), verified, listed)
    assert (report.deleted, report.withheld, report.changed) == (1, 2, [])
    assert [each.identity for each in list_logs(world) if each.is_latest] == [again.identity]


def test_nothing_is_deleted_from_another_bucket() -> None:
    """Another bucket may have a key of the same name with another log object."""
    world, pack, listed = packed_world()
    world.store.create_bucket("other")
    world.store.put("other", trail_key(2), document(4))
    before = world.store.snapshot()
    wrong = replace(deleter(world.store), bucket=SourceBucket("other", None))
    with pytest.raises(ValueError, match="other is not where"):
        delete_originals(wrong, pack, listed)
    assert world.store.snapshot() == before


def test_deletion_accepts_only_a_verified_pack() -> None:
    """A hand-made list cannot be deleted: the parameter's type checks its evidence, and rejects a
    false one.
    """
    world, pack, _ = packed_world()
    with pytest.raises(VerificationError):
        VerifiedPack(
            pack.target,
            pack.index,
            pack.stored,
            pack.expected_size_bytes,
            pack.expected_crc64nvme ^ 1,
        )
    assert len(world.store.list_object_versions("logs").objects) == 4

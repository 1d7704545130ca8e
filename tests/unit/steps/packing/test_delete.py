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
    """A store of which only deletions matter: it answers with what it was told to, call by call."""

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
    """Conditions hold for all of them."""


def deleter(
    store: Any, versioning: str | None = "Enabled", workers: SerialWorkers | None = None
) -> OriginalDeleter:
    bucket = SourceBucket("logs", versioning)
    return OriginalDeleter(store, workers or SerialWorkers(), bucket, DAY, any_keys)


def delete_keys(store: Any, *keys: str) -> DeletionReport:
    report = DeletionReport()
    deleter(store).delete([Deletion(key, version_id="v") for key in keys], report)
    return report


def test_every_answer_has_its_place() -> None:
    """Refused ones are retained, changed ones the next run's; missing ones count as deleted: the
    first answer to the same request may have been lost.
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


def test_what_may_go_away_is_tried_again() -> None:
    """Only the entries that failed are sent again, and count when they succeed."""
    store = Refusing({"a": "InternalError", "b": "SlowDown"}, {"b": "InternalError"})
    assert delete_keys(store, "a", "b", "c").deleted == 3
    assert store.calls == [["a", "b", "c"], ["a", "b"], ["b"]]


def test_there_is_a_pause_before_each_further_attempt() -> None:
    """S3 that asks to slow down is given longer and longer."""
    pauses: list[float] = []

    class Watched(SerialWorkers):
        def pause(self, seconds: float) -> None:
            pauses.append(seconds)

    store: Any = Refusing({"a": "SlowDown"}, {"a": "SlowDown"}, {"a": "SlowDown"})
    report = DeletionReport()
    watched = deleter(store, workers=Watched())
    watched.delete([Deletion("a", version_id="v")], report)
    assert (report.deleted, pauses) == (1, [1.0, 4.0, 16.0])


def test_what_stays_is_an_error() -> None:
    """An entry that keeps failing is never taken for success, whatever the other entries did."""
    store = Refusing(*[{"a": "InternalError", "b": "AccessDenied"}] * 5)
    with pytest.raises(StoreError, match="1 originals could not be deleted: InternalError"):
        delete_keys(store, "a", "b", "c")
    assert len(store.calls) == 4


def test_an_unknown_code_is_an_error() -> None:
    """A code that nobody has thought of is not taken for success."""
    with pytest.raises(StoreError, match="Strange"):
        delete_keys(Refusing(*[{"a": "Strange"}] * 4), "a")


def test_batches() -> None:
    """At most a thousand entries go into one request."""
    store = Refusing()
    assert delete_keys(store, *map(str, range(2001))).deleted == 2001
    assert [len(call) for call in store.calls] == [1000, 1000, 1]


def test_a_whole_request_that_is_refused_is_raised() -> None:
    """An error of the whole request is the group's failure."""
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
def test_what_identifies_an_entry(
    version_id: str | None, versioning: str | None, expected: Deletion
) -> None:
    """By version id where that is immutable; else the ETag goes along as a condition."""
    assert deletion_of("a", version_id, "e", versioning) == expected


def list_logs(world: World) -> list[LogObject]:
    return list(world.store.list_object_versions("logs").objects)


def packed_world(**settings: Any) -> tuple[World, VerifiedPack, ListedVersions]:
    """A world whose objects are packed and still there."""
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


def test_older_versions_first_and_the_newest_last() -> None:
    """Old delete markers go first, then older versions and only ones, the newest of several last;
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


def test_an_older_version_that_stays_keeps_the_newest() -> None:
    """Where S3 keeps an older version (Object Lock), the newest stays too: else the older one would
    come to light.
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
    """The order holds from pack to pack: the newest goes when the older ones, packed before, have
    gone, and not earlier.
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
def test_the_newest_waits_for_every_older_version_that_is_there(
    code: str, *, is_gone: bool, before: bool
) -> None:
    """Why an older version stays does not matter, nor what S3 refused before in the same report;
    one that is gone holds nothing up.
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


def test_older_versions_that_had_gone_before_hold_nothing_up() -> None:
    """What an old listing names and is not there is not deleted, and not waited for."""
    new, old = two_versions()
    listed = ListedVersions([new, old])
    assert (listed.has_older("a"), listed.is_newest(new.identity)) == (True, True)
    assert (listed.is_older(old.identity), listed.is_newest(old.identity)) == (True, False)
    listed.forget([old.identity])
    assert old.identity not in listed
    assert new.identity in listed
    assert not listed.has_older("a")


@given(st.randoms(use_true_random=False))
def test_what_is_listed_is_known_exactly(random: Random) -> None:
    """Of keys of any number of versions, wherever they stand in the listing, and of what is like
    them: as a set of identities would say.
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
def test_the_newest_is_the_one_that_s3_calls_so(newest: int) -> None:
    """Not the first or the last of them."""
    versions = [
        replace(two_versions()[0], version_id=f"v{number}", is_latest=number == newest)
        for number in range(3)
    ]
    listed = ListedVersions(versions)
    found = [listed.is_newest(each.identity) for each in versions]
    assert found == [number == newest for number in range(3)]
    assert [listed.is_older(each.identity) for each in versions] == [not each for each in found]


def test_a_report_goes_on_from_attempt_to_attempt_and_batch_to_batch() -> None:
    """Nothing that was taken down is lost by what is answered later."""
    first = {"0": "AccessDenied", "1": "PreconditionFailed", "2": "SlowDown", "3": "SlowDown"}
    again = {"2": "AccessDenied", "3": "ConditionalRequestConflict"}
    last = {"1000": "AccessDenied", "1001": "PreconditionFailed"}
    report = delete_keys(Refusing(first, again, last), *map(str, range(1003)))
    assert [each.deletion.key for each in report.retained] == ["0", "2", "1000"]
    assert [each.deletion.key for each in report.changed] == ["1", "3", "1001"]
    assert report.deleted == 1003 - 6


def test_only_what_is_listed_is_deleted() -> None:
    """A member that is not in the listing is not touched, nor are the old delete markers of its
    key.
    """
    world, pack, _ = packed_world()
    kept = {each.identity for each in list_logs(world) if each.key == trail_key(1)}
    listed = ListedVersions(each for each in list_logs(world) if each.key != trail_key(1))
    assert delete_originals(deleter(world.store), pack, listed).deleted == 1
    page = world.store.list_object_versions("logs")
    assert {found.identity for found in page.objects} == kept
    assert len(page.markers) == 1


def test_a_marker_that_is_retained_is_reported() -> None:
    """A refusal to delete an old delete marker is a refusal like any other."""
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


def test_a_pack_that_changed_since_is_not_trusted() -> None:
    """If the pack is another object, or gone, by the time of deletion, nothing is deleted."""
    for spoil in ("replace", "delete"):
        world, pack, listed = packed_world()
        world.store.delete("dest", pack.index.pack_key)
        if spoil == "replace":
            world.store.put("dest", pack.index.pack_key, b"another")
        store = FaultyStore(world.store, nothing)
        with pytest.raises((VerificationError, StoreError)):
            delete_originals(deleter(store), pack, listed)
        assert [call for call in store.calls if call.operation == "DeleteObjects"] == []


def test_an_etag_condition_protects_what_was_written_over() -> None:
    """In a bucket without versions, an object that was replaced after it was packed is kept and
    counted as changed.
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
def test_a_log_object_in_the_place_of_an_old_marker_stays(versioning: str) -> None:
    """A "null" delete marker is replaced by whatever is written while versioning is suspended:
    under its id lies a log object now.
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


def test_an_older_version_that_can_be_replaced_stays() -> None:
    """A "null" version that is not the newest may be delivered again, and then be the newest, of
    the same ETag: no condition tells.
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


def test_nothing_goes_from_another_bucket_than_the_pack_s() -> None:
    """A key of the same name may lie there, with another log object in it."""
    world, pack, listed = packed_world()
    world.store.create_bucket("other")
    world.store.put("other", trail_key(2), document(4))
    before = world.store.snapshot()
    wrong = replace(deleter(world.store), bucket=SourceBucket("other", None))
    with pytest.raises(ValueError, match="other is not where"):
        delete_originals(wrong, pack, listed)
    assert world.store.snapshot() == before


def test_deletion_takes_nothing_but_a_verified_pack() -> None:
    """A hand-made list cannot be deleted: the parameter's type has its own evidence, which a lie
    does not pass.
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

"""A server that keeps every promise passes, one that does not is reported, and nothing that existed
before is touched.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import pytest
from tests.unit.steps.rehearsal.conftest import Rehearser

from log_aggregator.errors import (
    AccessDenied,
    CannotStart,
    Interrupted,
    PreconditionFailed,
    StoreError,
)
from log_aggregator.model import LogObject, StoredObject
from log_aggregator.ports.scratch import Entry, Lock
from log_aggregator.ports.store import Body, Deletion, DeletionFailure, Page
from log_aggregator.steps.promises import PROMISES, Needs, Seen
from log_aggregator.steps.rehearsal.life import STEPS
from log_aggregator.steps.rehearsal.places import Place, Scene
from log_aggregator.steps.rehearsal.rehearse import Rehearsed, count_steps
from log_aggregator_lab.stores.memory import MemoryStore
from log_aggregator_lab.stores.memory_hands import MemoryHands

STRANGERS = ("AWSLogs/a", "log-aggregator-rehearsal", "packs/x", "z")


def rows_not_kept(result: Rehearsed) -> set[str]:
    return {row.name for rows in result.lives.values() for row in rows if not row.is_kept}


def test_a_good_server_passes_with_a_large_log(rehearser: Rehearser) -> None:
    """The two new buckets are removed at the end."""
    result = rehearser.rehearse()
    assert [
        (row.name, row.seen) for row in result.lives["without versions"] if not row.is_kept
    ] == []
    assert {answer.seen for answer in result.answers.values()} == {Seen.KEPT}
    assert list(result.lives) == ["without versions", "with versions"]
    assert result.is_kept
    assert rehearser.hands.removed == list(result.venue.new_buckets)
    assert rehearser.store.snapshot() == ()
    assert len(rehearser.watched) == count_steps(result.venue)


@pytest.mark.parametrize("versioning", [None, "Enabled", "Suspended"])
def test_in_a_named_bucket_nothing_else_is_touched(
    rehearser: Rehearser, versioning: str | None
) -> None:
    """This goes for every kind of bucket; promises that it cannot be asked are reported."""
    store = rehearser.store
    store.create_bucket("mine", versioning=versioning)
    for key in STRANGERS:
        store.put("mine", key, key.encode())
    before = store.snapshot()
    result = rehearser.rehearse("mine")
    assert store.snapshot() == before
    assert rehearser.hands.removed == []
    assert rows_not_kept(result) == set()
    assert result.is_kept
    wanted = {Needs.LOCK, Needs.PLAIN, Needs.VERSIONS}
    wanted -= {None: {Needs.PLAIN}, "Enabled": {Needs.VERSIONS}}.get(versioning, set())
    not_asked = {name for name, each in result.answers.items() if each.seen is Seen.NOT_ASKED}
    assert not_asked == {each.name for each in PROMISES if each.needs in wanted}


def test_a_bucket_that_locks_everything_is_refused(rehearser: Rehearser) -> None:
    """Objects written to it could not be removed."""
    rehearser.hands.create("mine", has_lock=True)
    rehearser.hands.locks["mine"] = Lock(is_default=True)
    with pytest.raises(CannotStart, match="locks every new object"):
        rehearser.rehearse("mine")
    assert rehearser.store.snapshot() == ()


class NoConditions(MemoryStore):
    """Deletes in spite of another ETag, as some servers do."""

    def delete_objects(self, bucket: str, deletions: Sequence[Deletion]) -> list[DeletionFailure]:
        bare = [
            dataclasses.replace(each, etag=None)
            if each.version_id
            else Deletion(each.key, etag=self.head_object(bucket, each.key).etag)
            for each in deletions
        ]
        return super().delete_objects(bucket, bare)


def test_a_server_without_conditions_is_reported() -> None:
    """The run keeps its originals, so the deletion step fails; nothing is lost."""
    result = Rehearser(NoConditions()).rehearse()
    assert not result.is_kept
    broken = {name for name, each in result.answers.items() if each.seen is Seen.BROKEN}
    assert {"delete-if-etag", "delete-null-if-etag", "errors-by-key"} <= broken
    failed = {row.name for row in result.lives["without versions"] if not row.is_kept}
    assert failed == {"kill-while-deleting", "resume", "late"}
    assert all(row.is_kept for row in result.lives["with versions"])


class LosingStore(MemoryStore):
    """Deletes one more original with the first deletion."""

    def delete_objects(self, bucket: str, deletions: Sequence[Deletion]) -> list[DeletionFailure]:
        failures = super().delete_objects(bucket, deletions)
        for each in deletions:
            if "/rehearsal-logs/" in each.key:
                folder = each.key.partition("rehearsal-logs/")[0]
                self.delete(bucket, f"{folder}rehearsal-logs/o-rehearsal00/notes.txt")
        return failures


@pytest.mark.usefixtures("few_promises")
def test_a_lost_original_is_noticed() -> None:
    """The rehearsal looks for every original, whatever the run reports."""
    result = Rehearser(LosingStore()).rehearse()
    assert {"kill-while-deleting", "lost"} <= rows_not_kept(result)
    (row,) = [row for row in result.lives["with versions"] if row.name == "lost"]
    assert row.seen == "1 of 14 originals are lost"
    assert not result.is_kept


class HidingStore(MemoryStore):
    """Its listings leave out Config's logs."""

    def list_object_versions(self, *arguments: Any, **options: Any) -> Page:
        page = super().list_object_versions(*arguments, **options)
        return dataclasses.replace(page, objects=tuple(filter(is_shown, page.objects)))

    def list_objects(self, *arguments: Any, **options: Any) -> Page:
        page = super().list_objects(*arguments, **options)
        return dataclasses.replace(page, objects=tuple(filter(is_shown, page.objects)))


def is_shown(listed: LogObject) -> bool:
    return "/Config/" not in listed.key


@pytest.mark.usefixtures("few_promises")
def test_unlisted_logs_are_noticed() -> None:
    """Hidden logs are not packed, and nothing else reports it."""
    failed = rows_not_kept(Rehearser(HidingStore()).rehearse())
    assert failed == {"plan", "resume", "late", "find", "extract", "put-back"}


class NewestOnly(MemoryStore):
    """Its listings leave out older versions."""

    def list_object_versions(self, *arguments: Any, **options: Any) -> Page:
        page = super().list_object_versions(*arguments, **options)
        newest = tuple(each for each in page.objects if each.is_latest)
        return dataclasses.replace(page, objects=newest)


class OneVersion(MemoryStore):
    """Forgets overwritten versions."""

    def put(self, bucket: str, key: str, *arguments: Any, **options: Any) -> LogObject:
        for each in self.list_object_versions(bucket, prefix=key).objects:
            if "/rehearsal-logs/" in key and each.key == key:
                self.delete_objects(bucket, [Deletion(key, each.version_id)])
        return super().put(bucket, key, *arguments, **options)


class NoMarkers(MemoryStore):
    """Deletes what a marker should hide, and keeps the marker."""

    def delete(self, bucket: str, key: str) -> None:
        found = self.head_object(bucket, key)
        super().delete(bucket, key)
        if found.version_id:
            self.delete_objects(bucket, [Deletion(key, found.version_id)])


@pytest.mark.usefixtures("few_promises")
@pytest.mark.parametrize(
    ("store", "failed"),
    [
        (NewestOnly, {"plan", "versions"}),
        (OneVersion, {"plan", "resume", "versions"}),
        (NoMarkers, {"versions"}),
    ],
)
def test_wrong_versions_are_noticed(store: type[MemoryStore], failed: set[str]) -> None:
    result = Rehearser(store()).rehearse()
    rows = result.lives["with versions"]
    assert {row.name for row in rows if not row.is_kept} == failed


@pytest.mark.usefixtures("few_promises")
def test_the_kill_happens_between_two_versions(rehearser: Rehearser) -> None:
    """The kill comes then whichever groups go first: otherwise a rehearsal's findings would change
    from day to day. By then one of the two versions is gone.
    """
    first = "/rehearsal-logs/o-rehearsal00/AWSLogs/o-rehearsal00/111111111111/CloudTrail/"
    left = []

    def watch(text: str) -> None:
        if text.startswith("run again"):
            keys = [str(key) for _, key, *_ in rehearser.store.snapshot()]
            left.append(sum(first in key and "log1aaa" in key for key in keys))

    rehearser.rehearse(watch=watch)
    assert left == [0, 1]


class FlippingStore(MemoryStore):
    """Returns other bytes for objects that were put back."""

    def get_object(self, bucket: str, key: str, **options: Any) -> Body:
        body = super().get_object(bucket, key, **options)
        return dataclasses.replace(body, data=b"?") if "/rehearsal-returned/" in key else body


@pytest.mark.usefixtures("few_promises")
def test_different_bytes_after_put_back_are_noticed() -> None:
    assert rows_not_kept(Rehearser(FlippingStore()).rehearse()) == {"put-back"}


class OverwritingStore(MemoryStore):
    """Overwrites packs when a late log comes."""

    def put_object(self, bucket: str, key: str, *arguments: Any, **options: Any) -> None:
        super().put_object(bucket, key, *arguments, **options)
        if "T2300Z" not in str(self.snapshot()) or "/packs/" not in key:
            return
        for each in self.list_objects(bucket).objects:
            if "/rehearsal-packs/packs/" in each.key and each.key != key:
                self.put(bucket, each.key, b"another")


@pytest.mark.usefixtures("few_promises")
def test_a_replaced_pack_is_noticed() -> None:
    failed = rows_not_kept(Rehearser(OverwritingStore()).rehearse())
    assert {"late", "verify", "extract", "lost"} <= failed


class BadChecksums(MemoryStore):
    """Reports another checksum for everything that it stores."""

    def head_object(self, *arguments: Any, **options: Any) -> StoredObject:
        stored = super().head_object(*arguments, **options)
        return dataclasses.replace(stored, crc64nvme=None if stored.crc64nvme is None else 1)


@pytest.mark.usefixtures("few_promises")
def test_an_unverified_pack_is_not_a_success() -> None:
    result = Rehearser(BadChecksums()).rehearse()
    assert {"resume", "late", "verify"} <= rows_not_kept(result)
    assert "lost" not in rows_not_kept(result)


@pytest.mark.parametrize("step", [0, 30, len(PROMISES) + 2, len(PROMISES) + 6])
def test_a_stop_removes_everything(rehearser: Rehearser, step: int) -> None:
    """A stop at any point leaves nothing; findings until then are kept."""

    def watch(text: str) -> None:
        rehearser.watched.append(text)
        if len(rehearser.watched) > step:
            raise KeyboardInterrupt

    result = rehearser.rehearse(watch=watch)
    assert result.is_stopped
    assert not result.is_kept
    assert rehearser.store.snapshot() == ()
    assert rehearser.store.open_uploads() == []
    assert rehearser.hands.removed == list(result.venue.new_buckets)
    seen = len(result.answers) + sum(len(rows) for rows in result.lives.values())
    assert seen == step


@pytest.mark.usefixtures("brief")
@pytest.mark.parametrize("stop", [KeyboardInterrupt, Interrupted])
def test_a_stop_during_cleaning_up_is_ignored(
    rehearser: Rehearser, monkeypatch: pytest.MonkeyPatch, stop: type[BaseException]
) -> None:
    """The clean-up continues."""
    abort_uploads, stops = rehearser.hands.abort_uploads, [stop(), stop()]

    def abort_at_last(bucket: str, prefix: str) -> None:
        if stops:
            raise stops.pop()
        abort_uploads(bucket, prefix)

    monkeypatch.setattr(rehearser.hands, "abort_uploads", abort_at_last)
    result = rehearser.rehearse()
    assert stops == []
    assert result.is_stopped
    assert result.places.left == []
    assert rehearser.store.snapshot() == ()
    assert rehearser.hands.removed == list(result.venue.new_buckets)


@pytest.mark.usefixtures("brief")
def test_after_repeated_stops_leftovers_are_named(
    rehearser: Rehearser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After repeated stops, everything that may be left is named."""

    def stop(bucket: str, prefix: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(rehearser.hands, "abort_uploads", stop)
    result = rehearser.rehearse()
    assert len(result.places.left) == 4
    assert "not removed, the command was stopped" in result.places.left[0]


@pytest.mark.usefixtures("brief")
def test_an_unexpected_error_leaves_nothing_behind(rehearser: Rehearser) -> None:
    """Even a bug of ours leaves no buckets."""

    def watch(text: str) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        rehearser.rehearse(watch=watch)
    assert rehearser.store.snapshot() == ()
    assert len(rehearser.hands.removed) == 2


@pytest.mark.usefixtures("brief")
def test_leftovers_are_named(rehearser: Rehearser, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each place is named, and the rehearsal fails."""

    def refuse(bucket: str, entries: Sequence[Entry]) -> None:
        """Remove nothing."""

    monkeypatch.setattr(rehearser.hands, "remove_entries", refuse)
    result = rehearser.rehearse()
    plain, versions = result.venue.new_buckets
    assert [each.partition(": ")[0] for each in result.places.left] == [
        f"s3://{plain}/{result.venue.prefix}",
        f"s3://{versions}/{result.venue.prefix}",
        f"bucket {plain}",
        f"bucket {versions}",
    ]
    assert "objects or versions could not be removed" in result.places.left[0]
    assert not result.is_kept


class NoPrefixHands(MemoryHands):
    """A server that lists everything, whatever prefix it is asked for."""

    def list_entries(self, bucket: str, prefix: str) -> list[Entry]:
        return super().list_entries(bucket, "")

    def clear(self, bucket: str, prefix: str, keys: Any) -> None:
        """Remove nothing."""


@pytest.mark.usefixtures("brief")
def test_a_server_that_ignores_the_prefix_loses_nothing(rehearser: Rehearser) -> None:
    rehearser.hands = NoPrefixHands(rehearser.store)
    rehearser.store.create_bucket("mine")
    for key in STRANGERS:
        rehearser.store.put("mine", key, key.encode())
    result = rehearser.rehearse("mine")
    for key in STRANGERS:
        assert rehearser.store.get_object("mine", key).data == key.encode()
    assert "the server lists keys outside this prefix" in result.places.left[0]


@pytest.mark.usefixtures("brief")
def test_an_existing_bucket_is_not_taken_for_a_new_one(
    rehearser: Rehearser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise an existing bucket would be removed in the end."""
    monkeypatch.setattr(rehearser.hands, "exists", lambda _: True)
    with pytest.raises(CannotStart, match="already exists"):
        rehearser.rehearse()
    assert rehearser.hands.removed == []


@pytest.mark.usefixtures("brief")
def test_a_bucket_that_cannot_be_made_is_reported(
    rehearser: Rehearser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says what to do instead; a bucket made before is removed."""
    create = rehearser.hands.create

    def create_first(bucket: str, *, has_lock: bool = False) -> None:
        if bucket.endswith("-versions"):
            raise AccessDenied("CreateBucket: AccessDenied", code="AccessDenied")
        create(bucket, has_lock=has_lock)

    monkeypatch.setattr(rehearser.hands, "create", create_first)
    with pytest.raises(CannotStart, match="--bucket names none"):
        rehearser.rehearse()
    assert len(rehearser.hands.removed) == 1


def test_without_object_lock_the_rest_is_tested(
    rehearser: Rehearser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bucket with versions is still made."""
    create = rehearser.hands.create

    def create_plain(bucket: str, *, has_lock: bool = False) -> None:
        if has_lock:
            raise StoreError("CreateBucket: NotImplemented", code="NotImplemented")
        create(bucket)

    monkeypatch.setattr(rehearser.hands, "create", create_plain)
    result = rehearser.rehearse()
    not_asked = {name for name, each in result.answers.items() if each.seen is Seen.NOT_ASKED}
    assert not_asked == {each.name for each in PROMISES if each.needs is Needs.LOCK}
    assert result.is_kept


def test_packs_go_into_the_versioned_bucket() -> None:
    """Packs go to the bucket with versions; two buckets of one kind are one scene."""
    plain, versions = Place("a", "p/"), Place("b", "p/", "Enabled")
    assert Scene.list_all([plain, versions]) == [
        Scene(plain, versions, "life-0"),
        Scene(versions, versions, "life-1"),
    ]
    assert Scene.list_all([plain, Place("b", "p/")]) == [Scene(plain, plain, "life-0")]


def test_large_logs_can_be_left_out(rehearser: Rehearser, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the server neither reports nor shows what a copy holds, the other steps continue."""
    monkeypatch.setattr(
        rehearser.store,
        "upload_part_copy",
        lambda *_: (_ for _ in ()).throw(StoreError("no", code="NotImplemented")),
    )
    result = rehearser.rehearse()
    assert rows_not_kept(result) == set()
    first = result.lives["with versions"][0]
    assert first.name == STEPS[0].name == "deliver"
    assert first.seen.endswith(
        "no large one, as this server cannot show what a copied part contains"
    )


@pytest.mark.usefixtures("few_promises")
def test_a_refused_put_is_not_a_loss(rehearser: Rehearser) -> None:
    """Whatever the server answers to a step, the next ones are tried, and the last one looks for
    losses.
    """
    put_object = rehearser.store.put_object

    def refuse(bucket: str, key: str, *arguments: Any, **options: Any) -> None:
        if "/rehearsal-packs/packs/" in key:
            raise PreconditionFailed("PutObject: ConditionalRequestConflict")
        put_object(bucket, key, *arguments, **options)

    rehearser.store.put_object = refuse  # type: ignore[method-assign]
    result = rehearser.rehearse()
    assert [row.name for row in result.lives["with versions"]] == [step.name for step in STEPS]
    assert "resume" in rows_not_kept(result)
    assert "lost" not in rows_not_kept(result)

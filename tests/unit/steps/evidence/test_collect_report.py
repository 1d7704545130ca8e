"""What a report collects: every record, its counts, and S3's information about the bucket."""

from __future__ import annotations

import pytest
from tests.support.account import FakeAccount, FakeBucket
from tests.support.custody import run_recorded
from tests.support.world import World, document, make_world, trail_key

from log_aggregator.core.custody import RecordKind
from log_aggregator.errors import AccessDenied, Unreachable
from log_aggregator.ports.account import ObjectLock
from log_aggregator.steps.custody.prove import Trust
from log_aggregator.steps.custody.totals import sum_records
from log_aggregator.steps.evidence import report as steps
from log_aggregator.steps.evidence.report import Report, collect_report


@pytest.fixture
def world() -> World:
    world = make_world()
    for number in range(3):
        world.put("logs", trail_key(number), document(number))
    assert run_recorded(world, "run-1").failures == []
    return world


@pytest.fixture
def account() -> FakeAccount:
    lock = ObjectLock(is_enabled=True, mode="COMPLIANCE", retention_days=400)
    return FakeAccount({"dest": FakeBucket(lock=lock)})


def collect(world: World, account: FakeAccount) -> Report:
    return collect_report(world.job(), account, Trust(), None)


def test_every_record_is_collected(world: World, account: FakeAccount) -> None:
    """The newest comes first, with its hash; the sums are those of `stats`."""
    found = collect(world, account)
    [place] = found.places
    assert [row.sequence for row in place.records] == [1, 0]
    assert [row.kind for row in place.records] == [RecordKind.CLOSING, RecordKind.OPENING]
    newest = place.records[0]
    assert place.walked.newest == (1, newest.sha256)
    assert (newest.objects, newest.failures) == (3, 0)
    sums = sum_records(world.job(), world.job().list_targets())
    assert found.totals.total == sums.total
    assert found.totals.records == sums.records == 2


def test_an_unreadable_record_is_shown(world: World, account: FakeAccount) -> None:
    """The reason is given, and its chain is broken."""
    (*_, entry) = world.store.list_objects("dest", prefix="custody/").objects
    world.store.put("dest", entry.key, b"damaged")
    found = collect(world, account)
    [place] = found.places
    assert place.records[0].problem
    assert place.records[0].kind is None
    assert [where for where, _ in found.totals.unread] == [f"s3://dest/{entry.key}"]
    assert place.walked.findings


def test_an_unanswered_question_is_unknown(world: World, account: FakeAccount) -> None:
    """A question that is refused or not answered does not cost the others' answers."""
    account.broken = {
        "GetObjectLockConfiguration": AccessDenied("no"),
        "GetBucketVersioning": Unreachable("late"),
    }
    [place] = collect(world, account).places
    found = place.protection
    assert (found.lock.value, found.versioning.value) == (None, None)
    assert "no" in found.lock.problem
    assert found.lifecycle.value
    assert found.encryption.value


def test_answers_are_shown_unchanged(world: World, account: FakeAccount) -> None:
    """An answer is reported unchanged."""
    [place] = collect(world, account).places
    assert place.protection.lock.value == account.buckets["dest"].lock
    assert place.protection.lock.problem == ""


def test_only_the_newest_records_are_listed(
    world: World, account: FakeAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The number of older ones is given, and all are counted."""
    monkeypatch.setattr(steps, "RECORDS_MAX", 1)
    found = collect(world, account)
    assert [row.sequence for row in found.places[0].records] == [1]
    assert found.places[0].older == 1
    assert found.totals.records == 2

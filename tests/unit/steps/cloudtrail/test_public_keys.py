"""CloudTrail's public keys are stored once, unchanged; a run that cannot get them reports it and
harms nothing.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.support.trails import BUCKET, SPEC, TARGET, Denying, Trails, trails
from tests.support.world import fail_on, make_rules, make_world, trail_key

from log_aggregator.adapters.counting import CountingStore
from log_aggregator.errors import (
    BadPack,
    CannotStart,
    PreconditionFailed,
    StoreError,
    VerificationError,
)
from log_aggregator.model import Target
from log_aggregator.ports.trail_keys import TrailKeys
from log_aggregator.steps.cloudtrail.public_keys import (
    KeyRing,
    archive_keys,
    read_archived_key,
)
from log_aggregator.steps.cloudtrail.run_keys import archive_run_keys
from log_aggregator.steps.packs.pages import list_all
from log_aggregator_lab.servers.trail_api import LabTrailKeys
from log_aggregator_lab.stores.faults import FaultyStore
from log_aggregator_lab.stores.memory import MemoryStore

FIRST = datetime(2026, 3, 14, tzinfo=UTC)
LAST = FIRST + timedelta(days=1)
REGION = "eu-west-1"


def make_store() -> MemoryStore:
    store = MemoryStore()
    store.create_bucket("dest", versioning="Enabled")
    return store


def archive(
    store: MemoryStore | FaultyStore | CountingStore, keys: TrailKeys, target: Target = TARGET
) -> int:
    return archive_keys(store, target, keys, REGION, FIRST, LAST)


def test_a_key_is_stored_once() -> None:
    """The first run stores the key with everything CloudTrail said about it; the second only sees
    that it exists.
    """
    store, keys = make_store(), LabTrailKeys(SPEC)
    (key,) = keys.keys
    assert archive(store, keys) == 1
    before = store.snapshot()
    counting = CountingStore(store)
    assert archive(counting, keys) == 0
    assert counting.requests == {"PutObject": 1, "GetObject": 1}
    assert store.snapshot() == before
    name = f"keys/cloudtrail/{REGION}/{key.fingerprint}.json"
    fields = json.loads(store.get_object("dest", name).data)
    assert base64.b64decode(fields["public_key_der"]) == key.der
    assert (fields["region"], fields["fingerprint"]) == (REGION, key.fingerprint)
    assert fields["valid_from"] == "2026-02-12T00:00:00Z"
    assert read_archived_key(store, TARGET, REGION, key.fingerprint) == key


def test_keys_are_stored_under_the_targets_root() -> None:
    """In a log bucket the keys are where its packs are."""
    store = make_store()
    assert archive(store, LabTrailKeys(SPEC), Target("dest", "aggregated/")) == 1
    assert [found.key.rpartition("/")[0] for found in list_all(store, "dest", "")] == [
        "aggregated/keys/cloudtrail/eu-west-1"
    ]


def test_a_key_stored_by_another_run_is_accepted() -> None:
    """Two simultaneous runs write the same key: it is stored once, and neither fails."""
    store, keys = make_store(), LabTrailKeys(SPEC)
    unseen = FaultyStore(
        store, fail_on(lambda call: call.operation == "PutObject", PreconditionFailed("there"))
    )
    with pytest.raises(VerificationError):
        archive(unseen, keys)  # said to be there, and is not
    assert (archive(store, keys), archive(store, keys)) == (1, 0)


def test_a_different_key_of_the_same_name_is_never_overwritten() -> None:
    """A stored key that differs from CloudTrail's is never mistaken for it, and never
    overwritten.
    """
    store, keys = make_store(), LabTrailKeys(SPEC)
    other = LabTrailKeys(replace(SPEC, seed=4))
    other.keys = [replace(other.keys[0], fingerprint=keys.keys[0].fingerprint)]
    archive(store, other)
    with pytest.raises(VerificationError, match="differs from CloudTrail's key"):
        archive(store, keys)
    found = read_archived_key(store, TARGET, REGION, keys.keys[0].fingerprint)
    assert found is not None
    assert found.der == other.keys[0].der


@pytest.mark.parametrize("change", [{"fingerprint": "../../packs/x"}, {"der": b"\x30\x00"}])
def test_invalid_answers_are_not_stored(change: dict[str, object]) -> None:
    """Anything that is not a fingerprint or a key is not stored under any name."""
    store, keys = make_store(), LabTrailKeys(SPEC)
    keys.keys = [replace(keys.keys[0], **change)]  # type: ignore[arg-type]
    with pytest.raises(StoreError):
        archive(store, keys)
    assert list(list_all(store, "dest", "")) == []


@pytest.mark.parametrize(
    "change",
    [
        b"",
        b"[]",
        b"{}",
        b"null",
        "fingerprint",
        "region",
        "version",
        "public_key_der",
        "valid_from",
    ],
)
def test_invalid_key_files_are_errors(change: bytes | str) -> None:
    """A file that does not match its name is an error, not a missing key."""
    store, keys = make_store(), LabTrailKeys(SPEC)
    archive(store, keys)
    (found,) = list_all(store, "dest", "keys/")
    fields = json.loads(store.get_object("dest", found.key).data)
    store.put(
        "dest",
        found.key,
        change if isinstance(change, bytes) else json.dumps(fields | {change: "?"}).encode(),
    )
    with pytest.raises(BadPack):
        read_archived_key(store, TARGET, REGION, keys.keys[0].fingerprint)


def test_fingerprints_cannot_be_used_as_paths() -> None:
    """A digest's fingerprint is never used as a path."""
    store = make_store()
    store.put("dest", "keys/cloudtrail/x.json", b"{}")
    assert read_archived_key(store, TARGET, REGION, "../x") is None
    assert read_archived_key(store, TARGET, "../eu", "x") is None


def test_cloudtrail_is_asked_once_per_region() -> None:
    """CloudTrail is asked once per Region, however many digests there are, even when it refuses.
    Then the archive is read; a key missing there too is unknown.
    """
    store, denying, keys = make_store(), Denying(), LabTrailKeys(SPEC)
    archive_keys(store, TARGET, LabTrailKeys(SPEC), REGION, FIRST, LAST)
    ring = KeyRing(store, [TARGET], denying, FIRST, LAST)
    for fingerprint in ("a", "b", "a"):
        with pytest.raises(StoreError, match=r"no public key \w: ListPublicKeys"):
            ring.find(REGION, fingerprint)
    assert ring.find(REGION, keys.keys[0].fingerprint) == keys.keys[0]
    assert denying.asked == 1
    assert set(ring.failures) == {REGION}
    ring = KeyRing(store, [TARGET], keys, FIRST, LAST)
    for _ in range(3):
        assert ring.find(REGION, keys.keys[0].fingerprint) == keys.keys[0]
    assert keys.asked == [(REGION, FIRST, LAST + timedelta(hours=2))]


def archive_after(
    site: Trails, connect: Callable[[], TrailKeys | None], **settings: Any
) -> list[str]:
    rules = make_rules(
        site.world.rules.selection.window,
        control_tower_bucket=BUCKET,
        **({"destination_bucket": "dest"} | settings),
    )
    result = site.world.run(rules=rules)
    archive_run_keys(site.world.job(rules=rules), connect, result)
    assert result.groups
    return [f"{failure.where}: {failure.error}" for failure in result.failures]


def stored_keys(site: Trails, bucket: str = "dest", root: str = "") -> list[str]:
    return [found.key for found in list_all(site.store, bucket, f"{root}keys/")]


def test_a_run_archives_the_keys_of_its_digests() -> None:
    """The keys of every Region whose digests were listed, valid at any time from the first day
    until now, when the latest backfill digest may have been signed.
    """
    site, keys = trails(), LabTrailKeys(SPEC)
    assert archive_after(site, lambda: keys) == []
    assert stored_keys(site) == [
        f"keys/cloudtrail/{region}/{keys.keys[0].fingerprint}.json"
        for region in sorted(SPEC.regions)
    ]
    assert {(first.date(), last.date()) for _, first, last in keys.asked} == {
        (SPEC.first_day - timedelta(days=1), SPEC.first_day + timedelta(days=9))
    }


def test_keys_are_stored_beside_packs_in_place() -> None:
    """Where packs lie in the log bucket, so do the keys; a later run does not take them for
    logs.
    """
    site, keys = trails(), LabTrailKeys(SPEC)
    assert (
        archive_after(
            site, lambda: keys, destination_bucket="", final_aggregation_prefix="aggregated"
        )
        == []
    )
    assert len(stored_keys(site, BUCKET, "aggregated/")) == len(SPEC.regions)
    again = site.world.run(
        rules=make_rules(
            site.world.rules.selection.window,
            control_tower_bucket=BUCKET,
            final_aggregation_prefix="aggregated",
        )
    )
    assert not again.selection.samples


def test_missing_keys_are_a_failure_and_stop_nothing() -> None:
    """Everything is still packed and deleted; the report names the Regions whose keys are
    missing.
    """
    site = trails()
    assert archive_after(site, Denying) == [
        f"public keys of CloudTrail in {region}: AccessDenied" for region in sorted(SPEC.regions)
    ]
    assert not [found for found in list_all(site.store, BUCKET, "") if "/CloudTrail/" in found.key]

    def refuse() -> TrailKeys | None:
        raise CannotStart("no credentials")

    assert archive_after(trails(), refuse) == ["public keys of CloudTrail: CannotStart"]
    assert archive_after(trails(), lambda: None) == []


def test_digests_without_a_key_are_a_failure() -> None:
    """Where there are digests there was a key; a run reports that CloudTrail no longer has one."""
    site, keys = trails(), LabTrailKeys(SPEC)
    keys.keys = []
    assert archive_after(site, lambda: keys) == [
        f"public keys of CloudTrail in {region}: StoreError" for region in sorted(SPEC.regions)
    ]


def test_without_digests_cloudtrail_is_not_asked() -> None:
    """A run without digests does not even connect."""
    world = make_world()
    world.put("logs", trail_key(1), b"{}")
    result = world.run()
    assert result.groups
    archive_run_keys(world.job(), lambda: pytest.fail("connected"), result)

"""A run by S3 Inventory does the same as a run by listing, and is careful about what an inventory
cannot know.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from tests.support.inventories import (
    DESTINATION,
    MADE,
    make_listing,
    run_by_inventory,
    take_inventory,
    with_window,
)
from tests.support.scenarios import SCENARIOS, Scenario
from tests.support.world import (
    DAY,
    World,
    access_key,
    document,
    find_losses,
    flow_key,
    left_in_place,
    make_rules,
    make_world,
    pack_gzip,
    trail_key,
)

from log_aggregator.adapters.counting import CountingStore
from log_aggregator.core.inventory.manifest import Format
from log_aggregator.core.layouts.declared import NEEDS_LISTING
from log_aggregator.core.windows import DateWindow
from log_aggregator.errors import BadInventory, CannotStart, LimitExceeded, SettingsError
from log_aggregator.model import Target
from log_aggregator.ports.store import Deletion
from log_aggregator.steps import inventory as inventory_module
from log_aggregator.steps.inventory import find_inventory, narrow_job
from log_aggregator.steps.packing.listing import Progress
from log_aggregator.steps.packing.plan import plan_run
from log_aggregator.steps.packing.prefixes import is_main_log
from log_aggregator.steps.packing.selection import Left
from log_aggregator.steps.packs.pages import list_all
from log_aggregator_lab.stores.memory import MemoryStore


def written(world: World) -> dict[tuple[str, str], bytes]:
    """All packs and indexes, with their bytes."""
    return {
        (target.bucket, found.key): world.store.get_object(target.bucket, found.key).data
        for target in world.targets
        for folder in ("packs/", "indexes/")
        for found in list_all(world.store, target.bucket, target.root + folder)
    }


@pytest.mark.parametrize("file_format", list(Format))
@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_a_run_by_inventory_packs_the_same_as_by_listing(
    scenario: Scenario, file_format: Format
) -> None:
    """The packs are the same, byte for byte, and the same originals are deleted."""
    listed, world = scenario.build(), scenario.build()
    expected = listed.run()
    locations = [
        take_inventory(world.store, name, format=file_format)
        for name in world.job().list_source_buckets()
    ]
    result = run_by_inventory(world, *locations)
    assert [failure.where for failure in result.failures] == [
        failure.where for failure in expected.failures
    ]
    assert written(world) == written(listed)
    assert [source.key for source in left_in_place(world)] == [
        source.key for source in left_in_place(listed)
    ]
    assert find_losses(world) == []
    assert (result.selection.listed, result.selection.listed_bytes) == (
        expected.selection.listed,
        expected.selection.listed_bytes,
    )


def test_keys_dated_by_the_listing_are_left_and_counted() -> None:
    """Declared keys are packed by an inventory too, except those dated by LastModified, and
    undeclared ones.
    """
    dated, written_then = "nginx/web-1/access.log-20250403", "sessions/a.log"
    world = make_world(
        layouts=[
            {"name": "nginx", "pattern": "nginx/{host}/access.log-{YYYYMMDD}"},
            {"name": "sessions", "pattern": "sessions/{id}.log", "date": "last-modified"},
        ]
    )
    day = datetime(2025, 4, 3, 12, tzinfo=UTC)
    for key in (dated, written_then, "free/20250403.log", "x/manifest.json"):
        world.put("logs", key, b"line\n", last_modified=day)
    result = run_by_inventory(world, take_inventory(world.store, "logs"))
    assert result.failures == []
    assert sorted(source.key for source in left_in_place(world)) == [
        "free/20250403.log",
        written_then,
        "x/manifest.json",
    ]
    assert result.selection.left == {Left.UNKNOWN: 2, Left.NO_LOG: 1}
    assert result.selection.listed == 1
    assert NEEDS_LISTING in str(result.selection.samples)
    assert world.run().failures == []
    assert written_then not in {source.key for source in left_in_place(world)}


def test_only_control_towers_places_in_a_main_bucket_are_packed() -> None:
    """Services that Control Tower does not write, other organisations and other places stay, and
    are reported.
    """
    keys = [
        trail_key(1),
        trail_key(2, service="Config"),
        trail_key(3).replace("CloudTrail", "vpcflowlogs"),
        "2025/04/03/other.gz",
    ]
    keys += [
        f"o-other0001/AWSLogs/o-other0001/111111111111/CloudTrail/eu-west-1/2025/04/03/{name}.json.gz"
        for name in ("a", "b")
    ]
    keys += [
        f"deep/er/{trail_key(4)}",
        trail_key(5).replace("111111111111/CloudTrail/", "people/CloudTrail/"),
    ]

    def build() -> World:
        store = MemoryStore()
        store.create_bucket("trail", versioning="Enabled")
        store.create_bucket("dest", versioning="Enabled")
        rules = make_rules(
            control_tower_bucket="trail", destination_bucket="dest", organization_id="o-abcd1234"
        )
        world = World(store, make_world().clock, rules, (Target("dest"),))
        for number, key in enumerate(keys):
            world.put("trail", key, document(number))
        return world

    listed, world = build(), build()
    listed.run()
    result = run_by_inventory(world, take_inventory(world.store, "trail"))
    assert result.failures == []
    assert set(written(world)) == set(written(listed))
    assert sorted(source.key for source in left_in_place(world)) == sorted(keys[2:])
    assert result.selection.left[Left.UNKNOWN] == len(keys) - 2
    assert all(
        key in result.selection.samples for key in (f"s3://trail/{each}" for each in keys[2:])
    )


@pytest.mark.parametrize(
    ("key", "organization_id", "is_main"),
    [
        (trail_key(1), None, True),
        (trail_key(1), "o-abcd1234", True),
        (trail_key(1), "o-other0001", False),
        (trail_key(1).removeprefix("o-abcd1234/"), "o-other0001", True),
        (trail_key(1).replace("AWSLogs/o-abcd1234/", "AWSLogs/"), None, True),
        ("any/" + trail_key(1), None, False),
        (f"AWSLogs/{trail_key(1).removeprefix('o-abcd1234/')}", None, False),
        (trail_key(1).replace("/CloudTrail/", "/elasticloadbalancing/"), None, False),
    ],
)
def test_main_logs_are_recognised_in_both_layouts(
    key: str, organization_id: str | None, *, is_main: bool
) -> None:
    """Accounts and services are found as by a listing, in both layouts of an organisation."""
    assert is_main_log(key, organization_id) is is_main


def fill(world: World, count: int = 20) -> None:
    for number in range(count):
        world.put("logs", trail_key(number), document(number))


@pytest.mark.parametrize("versioning", ["Enabled", None])
def test_objects_deleted_since_are_left_out(versioning: str | None) -> None:
    """Log objects that expired after the inventory was made are not reported as lost; the others
    are packed.
    """
    world = make_world(versioning=versioning)
    fill(world)
    location = take_inventory(world.store)
    for number in (3, 11):
        gone = next(found for found in world.originals if found.source.key == trail_key(number))
        world.store.delete_objects(
            "logs", [Deletion(gone.source.key, gone.source.version_id, gone.source.etag)]
        )
        world.originals.remove(gone)
    result = run_by_inventory(world, location)
    assert result.failures == []
    assert sum(group.changed for group in result.groups) == 2
    assert (
        sum(group.packed for group in result.groups)
        == sum(group.deleted for group in result.groups)
        == 18
    )
    assert find_losses(world) == []


def test_objects_overwritten_since_are_left_for_the_next_run() -> None:
    """An overwritten key is left in a bucket without versions; with versions, only the listed
    version goes.
    """
    for versioning in (None, "Enabled"):
        world = make_world(versioning=versioning)
        fill(world, 5)
        location = take_inventory(world.store)
        if versioning is None:
            world.originals = [each for each in world.originals if each.source.key != trail_key(2)]
        newer = world.put("logs", trail_key(2), document(1000))
        late = world.put("logs", trail_key(77), document(77))
        assert run_by_inventory(world, location).failures == []
        assert {source.version_id or source.etag for source in left_in_place(world)} == {
            found.version_id or found.etag for found in (newer, late)
        }
        assert find_losses(world) == []
        assert world.run().failures == []
        assert left_in_place(world) == []
        assert find_losses(world) == []


@pytest.mark.parametrize("versioning", ["Enabled", "Suspended", None])
def test_objects_packed_since_are_not_deleted_again(versioning: str | None) -> None:
    """After the nightly run, nothing is packed, verified, deleted or counted; one listing per
    Region shows that.
    """
    world = make_world(versioning=versioning)
    fill(world)
    location = take_inventory(world.store)
    assert world.run().failures == []
    before = world.store.snapshot()
    store = CountingStore(world.store)
    result = run_by_inventory(world, location, store=store)
    assert result.failures == []
    (group,) = result.groups
    assert (group.listed, group.packed, group.deleted, group.settled) == (20, 0, 0, {})
    assert world.store.snapshot() == before
    assert "DeleteObjects" not in store.requests
    assert store.requests["HeadObject"] <= 4  # of the files of the inventory
    assert (
        sum(count for name, count in store.requests.items() if name.startswith("ListObject")) < 10
    )


def test_a_killed_run_is_finished_by_the_same_inventory() -> None:
    """Packed objects that still exist are deleted; those already gone are not counted again."""
    world = make_world(keep_originals_days=30)
    fill(world)
    location = take_inventory(world.store)
    run_by_inventory(world, location)
    some = [each.source for each in world.originals[:7]]
    world.store.delete_objects("logs", [Deletion(each.key, each.version_id) for each in some])
    result = run_by_inventory(
        world, location, rules=make_rules(other_buckets="logs", destination_bucket="dest")
    )
    assert result.failures == []
    (group,) = result.groups
    assert (group.packed, group.deleted) == (0, 13)
    assert left_in_place(world) == []
    assert find_losses(world) == []


def test_a_deleted_key_is_left_alone() -> None:
    """The newest row of such a key is a delete marker."""
    world = make_world()
    fill(world, 4)
    world.store.delete("logs", trail_key(1))
    location = take_inventory(world.store)
    result = run_by_inventory(world, location)
    assert result.selection.left[Left.DELETED] == 1
    assert [source.key for source in left_in_place(world)] == [trail_key(1)]


def test_other_regions_are_never_deleted_by_an_inventory() -> None:
    """A run by listing deletes them as the settings say; an inventory may be outdated."""
    world = make_world(
        control_tower_bucket="logs",
        other_buckets=[],
        aggregation_regions=["eu-west-1"],
        other_regions="delete",
    )
    world.put("logs", trail_key(1), document(1))
    world.put("logs", trail_key(2, region="us-east-1"), document(2))
    result = run_by_inventory(world, take_inventory(world.store))
    assert result.failures == []
    assert result.selection.left[Left.OTHER_REGION] == 1
    assert [source.key for source in left_in_place(world)] == [trail_key(2, region="us-east-1")]


@pytest.mark.parametrize("entries_max", [1, 10, 25, 1000])
def test_excess_objects_wait_for_another_reading(
    entries_max: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond what can be held, the earliest days come first, then the inventory is read again,
    until each log object is done once.
    """
    monkeypatch.setattr(inventory_module, "ENTRIES_MAX", entries_max)
    world = make_world()
    for number in range(60):
        world.put("logs", trail_key(number, day=DAY - timedelta(days=number % 6)), document(number))
    location = take_inventory(world.store)
    days = DateWindow(DAY - timedelta(days=9), DAY)
    store = CountingStore(world.store)
    result = run_by_inventory(world, location, store=store, rules=with_window(world.rules, days))
    assert result.failures == []
    assert result.selection.listed == 60
    assert Counter(group.group.date for group in result.groups) == dict.fromkeys(
        (DAY - timedelta(days=age) for age in range(6)), 1
    )
    assert left_in_place(world) == []
    assert find_losses(world) == []


def test_the_limit_applies_to_an_inventory() -> None:
    """The limit holds for an inventory as well."""
    world = make_world(objects_max=10)
    fill(world)
    with pytest.raises(LimitExceeded):
        run_by_inventory(world, take_inventory(world.store))
    assert len(left_in_place(world)) == 20


def test_the_run_writes_what_the_plan_showed() -> None:
    """Planning writes nothing."""
    world = make_world()
    fill(world)
    location = take_inventory(world.store)
    before = world.store.snapshot()
    job, listing = make_listing(world.job(), [location])
    plan = plan_run(job, Progress(), listing)
    assert world.store.snapshot() == before
    result = run_by_inventory(world, location)
    assert [pack.key for group in plan.groups for pack in group.packs] == [
        pack.key for group in result.groups for pack in group.packs
    ]


# ---- Finding an inventory, and refusing one


def test_the_newest_complete_inventory_is_used() -> None:
    """It is searched for in a configuration's folder, ignoring the one that S3 is still writing,
    and other objects.
    """
    world = make_world()
    fill(world, 3)
    for days in (3, 2, 1):
        take_inventory(world.store, made=MADE - timedelta(days=days))
    newest = take_inventory(world.store, made=MADE)
    world.store.delete(
        DESTINATION,
        newest.removeprefix(f"s3://{DESTINATION}/").replace("manifest.json", "manifest.checksum"),
    )
    folder = f"s3://{DESTINATION}/inventories/logs/daily"
    for location in (folder, f"{folder}/"):
        assert find_inventory(world.store, location).manifest.created == MADE - timedelta(days=1)
    dated = f"{folder}/2025-04-03T00-30Z"
    assert find_inventory(world.store, dated).manifest.created == MADE - timedelta(days=2)
    with pytest.raises(CannotStart):
        find_inventory(world.store, newest)


def rewrite(world: World, location: str, change: Callable[[dict[str, Any]], None]) -> None:
    """Replace an inventory's manifest, with its checksum."""
    key = location.removeprefix(f"s3://{DESTINATION}/")
    value = json.loads(world.store.get_object(DESTINATION, key).data)
    change(value)
    data = json.dumps(value).encode()
    world.store.put(DESTINATION, key, data)
    world.store.put(
        DESTINATION,
        key.replace(".json", ".checksum"),
        hashlib.md5(data, usedforsecurity=False).hexdigest().encode(),
    )


def test_a_changed_manifest_is_refused() -> None:
    """A changed manifest does not match its checksum."""
    world = make_world()
    fill(world, 3)
    location = take_inventory(world.store)
    key = location.removeprefix(f"s3://{DESTINATION}/")
    world.store.put(DESTINATION, key, world.store.get_object(DESTINATION, key).data + b" ")
    with pytest.raises(BadInventory, match=r"manifest\.checksum"):
        find_inventory(world.store, location)


@pytest.mark.parametrize("file_format", list(Format))
@pytest.mark.parametrize("damage", ["gone", "cut", "flipped", "more", "other"])
def test_a_damaged_file_stops_the_run_before_it_begins(file_format: Format, damage: str) -> None:
    """One damaged file of several: nothing is touched, and the error names it."""
    world = make_world()
    fill(world)
    location = take_inventory(world.store, format=file_format)
    key = find_inventory(world.store, location).manifest.files[-1].key
    data = world.store.get_object(DESTINATION, key).data
    if damage == "gone":
        world.store.delete(DESTINATION, key)
    else:
        damaged = {
            "cut": data[:-5],
            "flipped": data[:100] + bytes([data[100] ^ 1]) + data[101:],
            "more": data + b"\x00",
            "other": world.store.get_object(
                DESTINATION, find_inventory(world.store, location).manifest.files[0].key
            ).data,
        }
        world.store.put(DESTINATION, key, damaged[damage])
    before = world.store.snapshot()
    with pytest.raises(CannotStart, match=key):
        run_by_inventory(world, location)
    assert world.store.snapshot() == before


def test_files_encrypted_with_kms_are_checked() -> None:
    """Their ETag is not an MD5. The manifest's checksum may be the MD5 of the bytes or possibly the
    ETag.
    """
    for quotes_etag in (False, True):
        world = make_world()
        fill(world)
        world.store.create_bucket(DESTINATION, has_kms=True)
        location = take_inventory(world.store)

        def quote(value: dict[str, Any], world: World = world) -> None:
            for file in value["files"]:
                file["MD5checksum"] = world.store.head_object(DESTINATION, file["key"]).etag

        if quotes_etag:
            rewrite(world, location, quote)
        assert run_by_inventory(world, location).failures == []
        assert left_in_place(world) == []


def test_an_inventory_of_current_versions_is_refused_for_versioned_buckets() -> None:
    """Older versions would be left, and nothing would identify them."""
    world = make_world(versioning="Enabled")
    fill(world, 3)
    location = take_inventory(world.store, has_versions=False)
    with pytest.raises(BadInventory, match="all versions"):
        run_by_inventory(world, location)
    plain = make_world(versioning=None)
    fill(plain, 3)
    assert run_by_inventory(plain, take_inventory(plain.store, has_versions=False)).failures == []
    assert left_in_place(plain) == []


def test_an_inventory_must_match_the_settings() -> None:
    """An inventory of an unnamed bucket is refused; so is a second one of the same bucket, and one
    older than the days.
    """
    world = make_world(other_buckets=["logs", "more"])
    world.store.create_bucket("more")
    world.store.create_bucket("strange")
    fill(world, 3)
    mine, strange = take_inventory(world.store), take_inventory(world.store, "strange")
    found = {location: find_inventory(world.store, location) for location in (mine, strange)}
    assert narrow_job(world.job(), [found[mine]]).rules.other_buckets == ("logs",)
    with pytest.raises(SettingsError, match="'strange'"):
        narrow_job(world.job(), [found[strange]])
    with pytest.raises(SettingsError, match="another inventory"):
        narrow_job(world.job(), [found[mine], found[mine]])
    later = with_window(world.rules, DateWindow(date(2025, 4, 6), date(2025, 4, 6)))
    with pytest.raises(SettingsError, match="made on 2025-04-05"):
        narrow_job(world.job(rules=later), [found[mine]])


@pytest.mark.parametrize(
    "location",
    [
        "",
        "inventories/logs",
        "s3://",
        "s3://inventories",
        "s3://Bad_Bucket/x",
        "https://example.com/x",
    ],
)
def test_an_invalid_location_is_refused(location: str) -> None:
    """The message says what is expected."""
    with pytest.raises(SettingsError, match=r"inventory .*: expected s3:"):
        find_inventory(MemoryStore(), location)


def test_access_logs_and_flow_logs_are_found_again() -> None:
    """What is left of packed logs is found again, for layouts with and without a stem."""
    world = make_world(versioning=None, keep_originals_days=30)
    for number in range(10):
        world.put("logs", access_key(number), f"line {number}\n".encode())
        world.put("logs", flow_key(f"{number}.log.gz"), pack_gzip(b"flow\n"))
    location = take_inventory(world.store)
    run_by_inventory(world, location)
    assert len(left_in_place(world)) == 20
    rules = make_rules(other_buckets="logs", destination_bucket="dest")
    result = run_by_inventory(world, location, rules=rules)
    assert sum(group.deleted for group in result.groups) == 20
    assert (
        sum(group.deleted for group in run_by_inventory(world, location, rules=rules).groups) == 0
    )
    assert find_losses(world) == []

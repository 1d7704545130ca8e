"""Finding members from the indexes alone, and reporting missing or damaged indexes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import pytest
from tests.support.world import (
    ACCOUNT,
    DAY,
    World,
    document,
    fail_on,
    flow_key,
    make_world,
    nothing,
    pack_gzip,
    trail_key,
)

from log_aggregator.adapters.forwarding import Call
from log_aggregator.core.layouts.declarations import read_declarations
from log_aggregator.core.packformat.index import decode_index
from log_aggregator.core.planning import PackLimits
from log_aggregator.core.query import Query
from log_aggregator.core.windows import DateWindow
from log_aggregator.errors import (
    AccessDenied,
    BadPack,
    IncompleteSearch,
    NotFound,
    ObjectFrozen,
    StoreError,
    Unreachable,
)
from log_aggregator.model import Target
from log_aggregator.ports.store import Deletion
from log_aggregator.steps.retrieval.find import FoundPack, find
from log_aggregator.steps.workers import SerialWorkers
from log_aggregator_lab.stores.faults import Decide, Fault, FaultyStore

DEST = Target("dest")
DAYS = [DAY + timedelta(days=days) for days in (-1, 0, 1)]


def packed(**more: object) -> World:
    """Three days of one account, of two log types: six packs of two members each."""
    world = make_world(**more)  # type: ignore[arg-type]
    for day in DAYS:
        for number in range(2):
            world.put("logs", trail_key(number, day=day), document(number))
            world.put("logs", flow_key(f"{number}.log.gz", day=day), pack_gzip(b"x\n"))
    assert world.run().failures == []
    return world


def index_keys(world: World) -> list[str]:
    return [found.key for found in world.store.list_objects("dest", prefix="indexes/").objects]


def search(
    world: World, query: Query | None = None, decide: Decide = nothing
) -> tuple[list[FoundPack], str]:
    """The packs found, and the text of IncompleteSearch, or an empty one."""
    found: list[FoundPack] = []
    try:
        found.extend(
            find(FaultyStore(world.store, decide), SerialWorkers(), world.targets, query or Query())
        )
    except IncompleteSearch as error:
        return found, str(error)
    return found, ""


def drop(world: World, key: str) -> None:
    found = world.store.list_object_versions("dest", prefix=key).objects
    world.store.delete_objects(
        "dest", [Deletion(each.key, version_id=each.version_id) for each in found]
    )


def overwrite(world: World, key: str, change: Callable[[bytes], bytes]) -> None:
    world.store.put("dest", key, change(world.store.get_object("dest", key).data))


def test_frozen_packs_are_found_from_their_indexes() -> None:
    """With every pack in Deep Archive all members are found; only indexes are read, and nothing is
    restored.
    """
    world = packed(storage_class="DEEP_ARCHIVE")
    store = FaultyStore(world.store, nothing)
    found = list(find(store, SerialWorkers(), world.targets, Query()))
    assert sum(len(pack.members) for pack in found) == 12
    assert {pack.storage_class for pack in found} == {"DEEP_ARCHIVE"}
    assert {call.operation for call in store.calls} == {"GetObject", "ListObjectsV2"}
    assert all(
        call.key.startswith("indexes/") for call in store.calls if call.operation == "GetObject"
    )
    with pytest.raises(ObjectFrozen):
        world.store.get_object("dest", found[0].pack_key)


def test_results_match_the_index() -> None:
    """Members are whole and in the index's order; the pack's size and class are those of the
    listing.
    """
    world = packed()
    for pack in find(world.store, SerialWorkers(), world.targets, Query()):
        index = decode_index(world.store.get_object("dest", DEST.index_key(pack.pack_key)).data)
        stored = world.store.head_object("dest", pack.pack_key)
        assert (pack.group, pack.format, pack.members) == (index.group, index.format, index.members)
        assert (pack.pack_bytes, pack.storage_class) == (stored.size_bytes, stored.storage_class)


def test_several_targets_are_searched() -> None:
    """If each source bucket keeps its own packs, all of them are searched."""
    world = make_world(destination_bucket="", other_buckets="logs,more")
    world.store.create_bucket("more", versioning="Enabled")
    for bucket in ("logs", "more"):
        world.put(bucket, trail_key(1), document(1))
    assert world.run().failures == []
    targets = [Target("logs", "aggregated/"), Target("more", "aggregated/")]
    found = list(find(world.store, SerialWorkers(), targets, Query(accounts=frozenset({ACCOUNT}))))
    assert [(pack.target, pack.group.bucket) for pack in found] == [
        (target, target.bucket) for target in targets
    ]


def test_a_key_in_two_packs_is_found_in_both() -> None:
    """A version that arrived late lies in a separate pack; neither hides the other."""
    world = packed()
    world.put("logs", trail_key(1), document(99))
    assert world.run().failures == []
    found = list(find(world.store, SerialWorkers(), world.targets, Query(keys=(trail_key(1),))))
    assert len(found) == 2
    assert len({member.identity for pack in found for member in pack.members}) == 2


def test_large_copied_objects_are_found() -> None:
    """A copy is a pack with one member."""
    world = make_world(limits=PackLimits(copy_alone_bytes_min=100))
    world.put("logs", flow_key("large.log.gz"), bytes(range(200)))
    assert world.run().failures == []
    found, _ = search(world, Query(keys=("*large*",)))
    assert [member.key for pack in found for member in pack.members] == [flow_key("large.log.gz")]


APP = {"name": "app", "pattern": "app/{host}/{YYYY/MM/DD}.log"}
BY_LAST_MODIFIED = {"name": "app", "pattern": "app/{host}/{*}/{*}/{*}.log", "date": "last-modified"}


def app_key(day: date, host: str = "web-1") -> str:
    return f"app/{host}/{day:%Y/%m/%d}.log"


def packed_by(declared: dict[str, str]) -> World:
    """Three days of a free key, written 40 days later, and of keys with certain dates."""
    world = packed(layouts=[declared])
    for day in DAYS:
        after = datetime.combine(day + timedelta(days=40), time(), UTC)
        world.put("logs", app_key(day), b"x\n", last_modified=after)
    window = DateWindow(DAYS[0], DAYS[0] + timedelta(days=60))
    wanted = replace(world.rules.selection, window=window)
    assert world.run(rules=replace(world.rules, selection=wanted)).failures == []
    assert not world.store.list_objects("logs").objects
    return world


def keys_of(found: list[FoundPack]) -> list[str]:
    return [member.key for pack in found for member in pack.members]


def indexes_read(world: World, query: Query) -> int:
    store = FaultyStore(world.store, nothing)
    list(find(store, SerialWorkers(), world.targets, query))
    return sum(call.operation == "GetObject" for call in store.calls)


@pytest.mark.parametrize("declared", [[], [APP]])
def test_a_free_key_is_found_on_its_date(declared: list[dict[str, str]]) -> None:
    """Whether or not the settings still declare its layout, few indexes are read: those of the day,
    or of three days.
    """
    world = packed_by(APP)
    query = Query(keys=(app_key(DAY),), layouts=read_declarations(declared))
    assert keys_of(search(world, query)[0]) == [app_key(DAY)]
    assert indexes_read(world, query) == (3 if declared else 9)


@pytest.mark.parametrize("declared", [[], [APP], [BY_LAST_MODIFIED]])
def test_a_free_key_is_found_on_another_date(declared: list[dict[str, str]]) -> None:
    """Its pack was made by a layout other than the one declared now or suggested by the key: it is
    found once, and so are the others.
    """
    world = packed_by(BY_LAST_MODIFIED)
    keys = (
        app_key(DAY),
        f"s3://logs/{app_key(DAY)}",
        trail_key(1),
        f"s3://logs/{app_key(DAYS[2])}",
        "app/none/2025/04/03.log",
    )
    query = Query(keys=keys, layouts=read_declarations(declared))
    found, message = search(world, query)
    assert message == ""
    assert sorted(keys_of(found)) == sorted([app_key(DAY), trail_key(1), app_key(DAYS[2])])


@pytest.mark.parametrize("declared", [APP, BY_LAST_MODIFIED])
@pytest.mark.parametrize(
    ("glob", "days"),
    [
        ("app/web-1/2025/04/03*", DAYS[1:2]),
        ("app/web-1/2025/04/0*", DAYS),
        ("app/*", DAYS),
        ("s3://logs/app/*/2025/*", DAYS),
    ],
)
def test_a_glob_finds_all_free_keys(declared: dict[str, str], glob: str, days: list[date]) -> None:
    """The way they were dated does not matter."""
    found, _ = search(packed_by(declared), Query(keys=(glob,)))
    assert keys_of(found) == [app_key(day) for day in days]


def test_a_damaged_index_is_named_once() -> None:
    """It is named once even if read twice: for the days of the key, and for keys not found
    there.
    """
    world = packed_by(APP)
    victim = next(key for key in index_keys(world) if "/app/" in key)
    overwrite(world, victim, lambda _: b"")
    found, message = search(world, Query(keys=("app/none/2025/04/03.log",)))
    assert found == []
    assert message.count(victim) == 1


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "cut short": lambda data: data[:-1],
    "half": lambda data: data[: len(data) // 2],
    "flipped bit": lambda data: (
        data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1 :]
    ),
    "no gzip": lambda data: b"not an index",
    "another document": lambda data: pack_gzip(b'{"Records": []}\n'),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_index_hides_nothing_else(damage: str) -> None:
    """All other members are found; then the index is named."""
    world = packed()
    victim = index_keys(world)[2]
    overwrite(world, victim, DAMAGES[damage])
    found, message = search(world)
    assert sum(len(pack.members) for pack in found) == 10
    assert f"s3://dest/{victim}" in message


def test_a_flipped_bit_in_an_index_changes_no_result() -> None:
    """Wherever the bit is, the index is named, or its members are found unchanged."""
    world = packed()
    victim = index_keys(world)[0]
    whole = world.store.get_object("dest", victim).data
    query = Query(
        log_types=frozenset({"CloudTrail"}),
        first=Query.of_days(DAYS[0], DAYS[0]).first,
        last=Query.of_days(DAYS[0], DAYS[0]).last,
    )
    right, _ = search(world, query)
    for place in range(len(whole)):
        flipped = whole[:place] + bytes([whole[place] ^ (1 << place % 8)]) + whole[place + 1 :]

        def decide(_: int, call: Call, flipped: bytes = flipped) -> Fault | None:
            return Fault(alter=lambda _: flipped) if call.operation == "GetObject" else None

        found, message = search(world, query, decide)
        assert (found, message) == (right, "") or (found == [] and victim in message), place


def test_the_index_of_another_pack_is_refused() -> None:
    """It is sound but has the wrong name: it is named, and its members are not taken for the
    pack's.
    """
    world = packed()
    one, other = index_keys(world)[:2]
    overwrite(world, one, lambda _: world.store.get_object("dest", other).data)
    found, message = search(world)
    assert sum(len(pack.members) for pack in found) == 10
    assert f"s3://dest/{one} is the index of another pack" in message


def test_a_pack_without_its_index_is_named() -> None:
    """The pack may hold the wanted key, but is named only if its group can match."""
    world = packed()
    victim = index_keys(world)[0]
    drop(world, victim)
    found, message = search(world)
    assert sum(len(pack.members) for pack in found) == 10
    assert f"s3://dest/{DEST.pack_key(victim)}: the pack has no index" in message
    assert search(world, Query(log_types=frozenset({"vpcflowlogs"})))[1] == ""


def test_a_pack_written_meanwhile_has_not_lost_its_index() -> None:
    """A pack and index that came after indexes were listed and before packs were: the pack is
    found, and nothing is missing.
    """
    world = packed()
    late = index_keys(world)[0]
    data = world.store.get_object("dest", late).data
    drop(world, late)

    def write_late(_: int, call: Call) -> Fault | None:
        if call.operation == "ListObjectsV2" and call.key.startswith("packs/"):
            world.store.put("dest", late, data)
        return None

    found, message = search(world, decide=write_late)
    assert (sum(len(pack.members) for pack in found), message) == (12, "")


def test_an_index_without_its_pack_is_found_and_marked() -> None:
    """The members are those in the index, and the pack is marked as missing."""
    world = packed()
    victim = DEST.pack_key(index_keys(world)[0])
    drop(world, victim)
    found, message = search(world)
    assert message == ""
    assert [pack.pack_key for pack in found if pack.storage_class is None] == [victim]
    assert sum(len(pack.members) for pack in found) == 12


@pytest.mark.parametrize("error", [NotFound("it went away"), ObjectFrozen("it was moved")])
def test_an_index_that_became_unreadable_is_named(error: StoreError) -> None:
    """Gone since the listing, or moved to an archive class by a lifecycle rule: the others are
    still found.
    """
    world = packed()
    victim = index_keys(world)[3]
    found, message = search(world, decide=fail_on(lambda call: call.key == victim, error))
    assert sum(len(pack.members) for pack in found) == 10
    assert str(error) in message


@pytest.mark.parametrize(
    "error", [AccessDenied("no"), Unreachable("nobody there"), StoreError("broken")]
)
def test_an_error_that_affects_every_index_ends_the_search(error: StoreError) -> None:
    """A missing permission or a failed network is reported once, not for each index."""
    world = packed()
    with pytest.raises(type(error)):
        search(world, decide=fail_on(lambda call: call.operation == "GetObject", error))


def test_a_long_list_of_gaps_is_cut() -> None:
    """Sixty damaged indexes: all are counted, fifty named."""
    world = make_world()
    for number in range(60):
        world.put("logs", flow_key("a.log.gz", account=f"{number + 1:012d}"), pack_gzip(b"x\n"))
    assert world.run().failures == []
    for key in index_keys(world):
        world.store.put("dest", key, b"")
    found, message = search(world)
    assert found == []
    assert "60 packs " in message
    assert message.count("s3://dest/indexes/") == 50
    assert "and 10 more" in message


def test_an_incomplete_search_is_not_a_bad_pack() -> None:
    """Code that catches BadPack for one pack does not catch the end of a whole search."""
    assert not issubclass(IncompleteSearch, BadPack)

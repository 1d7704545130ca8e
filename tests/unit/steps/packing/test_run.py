"""A run: what it packs, what it leaves alone, and when it does not begin."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from tests.support.world import (
    WINDOW,
    SteppingClock,
    World,
    access_key,
    count_copies,
    document,
    fail_on,
    find_losses,
    flow_key,
    left_in_place,
    make_rules,
    make_world,
    nothing,
    pack_gzip,
    trail_key,
    writes_of,
)

from log_aggregator.adapters.counting import CountingStore
from log_aggregator.core.costs import REQUEST_DOLLARS
from log_aggregator.core.planning import PackLimits
from log_aggregator.core.windows import DateWindow
from log_aggregator.errors import AccessDenied, CannotStart, LimitExceeded, Unreachable
from log_aggregator.model import LogObject, Stage, Target
from log_aggregator.ports.store import WriteOptions
from log_aggregator.settings import read_settings
from log_aggregator.steps.packing.listing import Progress
from log_aggregator.steps.packing.plan import RunPlan, plan_run
from log_aggregator.steps.packing.results import RunResult
from log_aggregator.steps.packing.run import run
from log_aggregator.steps.packing.selection import Left
from log_aggregator.steps.workers import ThreadWorkers
from log_aggregator.wiring import make_run_rules
from log_aggregator_lab.stores.memory import MemoryStore


def trail_world(count: int = 3, **more: Any) -> World:
    world = make_world(**more)
    for number in range(count):
        world.put("logs", trail_key(number), document(number))
    return world


UNREACHABLE = Unreachable("no answer", code="ReadTimeoutError")


def total(result: RunResult, field: str) -> int:
    return sum(getattr(group, field) for group in result.groups)


def plan(world: World) -> RunPlan:
    return plan_run(world.job(), Progress())


def test_the_run_writes_what_the_plan_showed() -> None:
    """The plan names the packs that the run then writes, and planning writes nothing."""
    world = trail_world()
    world.put("logs", flow_key("a.parquet"), b"PAR1")
    before = world.store.snapshot()
    planned = [pack.key for group in plan(world).groups for pack in group.packs]
    assert world.store.snapshot() == before
    result = world.run()
    assert sorted(pack.key for group in result.groups for pack in group.packs) == sorted(planned)
    assert len(planned) == 2


def test_estimated_requests_match_the_real_ones() -> None:
    """For packs that are one PUT, the run makes as many requests as the dry run counted; and each
    has a price.
    """
    world = trail_world(30)
    estimate = plan(world).totals.requests
    store = CountingStore(world.store)
    world.run(store)
    made = {
        name: count
        for name, count in store.requests.items()
        if not name.startswith(("List", "GetBucket"))
    }
    assert made == dict(estimate)
    assert set(store.requests) <= set(REQUEST_DOLLARS)


def test_each_object_costs_one_get_and_no_head() -> None:
    """A hundred objects cost a hundred GETs, one for the index, and a handful of other requests."""
    world = trail_world(100)
    store = CountingStore(world.store)
    world.run(store)
    assert store.requests["GetObject"] == 101
    assert store.requests["HeadObject"] == 2
    assert sum(store.requests.values()) < 101 + 20


def test_threads_give_the_same_result() -> None:
    """Many threads store the same bytes as one."""
    serial, threaded = trail_world(40), trail_world(40)
    serial.run()
    with ThreadWorkers(readers=8) as workers:
        assert run(threaded.job(workers=workers), Progress()).failures == []
    assert threaded.store.snapshot() == serial.store.snapshot()


HOLDS: list[tuple[dict[str, Any], set[str]]] = [
    ({"buckets": ["logs"]}, {trail_key(1), access_key(1)}),
    ({"accounts": ["111111111111"]}, {trail_key(1)}),
    ({"accounts": ["222222222222"]}, set()),
    ({"prefixes": ["o-abcd1234/"]}, {trail_key(1)}),
    ({"prefixes": ["logs/2025-04-03"]}, {access_key(1)}),
    ({"dates": ["2025-04-01..2025-04-03"]}, {trail_key(1), access_key(1)}),
    ({"dates": ["2025-04-03..2025-04-05"]}, {trail_key(1), access_key(1)}),
    ({"dates": ["2025-04-03"]}, {trail_key(1), access_key(1)}),
    ({"dates": ["2025-04-02"]}, set()),
    ({"dates": ["2025-04-01..2025-04-02", "2025-04-04..2025-04-05"]}, set()),
]


@pytest.mark.parametrize(("holds", "held"), HOLDS)
@pytest.mark.parametrize("packed_before", [False, True])
def test_held_logs_are_neither_packed_nor_deleted(
    holds: dict[str, Any], held: set[str], *, packed_before: bool
) -> None:
    """Held objects are neither packed nor deleted, even if packed before the hold; everything else
    continues.
    """
    world = make_world(keep_originals_days=30)
    for key, data in ((trail_key(1), document(1)), (access_key(1), b"line\n")):
        world.put("logs", key, data)
        world.store.delete("logs", key)
        world.put("logs", key, data + data)
    if packed_before:
        assert world.run().failures == []
    settings: dict[str, Any] = {
        "other_buckets": "logs",
        "destination_bucket": "dest",
        "holds": holds,
    }
    before = {key: world.store.list_object_versions("logs", prefix=key) for key in held}
    result = world.run(rules=make_rules(**settings))
    assert result.failures == []
    assert {source.key for source in left_in_place(world)} == held
    assert {key: world.store.list_object_versions("logs", prefix=key) for key in held} == before
    assert result.selection.left[Left.HELD] == 2 * len(held)
    assert find_losses(world) == []


def test_nothing_is_deleted_without_being_requested() -> None:
    """It must be asked for explicitly, however old a pack is, and whatever else is set, discarding
    included.
    """
    world = trail_world(delete_originals=False, keep_originals_days=0)
    first = world.run()
    assert (total(first, "packed"), total(first, "kept"), total(first, "deleted")) == (3, 3, 0)
    world.clock.advance(days=400)
    again, calls = world.run_faulty(nothing)
    assert (total(again, "kept"), total(again, "deleted"), writes_of(calls)) == (3, 0, [])
    assert len(left_in_place(world)) == 3
    plain = make_run_rules(read_settings(None, {"other_buckets": "logs"}), WINDOW)
    assert plain.group.stage is Stage.PACK


def test_a_run_that_only_deletes_packs_nothing() -> None:
    """Originals in a verified pack are deleted, and later logs are left to the next run."""
    world = trail_world(delete_originals=False)
    world.run()
    late = world.put("logs", trail_key(17), document(17))
    group = replace(world.rules.group, stage=Stage.DELETE, packs_new=False)
    result, calls = world.run_faulty(nothing, rules=replace(world.rules, group=group))
    assert (total(result, "packed"), total(result, "deleted")) == (0, 3)
    assert {call.operation for call in writes_of(calls)} == {"DeleteObjects"}
    assert left_in_place(world) == [late]


def test_originals_are_kept_for_the_configured_days() -> None:
    """With keep_originals_days the first run packs, the next ones verify and write nothing, and a
    later one deletes, without a new pack.
    """
    world = trail_world(keep_originals_days=5)
    first = world.run()
    assert (
        total(first, "packed"),
        total(first, "kept"),
        total(first, "deleted"),
        len(left_in_place(world)),
    ) == (3, 3, 0, 3)
    world.clock.advance(days=2)
    again, calls = world.run_faulty(nothing)
    assert (total(again, "packed"), total(again, "kept"), writes_of(calls)) == (0, 3, [])
    world.clock.advance(days=2.5)
    assert total(world.run(), "deleted") == 0
    world.clock.advance(days=0.5)
    last, calls = world.run_faulty(nothing)
    assert (total(last, "packed"), total(last, "deleted"), left_in_place(world)) == (0, 3, [])
    assert {call.operation for call in writes_of(calls)} == {"DeleteObjects"}
    assert [call.operation for call in calls if call.key.startswith("packs/")].count(
        "HeadObject"
    ) == 2


def test_kept_originals_of_a_damaged_pack_are_never_deleted() -> None:
    """Packs are verified again before a later deletion."""
    world = trail_world(keep_originals_days=3)
    world.run()
    (pack,) = world.store.list_objects("dest", prefix="packs/").objects
    world.store.put("dest", pack.key, b"damaged", with_checksum=True)
    world.clock.advance(days=9)
    assert [failure.error for failure in world.run().failures] == ["VerificationError"]
    assert len(left_in_place(world)) == 3


def test_a_late_log_gets_its_own_pack() -> None:
    """A log that arrives while the others are kept gets its own pack."""
    world = trail_world(keep_originals_days=5)
    world.run()
    world.put("logs", trail_key(9), document(9))
    assert total(world.run(), "packed") == 1
    assert set(count_copies(world).values()) == {1}


def test_each_pack_has_its_own_age() -> None:
    """The originals of an older pack go while those of a younger one are kept, whatever their
    names.
    """
    for number in range(6):
        world = make_world(keep_originals_days=5)
        first = world.put("logs", trail_key(number), document(number))
        world.run()
        world.clock.advance(days=3)
        second = world.put("logs", trail_key(number + 1), document(number + 1))
        assert left_after(world, 0) == [first, second]
        assert left_after(world, 2) == [second]
        assert left_after(world, 2) == [second]
        assert left_after(world, 1) == []


def left_after(world: World, days: int) -> list[LogObject]:
    """What is in place after a run this number of days later."""
    world.clock.advance(days=days)
    assert world.run().failures == []
    return left_in_place(world)


def test_the_oldest_packs_are_settled_first() -> None:
    """Older versions were packed first, so all versions of a key go in one run, whatever their
    packs' names.
    """
    for number in range(6):
        world = make_world(keep_originals_days=5)
        for version in range(3):
            world.put("logs", trail_key(number), document(version))
            world.run()
        world.clock.advance(days=9)
        result = world.run()
        assert (total(result, "deleted"), total(result, "kept")) == (3, 0)


def test_skipped_objects_do_not_count_for_the_limit() -> None:
    """Only objects to pack or discard count, however many are held or frozen."""
    holds = {"prefixes": [trail_key(1)]}
    world = make_world(objects_max=2, holds=holds)
    for number in range(4):
        storage_class = "GLACIER" if number == 0 else "STANDARD"
        world.put("logs", trail_key(number), document(number), storage_class=storage_class)
    result = world.run()
    assert (result.failures, total(result, "deleted")) == ([], 2)


@pytest.mark.parametrize("objects_max", [2, 3])
def test_too_many_objects_stop_the_run(objects_max: int) -> None:
    """Beyond objects_max nothing is touched; at the limit, everything is done."""
    world = trail_world(3, objects_max=objects_max)
    before = world.store.snapshot()
    if objects_max == 3:
        assert world.run().failures == []
    else:
        with pytest.raises(
            LimitExceeded,
            match="3 log objects from 2025-04-02 to 2025-04-04, more than objects_max = 2",
        ):
            world.run()
        assert world.store.snapshot() == before
        with pytest.raises(LimitExceeded):
            plan(world)


def test_too_many_objects_in_later_days_stop_those_days() -> None:
    """What was done for earlier days is reported; the days with too many objects, and later ones,
    are not touched and are a failure.
    """
    world = make_world(objects_max=2)
    world.clock.advance(days=30)
    for day, count in ((1, 2), (9, 3), (17, 1)):
        for number in range(count):
            world.put("logs", trail_key(number, day=date(2025, 4, day)), document(number))
    rules = replace(
        world.rules,
        selection=replace(
            world.rules.selection, window=DateWindow(date(2025, 4, 1), date(2025, 4, 21))
        ),
    )
    result = world.run(rules=rules)
    assert [(failure.error, failure.where) for failure in result.failures] == [
        ("LimitExceeded", "2025-04-08 to 2025-04-21")
    ]
    assert total(result, "deleted") == 2
    assert len(left_in_place(world)) == 4


def in_place_world(versioning: str | None = "Enabled") -> World:
    clock = SteppingClock()
    store = MemoryStore(clock=clock)
    store.create_bucket("trail", versioning=versioning)
    store.create_bucket("aux", versioning=versioning)
    world = World(
        store,
        clock,
        make_rules(control_tower_bucket="trail", other_buckets="aux"),
        (Target("trail", "aggregated/"), Target("aux", "aggregated/")),
    )
    for number in range(3):
        world.put("trail", trail_key(number), document(number))
        world.put("aux", access_key(number), b"line\n")
    return world


@pytest.mark.parametrize("versioning", ["Enabled", "Suspended", None])
def test_in_place_each_bucket_keeps_its_packs(versioning: str | None) -> None:
    """Without a destination each bucket keeps its own packs; they are never taken for logs; a
    second run does nothing.
    """
    world = in_place_world(versioning)
    assert world.run().failures == []
    assert (find_losses(world), left_in_place(world)) == ([], [])
    again, calls = world.run_faulty(nothing)
    assert (writes_of(calls), again.groups, again.selection.listed) == ([], [], 0)
    assert again.selection.left == {}, "they are not even counted"
    assert [str(sample) for sample in again.selection.samples] == []
    assert world.job().list_targets() == list(world.targets)


@pytest.mark.parametrize(
    "prefix",
    ["aggregated", "AWSLogs", "AWSLogs/packed", "o-abcd1234/packed", "a/b/c", "2025/04/03"],
)
def test_in_place_packs_are_never_taken_for_logs(prefix: str) -> None:
    """Wherever in the bucket the packs lie, even among the logs, all logs are found and no
    pack is.
    """
    clock = SteppingClock()
    store = MemoryStore(clock=clock)
    store.create_bucket("trail", versioning="Enabled")
    store.create_bucket("aux")
    rules = make_rules(
        control_tower_bucket="trail", other_buckets="aux", final_aggregation_prefix=prefix
    )
    world = World(store, clock, rules, (Target("trail", f"{prefix}/"), Target("aux", f"{prefix}/")))
    world.put("trail", trail_key(1), document(1))
    world.put("trail", trail_key(2).removeprefix("o-abcd1234/"), document(2))
    world.put("aux", access_key(1), b"line\n")
    assert world.run().failures == []
    assert (find_losses(world), left_in_place(world)) == ([], [])
    again, calls = world.run_faulty(nothing)
    assert (writes_of(calls), again.groups) == ([], [])


def test_the_destination_may_be_a_source() -> None:
    """A bucket that is both keeps its packs apart from its logs."""
    world = make_world(other_buckets=["logs", "dest"])
    world.put("dest", access_key(1), b"line\n")
    world.put("logs", access_key(2), b"line\n")
    assert world.run().failures == []
    assert left_in_place(world) == []
    _, calls = world.run_faulty(nothing)
    assert writes_of(calls) == []


def test_a_suspended_bucket_is_packed_by_version() -> None:
    """With versioning suspended, null versions and older ones are packed and deleted, each by its
    version.
    """
    world = make_world()
    world.put("logs", trail_key(1), document(1))
    world.store.set_versioning("logs", "Suspended")
    world.put("logs", trail_key(1), document(2))
    world.put("logs", trail_key(2), document(3))
    assert world.run().failures == []
    assert (find_losses(world), left_in_place(world)) == ([], [])
    assert world.store.list_object_versions("logs").markers == ()
    assert {str(identity[1]) for _, identity in count_copies(world)} == {"v00000001", "null"}  # type: ignore[index] # a key's parts


def test_skipped_groups_are_failures() -> None:
    """After three groups without an answer the others are not tried; each is a failure, and keeps
    its originals.
    """
    world = make_world()
    for number in range(5):
        world.put("logs", trail_key(number, account=f"{number:012d}"), document(number))
    silent = fail_on(
        lambda call: (
            call.bucket == "dest"
            and "packs/" in call.key
            and call.operation != "ListMultipartUploads"
        ),
        UNREACHABLE,
    )
    result, calls = world.run_faulty(silent)
    assert [failure.error for failure in result.failures] == ["Unreachable"] * 5
    assert sum("not tried" in failure.message for failure in result.failures) == 2
    assert len(left_in_place(world)) == 5
    assert (
        len(
            {
                call.key
                for call in calls
                if call.bucket == "dest" and call.key.startswith("packs/logs/")
            }
        )
        == 3
    )


def test_only_unanswered_groups_in_a_row_stop_the_run() -> None:
    """Two groups without an answer, then an answered one, start the count anew."""
    world = make_world()
    for number in range(9):
        world.put("logs", trail_key(number, account=f"{number:012d}"), document(number))
    silent = fail_on(
        lambda call: "packs/logs/" in call.key and call.key.split("/")[3][-1] not in "258",
        UNREACHABLE,
    )
    result, _ = world.run_faulty(silent)
    assert [failure.error for failure in result.failures] == ["Unreachable"] * 6
    assert not [failure for failure in result.failures if "not tried" in failure.message]
    assert len(left_in_place(world)) == 6


def test_other_regions_are_kept_by_default() -> None:
    """Logs of unwanted Regions stay; logs without a Region are always wanted."""
    world = make_world(aggregation_regions="eu-west-1")
    world.put("logs", trail_key(1), document(1))
    world.put("logs", trail_key(2, region="us-east-1"), document(2))
    world.put("logs", access_key(1), b"line\n")
    assert world.run().selection.left == {Left.OTHER_REGION: 1}
    assert [source.key for source in left_in_place(world)] == [trail_key(2, region="us-east-1")]


def put_and_delete(world: World) -> None:
    world.put("logs", access_key(1), b"x")
    world.store.delete("logs", access_key(1))


LEFT_ALONE: list[tuple[str, Callable[[World], Any], Left]] = [
    ("unknown", lambda world: world.put("logs", "readme.txt", b"x"), Left.UNKNOWN),
    ("folder", lambda world: world.put("logs", "2025/04/03/", b""), Left.NO_LOG),
    (
        "probe",
        lambda world: world.put(
            "logs", f"AWSLogs/{'1' * 12}/Config/ConfigWritabilityCheckFile", b""
        ),
        Left.NO_LOG,
    ),
    ("zero bytes", lambda world: world.put("logs", access_key(1), b""), Left.NO_LOG),
    (
        "other date",
        lambda world: world.put("logs", access_key(1, day=date(2025, 4, 1)), b"x"),
        Left.OTHER_DATE,
    ),
    (
        "frozen",
        lambda world: world.put("logs", access_key(1), b"x", storage_class="GLACIER"),
        Left.FROZEN,
    ),
    ("deleted", put_and_delete, Left.DELETED),
    (
        "a pack",
        lambda world: world.put(
            "logs",
            "x/packs/b/Other/all/2025/04/03/n-0123456789abcdef0123456789abcdef.log.gz",
            pack_gzip(b"x"),
        ),
        Left.NO_LOG,
    ),
]


@pytest.mark.parametrize(
    ("build", "reason"), [each[1:] for each in LEFT_ALONE], ids=[each[0] for each in LEFT_ALONE]
)
def test_other_objects_are_left_and_counted(build: Callable[[World], Any], reason: Left) -> None:
    """Objects that are not logs of these days are counted with their reason and not touched."""
    world = make_world()
    build(world)
    before = world.store.snapshot()
    result, calls = world.run_faulty(nothing)
    assert result.selection.left == {reason: 1}
    assert (writes_of(calls), world.store.snapshot(), result.failures) == ([], before, [])


def test_an_empty_version_is_packed_with_the_others() -> None:
    """Every data version of a key that holds data is a member, including an empty one."""
    world = make_world()
    for data in (b"one\n", b"", b"two\n"):
        world.put("logs", access_key(1), data)
    assert world.run().failures == []
    assert len(count_copies(world)) == 3
    assert (find_losses(world), left_in_place(world)) == ([], [])


@pytest.mark.parametrize(("age_hours", "aborted"), [(23.9, 0), (24.1, 1)])
def test_stale_uploads_are_aborted_after_a_day(age_hours: float, aborted: int) -> None:
    """An upload of a dead run is aborted after a day; a younger one may belong to a run
    under way.
    """
    world = trail_world()
    world.store.create_multipart_upload("dest", "packs/logs/x", options=WriteOptions())
    world.store.create_multipart_upload("dest", "elsewhere/x", options=WriteOptions())
    world.clock.advance(hours=age_hours)
    assert world.run().stale_uploads == aborted
    assert len(world.store.open_uploads()) == 2 - aborted


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"other_buckets": ["logs", "missing"]}, "bucket 'missing' does not exist"),
        ({"destination_bucket": "missing"}, "bucket 'missing' does not exist"),
        ({"other_buckets": "missing-*"}, "no bucket's name begins with 'missing-'"),
    ],
)
def test_a_missing_bucket_stops_the_run(settings: dict[str, Any], expected: str) -> None:
    """A missing bucket ends the run before anything is touched."""
    world = trail_world(**settings)
    before = world.store.snapshot()
    for start in (world.run, lambda: plan(world)):
        with pytest.raises(CannotStart, match=expected):
            start()
    assert world.store.snapshot() == before


def test_a_prefix_selects_buckets() -> None:
    """`lo*` takes every bucket whose name begins so."""
    world = trail_world(other_buckets="lo*")
    assert world.run().failures == []
    assert left_in_place(world) == []


@pytest.mark.parametrize("operation", ["GetBucketVersioning", "ListObjectVersions"])
def test_a_missing_permission_stops_the_run_before_it_begins(operation: str) -> None:
    """If a bucket cannot be examined or listed, the run does not begin, and names the missing
    permission.
    """
    world = trail_world()
    before = world.store.snapshot()
    error = AccessDenied("needs s3:List", code="AccessDenied")
    with pytest.raises(CannotStart, match="needs s3:List"):
        world.run_faulty(fail_on(lambda call: call.operation == operation, error))
    assert world.store.snapshot() == before


def test_a_failed_listing_of_stale_uploads_stops_nothing() -> None:
    """No permission to list unfinished uploads is a failure of the run, but the logs are still
    packed.
    """
    world = trail_world()
    error = AccessDenied("needs s3:ListBucketMultipartUploads", code="AccessDenied")
    result, _ = world.run_faulty(
        fail_on(lambda call: call.operation == "ListMultipartUploads", error)
    )
    assert [failure.error for failure in result.failures] == ["AccessDenied"]
    assert left_in_place(world) == []


def test_a_long_range_is_run_in_windows() -> None:
    """Seventeen days are three windows; everything in them is done, and nothing outside."""
    world = make_world()
    world.clock.advance(days=30)
    for day in range(1, 28):
        world.put("logs", trail_key(day, day=date(2025, 4, day)), document(day))
    window = DateWindow(date(2025, 4, 5), date(2025, 4, 21))
    result = world.run(
        rules=replace(world.rules, selection=replace(world.rules.selection, window=window))
    )
    assert {source.key for source in left_in_place(world)} == {
        trail_key(day, day=date(2025, 4, day))
        for day in range(1, 28)
        if date(2025, 4, day) not in window
    }
    assert (len(result.groups), result.first, result.last) == (17, window.first, window.last)


def test_progress_is_reported() -> None:
    """Every bucket, the plan and each group are reported as progress."""
    heard: list[tuple[str, int]] = []

    class Watching(Progress):
        def listing(self, bucket: str) -> None:
            heard.append((bucket, 0))

        def planned(self, groups: int, objects: int) -> None:
            heard.append(("planned", objects))

        def settled(self, result: Any, objects: int) -> None:
            heard.append(("settled", objects))

    world = trail_world(5)
    run(world.job(), Watching())
    assert heard == [("logs", 0), ("planned", 5), ("settled", 5)]


@pytest.mark.parametrize("page_size", [1, 2, 3, 7])
def test_the_size_of_pages_does_not_matter(page_size: int) -> None:
    """The packs are the same however the listing is cut into pages, even within the versions of one
    key.
    """
    worlds = []
    for size in (1000, page_size):
        clock = SteppingClock()
        world = make_world(clock=clock, store=MemoryStore(page_size=size, clock=clock))
        for number in range(4):
            for version in range(3):
                world.put("logs", trail_key(number), document(10 * number + version))
            world.store.delete("logs", trail_key(number))
            world.put("logs", trail_key(number), document(number))
        assert world.run().failures == []
        assert (find_losses(world), left_in_place(world)) == ([], [])
        worlds.append(world.store.snapshot())
    assert worlds[0] == worlds[1]


def test_settings_reach_the_plan() -> None:
    """Settings reach the plan."""
    rules = make_rules(
        WINDOW,
        other_buckets="logs",
        members_max=7,
        pack_size_max="50 MiB",
        glacier_object_size="1 MiB",
        part_size="6 MiB",
    )
    assert rules.group.combine.limits == PackLimits(50 * 2**20, 7, 2**20, 16 * 2**20, 6 * 2**20)

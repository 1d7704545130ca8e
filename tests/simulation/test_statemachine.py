"""The real definitions and handlers over a store in memory: the same packs as a single process
makes, and nothing is lost wherever one dies.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import date
from typing import Any

import pytest
from tests.support.cloud import WORK, Cloud, make_cloud
from tests.support.scenarios import SCENARIOS, Scenario
from tests.support.statemachine import StateError
from tests.support.terms import assert_same_but_for_terms
from tests.support.world import (
    World,
    count_copies,
    document,
    find_losses,
    flow_key,
    kill_at,
    left_in_place,
    make_world,
    nothing,
    trail_key,
    writes_of,
)

from log_aggregator.adapters.forwarding import Call
from log_aggregator.handlers import split_history
from log_aggregator.steps.fanout.folder import Kind, RunFolder
from log_aggregator.steps.search.after_run import merge_after_run
from log_aggregator_lab.stores.faults import Fault, Killed

pytestmark = pytest.mark.usefixtures("small_parts")

MERGE = "MergeTermsFunction"
MakeCloud = Callable[[World], Cloud]


@pytest.fixture
def clouds(monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeCloud]:
    with ExitStack() as stack:
        yield lambda world: stack.enter_context(make_cloud(world, monkeypatch))


def stored(world: World) -> list[tuple[object, ...]]:
    """Everything except the runs' own folders and records."""
    return [
        entry
        for entry in world.store.snapshot()
        if entry[0] != WORK and "custody/" not in str(entry[1])
    ]


def contents(world: World) -> list[tuple[object, ...]]:
    """What is stored where, without times and ids from a counter, and without custody records,
    which contain times.
    """
    found: list[tuple[object, ...]] = []
    for bucket in ("dest", "logs", "trail", "aux"):
        if bucket in world.store.list_buckets():
            page = world.store.list_object_versions(bucket)
            found += [
                (bucket, entry.key, entry.etag, entry.size_bytes)
                for entry in page.objects
                if "custody/" not in entry.key
            ]
    return found


def result_of(world: World) -> Any:
    """The newest result."""
    keys = [
        entry.key
        for entry in world.store.list_objects(WORK).objects
        if entry.key.endswith("/result.json")
    ]
    newest = max(
        keys, key=lambda key: world.store.list_objects(WORK, prefix=key).objects[0].last_modified
    )
    return json.loads(world.store.get_object(WORK, newest).data)


def run_all(cloud: Cloud) -> str:
    """The name of the error that an execution ended with, if any."""
    try:
        cloud.run()
    except StateError as error:
        return error.name
    return ""


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_the_stack_packs_the_same_as_a_single_process(
    scenario: Scenario, clouds: MakeCloud
) -> None:
    """Keys and bytes of packs, indexes, terms and tables, and everything left in place, are the
    same; so are the counts of the result.
    """
    alone, world = scenario.build(), scenario.build()
    expected, _ = alone.run_faulty(nothing)
    merge_after_run(alone.job(), expected)
    cloud = clouds(world)
    ended = run_all(cloud)
    assert ended == ("RunFailed" if expected.failures else "")
    assert contents(world) == contents(alone)
    objects = result_of(world)["objects"]
    assert objects["packed"] + objects["copied"] == sum(
        group.packed + group.copied for group in expected.groups
    )
    assert objects["deleted"] == sum(group.deleted for group in expected.groups)
    assert objects["listed"] == expected.selection.listed


def test_objects_that_are_not_logs_stay(clouds: MakeCloud) -> None:
    """Declared logs are packed and deleted by the declarations in their file; a manifest next to
    them, in a declared folder, and a decoy stay.
    """
    world = next(found for found in SCENARIOS if found.name == "declared").build()
    assert run_all(clouds(world)) == ""
    assert left_in_place(world) == []
    assert [entry.key for entry in world.store.list_objects("logs").objects] == [
        "app-04-03-2025-04-03.log",
        "app/2025/04/03/manifest.json",
    ]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_a_second_execution_changes_nothing(scenario: Scenario, clouds: MakeCloud) -> None:
    """Packs and deletions stay as they are; only the run's own folder and its custody record are
    written.
    """
    world = scenario.build()
    cloud = clouds(world)
    run_all(cloud)
    before = stored(world)
    cloud.calls.clear()
    run_all(cloud)
    assert stored(world) == before
    writes = [call for call in writes_of([call for _, call in cloud.calls]) if call.bucket != WORK]
    assert all("custody/" in call.key for call in writes)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_a_killed_function_loses_nothing(
    scenario: Scenario, clouds: MakeCloud, *, after: bool
) -> None:
    """Whichever request a function dies at, it is called again, and the execution ends as if
    nothing had happened; the next day's run changes nothing, except for uploads that the dead
    function left open.
    """
    undisturbed = scenario.build()
    cloud = clouds(undisturbed)
    ended = run_all(cloud)
    for number in range(len(cloud.calls)):
        function, call = cloud.calls[number]
        if function == MERGE:  # its deaths are in test_merging_terms.py
            continue
        world = scenario.build()
        where = (
            f"{scenario}, {function} killed {'after' if after else 'before'} request {number}: "
            f"{call}"
        )
        disturbed = clouds(world)
        disturbed.decide = kill_at(number, after=after)
        assert run_all(disturbed) == ended, where
        assert find_losses(world) == [], where
        assert_same_but_for_terms(
            without_lists(contents(world)), without_lists(contents(undisturbed)), where
        )
        assert set(count_copies(world).values()) == {1}, where
        world.clock.advance(days=1.1)
        assert run_all(disturbed) == ended, where
        assert world.store.open_uploads() == [], where
        assert_same_but_for_terms(
            without_lists(contents(world)), without_lists(contents(undisturbed)), where
        )


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_a_function_called_twice_at_once_changes_nothing(
    scenario: Scenario, clouds: MakeCloud
) -> None:
    """A second call of a function starts at whichever request of the first and finishes before it:
    the execution ends as if nothing had happened.
    """
    undisturbed = scenario.build()
    cloud = clouds(undisturbed)
    ended = run_all(cloud)
    for number in range(len(cloud.calls)):
        function, call = cloud.calls[number]
        if function == MERGE:  # its deaths are in test_merging_terms.py
            continue
        world = scenario.build()
        where = f"{scenario}, {function} called again at request {number}: {call}"
        disturbed = call_again_at(clouds(world), number)
        assert run_all(disturbed) == ended, where
        assert len(disturbed.invocations) == len(cloud.invocations) + 1, where
        assert find_losses(world) == [], where
        assert_same_but_for_terms(
            without_lists(contents(world)), without_lists(contents(undisturbed)), where
        )
        assert set(count_copies(world).values()) == {1}, where


def call_again_at(cloud: Cloud, at: int) -> Cloud:
    """The function that makes the request with this number is called a second time, with the same
    input, before the request.
    """
    current: list[tuple[str, Any]] = []
    cloud.break_function = lambda called, payload: current.append((called, payload))

    def decide(number: int, call: Call) -> None:
        if number == at:
            cloud.call(*current[-1])

    cloud.decide = decide
    return cloud


def without_lists(entries: list[tuple[object, ...]]) -> list[tuple[object, ...]]:
    return [entry for entry in entries if not str(entry[1]).startswith("discards/")]


def begin(world: World, payload: Any) -> None:
    """As by a function that always dies during its work."""
    piece = payload.get("task") or payload["item"]
    RunFolder(world.store, WORK, payload["run"]).begin(Kind(payload["kind"]), piece)


@pytest.mark.parametrize(
    ("death", "calls"),
    [
        ("Runtime.ExitError", 4),
        ("Runtime.OutOfMemory", 4),
        ("Sandbox.Timedout", 4),
        ("Lambda.Unknown", 4),
        ("States.DataLimitExceeded", 1),
    ],
)
@pytest.mark.parametrize(
    "function", ["ListFunction", "CombineFunction", "VerifyFunction", "DeleteFunction"]
)
def test_a_function_that_always_dies_fails_the_run_and_keeps_originals(
    function: str, death: str, calls: int, clouds: MakeCloud
) -> None:
    """One half of the logs cannot be processed: the other half is, and the execution fails, names
    the task without a result and says what to do.
    """
    world = two_halves()
    cloud = clouds(world)

    died: list[str] = []

    def break_main(called: str, payload: Any) -> None:
        if called == function and payload["kind"] == "main":
            died.append(called)
            begin(world, payload)
            raise StateError(death)

    cloud.break_function = break_main
    with pytest.raises(
        StateError, match=r"RunFailed.*nothing was deleted that is not in a verified pack"
    ) as raised:
        cloud.run()
    assert "main " in raised.value.cause
    assert len(died) == calls
    (failure,) = result_of(world)["failures"]
    assert failure["where"].startswith("main ")
    assert "more memory: CombineMemorySize" in failure["advice"]
    assert {source.bucket for source in left_in_place(world)} == {"trail"}
    assert find_losses(world) == []


@pytest.mark.parametrize("function", ["PlanFunction", "ListFunction"], ids=["a state", "an item"])
def test_a_death_by_memory_is_reported_as_one(function: str, clouds: MakeCloud) -> None:
    """Also for a state of the machine itself: nothing is packed then, and the run's result says
    what to do.
    """
    world = two_halves()
    cloud = clouds(world)

    def break_it(called: str, payload: Any) -> None:
        if called == function:
            if "kind" in payload:
                begin(world, payload)
            raise StateError("Runtime.OutOfMemory", "signal: killed")

    cloud.break_function = break_it
    before = stored(world)
    assert run_all(cloud) == "RunFailed"
    assert stored(world) == before
    failures = result_of(world)["failures"]
    assert failures
    assert all("more memory: CombineMemorySize" in failure["advice"] for failure in failures)


def test_permanent_errors_are_not_retried(clouds: MakeCloud) -> None:
    """Permanent errors are raised once."""
    world = two_halves()
    cloud = clouds(world)

    def refuse(called: str, _payload: Any) -> None:
        if called == "CombineFunction":
            raise StateError("AccessDenied")

    cloud.break_function = refuse
    assert run_all(cloud) == "RunFailed"
    assert cloud.invocations.count("CombineFunction") == 2
    assert "VerifyFunction" not in cloud.invocations


def test_a_missing_bucket_does_not_stop_the_others(clouds: MakeCloud) -> None:
    """The missing bucket is a failure of the run; all others are packed."""
    world = make_world(control_tower_bucket="gone")
    world.put("logs", flow_key("a.log"), b"one\n")
    assert run_all(clouds(world)) == "RunFailed"
    assert left_in_place(world) == []
    failures = result_of(world)["failures"]
    assert [(failure["where"], failure["error"]) for failure in failures] == [
        ("bucket gone", "CannotStart")
    ]


def test_a_run_over_the_limit_touches_nothing(clouds: MakeCloud) -> None:
    """Above objects_max the execution fails before anything is written, and says what to do."""
    world = two_halves(objects_max=2)
    before = stored(world)
    with pytest.raises(StateError, match="LimitExceeded") as raised:
        clouds(world).run()
    assert raised.value.name == "RunFailed"
    assert "objects_max = 2" in raised.value.cause
    assert stored(world) == before


def test_a_dry_run_reports_what_would_be_done(clouds: MakeCloud) -> None:
    """It lists and plans, writes nothing outside its own folder, and the result says how much there
    is to do.
    """
    world = two_halves()
    before = stored(world)
    cloud = clouds(world)
    result = cloud.run({"dry_run": True})
    assert stored(world) == before
    assert result["planned"] == {"objects": 4, "work_items": 2, "dry_run": True}
    assert result["objects"]["packed"] == 0
    assert "CombineFunction" not in cloud.invocations


def test_a_listing_that_died_is_listed_again(clouds: MakeCloud) -> None:
    """A listing dies after writing its work items and before returning. The next call lists again:
    logs that arrived meanwhile are packed too.
    """
    world = make_world()
    world.put("logs", flow_key("a.log"), b"one\n")
    cloud = clouds(world)
    deaths: list[int] = []

    def die_before_the_summary(number: int, call: Call) -> Fault | None:
        has_items = any("/work/" in earlier.key for _, earlier in cloud.calls)
        if call.operation == "PutObject" and "/listed/" in call.key and has_items and not deaths:
            deaths.append(number)
            world.put("logs", flow_key("b.log"), b"two\n")
            return Fault(before=Killed())
        return None

    cloud.decide = die_before_the_summary
    assert cloud.run()["objects"]["packed"] == 2
    assert left_in_place(world) == []


def test_requests_of_all_functions_are_counted(clouds: MakeCloud) -> None:
    """The result's requests are those that were made, except for a few to the run's own folder."""
    world = two_halves()
    cloud = clouds(world)
    cloud.run()
    counted = result_of(world)["requests"]
    made = Counter(call.operation for _, call in cloud.calls)
    assert all(made[operation] >= count for operation, count in counted.items())
    assert counted["DeleteObjects"] == made["DeleteObjects"] > 0
    assert counted["ListObjectVersions"] == made["ListObjectVersions"] > 0


def test_a_day_without_logs_succeeds(clouds: MakeCloud) -> None:
    """A day without logs is not a failure."""
    world = make_world()
    assert clouds(world).run()["packs"] == 0


def test_only_the_requested_bucket_and_day_are_processed(clouds: MakeCloud) -> None:
    """`date` and `bucket_name` narrow a run; a bucket that the stack does not name is refused."""
    world = two_halves()
    cloud = clouds(world)
    cloud.run({"date": "2025-04-03", "bucket_name": "logs"})
    assert {source.bucket for source in left_in_place(world)} == {"trail"}
    with pytest.raises(StateError, match="SettingsError"):
        cloud.run({"bucket_name": "somebody-elses"})
    with pytest.raises(StateError, match="SettingsError"):
        cloud.run({"day": "2025-04-03"})


def test_an_object_replaced_after_listing_stays(clouds: MakeCloud) -> None:
    """A log object replaced after listing stays for the next run; the listed one is in no pack."""
    world = make_world(versioning=None)
    world.put("logs", flow_key("a.log"), b"one\n")
    world.put("logs", flow_key("b.log"), b"two\n")
    cloud = clouds(world)

    def replace_one(called: str, _payload: Any) -> None:
        if called == "PlanFunction":
            world.originals.pop()
            world.put("logs", flow_key("b.log"), b"another\n")

    cloud.break_function = replace_one
    cloud.run()
    assert [source.key for source in left_in_place(world)] == [flow_key("b.log")]
    assert find_losses(world) == []


def test_deletion_requires_verification(clouds: MakeCloud) -> None:
    """Called without verification, the deleting function fails and deletes nothing."""
    world = make_world()
    world.put("logs", flow_key("a.log"), b"one\n")
    cloud = clouds(world)
    payloads: list[Any] = []

    def fail_verify(called: str, payload: Any) -> None:
        if called == "CombineFunction":
            payloads.append(payload)
        if called == "VerifyFunction":
            raise StateError("AccessDenied")

    cloud.break_function = fail_verify
    assert run_all(cloud) == "RunFailed"
    with pytest.raises(StateError, match="NotFound"):
        cloud.call("DeleteFunction", payloads[0])
    assert len(left_in_place(world)) == 1


def test_deletion_verifies_the_pack_again(clouds: MakeCloud) -> None:
    """A pack damaged after verification keeps its originals."""
    world = make_world()
    for number in range(2):
        world.put("logs", trail_key(number), document(number))
    cloud = clouds(world)

    def damage(called: str, _payload: Any) -> None:
        if called == "DeleteFunction":
            for entry in world.store.list_objects("dest", prefix="packs/").objects:
                world.store.put("dest", entry.key, b"not a pack any more")

    cloud.break_function = damage
    assert run_all(cloud) == "RunFailed"
    assert len(left_in_place(world)) == 2


def test_a_history_runs_in_windows_and_can_be_resumed(clouds: MakeCloud) -> None:
    """Each window is a separate run; one that fails is named, the others are done, and a second
    start does what is left.
    """
    world = two_halves()
    for day in (1, 10, 20):
        world.put("trail", trail_key(day, day=date(2025, 3, day)), document(day))
    cloud = clouds(world)
    failing = True

    def fail_one(called: str, payload: Any) -> None:
        if (
            failing
            and called == "PrepareFunction"
            and payload["input"]["start_date"] == "2025-03-08"
        ):
            raise StateError("AccessDenied")

    cloud.break_function = fail_one
    given = {"start_date": "2025-03-01", "end_date": "2025-03-31", "bucket_name": "trail"}
    with pytest.raises(StateError, match="1 of 5 runs failed") as raised:
        cloud.run(given, "ProcessHistoricalMainLogsSM", "history")
    assert "history-2025-03-08" in raised.value.cause
    assert [source.key for source in left_in_place(world) if "/2025/03/" in source.key] == [
        trail_key(10, day=date(2025, 3, 10))
    ]
    failing = False
    cloud.calls.clear()
    assert cloud.run(given, "ProcessHistoricalMainLogsSM")["windows"] == 5
    assert [source.key for source in left_in_place(world) if "/2025/03/" in source.key] == []
    assert len([call for _, call in cloud.calls if is_pack_written(call)]) == 1
    assert find_losses(world) == []
    for bucket in ("logs", "somebody-elses"):
        with pytest.raises(StateError, match="SettingsError"):
            cloud.run({**given, "bucket_name": bucket}, "ProcessHistoricalMainLogsSM")


@pytest.mark.parametrize("failing", [(), ("2010-02-03",)], ids=["all done", "one failed"])
def test_a_history_of_every_day_of_s3_fits(
    failing: tuple[str, ...], clouds: MakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long the range and however short its windows, what is passed from state to state fits
    into Step Functions' 256 KiB, and a failed window is still named.
    """
    cloud = clouds(two_halves())

    def start(_machine: str, _name: str, given: Any) -> Any:
        if given["start_date"] in failing:
            raise StateError("RunFailed")
        return {}

    monkeypatch.setattr(split_history, "WINDOW_DAYS_MAX", 1)
    monkeypatch.setattr(cloud, "_start", start)
    given = {"start_date": "2006-01-01", "end_date": "2025-03-31", "bucket_name": "trail"}
    if failing:
        with pytest.raises(StateError, match=r"1 of 7030 runs failed.*\\n[a-z]+-2010-02-03\""):
            cloud.run(given, "ProcessHistoricalMainLogsSM", "history")
    else:
        assert cloud.run(given, "ProcessHistoricalMainLogsSM", "history")["windows"] == 7030


def is_pack_written(call: Call) -> bool:
    return call.bucket == "dest" and call.operation == "PutObject" and call.key.startswith("packs/")


def two_halves(**settings: Any) -> World:
    """A Control Tower bucket and an auxiliary one, with two log objects each."""
    world = make_world(control_tower_bucket="trail", **settings)
    world.store.create_bucket("trail", versioning="Enabled")
    for number in range(2):
        world.put("trail", trail_key(number), document(number))
        world.put("logs", flow_key(f"{number}.log"), b"line\n")
    return world

"""Runs that die at any call, or end at the same time, leave one valid chain of custody records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from tests.simulation.test_statemachine import MakeCloud, run_all
from tests.support.cloud import make_cloud
from tests.support.custody import run_recorded, run_recorded_faulty, walk
from tests.support.scenarios import SCENARIOS, Scenario
from tests.support.world import (
    World,
    document,
    kill_at,
    left_in_place,
    make_world,
    nothing,
    trail_key,
)

from log_aggregator.adapters.forwarding import Call
from log_aggregator.core.custody import Record, RecordKind
from log_aggregator.steps.custody.walk import list_records, read_records
from log_aggregator.steps.packs.index import read_index
from log_aggregator.steps.packs.pages import list_all
from log_aggregator.steps.workers import SerialWorkers
from log_aggregator_lab.stores.faults import Fault, FaultyStore, Killed

pytestmark = pytest.mark.usefixtures("small_parts")

CHOSEN = [
    found
    for found in SCENARIOS
    if found.name in ("versioned", "unversioned", "in_place", "discarding", "copied_alone")
]


@pytest.fixture
def clouds(monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeCloud]:
    with ExitStack() as stack:
        yield lambda world: stack.enter_context(make_cloud(world, monkeypatch))


def records_of(world: World) -> list[Record]:
    """All records of all chains, each of which can be read."""
    found = []
    for target in world.targets:
        for stored in read_records(
            world.store, SerialWorkers(), target, list_records(world.store, target)
        ):
            assert stored.record is not None
            found.append(stored.record)
    return found


def findings(world: World) -> list[str]:
    return [
        f"{finding.where}: {finding.what}" for walked in walk(world) for finding in walked.findings
    ]


def lies(world: World) -> list[str]:
    """What the records omit or get wrong: exactly one says who wrote each pack, and all missing
    originals are in them.
    """
    written, deleted = Counter[str](), Counter[str]()
    for record in records_of(world):
        for pack in record.packs:
            place = f"{record.target.bucket}/{pack.key}"
            written[place] += pack.is_new
            deleted[place] += pack.deleted or 0
    in_place = {(each.bucket, each.identity) for each in left_in_place(world)}
    found = []
    for target in world.targets:
        for entry in list_all(world.store, target.bucket, f"{target.root}indexes/"):
            key = target.pack_key(entry.key)
            index = read_index(world.store, target, key).decode()
            names = {(index.group.bucket, member.identity) for member in index.members}
            place, gone = f"{target.bucket}/{key}", len(names - in_place)
            if written[place] != 1:
                found.append(f"{place}: {written[place]} records say who wrote it")
            if deleted[place] < gone:
                found.append(f"{place}: {gone} originals are gone, {deleted[place]} told")
    return found


def told_discards(world: World) -> bool:
    """Every list of discarded objects is in a record."""
    told = {
        name for each in records_of(world) for group in each.groups for name in group.discard_lists
    }
    return all(
        entry.key in told
        for target in world.targets
        for entry in list_all(world.store, target.bucket, f"{target.root}discards/")
    )


@pytest.mark.parametrize("hours", [0, 26], ids=["at once", "a day later"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("scenario", CHOSEN, ids=str)
def test_a_killed_run_leaves_a_valid_chain(scenario: Scenario, *, after: bool, hours: int) -> None:
    """Wherever it dies, the chain is intact then and after the next run, and is true."""
    undisturbed = scenario.build()
    _, calls = run_recorded_faulty(undisturbed, "run", nothing)
    assert findings(undisturbed) == []
    assert [walked.notes for walked in walk(undisturbed)] == [[] for _ in undisturbed.targets]
    assert (lies(undisturbed), told_discards(undisturbed)) == ([], True)
    for number in range(len(calls)):
        world = scenario.build()
        where = (
            f"{scenario}, killed {'after' if after else 'before'} call {number}: {calls[number]}"
        )
        with pytest.raises(Killed):
            run_recorded(world, "killed", FaultyStore(world.store, kill_at(number, after=after)))
        assert findings(world) == [], where
        world.clock.advance(hours=hours)
        run_recorded(world, "mends")
        assert findings(world) == [], where
        assert (lies(world), told_discards(world)) == ([], True), where
        steps = [(record.target.bucket, record.step) for record in records_of(world)]
        assert len(steps) == len(set(steps)), where
        if hours:
            assert records_of(world)[-1].open == (), where


@pytest.mark.parametrize("number", range(0, 40, 2))
def test_two_simultaneous_runs_both_leave_records(number: int) -> None:
    """A whole run takes place between two calls of another one: one chain, with a record of
    each.
    """
    world = make_world()
    for count in range(3):
        world.put("logs", trail_key(count), document(count))

    def decide(call_number: int, call: Call) -> Fault | None:
        if call_number == number:
            run_recorded(world, "other")
        return None

    _, calls = run_recorded_faulty(world, "one", decide)
    assert (findings(world), lies(world)) == ([], [])
    assert {record.run for record in records_of(world)} == (
        {"one", "other"} if number < len(calls) else {"one"}
    )


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(
    "scenario", [found for found in CHOSEN if found.name in ("versioned", "in_place")], ids=str
)
def test_a_repeated_finish_leaves_one_record(
    scenario: Scenario, clouds: MakeCloud, *, after: bool
) -> None:
    """Whichever request FinishFunction dies at, the execution has one record in each chain, and the
    next one follows it.
    """
    cloud = clouds(scenario.build())
    ended = run_all(cloud)
    numbers = [
        number for number, (function, _) in enumerate(cloud.calls) if function == "FinishFunction"
    ]
    assert len(numbers) > 5
    for number in numbers:
        world = scenario.build()
        disturbed = clouds(world)
        disturbed.decide = kill_at(number, after=after)
        assert run_all(disturbed) == ended, cloud.calls[number]
        steps = Counter((record.target, record.step) for record in records_of(world))
        assert max(steps.values()) == 1, cloud.calls[number]
        assert (findings(world), lies(world)) == ([], []), cloud.calls[number]
        assert closings_of(world) == len(world.targets), cloud.calls[number]
    run_all(disturbed)
    assert closings_of(world) == 2 * len(world.targets)


def closings_of(world: World) -> int:
    return sum(record.kind is RecordKind.CLOSING for record in records_of(world))


def test_the_state_machine_records_the_same_as_a_single_process(clouds: MakeCloud) -> None:
    """The same totals and packs, whoever did it; a dry run leaves no record."""
    alone, world = CHOSEN[0].build(), CHOSEN[0].build()
    run_recorded(alone, "alone")
    cloud = clouds(world)
    cloud.run({"dry_run": True})
    assert records_of(world) == []
    cloud.run()
    (_, one), (opening, other) = records_of(alone), records_of(world)
    assert (opening.kind, other.kind) == (RecordKind.OPENING, RecordKind.CLOSING)
    assert other.totals == one.totals
    assert sorted(other.packs, key=lambda pack: pack.key) == sorted(
        one.packs, key=lambda pack: pack.key
    )

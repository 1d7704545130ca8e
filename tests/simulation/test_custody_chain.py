"""Runs that die at any call, or end at the same time, leave one chain of custody records that
verifies.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from tests.simulation.test_statemachine import MakeCloud, run_all
from tests.support.cloud import make_cloud
from tests.support.custody import run_recorded, run_recorded_faulty, walk
from tests.support.scenarios import SCENARIOS, Scenario
from tests.support.world import World, document, kill_at, make_world, nothing, trail_key

from log_aggregator.adapters.forwarding import Call
from log_aggregator.core.custody import Record
from log_aggregator.steps.custody.walk import list_records, read_records
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


def all_packs_named(world: World) -> bool:
    """Every pack is in a record, or is a note that says why not."""
    return all(
        note.what.startswith(
            (
                "its pack was written by a run",
                "no record names its pack: a run wrote it that died",
                "its pack is older",
            )
        )
        for walked in walk(world)
        for note in walked.notes
    )


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("scenario", CHOSEN, ids=str)
def test_a_killed_run_leaves_a_chain_that_verifies(scenario: Scenario, *, after: bool) -> None:
    """Wherever it dies: the chain is whole then, whole after the next run, and every pack is
    explained.
    """
    undisturbed = scenario.build()
    _, calls = run_recorded_faulty(undisturbed, "run", nothing)
    assert findings(undisturbed) == []
    assert [walked.notes for walked in walk(undisturbed)] == [[] for _ in undisturbed.targets]
    for number in range(len(calls)):
        world = scenario.build()
        where = (
            f"{scenario}, killed {'after' if after else 'before'} call {number}: {calls[number]}"
        )
        with pytest.raises(Killed):
            run_recorded(world, "killed", FaultyStore(world.store, kill_at(number, after=after)))
        assert findings(world) == [], where
        world.clock.advance(days=1.1)
        run_recorded(world, "mends")
        assert findings(world) == [], where
        assert all_packs_named(world), where
        runs = [(record.target.bucket, record.run) for record in records_of(world)]
        assert len(runs) == len(set(runs)), where


@pytest.mark.parametrize("number", range(0, 40, 2))
def test_two_runs_at_once_leave_both_their_records(number: int) -> None:
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
    assert findings(world) == []
    assert sorted(record.run for record in records_of(world)) == (
        ["one", "other"] if number < len(calls) else ["one"]
    )


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(
    "scenario", [found for found in CHOSEN if found.name in ("versioned", "in_place")], ids=str
)
def test_a_finish_that_is_called_again_leaves_one_record(
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
        assert len(records_of(world)) == len(world.targets), cloud.calls[number]
        assert findings(world) == [], cloud.calls[number]
    run_all(disturbed)
    assert len(records_of(world)) == 2 * len(world.targets)


def test_the_state_machine_records_what_a_run_in_one_process_does(clouds: MakeCloud) -> None:
    """The same totals and packs, whoever did it; a dry run leaves no record."""
    alone, world = CHOSEN[0].build(), CHOSEN[0].build()
    run_recorded(alone, "alone")
    cloud = clouds(world)
    cloud.run({"dry_run": True})
    assert records_of(world) == []
    cloud.run()
    (one,), (other,) = records_of(alone), records_of(world)
    assert other.totals == one.totals
    assert sorted(other.packs, key=lambda pack: pack.key) == sorted(
        one.packs, key=lambda pack: pack.key
    )

"""Runs that end with custody records, and chains of records."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from tests.support.world import World

from log_aggregator.adapters.forwarding import Call
from log_aggregator.core.custody import Record, WrittenRecord
from log_aggregator.model import Target
from log_aggregator.ports.store import ObjectStore, WriteOptions
from log_aggregator.steps.custody.keep import CustodyKeeper
from log_aggregator.steps.custody.walk import Walked, WalkRules, walk_chain
from log_aggregator.steps.custody.write import append_record
from log_aggregator.steps.packing.listing import Progress
from log_aggregator.steps.packing.results import RunResult
from log_aggregator.steps.packing.run import run
from log_aggregator_lab.stores.faults import Decide, FaultyStore
from log_aggregator_lab.stores.memory import MemoryStore

START = datetime(2025, 4, 5, 1, tzinfo=UTC)


def run_recorded(world: World, name: str, store: ObjectStore | None = None) -> RunResult:
    """A run as on the command line."""
    job = world.job(store)
    return run(job, Progress(), None, CustodyKeeper(job, name, lambda done: None))


def run_recorded_faulty(world: World, name: str, decide: Decide) -> tuple[RunResult, list[Call]]:
    store = FaultyStore(world.store, decide)
    return run_recorded(world, name, store), store.calls


def walk(world: World, **rules: object) -> list[Walked]:
    """All chains of a world, with every index read."""
    wanted = replace(WalkRules(reads_indexes=True), **rules)  # type: ignore[arg-type]
    return [walk_chain(world.job(), target, wanted) for target in world.targets]


def make_record(run: str, hour: int, target: Target = Target("dest")) -> Record:  # noqa: B008 - it cannot be changed
    """The record of a run with nothing to do that began at that hour and took 59 minutes."""
    began = START + timedelta(hours=hour)
    return Record(
        target,
        run,
        "log-aggregator test",
        began,
        began + timedelta(minutes=59),
        date(2025, 4, 2),
        date(2025, 4, 4),
    )


def write_chain(store: MemoryStore, runs: Iterable[str]) -> list[WrittenRecord]:
    return [
        append_record(store, make_record(run, hour), WriteOptions())
        for hour, run in enumerate(runs)
    ]

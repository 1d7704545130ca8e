"""Runs on worlds drawn from seeds, through storms drawn from the same seeds, against the reference
model.

    python -m tests.simulation.simulate [--seed N] [--count N] [--verbose]

Exit code 0 if every invariant held, 1 with the first seed for which one did not.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from tests.simulation.custodytruth import check_custody
from tests.simulation.guard import GuardedStore
from tests.simulation.randomworld import RandomWorld, build_world
from tests.simulation.storm import Storm, StormyStore
from tests.simulation.truth import Violation
from tests.simulation.turns import Turns
from tests.support.world import READS

from log_aggregator.adapters.forwarding import Call
from log_aggregator.errors import LogAggregatorError
from log_aggregator.ports.store import Clock
from log_aggregator.steps.custody.keep import CustodyKeeper
from log_aggregator.steps.job import Job
from log_aggregator.steps.packing.buckets import find_buckets
from log_aggregator.steps.packing.listing import BucketListing, Progress
from log_aggregator.steps.packing.results import RunResult
from log_aggregator.steps.packing.run import run
from log_aggregator.steps.workers import SerialWorkers
from log_aggregator_lab.stores.faults import Killed

ROUNDS_MAX = 3


@dataclass(slots=True)
class Report:
    """What a seed's simulation was, and what it broke."""

    seed: int
    violation: str | None = None
    story: list[str] = field(default_factory=list)
    calls: int = 0
    counts: Counter[str] = field(default_factory=Counter)


class SkewedClock:
    """A machine whose clock is wrong."""

    def __init__(self, inner: Clock, skew: timedelta) -> None:
        self._inner, self._skew = inner, skew

    def now(self) -> object:
        return self._inner.now() + self._skew


def simulate(seed: int) -> Report:
    """Some stormy rounds of one to three simultaneous runs, then undisturbed runs; each is compared
    with the model.
    """
    report = Report(seed)
    world = build_world(seed)
    guard = GuardedStore(world.truth)
    try:
        for number in range(world.random.randrange(1, ROUNDS_MAX + 1)):
            _storm(world, guard, report, number)
            world.truth.check_all()
            world.clock.advance(hours=world.random.choice((1, 30)))
            _happen_between(world, number)
            world.truth.check_all()
        _calm(world, guard, report)
    except Violation as violation:
        report.violation = str(violation)
    except Exception as error:  # noqa: BLE001 - a run that ends with an error that it does not know is a violation too
        report.violation = f"{type(error).__name__}: {error}"
    report.story += world.happened
    return report


def _happen_between(world: RandomWorld, number: int) -> None:
    """Drawn separately, so that a seed's storms do not change."""
    rng = random.Random(f"{world.seed} {number}")
    if rng.random() < 0.2:
        world.swap()
    if rng.random() < 0.1:
        world.poison()


def _storm(world: RandomWorld, guard: GuardedStore, report: Report, number: int) -> None:
    """Simultaneous runs, each in its own storm, while the outside world continues."""
    rng = world.random
    runs = rng.choice((1, 1, 2, 3))
    outside = rng.choice((0.0, 0.02, 0.1))
    turns = Turns(rng, switch=rng.choice((0.05, 0.5)))
    storms = [_draw_storm(world) for _ in range(runs)]

    def make_job(storm: Storm) -> Callable[[Callable[[], None]], None]:
        clock = SkewedClock(world.clock, timedelta(days=rng.choice((0, 0, -1, 1))))

        def job(pass_turn: Callable[[], None]) -> None:
            def gate(_: Call) -> None:
                pass_turn()
                if rng.random() < outside:
                    world.disturb()

            store = StormyStore(guard, storm, gate)
            try:
                _run(Job(store, SerialWorkers(), world.rules, clock), world)  # type: ignore[arg-type]
            except (Killed, LogAggregatorError):
                pass  # it died, or it could not begin
            finally:
                report.calls += len(store.calls)

        return job

    errors = turns.run([make_job(storm) for storm in storms])
    for each, storm in enumerate(storms, 1):
        report.story += [f"round {number + 1}, run {each} of {runs}: {line}" for line in storm.log]
        report.counts += storm.counts
    for error in errors:
        raise error


def _draw_storm(world: RandomWorld) -> Storm:
    rng = world.random
    loud, quiet, killed = (
        rng.choice((0.0, 0.02, 0.1)),
        rng.choice((0.0, 0.02, 0.1)),
        rng.choice((0.0, 0.01, 0.03)),
    )
    rotten = rng.choice((0.0, 0.0, 0.0, 0.0, 0.2))
    return Storm(rng, loud, quiet, killed, rotten, spares_gzip_heads=world.has_kms, rot=world.rot)


def _run(job: Job, world: RandomWorld) -> RunResult:
    """Every second world keeps custody records: they take time."""
    world.runs += 1
    keeper = CustodyKeeper(job, f"run {world.runs}", lambda done: None)
    return run(job, Progress(), None, keeper if world.seed % 2 else None)


def _calm(world: RandomWorld, guard: GuardedStore, report: Report) -> None:
    """An undisturbed run repairs everything; if originals are kept for some days, the first one
    after these. A further run only reads.
    """
    _check_plan(world, guard)
    for days in (1.1, world.keep_days + 1.1) if world.keep_days else (1.1,):
        world.clock.advance(days=days)
        _run_calmly(world, guard, report)
        world.truth.check_all()
        if world.store.open_uploads():
            raise Violation(f"an upload was left open: {world.store.open_uploads()[0].key}")
    if not world.rotten:
        world.truth.check_done()
        check_custody(world, guard)
    before = world.store.snapshot()
    writes = [
        call.operation for call in _run_calmly(world, guard, report) if call.operation not in READS
    ]
    is_idle = (
        not set(writes) - {"DeleteObjects", *(["PutObject"] if world.seed % 2 else [])}
        or world.rotten
        or world.twins
    )  # a copy that S3 stores wrongly is met each time
    if not is_idle or _without_records(world.store.snapshot()) != _without_records(before):
        raise Violation(f"a run with nothing to do wrote: {', '.join(writes)}")


def _without_records(snapshot: tuple[tuple[Any, ...], ...]) -> list[tuple[Any, ...]]:
    """A run that does nothing says so."""
    return [entry for entry in snapshot if "custody/" not in entry[1]]


def _check_plan(world: RandomWorld, guard: GuardedStore) -> None:
    """No plan contains anything that has to stay. Raises Violation."""
    job = Job(guard, SerialWorkers(), world.rules, world.clock)
    buckets = {bucket.name: bucket for bucket in find_buckets(job)}
    for found in BucketListing(job, Progress()).windows(buckets, world.rules.selection):
        for group in found.shelf.groups:
            for part in found.shelf.parts(group):
                for planned in (*(source.log_object for source in part.sources), *part.discards):
                    world.truth.check_left_alone(planned.bucket, planned.key, "planned")


def _run_calmly(world: RandomWorld, guard: GuardedStore, report: Report) -> list[Call]:
    store = StormyStore(guard, Storm(random.Random(0)))
    result = _run(Job(store, SerialWorkers(), world.rules, world.clock), world)
    report.calls += len(store.calls)
    expected = {"RetainedObjects", *(("VerificationError", "BadPack") if world.rotten else ())}
    expected |= {"OtherBytes"} if world.twins else set()
    unexpected = [failure for failure in result.failures if failure.error not in expected]
    if unexpected:
        raise Violation(
            f"a run that nothing disturbed failed: {unexpected[0].where}: {unexpected[0].message}"
        )
    return store.calls


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Simulates runs under faults.")
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    parser.add_argument("--count", type=int, default=500, help="how many seeds")
    parser.add_argument("--verbose", action="store_true", help="tell the whole story of each seed")
    told = parser.parse_args(arguments)
    began, calls, counts = time.monotonic(), 0, Counter[str]()
    for done, seed in enumerate(range(told.seed, told.seed + told.count), 1):
        report = simulate(seed)
        calls += report.calls
        counts += report.counts
        if told.verbose or report.violation:
            print("\n".join(report.story))
        if report.violation:
            print(
                f"\nseed {seed}: {report.violation}\nrepeat it: make simulate SEED={seed} COUNT=1"
            )
            return 1
        if done % 100 == 0 and sys.stderr.isatty():
            print(f"\r{done} seeds, {time.monotonic() - began:.0f} s", end="", file=sys.stderr)
    seconds = time.monotonic() - began
    faults = ", ".join(f"{what} {count:,}" for what, count in counts.most_common())
    print(
        f"{told.count:,} seeds from {told.seed} on, {calls:,} calls, {seconds:.0f} s: every "
        f"invariant held. Faults: {faults or 'none'}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())

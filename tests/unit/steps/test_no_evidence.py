"""A refused or unanswered request is not evidence: no check takes it for damage, or for proof that
all is well.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import pytest
from tests.support.custody import run_recorded
from tests.support.signing import make_signer
from tests.support.trails import Trails, trails
from tests.support.world import DAY, World, document, make_world, pack_gzip, trail_key

from log_aggregator.adapters.forwarding import Call
from log_aggregator.core.adopted import Said as Adoption
from log_aggregator.core.query import Query
from log_aggregator.errors import (
    AccessDenied,
    CannotStart,
    NoSuchBucket,
    RequestFailed,
    StoreError,
    Unreachable,
)
from log_aggregator.ports.signing import Signing
from log_aggregator.ports.store import ObjectStore, WriteOptions
from log_aggregator.steps.cloudtrail.accounts import ReadFrom
from log_aggregator.steps.cloudtrail.findings import State
from log_aggregator.steps.custody.prove import Trust, prove_chain
from log_aggregator.steps.custody.sign import sign_after_run
from log_aggregator.steps.custody.trace import trace
from log_aggregator.steps.custody.walk import WalkRules
from log_aggregator.steps.retrieval.catalog import entry_of
from log_aggregator.steps.rules import Level
from log_aggregator.steps.upkeep.adopt import adopt, describe_aggregate, list_aggregates
from log_aggregator.steps.upkeep.check import Broken, Sound, check_places, list_places
from log_aggregator.steps.upkeep.rebuild import rebuild_index
from log_aggregator.steps.workers import SerialWorkers
from log_aggregator_lab.stores.faults import Fault, FaultyStore

ERRORS: dict[str, RequestFailed] = {
    "no answer": Unreachable("no answer", code="EndpointConnectionError"),
    "denied": AccessDenied("denied", code="AccessDenied"),
    "slow down": StoreError("slow down", code="SlowDown"),
    "500": StoreError("internal error", code="InternalError"),
    "no bucket": NoSuchBucket("there is no bucket", code="NoSuchBucket"),
}
CALLS_MAX = 500
"""More calls than any of these checks makes."""


@dataclass(frozen=True)
class Said:
    """What a check called wrong, and whether it said that all is well."""

    wrong: list[str]
    is_well: bool


Check = Callable[[ObjectStore], Said]
"""Looks at everything. Raises RequestFailed."""


def make_recorded() -> World:
    world = make_world()
    for number in range(3):
        world.put("logs", trail_key(number, account=f"{number + 1:012d}"), document(number))
    result = run_recorded(world, "2025-04-05/one")
    sign_after_run(world.job(), result, lambda: Signing(make_signer()))
    assert result.failures == []
    return world


def check_custody() -> tuple[ObjectStore, Check]:
    world = make_recorded()

    def check(store: ObjectStore) -> Said:
        trust = Trust({make_signer().public_key: "ours"})
        rules = WalkRules(reads_indexes=True)
        walked = prove_chain(world.job(store), world.targets[0], rules, trust)
        wrong = [f"{finding.where}: {finding.what}" for finding in walked.findings]
        return Said(wrong, not wrong)

    return world.store, check


def check_life() -> tuple[ObjectStore, Check]:
    world = make_recorded()

    def check(store: ObjectStore) -> Said:
        lives = list(trace(world.job(store), "logs", trail_key(0, account=f"{1:012d}")))
        wrong = [str(unread) for life in lives for unread in life.unread]
        return Said(wrong, all(life.index_is_unchanged for life in lives))

    return world.store, check


def check_packs(level: Level) -> tuple[ObjectStore, Check]:
    """Check packs and an adopted aggregate."""
    world = make_recorded()
    world.store.put("logs", "older.gz", pack_gzip(b"older\n"))
    (found,) = list_aggregates(world.store, world.targets[0], "logs", "older.gz")
    aggregate = describe_aggregate(found, Adoption(date=DAY))
    assert adopt(world.store, world.targets[0], aggregate, WriteOptions())

    def check(store: ObjectStore) -> Said:
        workers = SerialWorkers()
        places = list(list_places(store, workers, world.targets, Query()))
        findings = list(check_places(store, workers, places, level))
        wrong = [finding.failure.message for finding in findings if isinstance(finding, Broken)]
        return Said(wrong, all(isinstance(finding, Sound) for finding in findings))

    return world.store, check


def check_rebuilt() -> tuple[ObjectStore, Check]:
    """Rebuild an index, and verify its pack against it."""
    world = make_recorded()
    target = world.targets[0]
    pack, *_ = world.store.list_objects("dest", prefix="packs/").objects
    entry = entry_of(target, pack.key)

    def check(store: ObjectStore) -> Said:
        world.store.delete("dest", target.index_key(pack.key))
        rebuild_index(store, target, entry, WriteOptions())
        return Said([], is_well=True)

    return world.store, check


def check_trails(read_from: ReadFrom) -> tuple[ObjectStore, Check]:
    delivered: Trails = trails(accounts=1, objects=6, regions=("eu-west-1",))
    if read_from is not ReadFrom.ORIGINALS:
        delivered.pack()
    if read_from is ReadFrom.BOTH:
        delivered.put_back(delivered.log_keys[::2])

    def check(store: ObjectStore) -> Said:
        result = delivered.validate(store=store, read_from=read_from)
        wrong = [str(finding) for finding in result.findings if finding.state is State.INVALID]
        return Said(wrong, result.is_sound)

    return delivered.store, check


CHECKS: dict[str, Callable[[], tuple[ObjectStore, Check]]] = {
    "custody": check_custody,
    "life": check_life,
    **{f"packs, {level}": partial(check_packs, level) for level in Level},
    "rebuilt": check_rebuilt,
    **{f"trails, {read_from}": partial(check_trails, read_from) for read_from in ReadFrom},
}
MAY_BE_WELL = {"trails, both": NoSuchBucket, "trails, originals": NoSuchBucket}
"""A bucket that logs came from may be gone, and all of its logs are in packs."""


def fail_at(failing: int, error: RequestFailed, number: int, _: Call) -> Fault | None:
    return Fault(before=error) if number == failing else None


@pytest.mark.parametrize("name", CHECKS)
def test_an_unanswered_check_is_not_evidence(name: str) -> None:
    """Whichever request of a check fails, and however, nothing is called damaged or missing, nor is
    all called well. Either it is left open, or the error ends the check.
    """
    store, check = CHECKS[name]()
    healthy = FaultyStore(store, lambda _number, _call: None)
    assert check(healthy) == Said([], is_well=True)
    count = len(healthy.calls)
    assert 0 < count < CALLS_MAX
    for error in ERRORS.values():
        for failing in range(count):
            faulty = FaultyStore(store, partial(fail_at, failing, error))
            at = f"{error.code} at call {failing}: {healthy.calls[failing]}"
            try:
                said = check(faulty)
            except RequestFailed as ended:
                said = Said([] if ended.code == error.code else [str(ended)], is_well=False)
            except CannotStart as ended:  # before anything was looked at
                said = Said([] if str(error) in str(ended) else [str(ended)], is_well=False)
            assert said.wrong == [], at
            assert not said.is_well or isinstance(error, MAY_BE_WELL.get(name, ())), at

"""What S3 did not show is no evidence: no checker takes a refusal, or silence, for damage."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from tests.support.custody import run_recorded
from tests.support.trails import Trails, trails
from tests.support.world import World, document, make_world, trail_key

from log_aggregator.adapters.forwarding import Call
from log_aggregator.core.query import Query
from log_aggregator.errors import (
    AccessDenied,
    NotFound,
    RequestFailed,
    StoreError,
    Unreachable,
)
from log_aggregator.ports.store import ObjectStore
from log_aggregator.steps.cloudtrail.findings import State
from log_aggregator.steps.custody.walk import WalkRules, walk_chain
from log_aggregator.steps.rules import Level
from log_aggregator.steps.upkeep.check import Broken, check_places, list_places
from log_aggregator.steps.workers import SerialWorkers
from log_aggregator_lab.stores.faults import Fault, FaultyStore

ERRORS: dict[str, RequestFailed] = {
    "no answer": Unreachable("no answer", code="EndpointConnectionError"),
    "denied": AccessDenied("denied", code="AccessDenied"),
    "slow down": StoreError("slow down", code="SlowDown"),
    "500": StoreError("internal error", code="InternalError"),
    "no bucket": NotFound("there is no bucket", code="NoSuchBucket"),
}
CALLS_MAX = 500
"""More calls than any of these checks makes."""

Check = Callable[[ObjectStore], list[str]]
"""Looks at everything, and gives what it says is wrong. Raises RequestFailed."""


def make_recorded() -> World:
    world = make_world()
    for number in range(3):
        world.put("logs", trail_key(number, account=f"{number + 1:012d}"), document(number))
    assert run_recorded(world, "2025-04-05/one").failures == []
    return world


def check_custody() -> tuple[ObjectStore, Check]:
    world = make_recorded()

    def check(store: ObjectStore) -> list[str]:
        walked = walk_chain(world.job(store), world.targets[0], WalkRules(reads_indexes=True))
        return [f"{finding.where}: {finding.what}" for finding in walked.findings]

    return world.store, check


def check_packs(level: Level) -> tuple[ObjectStore, Check]:
    world = make_recorded()

    def check(store: ObjectStore) -> list[str]:
        workers = SerialWorkers()
        places = list(list_places(store, workers, world.targets, Query()))
        findings = check_places(store, workers, places, level)
        return [finding.failure.message for finding in findings if isinstance(finding, Broken)]

    return world.store, check


def check_trails() -> tuple[ObjectStore, Check]:
    packed: Trails = trails()
    packed.pack()

    def check(store: ObjectStore) -> list[str]:
        result = packed.validate(store=store)
        return [str(finding) for finding in result.findings if finding.state is State.INVALID]

    return packed.store, check


CHECKS: dict[str, Callable[[], tuple[ObjectStore, Check]]] = {
    "custody": check_custody,
    **{f"packs, {level}": partial(check_packs, level) for level in Level},
    "trails": check_trails,
}


def fail_at(failing: int, error: RequestFailed, number: int, _: Call) -> Fault | None:
    return Fault(before=error) if number == failing else None


@pytest.mark.parametrize("name", CHECKS)
def test_what_s3_did_not_show_is_no_evidence(name: str) -> None:
    """Whichever request of a check fails, and however: nothing is said to be damaged or missing.
    Either it is left open, or the error itself ends the check.
    """
    store, check = CHECKS[name]()
    healthy = FaultyStore(store, lambda _number, _call: None)
    assert check(healthy) == []
    count = len(healthy.calls)
    assert 0 < count < CALLS_MAX
    for error in ERRORS.values():
        for failing in range(count):
            faulty = FaultyStore(store, partial(fail_at, failing, error))
            try:
                wrong = check(faulty)
            except RequestFailed as ended:
                wrong = [] if ended.code == error.code else [str(ended)]
            assert wrong == [], f"{error.code} at call {failing}: {faulty.calls[failing]}"

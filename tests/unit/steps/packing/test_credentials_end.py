"""A run whose credentials expire ends with its report, and says to renew them."""

from __future__ import annotations

import gzip
from collections.abc import Callable

import pytest
from tests.support.world import World, document, fail_on, make_world, trail_key

from log_aggregator.adapters.forwarding import Call
from log_aggregator.adapters.patience import PatientStore
from log_aggregator.errors import NotAuthenticated
from log_aggregator.steps.custody.keep import CustodyKeeper
from log_aggregator.steps.packing.listing import Progress
from log_aggregator.steps.packing.run import REST, run
from log_aggregator.steps.workers import ThreadWorkers
from log_aggregator_lab.stores.faults import FaultyStore

GROUPS = 30
ENDED = NotAuthenticated(
    "GetObject s3://logs/k: ExpiredToken (renew the credentials)", code="ExpiredToken"
)


def make_long_world() -> World:
    world = make_world()
    for number in range(GROUPS):
        world.put("logs", trail_key(number, account=f"{number:012d}"), document(number))
    return world


def ending_at(number: int) -> Callable[[Call], bool]:
    """Refuse every request from the n-th GET of a log object on."""
    seen = 0

    def is_refused(call: Call) -> bool:
        nonlocal seen
        seen += call.operation == "GetObject" and call.bucket == "logs"
        return seen >= number

    return is_refused


@pytest.mark.parametrize("is_threaded", [False, True])
def test_a_run_ends_early_when_credentials_expire(*, is_threaded: bool) -> None:
    """Later groups do not fail one by one; packed logs stay packed, and only packed ones are
    deleted. A run with renewed credentials does the rest.
    """
    world = make_long_world()
    store = FaultyStore(world.store, fail_on(ending_at(3), ENDED))
    patient = PatientStore(store)
    if is_threaded:
        with ThreadWorkers(readers=4, groups=2) as workers:
            result = run(world.job(patient, workers), Progress())
    else:
        result = world.run(patient)
    assert len(result.groups) < GROUPS / 2
    assert [
        failure.where for failure in result.failures if failure.error == "NotAuthenticated"
    ] == [REST]
    assert len(store.calls) < GROUPS * 3
    left = {each.key for each in world.store.list_objects("logs").objects}
    assert GROUPS > len(left) >= GROUPS - 3
    again = world.run()
    assert again.failures == []
    assert not world.store.list_objects("logs").objects


def test_nothing_is_requested_after_a_refusal() -> None:
    """After one refusal not even the record is tried."""
    world = make_long_world()
    store = FaultyStore(world.store, fail_on(ending_at(3), ENDED))
    world.run(PatientStore(store))
    reads = [
        n
        for n, call in enumerate(store.calls)
        if (call.operation, call.bucket) == ("GetObject", "logs")
    ]
    assert len(reads) == 3
    assert len(store.calls) == reads[-1] + 1


def test_a_record_is_written_where_credentials_still_work() -> None:
    """Another account's source may refuse credentials that the destination accepts."""
    world = make_long_world()
    calls = ending_at(3)
    store = FaultyStore(
        world.store, fail_on(lambda call: call.bucket == "logs" and calls(call), ENDED)
    )
    job = world.job(store)
    result = run(job, Progress(), None, CustodyKeeper(job, "ended", lambda done: None))
    record = world.store.get_object("dest", result.custody[-1].key).data
    assert b"NotAuthenticated" in gzip.decompress(record)

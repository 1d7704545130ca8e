"""S3 may have performed a deletion whose answer was lost: it is looked up before it is reported."""

from __future__ import annotations

import pytest
from tests.support.world import World, document, find_losses, left_in_place, make_world, trail_key

from log_aggregator.adapters.forwarding import Call
from log_aggregator.errors import OutcomeUnknown, RequestFailed, StoreError, Unreachable
from log_aggregator_lab.stores.faults import Fault

ERRORS = {
    "no answer": Unreachable("nobody answered"),
    "an error": StoreError("InternalError", code="InternalError"),
}


def three_logs(versioning: str | None) -> World:
    world = make_world(versioning=versioning)
    for number in range(3):
        world.put("logs", trail_key(number), document(number))
    return world


def is_deletion(call: Call) -> bool:
    return call.operation == "DeleteObjects" and call.bucket == "logs"


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("versioning", [None, "Enabled", "Suspended"])
def test_a_lost_answer_is_looked_up(versioning: str | None, error: str) -> None:
    """All of it was done: the objects count as deleted, and nothing failed."""
    world = three_logs(versioning)
    result, _ = world.run_faulty(
        lambda _number, call: Fault(after=ERRORS[error]) if is_deletion(call) else None
    )
    assert result.failures == []
    assert [(group.deleted, group.unknown) for group in result.groups] == [(3, 0)]
    assert left_in_place(world) == []


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("versioning", [None, "Enabled", "Suspended"])
def test_deletions_that_did_not_happen_are_reported(versioning: str | None, error: str) -> None:
    """The objects still exist: none counts as deleted, and the request's error is reported."""
    world = three_logs(versioning)
    result, _ = world.run_faulty(
        lambda _number, call: Fault(before=ERRORS[error]) if is_deletion(call) else None
    )
    assert [failure.error for failure in result.failures] == [type(ERRORS[error]).__name__]
    assert [(group.deleted, group.unknown) for group in result.groups] == [(0, 0)]
    assert len(left_in_place(world)) == 3


@pytest.mark.parametrize("versioning", [None, "Enabled"])
def test_an_outcome_that_cannot_be_determined_is_unknown(versioning: str | None) -> None:
    """It counts as neither deleted nor kept; the next run looks it up and reports it."""
    world = three_logs(versioning)
    is_lost = [False]

    def decide(_number: int, call: Call) -> Fault | None:
        if is_deletion(call):
            is_lost[0] = True
            return Fault(after=Unreachable("nobody answered"))
        silent: RequestFailed = Unreachable("nobody answers")
        return Fault(before=silent) if is_lost[0] else None

    result, _ = world.run_faulty(decide)
    assert [failure.error for failure in result.failures] == [OutcomeUnknown.__name__]
    assert "not known" in result.failures[0].message
    assert "kept" not in result.failures[0].advice
    assert [(group.deleted, group.unknown) for group in result.groups] == [(0, 3)]
    assert world.run().failures == []
    assert (find_losses(world), left_in_place(world)) == ([], [])

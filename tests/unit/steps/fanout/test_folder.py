"""The folder of a run: each result is written once, even by repeated calls."""

from __future__ import annotations

import pytest
from tests.support.world import fail_on

from log_aggregator.errors import PreconditionFailed, StoreError
from log_aggregator.steps.fanout.folder import Kind, RunFolder, Step
from log_aggregator_lab.stores.faults import FaultyStore
from log_aggregator_lab.stores.memory import MemoryStore


def test_the_first_result_of_a_piece_counts() -> None:
    """A function called again while its first call still runs cannot change the first result."""
    store = MemoryStore()
    store.create_bucket("work")
    folder = RunFolder(store, "work", "run")
    key = folder.step_key(Kind.MAIN, Step.COMBINED, "00001")
    assert folder.find_json(key) is None
    for said in ("first", "second"):
        folder.write_json(key, {"said": said})
    assert folder.read_json(key) == {"said": "first"}
    assert (
        folder.write_array(folder.items_key(Kind.MAIN), [1, 2])
        == folder.write_array(folder.items_key(Kind.MAIN), [1])
        == 2
    )


def test_a_conflict_without_an_object_is_an_error() -> None:
    """A 409 with nothing there is an error that the state machine retries; ignoring it would lose a
    piece.
    """
    store = MemoryStore()
    store.create_bucket("work")
    conflict = PreconditionFailed("409", code="ConditionalRequestConflict", operation="PutObject")
    folder = RunFolder(
        FaultyStore(store, fail_on(lambda call: call.operation == "PutObject", conflict)),
        "work",
        "run",
    )
    with pytest.raises(StoreError) as raised:
        folder.write_json("runs/run/piece.json", {})
    assert raised.value.state_name == "StoreError"
    store.put("work", "runs/run/piece.json", b"{}")
    folder.write_json("runs/run/piece.json", {})

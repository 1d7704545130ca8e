"""The folder of a run: each piece is written once, whoever calls twice."""

from __future__ import annotations

from log_aggregator.adapters.memory import MemoryStore
from log_aggregator.steps.fanout.folder import Kind, RunFolder, Step


def test_the_first_result_of_a_piece_counts() -> None:
    """A function that is called again while its first call still runs cannot change what the other one has said."""
    store = MemoryStore()
    store.create_bucket("work")
    folder = RunFolder(store, "work", "run")
    key = folder.step_key(Kind.MAIN, Step.COMBINED, "00001")
    assert folder.find_json(key) is None
    for said in ("first", "second"):
        folder.write_json(key, {"said": said})
    assert folder.read_json(key) == {"said": "first"}
    assert folder.write_array(folder.items_key(Kind.MAIN), [1, 2]) == folder.write_array(folder.items_key(Kind.MAIN), [1]) == 2

"""Objects under custody/ are trusted only if they match their place and the previous record."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.support.custody import make_record, write_chain
from tests.support.world import job_over

from log_aggregator.core.custody import encode_record, record_key
from log_aggregator.errors import StoreError
from log_aggregator.model import Target
from log_aggregator.ports.store import WriteOptions
from log_aggregator.steps.custody.chain import find_end
from log_aggregator.steps.custody.walk import Walked, WalkRules, walk_chain
from log_aggregator.steps.custody.write import append_record
from log_aggregator_lab.stores.memory import MemoryStore

DEST = Target("dest")


def make_store(*runs: str) -> MemoryStore:
    store = MemoryStore()
    store.create_bucket("dest")
    write_chain(store, runs)
    return store


def walk(store: MemoryStore) -> Walked:
    return walk_chain(job_over(store), DEST, WalkRules())


def foreign(sequence: int, target: Target = DEST) -> bytes:
    """Make a well-formed record that follows no other."""
    record = replace(make_record("foreign", 0, target), sequence=sequence, previous="0" * 64)
    return encode_record(record)


POISON = {
    "the last number": {9_999_999_999: b"poison"},
    "the last number, whole": {9_999_999_999: foreign(9_999_999_999)},
    "far away": {5_000_000: foreign(5_000_000)},
    "the next number": {3: b"poison"},
    "the next number, whole": {3: foreign(3)},
    "the next two": {3: foreign(3), 4: b""},
    "of another place": {3: foreign(3, Target("other"))},
    "many": dict.fromkeys(range(3, 40), b""),
}


@pytest.mark.parametrize("name", POISON)
def test_foreign_objects_do_not_end_the_chain(name: str) -> None:
    """The next records follow the last one in the chain, and the walk names the foreign ones."""
    store = make_store("a", "b", "c")
    for sequence, data in POISON[name].items():
        store.put("dest", record_key(DEST, sequence), data)
    before = find_end(store, DEST)
    assert before.newest is not None
    assert before.newest.record.run == "c"
    for hour, run in ((5, "d"), (6, "e")):
        written = append_record(store, make_record(run, hour), WriteOptions())
        assert written.sequence not in POISON[name]
        newest = find_end(store, DEST).newest
        assert newest is not None
        assert newest.record.run == run
    findings = walk(store).findings
    wrong = {finding.where for finding in findings if "missing" not in finding.what}
    if name == "far away":  # that many records are missing, as far as anybody can tell
        assert any("missing" in finding.what for finding in findings)
    else:
        assert wrong == {record_key(DEST, sequence) for sequence in POISON[name]}


def test_the_search_for_the_end_is_limited() -> None:
    """The search for the end gives up after a limited number of foreign objects."""
    store = make_store("a")
    for number in range(1, 140):
        store.put("dest", record_key(DEST, number), b"")
    with pytest.raises(StoreError, match="not records of the chain"):
        find_end(store, DEST)


def test_a_chain_without_its_beginning_continues() -> None:
    """The chain's oldest records have expired."""
    store = make_store("a", "b", "c")
    for number in (0, 1):
        store.delete("dest", record_key(DEST, number))
    assert append_record(store, make_record("d", 5), WriteOptions()).sequence == 3
    newest = find_end(store, DEST).newest
    assert newest is not None
    assert newest.record.run == "d"


def test_a_damaged_record_in_between_is_skipped() -> None:
    """A damaged record is skipped, and the newest record stays the newest."""
    store = make_store("a", "b", "c")
    store.put("dest", record_key(DEST, 1), b"damaged")
    assert find_end(store, DEST).following == 3
    assert append_record(store, make_record("d", 5), WriteOptions()).sequence == 3
    assert {finding.where for finding in walk(store).findings} == {record_key(DEST, 1)}

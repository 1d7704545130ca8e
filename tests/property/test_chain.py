"""A law of the chain: any change to a record that has successors is found, and to the newest record
if its hash was kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.custody import write_chain
from tests.support.world import job_over

from log_aggregator.core.custody import decode_record, encode_record, record_key
from log_aggregator.model import Target
from log_aggregator.steps.custody.walk import WalkRules, walk_chain
from log_aggregator_lab.stores.memory import MemoryStore

TARGET = Target("dest")
RUNS = ("a", "b", "c", "d")
NEWEST = len(RUNS) - 1


def make_chain() -> tuple[MemoryStore, list[bytes], str]:
    """A bucket without versions, so that nothing but the chain can tell; its records, and the
    newest one's hash.
    """
    store = MemoryStore()
    store.create_bucket("dest")
    written = write_chain(store, RUNS)
    return (
        store,
        [store.get_object("dest", record.key).data for record in written],
        written[-1].sha256,
    )


def breaks(store: MemoryStore, kept: str | None) -> bool:
    expected = {} if kept is None else {NEWEST: kept}
    return bool(walk_chain(job_over(store), TARGET, WalkRules(expected=expected)).findings)


def replace_all(store: MemoryStore, records: list[bytes | None]) -> None:
    for number, data in enumerate(records):
        if data is None:
            store.delete("dest", record_key(TARGET, number))
        else:
            store.put("dest", record_key(TARGET, number), data)


def test_a_whole_chain_is_whole() -> None:
    """Without any change nothing is found, with and without the newest hash."""
    store, _, newest = make_chain()
    assert not breaks(store, newest)
    assert not breaks(store, None)


@given(
    number=st.integers(0, NEWEST), place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7)
)
@settings(max_examples=300, deadline=None)
def test_any_changed_bit_is_found(number: int, place: float, bit: int) -> None:
    """In any record, anywhere in it, the gzip frame too."""
    store, records, newest = make_chain()
    changed = bytearray(records[number])
    changed[int(place * len(changed))] ^= 1 << bit
    store.put("dest", record_key(TARGET, number), bytes(changed))
    assert breaks(store, newest if number == NEWEST else None)


@given(st.permutations(range(len(RUNS))))
def test_any_other_order_is_found(order: list[int]) -> None:
    """Records under one another's keys."""
    store, records, newest = make_chain()
    replace_all(store, [records[number] for number in order])
    assert breaks(store, None) == (order != sorted(order))
    assert breaks(store, newest) == (order != sorted(order))


@given(st.sets(st.integers(0, NEWEST), min_size=1))
def test_any_removed_records_are_found(removed: set[int]) -> None:
    """One or several; those at the end where the newest one's hash was kept."""
    store, _, newest = make_chain()
    for number in removed:
        store.delete("dest", record_key(TARGET, number))
    assert breaks(store, newest)
    is_only_cut_off = removed == set(range(min(removed), len(RUNS)))
    assert breaks(store, None) is not is_only_cut_off


@pytest.mark.parametrize("shift", ["in the middle", "at the end"])
@given(number=st.integers(0, NEWEST), place=st.integers(0, NEWEST + 1))
def test_a_record_that_is_there_twice_is_found(shift: str, number: int, place: int) -> None:
    """Put in between, with all that follow moved on by one, or added at the end."""
    store, records, _ = make_chain()
    more = (
        [*records[:place], records[number], *records[place:]]
        if shift == "in the middle"
        else [*records, records[number]]
    )
    replace_all(store, list(more))
    assert breaks(store, None)


@given(st.integers(0, NEWEST - 1))
def test_one_record_that_says_something_else_is_found(number: int) -> None:
    """A whole and valid one in the place of another: the one after it tells."""
    store, records, _ = make_chain()
    store.put(
        "dest",
        record_key(TARGET, number),
        encode_record(replace(decode_record(records[number]), run="another")),
    )
    assert breaks(store, None)


@given(st.integers(0, NEWEST), st.sampled_from([str.upper, lambda run: run * 2]))
def test_a_rewritten_past_is_found(number: int, rename: Callable[[str], str]) -> None:
    """Also where somebody writes all that follows anew, with hashes that fit: the newest hash is
    then another.
    """
    _, _, newest = make_chain()
    store = MemoryStore()
    store.create_bucket("dest")
    write_chain(store, [*RUNS[:number], rename(RUNS[number]), *RUNS[number + 1 :]])
    assert not breaks(store, None)
    assert breaks(store, newest)

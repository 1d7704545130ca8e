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
    """An unversioned bucket, so that only the chain can show changes; its records and the newest
    one's hash.
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


def test_an_unchanged_chain_is_whole() -> None:
    """An unchanged chain gives no finding, with or without the newest hash."""
    store, _, newest = make_chain()
    assert not breaks(store, newest)
    assert not breaks(store, None)


@given(
    number=st.integers(0, NEWEST), place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7)
)
@settings(max_examples=300, deadline=None)
def test_any_changed_bit_is_found(number: int, place: float, bit: int) -> None:
    """The bit may be anywhere in any record, including the gzip frame."""
    store, records, newest = make_chain()
    changed = bytearray(records[number])
    changed[int(place * len(changed))] ^= 1 << bit
    store.put("dest", record_key(TARGET, number), bytes(changed))
    assert breaks(store, newest if number == NEWEST else None)


@given(st.permutations(range(len(RUNS))))
def test_records_in_another_order_are_found(order: list[int]) -> None:
    """Records swap their keys."""
    store, records, newest = make_chain()
    replace_all(store, [records[number] for number in order])
    assert breaks(store, None) == (order != sorted(order))
    assert breaks(store, newest) == (order != sorted(order))


@given(st.sets(st.integers(0, NEWEST), min_size=1))
def test_any_removed_records_are_found(removed: set[int]) -> None:
    """One or several are removed; at the end it takes the newest record's stored hash to notice."""
    store, _, newest = make_chain()
    for number in removed:
        store.delete("dest", record_key(TARGET, number))
    assert breaks(store, newest)
    is_only_cut_off = removed == set(range(min(removed), len(RUNS)))
    assert breaks(store, None) is not is_only_cut_off


@pytest.mark.parametrize("shift", ["in the middle", "at the end"])
@given(number=st.integers(0, NEWEST), place=st.integers(0, NEWEST + 1))
def test_a_duplicated_record_is_found(shift: str, number: int, place: int) -> None:
    """A record is inserted and all later ones shift by one, or it is added at the end."""
    store, records, _ = make_chain()
    more = (
        [*records[:place], records[number], *records[place:]]
        if shift == "in the middle"
        else [*records, records[number]]
    )
    replace_all(store, list(more))
    assert breaks(store, None)


@given(st.integers(0, NEWEST - 1))
def test_a_replaced_record_is_found(number: int) -> None:
    """A valid record replaced by another valid one is noticed by the next record."""
    store, records, _ = make_chain()
    store.put(
        "dest",
        record_key(TARGET, number),
        encode_record(replace(decode_record(records[number]), run="another")),
    )
    assert breaks(store, None)


@given(st.integers(0, NEWEST), st.sampled_from([str.upper, lambda run: run * 2]))
def test_a_rewritten_past_is_found(number: int, rename: Callable[[str], str]) -> None:
    """Even if all later records are rewritten with matching hashes, the newest hash differs."""
    _, _, newest = make_chain()
    store = MemoryStore()
    store.create_bucket("dest")
    write_chain(store, [*RUNS[:number], rename(RUNS[number]), *RUNS[number + 1 :]])
    assert not breaks(store, None)
    assert breaks(store, newest)

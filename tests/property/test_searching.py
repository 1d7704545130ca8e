"""`search` finds every value that a scan of all packed logs finds, in exactly the same packs and
members, and as often: whole values, prefixes and networks, of every log type, in generated
organisations; by tables and by the terms of single packs.

The scan knows nothing about terms: it extracts every member and parses it by itself.
"""

from __future__ import annotations

import gzip
import ipaddress
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.term_scan import SCANS
from tests.support.world import World, make_world, read_indexes

from log_aggregator.core.query import Query
from log_aggregator.core.tables.wanted import parse_wanted
from log_aggregator.core.terms.model import Field, Term
from log_aggregator.core.terms.normalise import normalise, term_of
from log_aggregator.core.windows import DateWindow
from log_aggregator.model import Index, Member
from log_aggregator.steps.packs.index import format_of
from log_aggregator.steps.retrieval.fetch import Wanted, fetch
from log_aggregator.steps.retrieval.find import FoundPack
from log_aggregator.steps.search.after_run import merge_after_run
from log_aggregator.steps.search.answers import Answer
from log_aggregator.steps.search.events import EventsResult, find_events, find_members
from log_aggregator.steps.search.look_up import Asked, look_up
from log_aggregator.steps.workers import SerialWorkers
from log_aggregator_lab.organisation.generate import generate, small
from log_aggregator_lab.organisation.synthetic import Oddity, Purpose, Step

SEEDS = (1, 2, 3)
NO_TEXT = b"PAR1"
"""Flow logs in Parquet: no reader of terms reads them, and every answer says so."""


@dataclass(frozen=True, slots=True)
class Place:
    pack: str
    key: str


@dataclass(frozen=True, slots=True)
class Searched:
    """A packed world, and how often a scan found each value where."""

    world: World
    places: dict[Term, Counter[Place]]

    def expect(self, is_wanted: Callable[[Term], bool]) -> dict[Term, Counter[Place]]:
        return {term: places for term, places in self.places.items() if is_wanted(term)}


@cache
def make_searched(seed: int, *, is_merged: bool) -> Searched:
    spec = replace(small(seed), config_histories=2, insights=2)
    window = DateWindow(spec.first_day, spec.first_day)
    world = make_world(
        control_tower_bucket=spec.control_tower_bucket,
        other_buckets=",".join(name for name in spec.buckets if name != spec.control_tower_bucket),
    )
    for bucket in spec.buckets:
        world.store.create_bucket(bucket, versioning="Enabled")
    for item in generate(spec):
        if item.step is Step.PUT and item.purpose is Purpose.LOG and item.oddity is Oddity.NONE:
            world.put(item.bucket, item.key, item.body)
    world.clock.advance(days=365 * 10)
    job = world.job().for_days(window)
    result = world.run(rules=job.rules)
    assert result.failures == []
    if is_merged:
        merge_after_run(world.job(), result)
        assert result.warnings == []
        assert world.store.list_objects("dest", prefix="tables/").objects
    return Searched(world, scan(world))


def scan(world: World) -> dict[Term, Counter[Place]]:
    places: dict[Term, Counter[Place]] = defaultdict(Counter)
    scanned = set()
    for pack_key, index in read_indexes(world.store, world.targets[0]).items():
        log_type = index.group.log_type
        if log_type not in SCANS:
            continue
        for member, data in read_members(world, pack_key, index):
            if data.startswith(NO_TEXT):
                continue
            scanned.add(log_type)
            for found, _ in SCANS[log_type](data.decode()):
                for field, value in found:
                    places[term_of(field, value)][Place(pack_key, member.key)] += 1
    assert scanned == set(SCANS)
    return dict(places)


def read_members(world: World, pack_key: str, index: Index) -> Iterator[tuple[Member, bytes]]:
    target = world.targets[0]
    pack = FoundPack(
        target,
        pack_key,
        index.group,
        format_of(index.group, target, pack_key),
        tuple(index.members),
    )
    for original in fetch(world.store, SerialWorkers(), [Wanted(pack, frozenset())]):
        data = b"".join(original.pieces)
        yield original.member, gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


def check(searched: Searched, asked: Asked, expected: dict[Term, Counter[Place]]) -> None:
    """Each value has the scan's count in each pack, and the same members."""
    world = searched.world
    answer = look_up(world.store, SerialWorkers(), world.targets, asked)
    assert count_sighted(answer) == {
        (term, pack): count
        for term, places in expected.items()
        for pack, count in by_pack(places).items()
    }
    failures: list[Any] = []
    found = find_members(world.store, SerialWorkers(), answer.packs, asked, failures)
    members = {Place(pack.pack_key, member.key) for pack in found for member in pack.members}
    assert members == {place for places in expected.values() for place in places}
    assert failures == []


def count_sighted(answer: Answer) -> dict[tuple[Term, str], int]:
    found = {
        (Term(Field(each.field), each.value), each.pack.pack_key): each.count
        for each in answer.sighted
    }
    assert len(found) == len(answer.sighted)
    return found


def by_pack(places: Counter[Place]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for place, count in places.items():
        counts[place.pack] += count
    return counts


WORLDS = st.tuples(st.sampled_from(SEEDS), st.booleans())
MANY = settings(deadline=None, max_examples=60)


def draw_term(data: st.DataObject, searched: Searched, fields: list[Field]) -> Term:
    """Draw each field with equal chance, however many values it has."""
    field = data.draw(st.sampled_from(fields))
    return data.draw(st.sampled_from(sorted(t for t in searched.places if t.field is field)))


@MANY
@given(data=st.data(), world=WORLDS, has_field=st.booleans())
def test_a_search_finds_the_same_values_as_a_scan(
    data: st.DataObject, world: tuple[int, bool], has_field: bool
) -> None:
    """A search in all fields is checked too: the same text may be both a name and a host."""
    searched = make_searched(world[0], is_merged=world[1])
    term = draw_term(data, searched, sorted({each.field for each in searched.places}))
    fields = [term.field] if has_field else list(Field)
    asked = Asked([parse_wanted(term.value, fields if has_field else ())])
    check(
        searched,
        asked,
        searched.expect(
            lambda each: each.field in fields and each.value == normalise(each.field, term.value)
        ),
    )


@MANY
@given(data=st.data(), world=WORLDS)
def test_a_prefix_search_finds_the_same_as_a_scan(
    data: st.DataObject, world: tuple[int, bool]
) -> None:
    searched = make_searched(world[0], is_merged=world[1])
    term = draw_term(data, searched, sorted({each.field for each in searched.places}))
    length = data.draw(st.integers(1, len(term.value)))
    prefix = normalise(term.field, term.value[:length])
    expected = searched.expect(
        lambda each: each.field is term.field and each.value.startswith(prefix)
    )
    check(searched, Asked([parse_wanted(prefix, [term.field], is_prefix=True)]), expected)


@MANY
@given(data=st.data(), world=WORLDS)
def test_a_network_search_finds_the_same_addresses_as_a_scan(
    data: st.DataObject, world: tuple[int, bool]
) -> None:
    searched = make_searched(world[0], is_merged=world[1])
    address = ipaddress.ip_address(draw_term(data, searched, [Field.ADDRESS]).value)
    length = data.draw(st.integers(0, address.max_prefixlen))
    network = ipaddress.ip_network(f"{address}/{length}", strict=False)
    expected = searched.expect(
        lambda each: each.field is Field.ADDRESS and ipaddress.ip_address(each.value) in network
    )
    check(searched, Asked([parse_wanted(str(network))], Query()), expected)


@pytest.mark.parametrize("seed", SEEDS)
def test_event_counts_match_a_scan(seed: int) -> None:
    """A search for all addresses finds as many events as the scan finds with one."""
    searched = make_searched(seed, is_merged=True)
    world = searched.world
    asked = Asked([parse_wanted("0.0.0.0/0", [Field.ADDRESS])])
    answer = look_up(world.store, SerialWorkers(), world.targets, asked)
    result = EventsResult()
    events = list(find_events(world.store, SerialWorkers(), answer.packs, asked, result))
    assert (result.failures, result.frozen) == ([], [])
    counted = Counter(each.group.log_type for each in events)
    expected = Counter(
        index.group.log_type
        for pack_key, index in read_indexes(world.store, world.targets[0]).items()
        if index.group.log_type in SCANS
        for _, data in read_members(world, pack_key, index)
        if not data.startswith(NO_TEXT)
        for found, _ in SCANS[index.group.log_type](data.decode())
        if any(term_of(*term).field is Field.ADDRESS for term in found)
    )
    assert counted == expected
    assert {"CloudTrail", "vpcflowlogs", "WAFLogs"} <= set(counted)
    trail = [json.loads(each.event.text) for each in events if each.group.log_type == "CloudTrail"]
    assert all("eventName" in event for event in trail)

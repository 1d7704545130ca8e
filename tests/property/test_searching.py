"""Every value that a scan of all packed logs finds is found by `search`, in exactly the packs and
members that the scan found it in: in the generated organisation, by tables and by single terms.

The scan knows nothing of terms: it inflates every member, and looks for names of fields.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.world import World, make_world, read_indexes

from log_aggregator.core.query import Query
from log_aggregator.core.tables.wanted import parse_wanted
from log_aggregator.core.terms.model import Field
from log_aggregator.core.windows import DateWindow
from log_aggregator.model import Index, Member
from log_aggregator.steps.packs.index import format_of
from log_aggregator.steps.retrieval.fetch import Wanted, fetch
from log_aggregator.steps.retrieval.find import FoundPack
from log_aggregator.steps.search.after_run import merge_after_run
from log_aggregator.steps.search.events import EventsResult, find_events, find_members
from log_aggregator.steps.search.look_up import Asked, look_up
from log_aggregator.steps.workers import SerialWorkers
from log_aggregator_lab.organisation.generate import generate, small
from log_aggregator_lab.organisation.synthetic import Oddity, Purpose, Step

SEEDS = (1, 2)
SCANNED = frozenset({"CloudTrail", "vpcflowlogs", "Config"})
"""Log types that the scan reads."""
Places = frozenset[tuple[str, str]]
"""(pack, member's key)"""


@dataclass(frozen=True, slots=True)
class Searched:
    """A world that was packed, and what a scan found in it."""

    world: World
    places: dict[tuple[Field, str], Places]


@cache
def make_searched(seed: int, *, is_merged: bool) -> Searched:
    spec = small(seed)
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
        assert any("tables/" in key for key in keys_of(world))
    return Searched(world, scan(world))


def keys_of(world: World) -> list[str]:
    return [found.key for found in world.store.list_objects("dest", prefix="tables/").objects]


def scan(world: World) -> dict[tuple[Field, str], Places]:
    places: dict[tuple[Field, str], set[tuple[str, str]]] = defaultdict(set)
    for pack_key, index in read_indexes(world.store, world.targets[0]).items():
        for member, data in read_members(world, pack_key, index):
            for term in scan_log(index.group.log_type, data):
                places[term].add((pack_key, member.key))
    return {term: frozenset(found) for term, found in places.items()}


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
        try:
            yield original.member, gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
        except (OSError, EOFError, zlib.error):
            continue


def scan_log(log_type: str, data: bytes) -> Iterator[tuple[Field, str]]:
    if log_type == "CloudTrail":
        for record in json.loads(data)["Records"]:
            yield from ((Field.ACCESS_KEY, key) for key in find_named(record, "accessKeyId"))
            yield Field.ADDRESS, record["sourceIPAddress"]
            source = record["eventSource"].removesuffix(".amazonaws.com")
            yield Field.EVENT, f"{source}:{record['eventName']}"
    elif log_type == "vpcflowlogs" and data[:1].isascii() and b"srcaddr" in data[:400]:
        header, *lines = data.decode().splitlines()
        for line in lines:
            row = dict(zip(header.split(), line.split(), strict=True))
            for column in ("srcaddr", "dstaddr"):
                if row.get(column, "-") != "-":
                    yield Field.ADDRESS, row[column]
    elif log_type == "Config":
        for item in json.loads(data).get("configurationItems", []):
            if item.get("ARN"):
                yield Field.RESOURCE, item["ARN"]


def find_named(value: Any, name: str) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == name and isinstance(inner, str):
                yield inner
            yield from find_named(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from find_named(inner, name)


def ask(value: str, field: Field) -> Asked:
    return Asked([parse_wanted(value, [field])], Query(log_types=SCANNED))


@pytest.mark.parametrize("is_merged", [True, False])
@settings(deadline=None, max_examples=40)
@given(data=st.data(), seed=st.sampled_from(SEEDS))
def test_what_a_scan_finds_is_found_in_the_same_members(
    is_merged: bool, data: st.DataObject, seed: int
) -> None:
    searched = make_searched(seed, is_merged=is_merged)
    field, value = data.draw(st.sampled_from(sorted(searched.places)))
    expected = searched.places[field, value]
    world = searched.world
    asked = ask(value, field)
    answer = look_up(world.store, SerialWorkers(), world.targets, asked)
    assert {each.pack.pack_key for each in answer.sighted} == {pack for pack, _ in expected}
    failures: list[Any] = []
    found = find_members(world.store, SerialWorkers(), answer.packs, asked, failures)
    assert {(pack.pack_key, member.key) for pack in found for member in pack.members} == expected
    assert failures == []


@pytest.mark.parametrize("seed", SEEDS)
def test_events_are_those_that_the_scan_counts(seed: int) -> None:
    """Every address of the organisation, at once: as many events as there are records with it."""
    searched = make_searched(seed, is_merged=True)
    world = searched.world
    asked = Asked([parse_wanted("0.0.0.0/0", [Field.ADDRESS])], Query())
    answer = look_up(world.store, SerialWorkers(), world.targets, asked)
    result = EventsResult()
    events = list(find_events(world.store, SerialWorkers(), answer.packs, asked, result))
    assert (result.failures, result.frozen) == ([], [])
    trail = [json.loads(each.event.text) for each in events if each.group.log_type == "CloudTrail"]
    addresses = {value for field, value in searched.places if field is Field.ADDRESS}
    assert {record["sourceIPAddress"] for record in trail} <= addresses
    expected = sum(
        1
        for pack_key, index in read_indexes(world.store, world.targets[0]).items()
        for _, data in read_members(world, pack_key, index)
        for field, _ in scan_log(index.group.log_type, data)
        if field is Field.EVENT
    )
    assert len(trail) == expected > 0
    assert any(each.group.log_type == "vpcflowlogs" for each in events)

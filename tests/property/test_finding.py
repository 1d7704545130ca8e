"""`find` returns what a filter over all members of all indexes returns, and reads only indexes that
can match.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.world import (
    DAY,
    World,
    access_key,
    document,
    flow_key,
    make_world,
    nothing,
    pack_gzip,
    read_indexes,
    trail_key,
)

from log_aggregator.core.layouts import Dated, parse_key
from log_aggregator.core.planning import PackLimits
from log_aggregator.core.query import Query
from log_aggregator.model import Group
from log_aggregator.steps.retrieval.find import find
from log_aggregator.steps.workers import SerialWorkers, ThreadWorkers, Workers
from log_aggregator_lab.stores.faults import FaultyStore

ACCOUNTS = ("111111111111", "222222222222")
BUCKETS = ("logs", "more")
LOG_TYPES = ("CloudTrail", "Config", "vpcflowlogs", "S3AccessLogs")
REGIONS = ("eu-west-1", "us-east-1")
DAYS = tuple(DAY + timedelta(days=days) for days in (-1, 0, 1))


@dataclass(frozen=True, slots=True)
class Packed:
    """A member according to the indexes, all of which are read."""

    group: Group
    pack_key: str
    key: str
    version_id: str | None


@cache
def make_packed_world() -> tuple[World, tuple[Packed, ...]]:
    """Some two hundred log objects in two buckets, packed twice: late ones get separate packs.
    Groups have several packs, and keys several versions.
    """
    world = make_world(other_buckets="logs,more", limits=PackLimits(members_max=3))
    world.store.create_bucket("more", versioning=None)
    for is_late in (False, True):
        for bucket in BUCKETS:
            for day in DAYS[is_late:]:
                for number in range(9, 11) if is_late else range(4):
                    world.put(bucket, access_key(number, day=day), b"line\n")
                    for account in ACCOUNTS:
                        world.put(
                            bucket,
                            flow_key(f"{number}.log.gz", account=account, day=day),
                            pack_gzip(b"x\n"),
                        )
                        for region in REGIONS:
                            service = ("CloudTrail", "Config")[number % 2]
                            world.put(
                                bucket,
                                trail_key(
                                    number, account=account, region=region, service=service, day=day
                                ),
                                document(number),
                            )
        world.put("logs", trail_key(0), document(77 + is_late))
        assert world.run().failures == []
    packed = tuple(
        Packed(index.group, pack_key, member.key, member.version_id)
        for pack_key, index in read_indexes(world.store, world.targets[0]).items()
        for member in index.members
    )
    assert len(packed) == len(world.originals)
    assert len({one.pack_key for one in packed}) > 60
    return world, packed


def subsets(values: tuple[str, ...]) -> st.SearchStrategy[frozenset[str]]:
    return st.just(frozenset[str]()) | st.frozensets(st.sampled_from(values), max_size=2)


@st.composite
def queries(draw: st.DrawFn) -> Query:
    _, packed = make_packed_world()
    one = draw(st.sampled_from(packed))
    cut = draw(st.integers(0, len(one.key)))
    keys = draw(
        st.just(())
        | st.sampled_from(
            [
                (one.key,),
                (f"{one.key[:cut]}*",),
                (f"s3://{one.group.bucket}/{one.key[:cut]}*{one.key[cut:]}",),
            ]
        )
    )
    begin = datetime.combine(DAYS[0], time.min, UTC)
    hours = sorted([draw(st.integers(-24, 96)), draw(st.integers(-24, 96))])
    first, last = (begin + timedelta(hours=hour) for hour in hours)
    whole = Query.of_days(first.date(), last.date())
    first_last = draw(
        st.sampled_from(
            [(None, None), (first, last), (first, None), (None, last), (whole.first, whole.last)]
        )
    )
    return Query(
        buckets=draw(subsets((*BUCKETS, "absent"))),
        log_types=draw(subsets((*LOG_TYPES, "WAFLogs"))),
        accounts=draw(subsets((*ACCOUNTS, "all", "333333333333"))),
        regions=draw(subsets((*REGIONS, "eu-west-2"))),
        keys=keys,
        first=first_last[0],
        last=first_last[1],
    )


def is_wanted(query: Query, names: Query, one: Packed) -> bool:
    """Apply each condition by itself, without ruling out groups. `names` is the query with its keys
    only.
    """
    parsed = parse_key(one.key)
    assert isinstance(parsed, Dated)
    facts = parsed.facts
    begin = datetime.combine(facts.date, time(facts.hour or 0), UTC)
    end = begin + (timedelta(days=1) if facts.hour is None else timedelta(hours=1))
    return all(
        (
            not query.buckets or one.group.bucket in query.buckets,
            not query.log_types or facts.log_type in query.log_types,
            not query.accounts or (facts.account or "all") in query.accounts,
            not query.regions or facts.region in query.regions,
            query.first is None or end > query.first,
            query.last is None or begin <= query.last,
            names.matches(one.group, one.key),
        )
    )


@settings(max_examples=200, deadline=None)
@given(queries())
def test_find_returns_exactly_the_matching_members(query: Query) -> None:
    """Exactly the wanted members come with their packs; the indexes of possible groups are read
    once each, and nothing else is read.
    """
    world, packed = make_packed_world()
    store = FaultyStore(world.store, nothing)
    found = list(find(store, SerialWorkers(), world.targets, query))
    names = Query(keys=query.keys)
    members = {
        Packed(pack.group, pack.pack_key, member.key, member.version_id)
        for pack in found
        for member in pack.members
    }
    assert members == {one for one in packed if is_wanted(query, names, one)}
    assert sum(len(pack.members) for pack in found) == len(members)
    read = [call.key for call in store.calls if call.operation != "ListObjectsV2"]
    assert sorted(read) == sorted(
        {world.targets[0].index_key(one.pack_key) for one in packed if query.may_hold(one.group)}
    )
    assert {call.operation for call in store.calls} <= {"GetObject", "ListObjectsV2"}


@settings(max_examples=30, deadline=None)
@given(queries())
def test_find_with_threads_gives_the_same_result(query: Query) -> None:
    """The same packs and members come in the same order, serially or in parallel."""
    world, _ = make_packed_world()
    with ThreadWorkers(readers=8) as threads:
        each: list[Workers] = [SerialWorkers(), threads]
        one, other = (list(find(world.store, workers, world.targets, query)) for workers in each)
    assert one == other
    assert [pack.pack_key for pack in one] == sorted(pack.pack_key for pack in one)

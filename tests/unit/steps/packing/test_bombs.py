"""A gzip bomb among logs: packed, verified, read and put back without being inflated."""

from __future__ import annotations

import gzip
from collections.abc import Iterator

import pytest
from tests.support.inflating import Inflated, bombs_from, counted_inflating
from tests.support.world import (
    World,
    find_losses,
    flow_key,
    left_in_place,
    make_world,
    pack_gzip,
    read_indexes,
)

from log_aggregator.core.query import Query
from log_aggregator.limits import KIB, MIB
from log_aggregator.model import Encoding, Index, Target
from log_aggregator.steps.packs.verify import verify_pack
from log_aggregator.steps.retrieval.fetch import FetchProgress, VersionChoice, choose
from log_aggregator.steps.retrieval.find import find
from log_aggregator.steps.retrieval.put_back import ReturnAddress, put_back
from log_aggregator.steps.rules import Level
from log_aggregator.steps.workers import SerialWorkers

TARGET = Target("dest")
BOMB = gzip.compress(bytes(20 * MIB), mtime=0)
KEY = flow_key("b.log.gz")
LOGS = {
    flow_key("a.log.gz"): pack_gzip(b"before\n"),
    KEY: BOMB,
    flow_key("c.log.gz"): pack_gzip(b"after\n"),
}
LIMIT_BYTES = 3 * MIB
SMALL_BYTES = 300 * KIB
"""The first look of 256 KiB, the honest logs and the indexes."""


@pytest.fixture
def inflated() -> Iterator[Inflated]:
    with bombs_from(LIMIT_BYTES), counted_inflating() as inflated:
        yield inflated


def pack(*, has_kms: bool = False) -> tuple[World, Index]:
    world = make_world(has_kms=has_kms)
    for key, data in LOGS.items():
        world.put("logs", key, data)
    assert world.run().failures == []
    assert (left_in_place(world), find_losses(world)) == ([], [])
    (index,) = read_indexes(world.store, TARGET).values()
    return world, index


def test_a_bomb_is_sealed_and_flagged(inflated: Inflated) -> None:
    """It costs what an honest log may cost, has its flag, and its neighbours are stored as
    usual.
    """
    _, index = pack()
    assert {member.key: (member.encoding, member.flags) for member in index.members} == {
        key: ((Encoding.SEALED, ("gzip-bomb",)) if key == KEY else (Encoding.RAW, ()))
        for key in LOGS
    }
    assert LIMIT_BYTES < inflated.total_bytes < LIMIT_BYTES + SMALL_BYTES


def test_a_bomb_is_sealed_with_kms_too(inflated: Inflated) -> None:
    """Without an MD5 the bomb is read twice, because its CRC-32 was not reached."""
    _, index = pack(has_kms=True)
    assert [member.flags for member in index.members] == [(), ("gzip-bomb",), ()]
    assert inflated.total_bytes < 2 * (LIMIT_BYTES + SMALL_BYTES)


def test_no_reader_inflates_a_bomb(inflated: Inflated) -> None:
    """Every level of verification, zcat of the pack, and put-back handle its bytes only."""
    world, index = pack()
    inflated.total_bytes = 0
    for level in Level:
        verify_pack(world.store, TARGET, index.pack_key, level)
    pack_bytes = world.store.get_object("dest", index.pack_key).data
    assert gzip.decompress(pack_bytes) == b"before\nafter\n"
    wanted = choose(find(world.store, SerialWorkers(), [TARGET], Query()), VersionChoice())
    put = put_back(world.store, SerialWorkers(), wanted, ReturnAddress(), FetchProgress())
    assert (put.written, put.failures) == (3, [])
    assert {key: world.store.get_object("logs", key).data for key in LOGS} == LOGS
    assert inflated.total_bytes < SMALL_BYTES


def test_a_bomb_always_gives_the_same_pack(inflated: Inflated) -> None:
    """Nothing in a pack depends on when inflating ended."""
    packs = []
    for _ in range(2):
        world, index = pack()
        packs.append(world.store.get_object("dest", index.pack_key).data)
    assert packs[0] == packs[1]
    assert inflated.total_bytes < 2 * (LIMIT_BYTES + SMALL_BYTES)

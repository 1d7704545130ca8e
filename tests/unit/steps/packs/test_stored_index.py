"""The index of a stored pack: however it is read, it must belong to the requested pack."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.support.world import World, flow_key, make_world, pack_gzip

from log_aggregator.core.packformat.index import decode_index, encode_index
from log_aggregator.errors import BadPack, NotFound
from log_aggregator.model import Index, Target
from log_aggregator.steps.packs.index import StoredIndex, read_index, read_tail

READINGS: dict[str, Callable[[StoredIndex], object]] = {
    "whole": StoredIndex.decode,
    "members": lambda stored: stored.find_members(lambda _: False),
    "identities": lambda stored: stored.find_identities(frozenset()),
}


@pytest.fixture
def packed() -> tuple[World, Target, str]:
    world = make_world(keep_originals_days=30)
    for number in range(3):
        world.put("logs", flow_key(f"{number}.log.gz"), pack_gzip(f"{number}\n".encode()))
    (pack,) = world.run().groups[0].packs
    return world, world.targets[0], pack.key


def test_every_lookup_gives_the_same_members(packed: tuple[World, Target, str]) -> None:
    """Read whole, by key or by identity, an index gives the same members; and the tail holds the
    same bytes.
    """
    world, target, key = packed
    stored = read_index(world.store, target, key)
    index = stored.decode()
    assert len(index.members) == 3
    wanted = index.members[1]
    head, members = stored.find_members(lambda name: name == wanted.key)
    assert (head, members) == (replace(index, members=()), [wanted])
    assert stored.find_identities(frozenset([wanted.identity, ("none", None, "", 0, None)])) == [
        wanted.identity
    ]
    tail = read_tail(world.store, target, key)
    assert (tail.data, tail.sha256, tail.decode()) == (stored.data, stored.sha256, index)


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("lie", ["pack", "bucket", "account"])
def test_an_index_of_something_else_is_refused(
    packed: tuple[World, Target, str], reading: str, lie: str
) -> None:
    """Another pack, or a group in whose folder the pack does not lie: otherwise anyone who can
    write indexes could lead a reader to unrelated logs.
    """
    world, target, key = packed
    index = decode_index(world.store.get_object("dest", target.index_key(key)).data)
    lies: dict[str, Index] = {
        "pack": replace(index, pack_key=f"{key}x"),
        "bucket": replace(index, group=replace(index.group, bucket="elsewhere")),
        "account": replace(index, group=replace(index.group, account="999999999999")),
    }
    world.store.put("dest", target.index_key(key), encode_index(lies[lie]))
    message = "is the index of another pack" if lie == "pack" else "is the index of another group"
    with pytest.raises(BadPack, match=f"s3://dest/{target.index_key(key)} {message}"):
        READINGS[reading](read_index(world.store, target, key))


@pytest.mark.parametrize("reading", READINGS)
def test_a_damaged_index_is_named(packed: tuple[World, Target, str], reading: str) -> None:
    """The message names the unreadable object; a missing one is NotFound."""
    world, target, key = packed
    where = target.index_key(key)
    world.store.put("dest", where, world.store.get_object("dest", where).data[:-9])
    with pytest.raises(BadPack, match=f"s3://dest/{where}: the index cannot be read"):
        READINGS[reading](read_index(world.store, target, key))
    world.store.delete("dest", where)
    with pytest.raises(NotFound):
        read_index(world.store, target, key)

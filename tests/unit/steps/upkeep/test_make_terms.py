"""Terms made later equal those that a run would have written."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import replace
from random import Random

import pytest
from tests.support.world import World, flow_key, make_world, pack_gzip, trail_key
from tests.unit.steps.packing.test_terms import KEY, LEAKED, trail

from log_aggregator.core.packformat.index import decode_index, encode_index
from log_aggregator.core.planning import PackLimits
from log_aggregator.core.query import Query
from log_aggregator.core.terms.model import Field, Sighting, Term, TermsHead, Unsearched
from log_aggregator.errors import BadPack, GroupFailed, ObjectFrozen, VerificationError
from log_aggregator.limits import MIB
from log_aggregator.model import Target
from log_aggregator.steps.packs.terms import read_terms
from log_aggregator.steps.rules import TermsOptions
from log_aggregator.steps.upkeep import terms as upkeep_terms
from log_aggregator.steps.upkeep.terms import (
    TermsMade,
    find_lack,
    find_named_lack,
    make_terms,
)

DEST = Target("dest")
ACCESS_LOG = (
    b"79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be bucket "
    b"[03/Apr/2025:00:00:38 +0000] 192.0.2.3 arn:aws:iam::111111111111:user/eve 3E57427F3EXAMPLE "
    b'REST.GET.OBJECT key "GET /bucket/key HTTP/1.1" 200 - 113 - 7 - "-" "S3Console/0.4" - x= '
    b"SigV4 ECDHE-RSA-AES128-GCM-SHA256 AuthHeader bucket.s3.amazonaws.com TLSV1.2 - -\n"
)


def put_all(world: World) -> None:
    """Put one member for each way in which a pack stores members."""
    for number in (3, 1, 2):
        world.put("logs", trail_key(number), trail(LEAKED, f"AKIA{number}"))
    world.put("logs", trail_key(1), trail("AKIANEWER"))
    world.put("logs", trail_key(4), trail(LEAKED)[:-3])
    world.put("logs", trail_key(5), trail(LEAKED, pad=" " * 3 * MIB))
    world.put("logs", trail_key(6), b'{"Records": []}')
    for number in range(3):
        key = f"2025-04-03-01-00-00-{number:016X}"
        world.put("logs", key, ACCESS_LOG.replace(b"eve", b"eve%d" % number))


def sightings_of(world: World) -> dict[str, tuple[TermsHead, list[Sighting]]]:
    """The sightings, by the pack's key."""
    found = {}
    for entry in world.store.list_objects("dest", prefix="terms/").objects:
        key = DEST.pack_key_of_terms(entry.key)
        head, sightings = read_terms(world.store, DEST, key)
        found[key] = head, list(sightings)
    return found


def make_all(world: World, options: TermsOptions | None = None, **more: bool) -> list[TermsMade]:
    lack = find_lack(world.job(), Query(), **{"again": False} | more)
    return [make_terms(world.store, pack, options or TermsOptions()) for pack in lack.packs]


def make_unsearched_world() -> World:
    world = make_world(search="off")
    put_all(world)
    world.run()
    assert sightings_of(world) == {}
    return world


def test_terms_equal_those_made_by_a_run() -> None:
    """Terms of gzip members, text blocks, damaged and sealed ones are equal, and then nothing is
    left to do.
    """
    packed, world = make_world(), make_unsearched_world()
    put_all(packed)
    packed.run()
    made = make_all(world)
    assert sightings_of(world) == sightings_of(packed) != {}
    assert {each.pack_key: each.members for each in made} == {
        key: head.members for key, (head, _) in sightings_of(packed).items()
    }
    lack = find_lack(world.job(), Query(), again=False)
    assert (lack.packs, lack.present) == ([], len(made))
    assert len(make_all(world, again=True)) == len(made)


def test_members_copied_by_s3_are_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run cannot read them; members too large for memory are left out."""
    monkeypatch.setattr(upkeep_terms, "SEARCHED_MEMBER_BYTES_MAX", 30 * MIB)
    world = make_world(limits=PackLimits(copy_size_bytes_min=10 * MIB))
    noise = gzip.compress(Random(1).randbytes(11 * MIB), compresslevel=0)
    world.put("logs", trail_key(1), trail(LEAKED) + gzip.compress(b" " * 11 * MIB, 0))
    world.put("logs", trail_key(2), noise * 3)
    assert world.run().failures == []
    ((head, _),) = sightings_of(world).values()
    assert head.unsearched == {Unsearched.COPIED: 2}
    make_all(world, again=True)
    ((head, found),) = sightings_of(world).values()
    assert head.unsearched == {Unsearched.TOO_LARGE: 1}
    assert Term(Field.ACCESS_KEY, LEAKED) in {each.term for each in found}


def test_hashes_are_made_with_the_key() -> None:
    world = make_unsearched_world()
    make_all(world, TermsOptions(is_hashed=True, key=KEY))
    for head, found in sightings_of(world).values():
        assert head.search_key == KEY.id
        assert LEAKED not in {each.term.value for each in found}
    hashed = {each.term for _, found in sightings_of(world).values() for each in found}
    assert KEY.hash(Term(Field.ACCESS_KEY, LEAKED)) in hashed


def test_packs_without_possible_terms_are_counted() -> None:
    """Log types without terms, and copies: neither is read."""
    world = make_world(search="off", limits=PackLimits(copy_alone_bytes_min=100_000))
    world.put("logs", trail_key(1), trail(LEAKED))
    world.put("logs", trail_key(2), bytes(100_000))
    world.put("logs", flow_key("x.gz").replace("vpcflowlogs", "networkmanager"), pack_gzip(b"x"))
    world.run()
    lack = find_lack(world.job(), Query(), again=False)
    assert (len(lack.packs), lack.present, lack.never) == (1, 0, 2)
    (key,) = [pack.pack_key for pack in lack.packs]
    named = find_named_lack(world.job(), [(DEST, key)], again=False)
    assert [pack.pack_key for pack in named.packs] == [key]
    make_terms(world.store, lack.packs[0], TermsOptions())
    for again, count in ((False, 0), (True, 1)):
        assert len(find_named_lack(world.job(), [(DEST, key)], again=again).packs) == count


def test_a_missing_pack_needs_no_terms() -> None:
    """A pack that expired before its index needs no terms."""
    world = make_unsearched_world()
    for entry in world.store.list_objects("dest", prefix="packs/").objects:
        world.store.delete("dest", entry.key)
    assert find_lack(world.job(), Query(), again=False).packs == []


def lose_index(world: World, key: str) -> None:
    world.store.delete("dest", DEST.index_key(key))


def damage(world: World, key: str) -> None:
    data = bytearray(world.store.get_object("dest", key).data)
    data[-40_000 if len(data) > 50_000 else len(data) // 2] ^= 1
    world.store.put("dest", key, bytes(data))


def freeze(world: World, key: str) -> None:
    world.store.put(
        "dest", key, world.store.get_object("dest", key).data, storage_class="DEEP_ARCHIVE"
    )


def forge(world: World, key: str) -> None:
    """Write an index with wrong member offsets, as anyone who writes indexes could."""
    index = decode_index(world.store.get_object("dest", DEST.index_key(key)).data)
    members = tuple(replace(each, offset=each.offset + 10**6) for each in index.members)
    world.store.put("dest", DEST.index_key(key), encode_index(replace(index, members=members)))


@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        (lose_index, BadPack),
        (damage, VerificationError),
        (freeze, ObjectFrozen),
        (forge, GroupFailed),
    ],
)
def test_a_damaged_pack_gets_no_terms(
    spoil: Callable[[World, str], None], error: type[GroupFailed]
) -> None:
    world = make_unsearched_world()
    pack = next(
        each for each in find_lack(world.job(), Query(), again=False).packs if "Trail" in each.where
    )
    spoil(world, pack.pack_key)
    with pytest.raises(error, match=pack.pack_key):
        make_terms(world.store, pack, TermsOptions())
    assert sightings_of(world) == {}


def test_an_oversized_block_is_not_held_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A large text was streamed into its pack; its members count as not examined."""
    world = make_unsearched_world()
    monkeypatch.setattr(upkeep_terms, "_BLOCK_BYTES_MAX", 100)
    make_all(world)
    reasons = [head.unsearched for head, _ in sightings_of(world).values()]
    assert {Unsearched.TOO_LARGE: 3} in reasons

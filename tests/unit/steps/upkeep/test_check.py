"""Checking many packs: each kind of damage has its own message, and a damaged pack does not keep
others from being checked.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.support.world import World, fail_on, flow_key, make_world, pack_gzip, trail_key

from log_aggregator.core.adopted import Said
from log_aggregator.core.checksums import RunningChecksum
from log_aggregator.core.packformat import expected_pack
from log_aggregator.core.packformat.index import encode_index
from log_aggregator.core.packformat.tail import encode_tail
from log_aggregator.core.planning import PackLimits
from log_aggregator.core.query import Query
from log_aggregator.errors import AccessDenied, Unreachable
from log_aggregator.model import Index, Member, PackFormat, StoredObject, Target
from log_aggregator.ports.store import Body, WriteOptions
from log_aggregator.steps.packs.index import read_index
from log_aggregator.steps.packs.verify import verify_pack
from log_aggregator.steps.rules import Level
from log_aggregator.steps.upkeep.adopt import adopt, describe_aggregate, list_aggregates
from log_aggregator.steps.upkeep.check import (
    Broken,
    Finding,
    Frozen,
    PackPlace,
    Sound,
    Unchecked,
    check_places,
    list_places,
)
from log_aggregator.steps.workers import SerialWorkers
from log_aggregator_lab.stores.faults import FaultyStore
from log_aggregator_lab.stores.memory import MemoryStore
from log_aggregator_lab.stores.metered import MeteredStore

TARGET = Target("dest")
OLD = "vpc-logs/2025/04/03/111111111111_vpcflowlogs_x.gz"


def make_packed() -> tuple[World, str, str]:
    """Two packs of a day, and an adopted aggregate."""
    world = make_world()
    for number in range(3):
        world.put("logs", flow_key(f"{number}.log.gz"), pack_gzip(f"{number}\n".encode()))
        world.put("logs", flow_key(f"{number}.log"), f"text {number}".encode())
        world.put("logs", trail_key(number), pack_gzip(f"{{{number}}}".encode()))
    packs = [pack.key for group in world.run().groups for pack in group.packs]
    world.store.create_bucket("old")
    world.store.put("old", OLD, pack_gzip(b"old\n") * 2, with_checksum=True)
    (found,) = list_aggregates(world.store, TARGET, "old", OLD)
    assert adopt(world.store, TARGET, describe_aggregate(found, Said()), WriteOptions())
    trail, flow = sorted(packs, key=lambda key: "CloudTrail" not in key)
    return world, trail, flow


def check_all(world: World, level: Level = Level.READ_BACK) -> list[Finding]:
    places = list(list_places(world.store, SerialWorkers(), [TARGET], Query()))
    return list(check_places(world.store, SerialWorkers(), places, level))


@pytest.mark.parametrize("level", Level)
def test_all_packs_and_adopted_aggregates_are_checked(level: Level) -> None:
    """Undamaged packs are sound at every level."""
    world, *packs = make_packed()
    findings = check_all(world, level)
    assert [type(finding) for finding in findings] == [Sound, Sound, Sound]
    assert {finding.place.key for finding in findings if not finding.place.is_adopted} == set(packs)
    assert sorted(finding.member_count for finding in findings if isinstance(finding, Sound)) == [
        2,
        3,
        6,
    ]


def test_each_level_reads_only_what_it_needs() -> None:
    """Checksum: an index and a HEAD per pack. Tail: two more ranges, of the tail alone. Read-back:
    every byte once.
    """
    world, key, _ = make_packed()
    stored = read_index(world.store, TARGET, key)
    index, data = stored.decode(), stored.data
    size, _ = expected_pack(index, data)
    stores = {level: MeteredStore(world.store) for level in Level}
    for level, store in stores.items():
        verify_pack(store, TARGET, key, level)
    read = {level: store.bytes_read - len(data) for level, store in stores.items()}
    assert read == {
        Level.CHECKSUM: 0,
        Level.TAIL: size - index.content_length_bytes + 58,
        Level.READ_BACK: size,
    }
    assert stores[Level.TAIL].requests == {"GetObject": 3, "HeadObject": 2}


Damage = Callable[[World, str, str], None]


def change(world: World, key: str, edit: Callable[[bytes], bytes]) -> None:
    world.store.put("dest", key, edit(world.store.get_object("dest", key).data), with_checksum=True)


def flip(position: int) -> Callable[[bytes], bytes]:
    return lambda data: data[:position] + bytes([data[position] ^ 1]) + data[position:][1:]


def replace_index(world: World, key: str, _: str) -> None:
    """Replace it by one that differs in a single detail, as a careful forger would."""
    index = read_index(world.store, TARGET, key).decode()
    world.store.put(
        "dest", TARGET.index_key(key), encode_index(replace(index, tool="another tool"))
    )


def index_key(key: str) -> str:
    return TARGET.index_key(key)


DAMAGES: dict[str, tuple[Damage, str, str]] = {
    "no index": (
        lambda world, key, _: world.store.delete("dest", index_key(key)),
        "NotFound",
        "the pack has no index; `log-agg",
    ),
    "no pack": (
        lambda world, key, _: world.store.delete("dest", key),
        "NotFound",
        "the index exists, but the pack does not",
    ),
    "index of another pack": (
        lambda world, key, other: change(
            world, index_key(key), lambda _: world.store.get_object("dest", index_key(other)).data
        ),
        "BadPack",
        "is the index of another pack, packs/",
    ),
    "index replaced": (
        replace_index,
        "VerificationError",
        "the index in the pack's own tail differs from its stored index",
    ),
    "index damaged": (
        lambda world, key, _: change(world, index_key(key), flip(40)),
        "BadPack",
        "the index cannot be read",
    ),
    "index cut short": (
        lambda world, key, _: change(world, index_key(key), lambda data: data[:-5]),
        "BadPack",
        "the index cannot be read",
    ),
    "index empty": (
        lambda world, key, _: change(world, index_key(key), lambda _: b""),
        "BadPack",
        "the index cannot be read",
    ),
    "pack cut short": (
        lambda world, key, _: change(world, key, lambda data: data[:-100]),
        "VerificationError",
        "bytes are stored",
    ),
    "pack longer": (
        lambda world, key, _: change(world, key, lambda data: data + b"\0"),
        "VerificationError",
        "bytes are stored",
    ),
    "pack empty": (
        lambda world, key, _: change(world, key, lambda _: b""),
        "VerificationError",
        "0 bytes are stored",
    ),
    "member damaged": (
        lambda world, key, _: change(world, key, flip(12)),
        "VerificationError",
        "its SHA-256 differs",
    ),
    "newline damaged": (
        lambda world, key, _: change(world, key, flip(28)),
        "VerificationError",
        "but bytes between them have changed",
    ),
    "tail damaged": (
        lambda world, key, _: change(world, key, flip(-20)),
        "VerificationError",
        "but the pack's tail is not",
    ),
    "another pack": (
        lambda world, key, other: change(
            world, key, lambda _: world.store.get_object("dest", other).data
        ),
        "VerificationError",
        "the index in the pack's own tail differs from its stored index",
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_each_kind_of_damage_has_its_own_message(name: str) -> None:
    """The messages are those of read-back; the other packs are still found right. The text names
    the pack and quotes no log.
    """
    world, key, other = make_packed()
    damage, error, message = DAMAGES[name]
    damage(world, key, other)
    findings = check_all(world)
    (broken,) = [finding for finding in findings if isinstance(finding, Broken)]
    assert len(findings) == 3
    assert broken.place == PackPlace(TARGET, key)
    assert (broken.failure.where, broken.failure.error) == (f"s3://dest/{key}", error)
    assert message in broken.failure.message
    assert "kept" not in broken.failure.advice


@pytest.mark.parametrize(
    "name",
    [name for name in DAMAGES if name not in ("member damaged", "newline damaged", "tail damaged")],
)
def test_lower_levels_find_missing_and_replaced_packs(name: str) -> None:
    """Without reading a byte of the pack, or by its tail alone; these levels believe S3's
    checksum.
    """
    for level in (Level.CHECKSUM, Level.TAIL):
        world, key, other = make_packed()
        DAMAGES[name][0](world, key, other)
        (broken,) = [finding for finding in check_all(world, level) if isinstance(finding, Broken)]
        assert broken.place.key == key
        if DAMAGES[name][2] == "bytes are stored":
            assert "bytes are stored" in broken.failure.message


@pytest.mark.parametrize("name", ["member damaged", "newline damaged", "tail damaged"])
def test_the_checksum_level_finds_every_changed_byte(name: str) -> None:
    """S3's checksum of the whole pack then differs."""
    world, key, other = make_packed()
    DAMAGES[name][0](world, key, other)
    assert [
        finding.place.key
        for finding in check_all(world, Level.CHECKSUM)
        if isinstance(finding, Broken)
    ] == [key]


@pytest.mark.parametrize("level", [Level.TAIL, Level.READ_BACK])
def test_frozen_packs_are_neither_good_nor_damaged(level: Level) -> None:
    """They cannot be read; their checksum is compared, if S3 has one. At checksum level they are
    like any other.
    """
    for has_checksum in (True, False):
        world, key, _ = make_packed()
        data = world.store.get_object("dest", key).data
        world.store.put("dest", key, data, storage_class="DEEP_ARCHIVE", with_checksum=has_checksum)
        assert [
            finding for finding in check_all(world, level) if not isinstance(finding, Sound)
        ] == [Frozen(PackPlace(TARGET, key), has_checksum)]
    world.store.put("dest", key, data, storage_class="DEEP_ARCHIVE", with_checksum=True)
    assert all(isinstance(finding, Sound) for finding in check_all(world, Level.CHECKSUM))
    world.store.put("dest", key, data[:-1], storage_class="DEEP_ARCHIVE", with_checksum=True)
    assert [type(finding) for finding in check_all(world, level)].count(Broken) == 1


def test_a_denied_pack_is_named_and_an_outage_ends_the_check() -> None:
    """A missing permission leaves that pack unchecked; without S3 nothing is reported about any
    pack.
    """
    world, key, _ = make_packed()
    places = list(list_places(world.store, SerialWorkers(), [TARGET], Query()))
    denied = FaultyStore(
        world.store,
        fail_on(
            lambda call: call.operation == "HeadObject" and call.key == key,
            AccessDenied("no s3:GetObject"),
        ),
    )
    (unchecked,) = [
        finding
        for finding in check_places(denied, SerialWorkers(), places, Level.CHECKSUM)
        if not isinstance(finding, Sound)
    ]
    assert isinstance(unchecked, Unchecked)
    assert (unchecked.place.key, unchecked.failure.error) == (key, "AccessDenied")
    dead = FaultyStore(
        world.store, fail_on(lambda call: call.operation == "HeadObject", Unreachable("no answer"))
    )
    with pytest.raises(Unreachable):
        list(check_places(dead, SerialWorkers(), places, Level.CHECKSUM))


class Generated(MemoryStore):
    """A store whose packs contain zeros, generated while they are read, and then their tails."""

    content_bytes = 0
    tail = b""

    def head_object(
        self, bucket: str, key: str, *, version_id: str | None = None, if_match: str | None = None
    ) -> StoredObject:
        return replace(
            super().head_object(bucket, key),
            size_bytes=self.content_bytes + len(self.tail),
            crc64nvme=None,
        )

    def get_object(
        self,
        bucket: str,
        key: str,
        *,
        version_id: str | None = None,
        if_match: str | None = None,
        byte_range: tuple[int, int] | None = None,
    ) -> Body:
        if byte_range is None:
            return super().get_object(bucket, key)
        first, last = byte_range
        zeros = bytes(max(0, min(last, self.content_bytes) - first))
        return Body(
            zeros
            + self.tail[max(0, first - self.content_bytes) : max(0, last - self.content_bytes)],
            etag=if_match or "",
        )


def measure_read_back(size_bytes: int) -> int:
    """Peak memory of reading back a pack of two members, one of which is nearly all of it."""
    world, key, _ = make_packed()
    member = read_index(world.store, TARGET, key).decode().members[0]
    parts = [(0, 1000), (1000, size_bytes - 1000)]
    members = tuple(zeros_member(member, offset, size) for offset, size in parts)
    crc = RunningChecksum()
    for _ in range(size_bytes // 2**20):
        crc.take(bytes(2**20))
    index = Index(
        key,
        PackFormat.GZIP,
        read_index(world.store, TARGET, key).decode().group,
        size_bytes,
        crc.crc,
        members,
    )
    store = Generated()
    store.create_bucket("dest")
    store.put("dest", key, b"")
    store.put("dest", TARGET.index_key(key), encode_index(index))
    store.content_bytes, store.tail = (
        size_bytes,
        encode_tail(PackFormat.GZIP, encode_index(index), size_bytes),
    )
    tracemalloc.start()
    try:
        verify_pack(store, TARGET, key, Level.READ_BACK)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def zeros_member(member: Member, offset: int, size: int) -> Member:
    crc = RunningChecksum()
    crc.take(bytes(size))
    return replace(
        member,
        key=f"{offset}",
        offset=offset,
        length_bytes=size,
        size_bytes=size,
        sha256=None,
        crc64nvme=crc.crc,
    )


def test_memory_does_not_grow_with_the_pack() -> None:
    """A pack of any size is read back in a few ranges of 8 MiB."""
    small, large = measure_read_back(32 * 2**20), measure_read_back(160 * 2**20)
    assert small < 40 * 2**20
    assert large - small < 2**20, f"{small:,} bytes, then {large:,}"


def test_a_copied_pack_has_no_tail() -> None:
    """A copy is right at every level, and its own checksum shows damage."""
    world = make_world(limits=PackLimits(copy_alone_bytes_min=400, copy_size_bytes_min=300))
    world.put("logs", flow_key("large.log.gz"), bytes(range(256)) * 2)
    (pack,) = world.run().groups[0].packs
    for level in Level:
        assert verify_pack(world.store, TARGET, pack.key, level).index.format is PackFormat.COPY
    change(world, pack.key, flip(25))
    assert [type(finding) for finding in check_all(world)] == [Broken]

"""Laws of packs: for any log objects, planned, written and read back with tiny limits."""

from __future__ import annotations

import gzip
import io
import random
import tarfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from unittest import mock

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from log_aggregator.core.checksums import crc64nvme
from log_aggregator.core.packformat import builder as builder_module
from log_aggregator.core.packformat import contents as contents_module
from log_aggregator.core.packformat import inflate as inflate_module
from log_aggregator.core.packformat.index import decode_index, encode_index
from log_aggregator.core.planning import PackLimits, Source, plan_packs
from log_aggregator.errors import BadPack, VerificationError
from log_aggregator.model import (
    ContentKind,
    Encoding,
    Group,
    Identity,
    KeyFacts,
    LogObject,
    PackedMember,
    PackFormat,
    PackPlan,
    Target,
)
from log_aggregator.steps.packing import pack_writer as packwriter
from log_aggregator.steps.packing.combine import combine
from log_aggregator.steps.packs.index import read_index, read_tail
from log_aggregator.steps.packs.pages import list_all
from log_aggregator.steps.packs.verify import verify_pack
from log_aggregator.steps.rules import CombineOptions, Level
from log_aggregator.steps.workers import SerialWorkers
from log_aggregator_lab.check import read_original_back
from log_aggregator_lab.stores.memory import FIRST_TIME, MemoryStore
from log_aggregator_lab.unpacking import unpack_member

GROUP = Group("logs", "Other", "111111111111", date(2025, 4, 3))
TARGET = Target("dest")
PART_MIN, BLOCK, COPY_MIN = 64, 50, 200
INFLATED, BOMB_BYTES, BOMB_RATIO = 64, 2000, 60
RUNS = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@dataclass(frozen=True)
class Wanted:
    """A log object to be put into the bucket."""

    key: str
    data: bytes
    metadata: tuple[tuple[str, str], ...]
    kind: ContentKind
    region: str | None
    hour: int | None


def make_data(shape: str, size: int, seed: int) -> bytes:
    noise = random.Random(seed).randbytes(size)
    letters = noise.hex().encode()[:size] or b""
    plain = {
        "text": letters,
        "lines": letters + b"\n",
        "empty": b"",
        "binary": b"\x00" + noise,
        "parquet": b"PAR1" + letters,
        "utf-8": "é ü\u2028日".encode() * (size // 12),
        "crlf": letters + b"\r\n",
    }
    if shape in plain:
        return plain[shape]
    zipped = gzip.compress(letters, compresslevel=seed % 2, mtime=0)
    repeated = gzip.compress(b"x" * (20 * size), mtime=0)
    return {
        "gzip": zipped,
        "gzip-lines": gzip.compress(letters + b"\n", mtime=0),
        "gzip-empty": gzip.compress(b"", mtime=0),
        "gzip-members": zipped + gzip.compress(b"", mtime=0) + gzip.compress(letters, mtime=0),
        "gzip-in-gzip": gzip.compress(zipped, mtime=0),
        "gzip-cut": zipped[: -1 - seed % 9],
        "gzip-and-more": zipped + b"more",
        "gzip-repeated": repeated,
        "gzip-repeated-behind": zipped + repeated,
        "gzip-repeated-cut": repeated[: -1 - seed],
        "gzip-repeated-members": gzip.compress(b"x" * 1000, mtime=0) * (seed + 1),
    }[shape]


SHAPES = (
    "text lines empty binary parquet utf-8 crlf gzip gzip-lines gzip-empty gzip-members "  # noqa: SIM905
    "gzip-in-gzip gzip-cut gzip-and-more gzip-repeated gzip-repeated-behind gzip-repeated-cut "
    "gzip-repeated-members".split()
)
KEYS = st.builds(
    lambda name, suffix: f"2025/04/03/{name}{suffix}",
    st.text(
        st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=20
    ),
    st.sampled_from(["", ".gz", ".log", ".json.gz"]),
).filter(lambda key: not key.endswith("/"))
"""A key that ends in a slash is a folder marker, and never packed; tarfile would read its name
without the slash.
"""
WANTED = st.builds(
    Wanted,
    key=KEYS,
    data=st.builds(make_data, st.sampled_from(SHAPES), st.integers(0, 450), st.integers(0, 5)),
    metadata=st.dictionaries(
        st.sampled_from(["signature", "b"]), st.text("abc é", max_size=5), max_size=2
    ).map(lambda d: tuple(d.items())),
    kind=st.sampled_from(ContentKind),
    region=st.sampled_from([None, "eu-west-1"]),
    hour=st.sampled_from([None, 1, 2]),
)
LIMITS = st.builds(
    PackLimits,
    pack_size_bytes_max=st.integers(100, 3000),
    members_max=st.integers(1, 12),
    copy_alone_bytes_min=st.sampled_from([300, 10_000]),
    copy_size_bytes_min=st.just(COPY_MIN),
    part_size_bytes=st.integers(PART_MIN, 300),
)


@contextmanager
def tiny_limits() -> Iterator[None]:
    with (
        mock.patch.object(packwriter, "PART_SIZE_BYTES_MIN", PART_MIN),
        mock.patch.object(builder_module, "TEXT_BLOCK_BYTES", BLOCK),
        mock.patch.object(contents_module, "INFLATED_BYTES", INFLATED),
        mock.patch.object(inflate_module, "INFLATED_BYTES", INFLATED),
        mock.patch.object(inflate_module, "BOMB_BYTES_MIN", BOMB_BYTES),
        mock.patch.object(inflate_module, "BOMB_RATIO_MIN", BOMB_RATIO),
    ):
        yield


def make_store(wanted: list[Wanted]) -> tuple[MemoryStore, list[Source], dict[Identity, Wanted]]:
    store = MemoryStore(part_size_bytes_min=PART_MIN)
    store.create_bucket("logs", versioning="Enabled")
    store.create_bucket("dest", versioning="Enabled")
    sources: list[Source] = []
    by_identity: dict[Identity, Wanted] = {}
    for each in wanted:
        put = store.put("logs", each.key, each.data, metadata=dict(each.metadata))
        by_identity[put.identity] = each
        sources.append(
            Source(
                put, KeyFacts("Other", GROUP.date, GROUP.account, each.region, each.hour, each.kind)
            )
        )
    return store, sources, by_identity


@RUNS
@given(st.lists(WANTED, min_size=1, max_size=12), LIMITS)
def test_everything_packed_comes_back(wanted: list[Wanted], limits: PackLimits) -> None:
    """Every log object is in exactly one pack and comes back by ranges, byte for byte with its
    metadata; the stored pack has the size and checksum that its index implies.
    """
    store, sources, by_identity = make_store(wanted)
    plans = plan_packs(GROUP, sources, TARGET, limits)
    seen: Counter[Identity] = Counter()
    with tiny_limits():
        for plan in plans:
            written = combine(store, SerialWorkers(), plan, CombineOptions(limits))
            verified = verify_pack(store, TARGET, plan.key, Level.READ_BACK)
            stored = store.get_object("dest", plan.key).data
            assert (len(stored), crc64nvme(stored)) == (
                verified.expected_size_bytes,
                verified.expected_crc64nvme,
            )
            assert written.size_bytes == len(stored)
            for member in verified.index.members:
                seen[member.identity] += 1
                original = by_identity[member.identity]
                assert (
                    unpack_member(
                        member, stored[member.offset : member.offset + member.length_bytes]
                    )
                    == original.data
                )
                assert (
                    b"".join(read_original_back(store, PackedMember(TARGET, plan.key, member)))
                    == original.data
                )
                assert dict(member.metadata) == dict(original.metadata)
    assert dict(seen) == {source.log_object.identity: 1 for source in sources}
    assert store.open_uploads() == []


@RUNS
@given(st.lists(WANTED, min_size=1, max_size=10), LIMITS)
def test_indexes_decode_to_what_was_encoded(wanted: list[Wanted], limits: PackLimits) -> None:
    """The index stored next to the pack and the one in its tail both decode to the one encoded."""
    store, sources, _ = make_store(wanted)
    with tiny_limits():
        for plan in plan_packs(GROUP, sources, TARGET, limits):
            combine(store, SerialWorkers(), plan, CombineOptions(limits))
            stored = read_index(store, TARGET, plan.key)
            index, data = stored.decode(), stored.data
            assert encode_index(decode_index(data)) == data
            assert decode_index(encode_index(index)) == index
            if plan.format is not PackFormat.COPY:
                assert read_tail(store, TARGET, plan.key).data == data


@RUNS
@given(st.lists(WANTED, min_size=1, max_size=12), LIMITS)
def test_gzip_packs_inflate_to_the_lines_of_their_members(
    wanted: list[Wanted], limits: PackLimits
) -> None:
    """zcat of a gzip pack gives its members' texts, none joined to the next one's first line."""
    store, sources, by_identity = make_store(wanted)
    with tiny_limits():
        for plan in plan_packs(GROUP, sources, TARGET, limits):
            if plan.format is PackFormat.GZIP and not has_damaged_copy(plan, by_identity):
                combine(store, SerialWorkers(), plan, CombineOptions(limits))
                assert gzip.decompress(store.get_object("dest", plan.key).data) == expected_text(
                    plan, by_identity
                )


def has_damaged_copy(plan: PackPlan, by_identity: dict[Identity, Wanted]) -> bool:
    """An object that S3 copies unread may be damaged; the format states that the pack's readers
    stop there.
    """
    return any(
        source.size_bytes >= COPY_MIN
        and by_identity[source.identity].data[:2] == b"\x1f\x8b"
        and inflate(by_identity[source.identity].data) is None
        for source in plan.sources
    )


def expected_text(plan: PackPlan, by_identity: dict[Identity, Wanted]) -> bytes:
    """The model, written from the specification, independently of the builder."""
    small = [
        by_identity[source.identity] for source in plan.sources if source.size_bytes < COPY_MIN
    ]
    large = [
        by_identity[source.identity] for source in plan.sources if source.size_bytes >= COPY_MIN
    ]
    documents = {source.key for source in plan.sources if source.key in plan.document_keys}
    text, block = b"", b""
    for each in small:
        inflated = inflate(each.data)
        if each.data[:2] == b"\x1f\x8b":
            text += (
                b""
                if inflated is None or is_bomb(each.data, inflated)
                else inflated
                if inflated[:2] == b"\x1f\x8b"
                else in_lines(inflated)
            )
        elif is_text(each.data):
            block += in_lines(each.data)
            if len(block) >= BLOCK:
                text, block = text + block, b""
    text += block
    for each in large:
        if each.data[:2] == b"\x1f\x8b":
            text += (inflate(each.data) or b"") + (b"\n" if each.key in documents else b"")
        elif is_text(
            each.data
        ):  # decided by its beginning, where the shapes here have their zero byte, if any
            text += in_lines(each.data)
    return text


def in_lines(data: bytes) -> bytes:
    return data if not data or data.endswith(b"\n") else data + b"\n"


def is_text(data: bytes) -> bool:
    return b"\x00" not in data and data[:4] != b"PAR1"


def inflate(data: bytes) -> bytes | None:
    """Inflate with the standard library's multi-member reader; None if not whole."""
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error):
        return None


def is_bomb(data: bytes, inflated: bytes) -> bool:
    return len(inflated) > BOMB_BYTES and len(inflated) > BOMB_RATIO * len(data)


@RUNS
@given(st.lists(WANTED, min_size=1, max_size=12), LIMITS)
def test_tar_packs_are_tar_files(wanted: list[Wanted], limits: PackLimits) -> None:
    """Python's tarfile reads a tar pack: its names are the members' keys, its files their bytes,
    and the last is the index.
    """
    store, sources, by_identity = make_store(wanted)
    with tiny_limits():
        for plan in plan_packs(GROUP, sources, TARGET, limits):
            if plan.format is not PackFormat.TAR:
                continue
            combine(store, SerialWorkers(), plan, CombineOptions(limits))
            with tarfile.open(fileobj=io.BytesIO(store.get_object("dest", plan.key).data)) as tar:
                found = [
                    (info.name, member.read()) for info in tar if (member := tar.extractfile(info))
                ]
            assert found[-1][0] == ".log-aggregator/index.jsonl.gz"
            assert decode_index(found[-1][1]).pack_key == plan.key
            assert sorted(found[:-1]) == sorted(
                (source.key, by_identity[source.identity].data) for source in plan.sources
            )


@RUNS
@given(st.lists(WANTED, min_size=1, max_size=12), LIMITS, st.randoms())
def test_plans_and_packs_are_always_the_same(
    wanted: list[Wanted], limits: PackLimits, chance: random.Random
) -> None:
    """The order in which objects are listed changes neither plan nor bytes."""
    store, sources, _ = make_store(wanted)
    shuffled = list(sources)
    chance.shuffle(shuffled)
    plans = plan_packs(GROUP, sources, TARGET, limits)
    assert plan_packs(GROUP, shuffled, TARGET, limits) == plans
    other = Target("dest", "other/")
    with tiny_limits():
        for plan in plans:
            combine(store, SerialWorkers(), plan, CombineOptions(limits))
        first = store.snapshot()
        for found in list(list_all(store, "dest", "")):
            store.delete("dest", found.key)
        store.create_bucket("again")
        again = plan_packs(GROUP, shuffled, Target("again"), limits)
        for plan in again:
            combine(store, SerialWorkers(), plan, CombineOptions(limits))
    assert [entry[1:] for entry in store.snapshot() if entry[0] == "again"] == [
        entry[1:] for entry in first if entry[0] == "dest"
    ]
    assert {plan.key for plan in plan_packs(GROUP, sources, other, limits)}.isdisjoint(
        plan.key for plan in plans
    )


@RUNS
@given(st.lists(WANTED, min_size=1, max_size=30), LIMITS)
def test_packs_stay_within_their_limits(wanted: list[Wanted], limits: PackLimits) -> None:
    """No pack exceeds the limits of members and bytes, unless all are versions of one key, which
    are never parted; members are ordered by key, then version.
    """
    _, sources, _ = make_store(wanted)
    for plan in plan_packs(GROUP, sources, TARGET, limits):
        others = [source for source in plan.sources if source.key != plan.sources[-1].key]
        assert len(others) + 1 <= limits.members_max or not others
        assert (
            sum(source.size_bytes for source in [*others, plan.sources[len(others)]])
            <= limits.pack_size_bytes_max
            or not others
        )
        assert list(plan.sources) == sorted(
            plan.sources, key=lambda source: (source.key, source.version_id or "")
        )


GROUPS = st.builds(
    Group,
    st.sampled_from(["a", "a-b", "b"]),
    st.sampled_from(["Other", "CloudTrail", "CloudTrail-Digest"]),
    st.sampled_from(["111111111111", "all"]),
    st.sampled_from([date(2025, 4, 3), date(2025, 4, 30)]),
)


@RUNS
@given(GROUPS, GROUPS, KEYS)
def test_packs_of_different_groups_never_share_a_key(one: Group, two: Group, key: str) -> None:
    """No pack's key or folder belongs to two groups, even if their objects have the same keys."""
    plans = [
        plan_one(group, key, pack_format)
        for group in {one, two}
        for pack_format in (ContentKind.TEXT, ContentKind.BINARY)
    ]
    assert len({plan.key for plan in plans}) == len(plans)
    if one != two:
        assert not TARGET.packs_prefix(one).startswith(TARGET.packs_prefix(two))


def plan_one(group: Group, key: str, kind: ContentKind) -> PackPlan:
    facts = KeyFacts(group.log_type, group.date, group.account, None, None, kind)
    source = LogObject(group.bucket, key, "v", "e", 1, FIRST_TIME)
    return plan_packs(group, [Source(source, facts)], TARGET, PackLimits())[0]


@RUNS
@given(st.lists(WANTED, min_size=1, max_size=8), LIMITS)
def test_each_member_gets_the_right_encoding(wanted: list[Wanted], limits: PackLimits) -> None:
    """A member's bytes decide its encoding: sealed where no reader can inflate it (damaged gzip,
    gzip bombs, binary data), a block for text, otherwise unchanged.
    """
    store, sources, by_identity = make_store(wanted)
    with tiny_limits():
        for plan in plan_packs(GROUP, sources, TARGET, limits):
            combine(store, SerialWorkers(), plan, CombineOptions(limits))
            for member in read_index(store, TARGET, plan.key).decode().members:
                data = by_identity[member.identity].data
                if plan.format is not PackFormat.GZIP or (
                    member.size_bytes >= COPY_MIN and data[:2] == b"\x1f\x8b"
                ):
                    assert member.encoding is Encoding.RAW
                elif data[:2] == b"\x1f\x8b":
                    inflated = inflate(data)
                    is_whole = inflated is not None and not is_bomb(data, inflated)
                    assert member.encoding is (Encoding.RAW if is_whole else Encoding.SEALED)
                    assert inflated is None or ("gzip-bomb" in member.flags) is not is_whole
                else:
                    assert member.encoding is (Encoding.BLOCK if is_text(data) else Encoding.SEALED)


def damage(data: bytes, how: str, position: int, bit: int) -> bytes:
    at = position % max(1, len(data))
    changed = {
        "flip": data[:at] + bytes(byte ^ (1 << bit) for byte in data[at : at + 1]) + data[at + 1 :],
        "cut": data[:at],
        "lose": data[:at] + data[at + 1 :],
        "insert": data[:at] + bytes([1 << bit]) + data[at:],
        "swap": data[at:] + data[:at],
        "zero": data[:at] + bytes(len(data) - at),
    }
    return changed[how]


@RUNS
@given(
    st.lists(WANTED, min_size=1, max_size=6),
    LIMITS,
    st.sampled_from(["pack", "index"]),
    st.sampled_from(["flip", "cut", "lose", "insert", "swap", "zero"]),
    st.integers(0, 1_000_000),
    st.integers(0, 7),
    st.booleans(),
)
def test_any_damage_is_found_by_reading_the_pack_back(
    wanted: list[Wanted],
    limits: PackLimits,
    which: str,
    how: str,
    position: int,
    bit: int,
    has_checksum: bool,
) -> None:
    """Reading back finds any byte of a pack or its index that is changed, lost or added, even if
    S3's checksum is that of the damage. Only a copy's index, which no tail repeats, may change
    unnoticed in bytes that gzip ignores.
    """
    store, sources, _ = make_store(wanted)
    with tiny_limits():
        for plan in plan_packs(GROUP, sources, TARGET, limits):
            combine(store, SerialWorkers(), plan, CombineOptions(limits))
            key = plan.key if which == "pack" else TARGET.index_key(plan.key)
            data = store.get_object("dest", key).data
            damaged = damage(data, how, position, bit)
            store.put("dest", key, damaged, with_checksum=has_checksum)
            if damaged == data:
                verify_pack(store, TARGET, plan.key, Level.READ_BACK)
                continue
            try:
                verified = verify_pack(store, TARGET, plan.key, Level.READ_BACK)
            except (VerificationError, BadPack):
                continue
            assert (which, plan.format) == ("index", PackFormat.COPY)
            assert verified.index == decode_index(data)

"""Custody records: their bytes, their keys, and their consistency."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from log_aggregator.core.custody import (
    GroupCounts,
    GroupEntry,
    PackEntry,
    Record,
    RecordKind,
    decode_record,
    encode_record,
    parse_record_key,
    record_key,
)
from log_aggregator.core.evidence.at_rest import Algorithm, AtRestCheck, PackAtRest, Verdict
from log_aggregator.core.evidence.drills import Drill, RecoveryTime
from log_aggregator.core.packformat.deflate import encode_gzip
from log_aggregator.errors import BadPack
from log_aggregator.model import Group, Target

GROUP = Group("logs", "CloudTrail", "111122223333", date(2026, 3, 14))
PACK = PackEntry("packs/a.json.gz", 3, 300, 350, is_new=True, index_sha256="ab" * 32, deleted=3)
COUNTS = GroupCounts(listed=3, listed_bytes=300, packed=3, bytes_in=300, deleted=3)
ENTRY = GroupEntry(GROUP, COUNTS, packs=(PACK,))


DRILL = Drill(
    seed=7,
    confidence=0.95,
    population=1_000_000,
    is_counted=True,
    population_packs=40_000,
    members=299,
    bad=0,
    packs=280,
    packs_frozen=200,
    packs_bad=0,
    digests_valid=4,
    digests_invalid=0,
    digests_unvouched=1,
    warm=RecoveryTime(90, 0.041, 0.2),
    frozen=None,
    dollars=0.31,
    sample_key="drills/2026-03-15T01:00:00Z/sample.jsonl.gz",
    sample_sha256="ef" * 32,
)


def make_record(**changes: Any) -> Record:
    values: dict[str, Any] = {
        "target": Target("dest", "aggregated/"),
        "run": "2026-03-15/nightly",
        "tool": "log-aggregator 1.0",
        "began": datetime(2026, 3, 15, 1, tzinfo=UTC),
        "ended": datetime(2026, 3, 15, 2, 0, 0, 5, tzinfo=UTC),
        "first": date(2026, 3, 12),
        "last": date(2026, 3, 14),
        "objects": {"unknown": 2},
        "layouts": (
            {"name": "nginx", "pattern": "nginx/{YYYYMMDD}", "buckets": ["app-*"], "kind": "text"},
            {"name": "ü", "pattern": "{**}", "date": "last-modified"},
        ),
        "groups": (
            ENTRY,
            replace(
                ENTRY, discard_lists=("discards/x.jsonl.gz",), failures=(("StoreError", "no"),)
            ),
        ),
        "failures": (("logs CloudTrail", "StoreError", "ü"),),
        "sequence": 7,
        "previous": "cd" * 32,
    }
    return Record(**(values | changes))


def test_a_record_survives_encoding() -> None:
    """decode(encode(record)) == record, and the same record gives the same bytes."""
    for record in (
        make_record(),
        make_record(groups=(), objects={}, layouts=(), failures=(), sequence=0, previous=None),
        make_record(groups=(), kind=RecordKind.DRILL, drill=DRILL),
    ):
        assert decode_record(encode_record(record)) == record
        assert encode_record(record) == encode_record(record)


def test_a_check_at_rest_survives_encoding() -> None:
    """It is a separate kind of record with one line per pack."""
    packs = (
        PackAtRest("packs/a", 3, Algorithm.SHA256, Verdict.GOOD, checksum="x"),
        PackAtRest("packs/b", 3, Algorithm.CRC64NVME, Verdict.DAMAGED, "ü", "y"),
    )
    check = AtRestCheck("20260315T010000Z-x", ("job-1",), 0.25, packs, 1, 2)
    record = make_record(groups=(), kind=RecordKind.AT_REST, at_rest=check)
    data = encode_record(record)
    assert decode_record(data) == record
    head, *lines = [json.loads(line) for line in gzip.decompress(data).splitlines()]
    assert (head["kind"], head["groups"]) == ("at-rest", len(lines))
    cut = [json.dumps(line).encode() for line in (head, lines[0])]
    with pytest.raises(BadPack):
        decode_record(encode_gzip(b"\n".join(cut) + b"\n"))


def test_records_without_pack_hashes_are_read() -> None:
    """Their packs have no SHA-256."""
    lines = [
        json.loads(line) for line in gzip.decompress(encode_record(make_record())).splitlines()
    ]
    for line in lines[1:]:
        for pack in line["packs"]:
            del pack["sha256"]
    data = encode_gzip(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
    assert decode_record(data) == make_record()


def test_a_record_can_be_read_with_gzip_and_json() -> None:
    """The run comes first, with the totals, then its groups, as one JSON document per line."""
    head, *groups = [
        json.loads(line) for line in gzip.decompress(encode_record(make_record())).splitlines()
    ]
    assert (head["run"], head["sequence"], head["totals"]["deleted"], head["groups"]) == (
        "2026-03-15/nightly",
        7,
        6,
        2,
    )
    assert [group["packs"][0]["key"] for group in groups] == ["packs/a.json.gz"] * 2


@pytest.mark.parametrize("root", ["", "aggregated/"])
def test_keys_sort_by_sequence_number(root: str) -> None:
    """parse(format(sequence)) == sequence; keys sort as their numbers do, a thousand to a folder;
    no other key is accepted.
    """
    target = Target("dest", root)
    keys = [record_key(target, sequence) for sequence in (0, 1, 999, 1000, 5_000_123)]
    assert keys == sorted(keys)
    assert [parse_record_key(target, key) for key in keys] == [0, 1, 999, 1000, 5_000_123]
    assert keys[3] == f"{root}custody/0000001/0000001000.jsonl.gz"
    for other in (
        "custody/0000000/0000001000.jsonl.gz",
        "custody/x",
        "packs/0000000/0000000001.jsonl.gz",
        keys[1] + "x",
    ):
        assert parse_record_key(target, other if other.startswith(root) else root + other) is None


def edit_head(change: Callable[[dict[str, Any]], None]) -> bytes:
    lines = gzip.decompress(encode_record(make_record())).splitlines(keepends=True)
    head = json.loads(lines[0])
    change(head)
    return encode_gzip(b"".join([json.dumps(head).encode() + b"\n", *lines[1:]]))


def test_invalid_records_are_refused() -> None:
    """A record cut short, with trailing data, of another version, or with totals that are not its
    groups' is BadPack.
    """
    good = encode_record(make_record())
    lines = gzip.decompress(good).splitlines(keepends=True)
    bad = [
        b"",
        good[:-1],
        good + b"x",
        good + good,
        b"not gzip",
        gzip.compress(gzip.decompress(good), mtime=1),
        encode_gzip(b""),
        encode_gzip(b"[]\n"),
        encode_gzip(b"".join(lines[:-1])),
        encode_gzip(b"".join([*lines, lines[-1]])),
        encode_gzip(lines[0] + lines[1].replace(b'"deleted":3', b'"deleted":2') + lines[2]),
        encode_gzip(lines[0] + lines[1].replace(b'"members"', b'"Members"') + lines[2]),
        edit_head(lambda head: head.update(version=2)),
        edit_head(lambda head: head.pop("previous")),
        edit_head(lambda head: head["totals"].update(deleted=7)),
        edit_head(lambda head: head.update(layouts=5)),
        edit_head(lambda head: head.update(layouts=["nginx"])),
        edit_head(lambda head: head["layouts"][0].update(name=5)),
        edit_head(lambda head: head["layouts"][0].update(pattern=["x"])),
        edit_head(lambda head: head["layouts"][0].pop("pattern")),
    ]
    for data in bad:
        with pytest.raises(BadPack, match="custody record"):
            decode_record(data)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({}, None),
        ({"listed": 4}, "not accounted for"),
        ({"listed_bytes": 301}, "not accounted for"),
        ({"listed": 4, "listed_bytes": 400, "changed": 1}, None),
        ({"listed": 4, "listed_bytes": 400, "failures": (("UnreadableSources", "one"),)}, None),
        ({"listed": 5, "listed_bytes": 500, "packed_before": 2, "packed_before_bytes": 200}, None),
        ({"listed": 2}, "more was packed than listed"),
        ({"packs": ()}, "do not hold"),
        ({"packs": (replace(PACK, source_bytes=299),)}, "do not hold"),
        ({"packs": (replace(PACK, index_sha256=None),)}, "not verified"),
        ({"packs": (replace(PACK, index_sha256=None, deleted=None),)}, None),
    ],
)
def test_counts_of_a_record_must_add_up(changes: dict[str, Any], problem: str | None) -> None:
    """Everything listed is packed now, was packed before, or is left with a reason; everything
    packed is in the packs; only verified packs' originals were deleted.
    """
    counts = {name: changes[name] for name in changes if hasattr(COUNTS, name)}
    others = {name: changes[name] for name in changes if name not in counts}
    found = replace(ENTRY, counts=replace(COUNTS, **counts), **others).find_imbalance()
    assert (found is None) if problem is None else (found is not None and problem in found)


@pytest.mark.parametrize(
    "change",
    [{"kind": RecordKind.DRILL}, {"drill": DRILL}],
    ids=["a drill without its result", "a closing with one"],
)
def test_only_a_drills_record_has_a_drill(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected a drill in a drill's record"):
        make_record(**change)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("bad", 300),
        ("bad", -1),
        ("members", 299.5),
        ("seed", "7"),
        ("confidence", 1),
        ("sample_key", 7),
        ("dollars", None),
        ("warm", {"members": 1}),
        ("more", 1),
    ],
    ids=str,
)
def test_a_drill_must_add_up(name: str, value: object) -> None:
    """Its totals are shown to auditors, so an impossible number is BadPack."""
    record = make_record(groups=(), kind=RecordKind.DRILL, drill=DRILL)
    head = json.loads(gzip.decompress(encode_record(record)))
    head["drill"][name] = value
    with pytest.raises(BadPack):
        decode_record(encode_gzip(json.dumps(head).encode() + b"\n"))

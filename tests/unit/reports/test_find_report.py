"""The output of `find`: a row for each pack or member, and the totals."""

from __future__ import annotations

import json
from dataclasses import replace

from tests.support.world import access_key, document, make_world, trail_key

from log_aggregator.core.layouts.declarations import read_declarations
from log_aggregator.core.layouts.declared import Layouts
from log_aggregator.core.query import Query
from log_aggregator.model import NO_ACCOUNT, Target
from log_aggregator.reports.find import (
    GONE,
    Tally,
    describe_members,
    describe_pack,
    render_members,
    render_pack,
)
from log_aggregator.steps.retrieval.find import FoundPack, find
from log_aggregator.steps.workers import SerialWorkers


def found_packs() -> tuple[FoundPack, FoundPack]:
    """CloudTrail of an account, with two versions of a key; and access logs without versions."""
    world = make_world(storage_class="DEEP_ARCHIVE")
    for number in (1, 2):
        world.put("logs", trail_key(1), document(number), metadata={"signature": f"{number}"})
    world.put("logs", trail_key(2), document(3))
    world.put("logs", access_key(1), b"line\n")
    world.run()
    packs = find(world.store, SerialWorkers(), [Target("dest")], Query())
    trail, access = sorted(packs, key=lambda pack: pack.group.account == NO_ACCOUNT)
    return trail, access


def test_each_pack_has_a_row() -> None:
    """Day, account, type, members and bytes found, class and place; "-" where keys name no
    account.
    """
    trail, access = found_packs()
    size = sum(member.size_bytes for member in trail.members)
    assert render_pack(trail).split() == [
        "2025-04-03",
        "111111111111",
        "CloudTrail",
        "3",
        f"{size}",
        "bytes",
        "DEEP_ARCHIVE",
        f"s3://dest/{trail.pack_key}",
    ]
    row = render_pack(access).split()
    assert (row[1], row[3:6]) == ("-", ["1", "5", "bytes"])


def test_an_expired_pack_is_marked() -> None:
    """Only its index is left: the row says so, JSON has no class and no bytes, and the summary
    counts it.
    """
    trail, access = found_packs()
    gone = replace(trail, storage_class=None, pack_bytes=None)
    assert render_pack(gone).split()[6] == GONE
    described = json.loads(describe_pack(gone))
    assert (described["storage_class"], described["pack_bytes"]) == (None, None)
    tally = Tally()
    for pack in (gone, access):
        tally.add(pack)
    assert "; 1 pack is gone" in tally.render()
    tally.add(gone)
    assert "; 2 packs are gone" in tally.render()
    assert tally.describe()["packs_gone"] == 2


def test_the_summary_adds_everything_up() -> None:
    """It sums members, bytes and packs, and mentions lost packs only if there are any."""
    trail, access = found_packs()
    tally = Tally()
    assert tally.render() == "0 log objects, 0 bytes, in 0 packs"
    tally.add(access)
    assert tally.render() == "1 log object, 5 bytes, in 1 pack"
    tally.add(trail)
    size = 5 + sum(member.size_bytes for member in trail.members)
    assert tally.render() == f"4 log objects, {size} bytes, in 2 packs"
    assert tally.describe() == {"members": 4, "bytes": size, "packs": 2, "packs_gone": 0}


def test_several_versions_are_shown_separately() -> None:
    """Rows name their version only where a pack has several of a key."""
    trail, _ = found_packs()
    rows = list(render_members(trail))
    assert len(rows) == 3
    for member, row in zip(trail.members, rows, strict=True):
        place = f"s3://logs/{member.key}"
        version = f"  version {member.version_id}" if member.key == trail_key(1) else ""
        assert row.lstrip() == f"{member.size_bytes} bytes  {place}{version}"


def test_json_describes_a_member_completely() -> None:
    """Each line has the member's description, signature and place."""
    trail, access = found_packs()
    lines = [json.loads(line) for line in describe_members(trail, Layouts())]
    assert [line["metadata"] for line in lines if line["key"] == trail_key(1)] == [
        {"signature": "1"},
        {"signature": "2"},
    ]
    for member, line in zip(trail.members, lines, strict=True):
        assert (line["key"], line["version_id"], line["etag"], line["size"], line["sha256"]) == (
            member.key,
            member.version_id,
            member.etag,
            member.size_bytes,
            member.sha256,
        )
        assert (line["account"], line["region"], line["date"]) == (
            "111111111111",
            "eu-west-1",
            "2025-04-03",
        )
        assert (line["pack_bucket"], line["pack"]) == ("dest", trail.pack_key)
    (line,) = map(json.loads, describe_members(access, Layouts()))
    assert (line["account"], line["region"]) == (None, None)


def test_a_free_key_gets_its_region_from_the_layout() -> None:
    """A declared layout gives the region, otherwise a hint does."""
    layouts = [{"name": "app", "pattern": "app-{region}/{id}-{YYYYMMDD}.log"}]
    world = make_world(layouts=layouts)
    world.put("logs", "app-eu-west-1/us-east-1-20250403.log", b"x\n")
    assert world.run().failures == []
    (pack,) = find(world.store, SerialWorkers(), world.targets, Query())
    for declared, region in ((layouts, "eu-west-1"), ([], None)):
        (line,) = map(json.loads, describe_members(pack, read_declarations(declared)))
        assert (line["log_type"], line["region"]) == ("app", region)


def test_json_describes_a_pack() -> None:
    """It has what was found in the pack, and the pack's whole size."""
    trail, _ = found_packs()
    described = json.loads(describe_pack(trail))
    assert (described["members"], described["pack_format"]) == (3, "gzip")
    assert described["bytes"] == sum(member.size_bytes for member in trail.members)
    assert described["pack_bytes"] == trail.pack_bytes

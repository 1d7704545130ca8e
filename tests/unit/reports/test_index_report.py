"""The output of `index rebuild` and `index adopt`: what was made, what would be, and what
existed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from typing import Any

from tests.support.world import make_world, pack_gzip

from log_aggregator.core.adopted import Adopted, Aggregate, Said
from log_aggregator.errors import BadPack, Failure, ObjectFrozen
from log_aggregator.model import Group, Target
from log_aggregator.ports.store import WriteOptions
from log_aggregator.reports.index import (
    describe_adopt,
    describe_rebuild,
    render_adopt,
    render_rebuild,
)
from log_aggregator.steps.upkeep.adopt import adopt, describe_aggregate, list_aggregates
from log_aggregator.steps.upkeep.rebuild import Rebuilt

DEST = Target("dest")
OLD = "vpc-logs/2025/04/{:02}/111111111111_vpcflowlogs_x.gz"


def rebuild(
    rebuilt: Sequence[Rebuilt], failures: Iterable[Failure] = (), *, dry_run: bool = False
) -> tuple[dict[str, Any], list[str]]:
    described = describe_rebuild(
        [(DEST, each.pack_key) for each in rebuilt],
        [] if dry_run else [(DEST, each) for each in rebuilt],
        failures,
        dry_run=dry_run,
    )
    return described, list(render_rebuild(described, "all days"))


def test_rebuilt_indexes_are_listed() -> None:
    """Packs and members are counted, each pack by its place, with what is lost of an original where
    the pack lacks it.
    """
    described, lines = rebuild(
        [Rebuilt("packs/b", 1200), Rebuilt("packs/a", 1, is_identity_known=False)]
    )
    assert [
        (row["key"], row["members"], row["identity_known"]) for row in described["rebuilt"]
    ] == [
        ("packs/a", 1, False),
        ("packs/b", 1200, True),
    ]
    assert lines[0] == "2 indexes made again: 1,201 members; all days"
    assert lines[1].startswith("  s3://dest/packs/a; ")
    assert "lost" in lines[1]
    assert lines[2:] == ["  s3://dest/packs/b"]
    assert rebuild([Rebuilt("packs/a", 1)])[1][0] == "1 index made again: 1 member; all days"


def test_existing_indexes_are_counted_separately() -> None:
    """A pack that has its index is counted separately."""
    there = Rebuilt("packs/a", 7, was_there=True)
    described, lines = rebuild([there])
    assert described["rebuilt"] == []
    assert described["present"] == [{"bucket": "dest", "key": "packs/a"}]
    assert lines == [
        "0 indexes made again: 0 members; all days",
        "1 pack has its index: nothing to do",
    ]
    assert rebuild([there, Rebuilt("packs/b", 1, was_there=True)])[1][1].startswith("2 packs have ")


def test_a_dry_run_makes_nothing() -> None:
    """It names the same packs, and says what would be made."""
    rebuilt = [Rebuilt("packs/a", 1), Rebuilt("packs/b", 2)]
    described, lines = rebuild(rebuilt, dry_run=True)
    done, _ = rebuild(rebuilt)
    assert described["packs"] == done["packs"]
    assert (described["dry_run"], described["rebuilt"]) == (True, [])
    assert lines == [
        "2 indexes would be made again; all days",
        "  s3://dest/packs/a",
        "  s3://dest/packs/b",
    ]


def test_failures_are_listed_in_order() -> None:
    """Failures come in the order of their places, each advice once."""
    failures = [Failure.of(f"s3://dest/packs/{name}", BadPack("torn")) for name in "cb"]
    described, lines = rebuild([Rebuilt("packs/a", 1)], failures)
    assert [failure["where"][-1] for failure in described["failures"]] == ["b", "c"]
    assert lines[2:] == [
        "2 packs failed:",
        "  s3://dest/packs/b: BadPack: torn",
        "  s3://dest/packs/c: BadPack: torn",
        f"    {BadPack.advice}",
    ]


def aggregate(number: int) -> Aggregate:
    group = Group("vpc-logs", "vpcflowlogs", "111111111111", date(2025, 4, number))
    when = datetime(2025, 4, 5, tzinfo=UTC)
    return Aggregate("old", OLD.format(number), "etag", 1000, when, group)


def test_adopted_aggregates_are_listed() -> None:
    """Aggregates, bytes and members are counted, with each one's group and new index."""
    world = make_world()
    world.store.create_bucket("old")
    for number in (1, 2):
        world.store.put("old", OLD.format(number), pack_gzip(b"old\n") * 2 + bytes(3))
    found = list_aggregates(world.store, DEST, "old", "vpc-logs/")
    adopted = [
        made
        for each in found
        if (made := adopt(world.store, DEST, describe_aggregate(each, Said()), WriteOptions()))
    ]
    described = describe_adopt(adopted[::-1], [], [], [], DEST)
    rows = described["adopted"]
    assert [row["key"] for row in rows] == [OLD.format(1), OLD.format(2)]
    assert {(row["members"], row["padding"]) for row in rows} == {(2, 3)}
    indexes = {entry.key for entry in world.store.list_objects("dest").objects}
    assert {row["index"] for row in rows} == indexes
    lines = list(render_adopt(described))
    assert lines[0] == f"2 aggregates adopted: {sum(row['bytes'] for row in rows)} bytes, 4 members"
    for row, line in zip(rows, lines[1:], strict=True):
        assert line.strip() == (
            f"s3://old/{row['key']}: vpc-logs vpcflowlogs 111111111111 {row['date']}"
        )


def test_a_dry_run_adopts_nothing() -> None:
    """It says what would be read, and claims no adoption."""
    described = describe_adopt([], [aggregate(2), aggregate(1)], [], [], DEST)
    assert [row["date"] for row in described["planned"]] == ["2025-04-01", "2025-04-02"]
    assert described["adopted"] == []
    lines = list(render_adopt(described))
    assert lines[0] == "2 aggregates would be read and adopted: 2.0 KB"
    assert len(lines) == 3


def test_aggregates_are_not_adopted_twice() -> None:
    """Known aggregates are not adopted again; failures are named."""
    failure = Failure.of("s3://old/x", ObjectFrozen("frozen"))
    adopted = Adopted(aggregate(3), 1, 1, 0)
    described = describe_adopt([adopted], [], [aggregate(1)], [failure], DEST)
    assert [len(described[name]) for name in ("adopted", "known", "failures")] == [1, 1, 1]
    first, _, *lines = render_adopt(described)
    assert first == "1 aggregate adopted: 1.0 KB, 1 member"
    assert lines == [
        "1 aggregate was adopted before",
        "1 aggregate failed:",
        "  s3://old/x: ObjectFrozen: frozen",
        f"    {ObjectFrozen.advice}",
    ]
    lines = list(render_adopt(describe_adopt([], [], [aggregate(1), aggregate(2)], [], DEST)))
    assert lines == [
        "0 aggregates adopted: 0 bytes, 0 members",
        "2 aggregates were adopted before",
    ]

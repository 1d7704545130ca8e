"""The result of `verify`: good, damaged, frozen and unchecked are four different things."""

from __future__ import annotations

from typing import Any

from tests.support.world import World, document, fail_on, make_world, pack_gzip, trail_key

from log_aggregator.core.adopted import Said
from log_aggregator.core.query import Query
from log_aggregator.errors import AccessDenied
from log_aggregator.model import Target
from log_aggregator.ports.store import WriteOptions
from log_aggregator.reports.verify import THAW, Sample, describe_verify, render_verify
from log_aggregator.steps.rules import Level
from log_aggregator.steps.upkeep.adopt import adopt, describe_aggregate, list_aggregates
from log_aggregator.steps.upkeep.check import Frozen, PackPlace, check_places, list_places
from log_aggregator.steps.workers import SerialWorkers
from log_aggregator_lab.stores.faults import FaultyStore

TARGET = Target("dest")
OLD = "vpc-logs/2025/04/03/111111111111_vpcflowlogs_x.gz"
ACCOUNTS = ("111111111111", "222222222222", "333333333333", "444444444444")


def packed(*accounts: str, members: int = 2) -> tuple[World, list[str]]:
    """One pack per account, in their order."""
    world = make_world()
    for account in accounts:
        for number in range(members):
            world.put("logs", trail_key(number, account=account), document(number))
    return world, sorted(pack.key for group in world.run().groups for pack in group.packs)


def check(world: World, denied: str = "nothing", sample: Sample | None = None) -> dict[str, Any]:
    store = FaultyStore(
        world.store,
        fail_on(lambda call: call.key == denied, AccessDenied("no", code="AccessDenied")),
    )
    workers = SerialWorkers()
    places = list(list_places(store, workers, [TARGET], Query()))
    findings = list(check_places(store, workers, places, Level.READ_BACK))
    return describe_verify(findings[::-1], Level.READ_BACK, sample)


def test_only_checked_packs_count_as_verified() -> None:
    """Of a sound, a damaged, a frozen and a refused pack, one counts as verified, one as failed and
    two as neither.
    """
    world, (sound, damaged, frozen, denied) = packed(*ACCOUNTS)
    data = world.store.get_object("dest", frozen).data
    world.store.put("dest", damaged, b"torn", with_checksum=True)
    world.store.put("dest", frozen, data, storage_class="GLACIER", with_checksum=True)
    described = check(world, denied)
    assert [pack["key"] for pack in described["packs"]] == [sound]
    assert [pack["key"] for pack in described["frozen"]] == [frozen]
    assert [failure["where"] for failure in described["failures"]] == [f"s3://dest/{damaged}"]
    assert [failure["where"] for failure in described["unchecked"]] == [f"s3://dest/{denied}"]
    lines = list(render_verify(described, "all days"))
    size = described["packs"][0]["bytes"]
    assert lines[0] == f"1 pack verified (read-back): 2 members, {size} bytes; all days"
    heads = {
        "1 pack is in an archive class and could not be read:": frozen,
        "1 pack failed:": damaged,
        "1 pack could not be checked:": denied,
    }
    for head, key in heads.items():
        assert key in lines[lines.index(head) + 1], head
    assert sum(THAW in line for line in lines) == 1
    assert f"{AccessDenied.advice.split('.')[0]}." in "\n".join(lines)


def test_a_good_result_is_one_line() -> None:
    """One line has the sums of all packs, and no line is about what did not happen."""
    world, keys = packed(*ACCOUNTS)
    described = check(world)
    assert [pack["key"] for pack in described["packs"]] == keys
    size = sum(world.store.head_object("dest", key).size_bytes for key in keys)
    (line,) = render_verify(described, "all days")
    assert line.startswith("4 packs verified (read-back): 8 members, ")
    assert sum(pack["bytes"] for pack in described["packs"]) == size
    assert described["sample"] is None
    assert [described[name] for name in ("adopted", "frozen", "failures", "unchecked")] == [[]] * 4


def test_counts_of_one_are_singular() -> None:
    """One member is singular, too."""
    world, _ = packed("111111111111", members=1)
    assert next(render_verify(check(world), "")).startswith(
        "1 pack verified (read-back): 1 member,"
    )


def test_a_frozen_pack_shows_what_is_known() -> None:
    """It says whether the checksum was compared; the advice is given once for all."""
    frozen = [Frozen(PackPlace(TARGET, f"packs/{number}"), number > 0) for number in range(3)]
    described = describe_verify(frozen, Level.READ_BACK, None)
    assert [row["checksum_compared"] for row in described["frozen"]] == [False, True, True]
    lines = list(render_verify(described, ""))
    assert lines[0].startswith("0 packs verified")
    assert lines[1].startswith("3 packs are in an archive class")
    assert ["its checksum is right" in line for line in lines[2:5]] == [False, True, True]
    assert lines[5:] == [f"    {THAW}"]


def test_adopted_aggregates_are_counted_separately() -> None:
    """Another tool's aggregates are counted separately."""
    world, _ = packed("111111111111")
    world.store.create_bucket("old")
    world.store.put("old", OLD, pack_gzip(b"old\n") * 3, with_checksum=True)
    (found,) = list_aggregates(world.store, TARGET, "old", OLD)
    adopt(world.store, TARGET, describe_aggregate(found, Said()), WriteOptions())
    described = check(world)
    assert (len(described["packs"]), len(described["adopted"])) == (1, 1)
    first, second = render_verify(described, "all days")
    assert first.startswith("1 pack verified (read-back): 2 members, ")
    assert second.startswith("1 adopted aggregate verified (read-back): 3 members, ")


def test_a_sample_can_be_repeated() -> None:
    """The sample's size, the total and the seed are shown."""
    world, _ = packed("111111111111")
    described = check(world, sample=Sample(2.5, 42, 4000, 100))
    assert described["sample"] == {"percent": 2.5, "seed": 42, "found": 4000, "chosen": 100}
    first, second = render_verify(described, "all days")
    assert first == "A sample: 100 of 4,000 (2.5%); to draw it again, add --seed 42"
    assert second.startswith("1 pack verified")


def test_packs_of_several_targets_are_sorted() -> None:
    """With packs in place, several buckets' packs are verified at the same time."""
    findings = [
        Frozen(PackPlace(Target(bucket, "aggregated/"), "aggregated/packs/a"), has_checksum=True)
        for bucket in ("two", "one")
    ]
    described = describe_verify(findings, Level.CHECKSUM, None)
    assert [found["bucket"] for found in described["frozen"]] == ["one", "two"]

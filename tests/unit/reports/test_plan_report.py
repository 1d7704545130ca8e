"""A plan on a page and as JSON, and that it says what the run then does."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.support.scenarios import SCENARIOS, Scenario
from tests.support.world import World, document, fail_on, flow_key, make_world, trail_key

from log_aggregator.core.planning import PackLimits
from log_aggregator.errors import AccessDenied
from log_aggregator.ports.store import ObjectStore
from log_aggregator.reports.plan import describe_plan, render_plan
from log_aggregator.reports.run import Measured, describe_run
from log_aggregator.reports.ways import Comparison
from log_aggregator.steps.packing.listing import Progress
from log_aggregator.steps.packing.plan import plan_run
from log_aggregator_lab.stores.faults import FaultyStore

# Of the others one has a log object that no plan knows to be damaged, and one needs small parts.
SOUND = [each for each in SCENARIOS if each.name not in {"mixed", "multipart"}]


def plan(world: World, store: ObjectStore | None = None) -> dict[str, Any]:
    """As a program reads it."""
    planned = plan_run(world.job(store), Progress())
    described: dict[str, Any] = json.loads(
        json.dumps(describe_plan(planned, {"ListObjectVersions": 3}, Comparison()))
    )
    return described


def packs_of(described: dict[str, Any]) -> list[tuple[str, str, int]]:
    groups = described["groups"]
    packs = described.get("packs") or [pack for group in groups for pack in group["packs"]]
    return sorted((pack["bucket"], pack["key"], pack["members"]) for pack in packs)


@pytest.mark.parametrize("scenario", SOUND, ids=str)
def test_the_run_does_what_the_plan_says(scenario: Scenario) -> None:
    """The same packs under the same keys with as many members, the same objects and bytes; and the
    page has a line for each pack.
    """
    world = scenario.build()
    planned = plan(world)
    done = describe_run(world.run(), Measured({}, 0.0, 0))
    assert packs_of(planned) == packs_of(done) != []
    assert planned["objects"]["listed"] == done["objects"]["listed"]
    assert planned["objects"]["to_pack"] == done["objects"]["packed"] + done["objects"]["copied"]
    packs = [pack for group in planned["groups"] for pack in group["packs"]]
    assert sum(pack["bytes"] for pack in packs) == done["bytes_in"]
    assert sum(group["discards"] for group in planned["groups"]) == done["objects"]["discarded"]
    lines = list(render_plan(planned))
    arrows = [line.partition(" -> ")[2] for line in lines if " -> " in line]
    assert arrows == [f"s3://{pack['bucket']}/{pack['key']}" for pack in packs]


def test_nothing_has_happened_yet() -> None:
    """The page says so at its top, of one day as of several; and gives the operation, packs,
    requests and dollars.
    """
    world = make_world(limits=PackLimits(copy_alone_bytes_min=500))
    world.put("logs", trail_key(1), document(1))
    world.put("logs", flow_key("large.log"), b"line\n" * 220)
    described = plan(world)
    lines = list(render_plan(described))
    assert lines[0] == (
        "Plan for logs of 2025-04-02 to 2025-04-04; nothing has been written or deleted"
    )
    described["last_date"] = described["first_date"]
    assert next(render_plan(described)).startswith("Plan for logs of 2025-04-02;")
    operations = {group["log_type"]: group["operation"] for group in described["groups"]}
    assert operations == {"CloudTrail": "pack", "vpcflowlogs": "copy"}
    assert [line.split()[:3] for line in lines if line.startswith(("  pack ", "  copy "))] == [
        [group["operation"], "logs", group["log_type"]] for group in described["groups"]
    ]
    assert "Total: 2 log objects, 1.1 KB, into 2 packs" in lines
    assert described["requests"]["ListObjectVersions"] >= 3
    assert any(f"about {sum(described['requests'].values()):,} requests" in line for line in lines)


def test_kept_is_not_to_be_deleted() -> None:
    """With originals that are kept, nobody reads that they will be deleted; what is packed already
    is named with its pack, and is not packed again.
    """
    world = make_world(keep_originals_days=30)
    for number in range(2):
        world.put("logs", trail_key(number), document(number))
    assert not any("deleted once" in line for line in render_plan(plan(world)))
    world.run()
    world.put("logs", trail_key(2), document(2))
    described = plan(world)
    (group,) = described["groups"]
    ((settled, (pack,)),) = [(group["packed_already"], group["packs"])]
    assert [(each["members"], each["kept"]) for each in settled] == [(2, True)]
    assert pack["members"] == described["objects"]["to_pack"] == 1
    lines = [line.strip() for line in render_plan(described)]
    assert f"2 log objects packed already in {settled[0]['key']}, kept for now" in lines
    assert "originals are kept for now" in lines
    world.clock.advance(days=40)
    described = plan(world)
    lines = [line.strip() for line in render_plan(described)]
    assert f"2 log objects packed already in {settled[0]['key']}" in lines


def test_what_goes_without_a_pack_cries_out() -> None:
    """Log objects of other regions that would be deleted unpacked; elsewhere there is no such
    line.
    """
    world = make_world(aggregation_regions="eu-west-1", other_regions="delete")
    world.put("logs", trail_key(1), document(1))
    assert not any("WITHOUT" in line for line in render_plan(plan(world)))
    world.store.put("logs", trail_key(1, region="us-east-1"), document(1))
    described = plan(world)
    assert [group["discards"] for group in described["groups"]] == [1]
    (line,) = [line for line in render_plan(described) if "WITHOUT" in line]
    assert line.strip().startswith("1 log object of other regions to be DELETED")


def test_nothing_to_pack() -> None:
    """No groups, no packs, and no table of what they would cost; what was left alone is there."""
    world = make_world()
    world.store.put("logs", "what/is/this", b"?")
    described = plan(world)
    lines = list(render_plan(described))
    assert described["groups"] == described["failures"] == []
    assert "Total: 0 log objects, 0 bytes, into 0 packs" in lines
    assert any("1 of unknown layout or date" in line for line in lines)
    assert not any(word in "\n".join(lines) for word in ("Over", "originals", "cannot be planned"))


def test_an_inventory_is_named() -> None:
    """What was not listed but read from an inventory is said to be."""
    world = make_world()
    planned = plan_run(world.job(), Progress())
    planned.inventories = ["s3://inventories/one"]
    described = describe_plan(planned, {}, Comparison())
    assert described["inventories"] == ["s3://inventories/one"]
    assert any(
        "listed by" in line and "s3://inventories/one" in line for line in render_plan(described)
    )


def test_a_group_that_cannot_be_planned() -> None:
    """It is named with the reason, and with what to do, once; the others are planned."""
    world = make_world()
    for account in ("111111111111", "222222222222", "333333333333"):
        world.put("logs", trail_key(1, account=account), document(1))
    denied = fail_on(
        lambda call: call.operation == "ListObjectsV2" and "333333333333" not in str(call),
        AccessDenied("no listing", code="AccessDenied"),
    )
    described = plan(world, FaultyStore(world.store, denied))
    assert [failure["error"] for failure in described["failures"]] == ["AccessDenied"] * 2
    assert [group["account"] for group in described["groups"]] == ["333333333333"]
    lines = list(render_plan(described))
    assert "2 groups cannot be planned:" in lines
    for failure in described["failures"]:
        assert any(failure["where"] in line and "no listing" in line for line in lines)
    assert [line.strip() for line in lines].count(AccessDenied.advice) == 1

"""A plan as text and as JSON, and that the run then does what it says."""

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
    """The plan as a program reads it."""
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
    """The run makes the same packs under the same keys with the same members, objects and bytes;
    the page has a line per pack.
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
    lines = list(render_plan(planned, with_groups=True))
    arrows = [line.partition(" -> ")[2] for line in lines if " -> " in line]
    assert arrows == [f"s3://{pack['bucket']}/{pack['key']}" for pack in packs]


@pytest.mark.parametrize(("search", "puts"), [("plain", 5), ("off", 4)])
def test_terms_are_counted_only_where_there_are_any(search: str, puts: int) -> None:
    """Each of two log types has a pack and an index, and one of them has terms."""
    world = make_world(search=search)
    world.put("logs", trail_key(1), document(1))
    world.put("logs", trail_key(2, service="NewService"), document(2))
    planned = plan_run(world.job(), Progress())
    assert planned.totals.packs == 2
    assert planned.totals.requests["PutObject"] == puts


def test_a_plan_says_that_nothing_has_happened() -> None:
    """The top of the page says so, for one day or several, and gives operation, packs, requests and
    dollars.
    """
    world = make_world(limits=PackLimits(copy_alone_bytes_min=500))
    world.put("logs", trail_key(1), document(1))
    world.put("logs", flow_key("large.log"), b"line\n" * 220)
    described = plan(world)
    lines = list(render_plan(described, with_groups=True))
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


def test_kept_originals_are_not_announced_as_deleted() -> None:
    """With kept originals the page does not announce their deletion; a log object already packed is
    named with its pack and not packed again.
    """
    world = make_world(keep_originals_days=30)
    for number in range(2):
        world.put("logs", trail_key(number), document(number))
    assert not any("deleted once" in line for line in render_plan(plan(world), with_groups=True))
    world.run()
    world.put("logs", trail_key(2), document(2))
    described = plan(world)
    (group,) = described["groups"]
    ((settled, (pack,)),) = [(group["packed_already"], group["packs"])]
    assert [(each["members"], each["kept"]) for each in settled] == [(2, True)]
    assert pack["members"] == described["objects"]["to_pack"] == 1
    lines = [line.strip() for line in render_plan(described, with_groups=True)]
    assert f"2 log objects packed already in {settled[0]['key']}, kept for now" in lines
    assert "originals are kept for now" in lines
    world.clock.advance(days=40)
    described = plan(world)
    lines = [line.strip() for line in render_plan(described, with_groups=True)]
    assert f"2 log objects packed already in {settled[0]['key']}" in lines


def test_deletions_without_a_pack_are_highlighted() -> None:
    """The line appears only where log objects of other regions would be deleted unpacked."""
    world = make_world(
        control_tower_bucket="logs",
        other_buckets=[],
        aggregation_regions="eu-west-1",
        other_regions="delete",
    )
    world.put("logs", trail_key(1), document(1))
    assert not any("WITHOUT" in line for line in render_plan(plan(world)))
    world.store.put("logs", trail_key(1, region="us-east-1"), document(1))
    described = plan(world)
    assert [group["discards"] for group in described["groups"]] == [1]
    (line,) = [line for line in render_plan(described) if "WITHOUT" in line]
    assert line.strip().startswith("1 log object of other regions to be DELETED")


def test_a_quiet_day_of_many_accounts_fits_one_page() -> None:
    """There is one row for each log type and bucket with two of its keys, the largest first; all
    groups are listed on request.
    """
    world = make_world()
    for account in range(250):
        world.store.put("logs", trail_key(1, account=f"{account:012d}"), document(1))
    world.store.put("logs", flow_key("large.log"), b"line\n" * 5000)
    described = plan(world)
    lines = list(render_plan(described))
    assert len(lines) < 40
    assert len(list(render_plan(described, with_groups=True))) > 700
    assert [(row["log_type"], row["objects"], row["groups"]) for row in described["summary"]] == [
        ("vpcflowlogs", 1, 1),
        ("CloudTrail", 250, 250),
    ]
    assert [len(row["samples"]) for row in described["summary"]] == [1, 2]
    assert all(f"               {row['samples'][0]}" in lines for row in described["summary"])
    assert sum(line.endswith("CloudTrail in logs") for line in lines) == 1
    for part in ("objects", "bytes", "packs"):
        whole = sum(row[part] for row in described["summary"])
        assert whole in (
            described["objects"]["to_pack"],
            described["comparison"]["bytes"],
            sum(len(group["packs"]) for group in described["groups"]),
        )


def test_unpacked_objects_are_explained() -> None:
    """Reasons have counts, keys and declarations that would help; other uses of the bucket are
    named.
    """
    world = make_world(aggregation_regions="eu-west-1")
    for host in "abc":
        world.store.put("logs", f"app/{host}/2025-04-03.log", b"12345")
    world.store.put("logs", "t/dt=2025-04-03/x.parquet", b"PAR1")
    world.store.put("logs", "inventory/2025-04-03T01-00Z/manifest.json", b"{}")
    world.store.put("logs", trail_key(1, region="us-east-1"), document(1))
    described = plan(world)
    rows = {row["reason"]: row for row in described["left"]}
    free = rows["no declared layout matches"]
    assert (free["left"], free["objects"], free["bytes"]) == ("unknown", 3, 15)
    assert free["patterns"] == [f"app/{host}/{{YYYY-MM-DD}}.log" for host in "abc"]
    assert rows["us-east-1"]["left"] == "other-region"
    assert sum(row["is_in_use"] for row in described["left"]) == 2
    lines = list(render_plan(described))
    assert "  3 objects, 15 bytes in logs: unknown: no declared layout matches" in lines
    assert '      to declare: pattern = "app/a/{YYYY-MM-DD}.log"' in lines
    assert sum("other programs seem to use logs" in line for line in lines) == 1
    assert any(line.startswith("  1 object") and "us-east-1" in line for line in lines)


def test_a_main_bucket_without_logs_is_named() -> None:
    """An empty result is stated, not passed over."""
    world = make_world(control_tower_bucket="logs", other_buckets=[])
    world.store.put("logs", "backups/x", b"?")
    lines = list(render_plan(plan(world)))
    assert any(line.startswith("  nothing found in logs: there is no AWSLogs/") for line in lines)
    world.store.put("logs", trail_key(1), document(1))
    assert not any("nothing found" in line for line in render_plan(plan(world)))


@pytest.mark.parametrize(
    ("size", "count", "storage_class", "verdict"),
    [
        (100_000, 50, "DEEP_ARCHIVE", "Packs of these save"),
        (100_000, 50, "STANDARD", "Packs in STANDARD cost more than they save"),
        (200, 1, "DEEP_ARCHIVE", "Packs of these cost more than they save"),
    ],
)
def test_the_verdict_says_whether_packing_pays(
    size: int, count: int, storage_class: str, verdict: str
) -> None:
    """It says whether packing pays, and what to do where it does not."""
    world = make_world()
    for number in range(count):
        world.store.put("logs", flow_key(f"{number}.log"), b"x" * size)
    planned = plan_run(world.job(), Progress())
    described = describe_plan(planned, {}, Comparison(storage_class))
    lines = list(render_plan(described))
    assert sum(line.startswith(verdict) for line in lines) == 1
    never = [line for line in lines if line.strip().startswith("packs of these cost more")]
    assert len(never) == (count == 1)


def test_an_empty_plan_has_no_table() -> None:
    """There are no groups, packs or table of costs; what was left alone is listed."""
    world = make_world()
    world.store.put("logs", "what/is/this", b"?")
    described = plan(world)
    lines = list(render_plan(described))
    assert described["groups"] == described["failures"] == []
    assert "Total: 0 log objects, 0 bytes, into 0 packs" in lines
    assert "  1 object, 1 byte in logs: unknown: no declared layout matches" in lines
    assert not any(word in "\n".join(lines) for word in ("Over", "originals", "cannot be planned"))


def test_an_inventory_is_named() -> None:
    """An inventory read instead of a listing is named."""
    world = make_world()
    planned = plan_run(world.job(), Progress())
    planned.inventories = ["s3://inventories/one"]
    described = describe_plan(planned, {}, Comparison())
    assert described["inventories"] == ["s3://inventories/one"]
    assert any(
        "listed by" in line and "s3://inventories/one" in line for line in render_plan(described)
    )


def test_a_group_that_cannot_be_planned_is_named() -> None:
    """It is named with its reason and one advice; the others are planned."""
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

"""The comparison that `plan` shows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.support.world import DAY, document, flow_key, make_world, nothing, pack_gzip, trail_key

from log_aggregator import wiring
from log_aggregator.adapters.counting import CountingStore
from log_aggregator.cli import commands
from log_aggregator.core.costs.storage import (
    Packed,
    Sizes,
    estimate_each,
    estimate_left,
    estimate_packed,
)
from log_aggregator.errors import SettingsError
from log_aggregator.reports.plan import describe_plan, render_plan
from log_aggregator.reports.ways import Comparison, describe_ways, render_ways
from log_aggregator.steps.packing.listing import Progress
from log_aggregator.steps.packing.plan import plan_run
from log_aggregator_lab.stores.faults import FaultyStore

SIZES = [0, 500, 1023, 1024, 5000, 200_000, 3_000_000]


def test_the_comparison_matches_the_model() -> None:
    """Each figure is the model's for the plan's own sizes; mixed sizes are not averaged."""
    sizes, packs, requests = (
        Sizes.of(SIZES),
        Sizes.of([3_207_547]),
        {"GetObject": 7, "PutObject": 2},
    )
    found = describe_ways(sizes, packs, requests, Comparison("STANDARD_IA", 7))
    packed = Packed(requests, packs, 7 * 130)
    expected = [
        ("left", "STANDARD", estimate_left(sizes, 84)),
        ("each", "DEEP_ARCHIVE", estimate_each(sizes, "DEEP_ARCHIVE", 84)),
        ("packs", "STANDARD_IA", estimate_packed(packed, "STANDARD_IA", 84)),
        ("packs", "DEEP_ARCHIVE", estimate_packed(packed, "DEEP_ARCHIVE", 84)),
    ]
    assert [(way["way"], way["storage_class"]) for way in found["ways"]] == [
        (name, where) for name, where, _ in expected
    ]
    assert [way["total"] for way in found["ways"]] == [
        round(way.total, 8) for _, _, way in expected
    ]
    assert sum(each["objects"] for each in found["sizes"]) == len(SIZES)
    assert sum(each["bytes"] for each in found["sizes"]) == sum(SIZES)


def test_the_table_fits_a_terminal() -> None:
    """No line except that of the sizes exceeds 80 columns, even with large sums."""
    sizes = Sizes()
    sizes.add(12_000, 5_000_000_000)
    described = describe_ways(
        sizes,
        Sizes.of([2**30] * 1000),
        {"GetObject": 5_000_000_000},
        Comparison("INTELLIGENT_TIERING", 10),
    )
    lines = list(render_ways(described))
    assert max(len(line) for line in lines) <= 80
    assert any("within" in line or "after" in line for line in lines)


def test_a_plan_ends_with_the_comparison() -> None:
    """The comparison ends the plan, and is left out where there is nothing to pack."""
    world = make_world()
    world.put("logs", trail_key(1), document(1))
    world.put("logs", flow_key("a.log.gz"), pack_gzip(b"flow\n" * 500))
    store = FaultyStore(world.store, nothing)
    plan = plan_run(world.job(store), Progress())
    described = describe_plan(plan, {}, Comparison())
    sizes = [len(stored.data) for stored in world.originals]
    assert described["comparison"]["bytes"] == sum(sizes)
    assert (plan.totals.pack_sizes.count, plan.totals.pack_sizes.total_bytes) == (
        2,
        sum(sizes) + 2 * 130,
    )
    assert "\n".join(render_plan(described)).count("Over 10 years") == 1
    world.run()
    again = describe_plan(plan_run(world.job(store), Progress()), {}, Comparison())
    assert "Over" not in "\n".join(render_plan(again))


def test_a_price_file_changes_the_comparison(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`--prices` and `--years` change the comparison and the estimate; an error in the file is
    named with it.
    """
    world = make_world()
    world.put("logs", trail_key(1, day=DAY), document(1))
    monkeypatch.setattr(wiring, "connect", lambda *_: CountingStore(world.store))
    prices = tmp_path / "prices.toml"
    prices.write_text(
        'region = "eu-central-1"\n[storage.STANDARD]\nget_1000 = 1000.0\n', encoding="utf-8"
    )
    arguments = [
        "plan",
        "--date",
        str(DAY),
        "--other-buckets",
        "logs",
        "--destination-bucket",
        "dest",
        "--json",
        "--years",
        "3",
    ]
    done = CliRunner().invoke(
        commands, [*arguments, "--prices", str(prices)], standalone_mode=False
    )
    assert done.exception is None, done.output
    described = json.loads(done.stdout)
    assert (described["comparison"]["region"], described["comparison"]["years"]) == (
        "eu-central-1",
        3,
    )
    assert described["dollars"]["estimated"] > 1
    prices.write_text("[storage.STANDART]\n", encoding="utf-8")
    done = CliRunner().invoke(
        commands, [*arguments, "--prices", str(prices)], standalone_mode=False
    )
    assert isinstance(done.exception, SettingsError)
    assert f"--prices {prices}: storage.STANDART" in str(done.exception)

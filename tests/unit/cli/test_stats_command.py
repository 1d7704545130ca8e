"""The `stats` command."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest
from tests.support.world import (
    DAY,
    World,
    document,
    flow_key,
    make_world,
    pack_gzip,
    trail_key,
)
from tests.unit.cli.conftest import Command

from log_aggregator.reports.stats import ROWS_SHOWN_MAX, describe_stats, render_stats
from log_aggregator.steps.custody.totals import PackedTotal, PackedTotals

ROOT = Path(__file__).parents[3]
RUN = ("run", "--delete-originals", "--other-buckets", "logs", "--date", str(DAY))
OTHER = "222222222222"


def filled() -> World:
    world = make_world()
    for number in range(3):
        world.put("logs", trail_key(number), document(number))
    world.put("logs", trail_key(9, account=OTHER), document(9))
    world.put("logs", flow_key("a.log.gz"), pack_gzip(b"flow\n"))
    return world


def stats(command: Command, world: World, code: int = 0) -> dict[str, Any]:
    done = command(world, "stats", "--json")
    assert done.code == code, done.err
    described: dict[str, Any] = json.loads(done.out)
    return described


def test_the_work_of_all_runs_is_added_up(command: Command) -> None:
    """Counts and bytes are summed in each of the four ways. A later run that only deletes the
    originals does not count a pack twice.
    """
    world = filled()
    assert command(world, *RUN, "--keep-originals-days", "30").code == 0
    kept = stats(command, world)["total"]
    assert (kept["packs"], kept["objects"], kept["deleted"]) == (3, 5, 0)
    assert command(world, *RUN).code == 0
    world.put("logs", trail_key(5), document(5))  # late
    assert command(world, *RUN).code == 0
    found = stats(command, world)
    packs = world.store.list_objects("dest", prefix="packs/").objects
    assert (found["total"]["packs"], found["total"]["pack_bytes"]) == (
        len(packs),
        sum(pack.size_bytes for pack in packs),
    )
    assert (found["total"]["objects"], found["total"]["deleted"]) == (6, 6)
    by_type = {row["name"]: row["objects"] for row in found["log_types"]}
    assert by_type == {"CloudTrail": 5, "vpcflowlogs": 1}
    assert {row["name"]: row["objects"] for row in found["accounts"]}[OTHER] == 1
    assert [row["name"] for row in found["months"]] == [f"{DAY:%Y-%m}"]
    for rows in ("log_types", "accounts", "months", "buckets"):
        for column in ("packs", "objects", "source_bytes", "pack_bytes", "deleted"):
            assert sum(row[column] for row in found[rows]) == found["total"][column]


def test_an_unreadable_record_is_named(command: Command) -> None:
    """The rest is counted, and the exit code says that the result is incomplete."""
    world = filled()
    assert command(world, *RUN).code == 0
    (*_, record) = world.store.list_objects("dest", prefix="custody/").objects
    world.store.put("dest", record.key, b"damaged")
    found = stats(command, world, code=1)
    assert [each["where"] for each in found["unread"]] == [f"s3://dest/{record.key}"]
    assert found["total"]["packs"] == 0
    assert record.key in command(world, "stats").out.decode()


def test_only_records_are_read(command: Command) -> None:
    """It reads no packs, however many there are."""
    world = filled()
    assert command(world, *RUN).code == 0
    done = command(world, "stats", "-v")
    assert done.code == 0
    assert "custody/" in done.err
    assert "packs/" not in done.err
    assert "indexes/" not in done.err


def test_the_page_lists_the_largest_rows() -> None:
    """The largest rows are shown in the order of their names, however many there are."""
    totals = PackedTotals(
        records=1, by_account={f"{n:012}": PackedTotal(1, n, n, n, n) for n in range(1, 101)}
    )
    lines = list(render_stats(describe_stats(totals)))
    shown = [line for line in lines if line[:12].isdigit()]
    assert [int(line[:12]) for line in shown] == list(range(101 - ROWS_SHOWN_MAX, 101))
    assert f"... and {100 - ROWS_SHOWN_MAX} smaller ones; --json has all" in lines


def test_the_fields_are_documented(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fields of the rows of log types apply to all rows."""
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    fields = importlib.import_module("reference_pages.json_fields")
    world = filled()
    assert command(world, *RUN).code == 0
    (*_, record) = world.store.list_objects("dest", prefix="custody/").objects
    world.store.put("dest", record.key.replace("001.", "002."), b"damaged")
    described = stats(command, world, code=1)
    for rows in ("accounts", "months", "buckets"):
        described[rows] = [{"name": row["name"]} for row in described[rows]]
    assert set(fields.flatten(described)) == set(fields.json_fields("stats"))

"""`--inventory` when the package that reads Parquet is not installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.inventories import take_inventory
from tests.support.world import DAY, World, flow_key, make_world, pack_gzip
from tests.unit.cli.conftest import Command

from log_aggregator.core.inventory.manifest import Format
from log_aggregator.ports.store import WriteOptions

ROOT = Path(__file__).parents[3]
SECONDS_MAX = 120
PARQUET = "log_aggregator.core.inventory.parquet"

RUN_BY_CSV = """
import sys

class Missing:
    def find_spec(self, name, *_):
        if name.partition(".")[0] == "arro3":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
from tests.support.inventories import run_by_inventory, take_inventory
from tests.unit.cli.test_inventory_extra import make_filled_world
world = make_filled_world()
result = run_by_inventory(world, take_inventory(world.store))
print(sum(group.deleted for group in result.groups))
"""


def make_filled_world() -> World:
    world = make_world()
    for number in range(5):
        world.put("logs", flow_key(f"{number}.log.gz"), pack_gzip(b"flow\n"))
    return world


@pytest.mark.parametrize("name", ["plan", "run"])
def test_parquet_needs_another_package(
    name: str, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without it the exit code is 3, the message says what to install, and nothing is touched, not
    even a dead run's remains.
    """
    world = make_filled_world()
    location = take_inventory(world.store, format=Format.PARQUET)
    stale = world.store.create_multipart_upload("dest", "packs/logs/x", options=WriteOptions())
    before = world.store.snapshot()
    for module in ("arro3", "arro3.core", "arro3.io"):
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.delitem(sys.modules, PARQUET, raising=False)
    ended = command(
        world, name, "--other-buckets", "logs", "--date", str(DAY), "--inventory", location
    )
    assert (ended.code, ended.out) == (3, b"")
    assert "pip install 'control-tower-log-aggregator[inventory]'" in ended.err
    assert "Nothing was touched. Install it" in ended.err
    assert world.store.snapshot() == before
    assert [upload.upload_id for upload in world.store.open_uploads()] == [stale.upload_id]


def test_csv_needs_no_other_package() -> None:
    """Only a Parquet file needs the package; a CSV run works without it."""
    done = subprocess.run(
        [sys.executable, "-c", RUN_BY_CSV],
        check=False,
        text=True,
        capture_output=True,
        timeout=SECONDS_MAX,
        cwd=ROOT,
    )
    assert (done.stdout, done.returncode) == ("5\n", 0), done.stderr

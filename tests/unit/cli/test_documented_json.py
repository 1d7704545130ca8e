"""The output of `--json` is as documented in docs/reference/json.md."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest
from tests.support.world import DAY, World, document, flow_key, make_world, pack_gzip, trail_key
from tests.unit.cli.conftest import Command

from log_aggregator.model import Target

ROOT = Path(__file__).parents[3]
TARGET = Target("dest")


@pytest.fixture
def json_fields(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    return importlib.import_module("reference_pages.json_fields")


def broken(storage_class: str) -> World:
    """One good pack, one unreadable, one whose index is gone, and an original in the way."""
    world = make_world(storage_class=storage_class)
    world.put("logs", trail_key(1), document(1))
    world.put("logs", trail_key(2, account="222222222222"), document(2))
    world.put("logs", flow_key("a.log.gz"), pack_gzip(b"flow\n"))
    assert world.run().failures == []
    first, second, _ = (
        entry.key for entry in world.store.list_objects("dest", prefix="packs/").objects
    )
    world.store.delete("dest", first)
    world.store.delete("dest", TARGET.index_key(second))
    return world


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("extract", ["extract", "--directory", "out"]),
        ("thaw", ["thaw", "--then-extract", "out"]),
        ("put-back", ["put-back"]),
        ("put-back --dry-run", ["put-back", "--dry-run"]),
    ],
)
def test_every_json_field_is_documented(
    command: Command,
    json_fields: Any,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    name: str,
    arguments: list[str],
) -> None:
    """The fields are exactly those of the page, with both successes and failures."""
    monkeypatch.chdir(tmp_path)
    world = broken("STANDARD_IA")
    done = command(world, arguments[0], "--date", f"{DAY}", *arguments[1:], "--json")
    assert done.code == 1
    described = json.loads(done.out)
    if "extracted" in described:
        described["extracted"] = True
    found = {
        field.partition("requests.")[0] + "requests" if "requests." in field else field
        for field in json_fields.flatten(described)
    }
    allowed = {
        "totals.frozen.classes[]",
        "totals.thawed.classes[]",
        "totals.thawing.classes[]",
    }  # none is in these states
    assert found ^ set(json_fields.json_fields(name)) <= allowed


def test_the_fields_of_find_are_documented(command: Command, json_fields: Any) -> None:
    """The three kinds of line together have exactly the fields of the page."""
    world = broken("STANDARD_IA")
    found: set[str] = set()
    for more in ([], ["--packs"], ["--count"]):
        done = command(world, "find", "--date", f"{DAY}", *more, "--json")
        assert done.code == 1  # one index is gone
        for line in done.out.splitlines():
            found |= {
                field.partition("metadata.")[0] + "metadata" if "metadata." in field else field
                for field in json.loads(line)
            }
    assert found == set(json_fields.json_fields("find"))

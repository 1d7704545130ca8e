"""The `index terms` command: its output, what it reads, and its exit codes."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest
from tests.support.world import DAY, World, fail_on, flow_key, make_world, pack_gzip, trail_key
from tests.unit.cli.conftest import Command
from tests.unit.steps.packing.test_terms import LEAKED, trail

from log_aggregator.errors import AccessDenied
from log_aggregator.model import Target
from log_aggregator.wiring import SEARCH_KEY
from log_aggregator_lab.stores.faults import FaultyStore

ROOT = Path(__file__).parents[3]
DEST = Target("dest")
OTHER = "222222222222"


def unsearched(frozen: bool = False) -> World:
    """CloudTrail of two accounts without terms; the second's may be in an archive class."""
    world = make_world(search="off")
    for number in range(2):
        world.put("logs", trail_key(number), trail(LEAKED))
        world.put("logs", trail_key(number, account=OTHER), trail(LEAKED)[:-2])
    world.put("logs", flow_key("a").replace("vpcflowlogs", "networkmanager"), pack_gzip(b"x"))
    world.run()
    if frozen:
        (pack,) = world.store.list_objects("dest", prefix=f"packs/logs/CloudTrail/{OTHER}").objects
        data = world.store.get_object("dest", pack.key).data
        world.store.put("dest", pack.key, data, storage_class="DEEP_ARCHIVE")
    return world


def terms_of(world: World) -> list[str]:
    return [found.key for found in world.store.list_objects("dest", prefix="terms/").objects]


def test_terms_are_made_once(command: Command) -> None:
    """A dry run writes nothing; a second run has nothing to do unless told to repeat."""
    world = unsearched()
    planned = command(world, "index", "terms", "--date", f"{DAY}", "--dry-run")
    assert (planned.code, terms_of(world)) == (0, [])
    assert "2 packs would be read" in planned.out.decode()
    done = command(world, "index", "terms", "--date", f"{DAY}").out.decode()
    assert len(terms_of(world)) == 2
    assert "terms made of 2 packs" in done
    assert "2 members not searchable: cannot be parsed" in done
    assert "1 other pack has no terms" in done
    again = command(world, "index", "terms", "--all").out.decode()
    assert "terms made of 0 packs" in again
    assert "2 packs have terms: nothing to do" in again
    assert (
        "terms made of 2 packs" in command(world, "index", "terms", "--all", "--again").out.decode()
    )
    assert (
        "terms made of 1 pack"
        in command(world, "index", "terms", "--all", "--again", "--account", OTHER).out.decode()
    )


def test_a_pack_can_be_named_by_its_key(command: Command) -> None:
    """The key works once, with or without its bucket; a key that is not a pack's is refused."""
    world = unsearched()
    key = world.store.list_objects("dest", prefix="packs/logs/CloudTrail/").objects[0].key
    for _ in range(2):
        assert command(world, "index", "terms", f"s3://dest/{key}").code == 0
        assert terms_of(world) == [DEST.terms_key(key)]
    assert command(world, "index", "terms", "adopted/x").code == 2


def test_frozen_packs_are_left_and_priced(command: Command) -> None:
    """Frozen packs are not failures, and the others are done."""
    world = unsearched(frozen=True)
    done = command(world, "index", "terms", "--all")
    text = done.out.decode()
    assert (done.code, len(terms_of(world))) == (0, 1)
    assert "1 pack is frozen" in text
    assert "Bulk $" in text
    assert "log-aggregator thaw" in text


def test_a_failed_pack_does_not_stop_the_others(command: Command) -> None:
    world = unsearched()
    store = FaultyStore(
        world.store,
        fail_on(
            lambda call: (
                call.operation == "GetObject" and f"packs/logs/CloudTrail/{OTHER}" in call.key
            ),
            AccessDenied("GetObject: Access Denied", code="AccessDenied"),
        ),
    )
    done = command(world, "index", "terms", "--all", store=store)
    assert (done.code, len(terms_of(world))) == (1, 1)
    assert "1 pack failed" in done.out.decode()


@pytest.mark.parametrize(
    ("mode", "key", "message"),
    [
        ("off", "", 'search = "off"'),
        ("hashed", "", SEARCH_KEY),
        ("hashed", "too short", SEARCH_KEY),
    ],
)
def test_terms_that_must_not_be_kept_are_not_made(
    command: Command, monkeypatch: pytest.MonkeyPatch, mode: str, key: str, message: str
) -> None:
    """It is refused when search is off, or when hashing is set and its key is missing or weak."""
    world = unsearched()
    monkeypatch.setenv(SEARCH_KEY, key)
    refused = command(world, "index", "terms", "--all", "--search", mode)
    assert (refused.code, terms_of(world)) == (2, [])
    assert message in refused.err
    assert "too short" not in refused.err


def test_a_run_without_its_key_does_not_start(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the key, hashes are kept."""
    world = make_world()
    world.put("logs", trail_key(1), trail(LEAKED))
    run = ("run", "--date", f"{DAY}", "--other-buckets", "logs", "--search", "hashed")
    assert (command(world, *run).code, terms_of(world)) == (2, [])
    monkeypatch.setenv(SEARCH_KEY, "0123456789abcdef0123456789abcdef")
    assert command(world, *run).code == 0
    (key,) = terms_of(world)
    assert LEAKED.encode() not in world.store.get_object("dest", key).data


def test_the_fields_are_documented(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fields are exactly those of the page, over dry, failing and successful runs."""
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    json_fields: Any = importlib.import_module("reference_pages.json_fields")
    world, found = unsearched(frozen=True), set[str]()
    store = FaultyStore(
        world.store,
        fail_on(lambda call: call.operation == "HeadObject", AccessDenied("no"), times=1),
    )
    for each in (store, None):
        done = command(world, "index", "terms", "--all", "--json", store=each)
        found |= set(json_fields.flatten(json.loads(done.out)))
    reasons = {field for field in found if ".unsearched." in field}
    documented = set(json_fields.json_fields("index terms"))
    assert found - reasons == documented - {"made[].unsearched.<reason>"}

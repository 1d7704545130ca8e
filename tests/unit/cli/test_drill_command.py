"""The `drill` command."""

from __future__ import annotations

import importlib
import json
import time
from pathlib import Path
from typing import Any

import pytest
from tests.support.trails import Trails
from tests.support.world import World, document, make_world, trail_key
from tests.unit.cli.conftest import Command
from tests.unit.steps.evidence.drills.test_drill import damage_first_member, pack_keys, packed

from log_aggregator import wiring
from log_aggregator.adapters.counting import CountingStore
from log_aggregator.cli import drill as module

ROOT = Path(__file__).parents[3]


@pytest.fixture
def json_fields(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    return importlib.import_module("reference_pages.json_fields")


@pytest.fixture
def sleeps(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Waiting advances the world's clock and takes no time."""

    def set_up(world: World) -> list[float]:
        pauses: list[float] = []

        def sleep(seconds: float) -> None:
            pauses.append(seconds)
            world.clock.advance(seconds=seconds)

        monkeypatch.setattr(time, "sleep", sleep)
        monkeypatch.setattr(wiring, "SystemClock", lambda: world.clock)
        return pauses

    return set_up


def test_recovered_members_are_reported_and_recorded(command: Command) -> None:
    world = packed()
    done = command(world, "drill", "--seed", "5")
    text = done.out.decode()
    assert done.code == 0
    assert "drawn     7 of 7 members, in 2 packs of 2" in text
    assert "recovered 7 of 7 members, byte for byte" in text
    assert "proven    all 7 members were read back" in text
    shown = command(world, "custody", "show", "--last", "1").out.decode()
    assert "recovered 7 of 7 members, byte for byte" in shown
    assert "seed 5" in shown
    record = json.loads(command(world, "custody", "show", "--last", "1", "--json").out)
    assert record["records"][0]["kind"] == "drill"
    assert record["records"][0]["drill"]["proof"].startswith("all 7 members")
    assert command(world, "custody", "verify").code == 0


def test_damage_exits_with_1_and_is_recorded(command: Command) -> None:
    world = packed()
    damage_first_member(world, pack_keys(world)[0])
    done = command(world, "drill")
    assert done.code == 1
    assert "recovered 6 of 7" in done.out.decode()
    assert "its SHA-256 differs from the one in the index" in done.out.decode()
    shown = command(world, "custody", "show", "--last", "1").out.decode()
    assert "FAILED" in shown
    assert "recovered 6 of 7" in shown


def test_a_waiting_drill_exits_with_4_and_is_resumed(command: Command, sleeps: Any) -> None:
    """The same command days later, with any options, finishes the drill."""
    world = packed("DEEP_ARCHIVE")
    pauses = sleeps(world)
    first = command(world, "drill", "--seed", "5")
    assert (first.code, "WAITING   for 2 packs" in first.out.decode()) == (4, True)
    described = json.loads(command(world, "drill", "--json").out)["drills"][0]
    assert (described["state"], described["seed"], described["has_gone_on"]) == ("waiting", 5, True)
    done = command(world, "drill", "--wait", "--interval", "3600")
    assert (done.code, len(pauses) > 40) == (0, True)
    assert "thawing: 2 of 2 packs" in done.err
    assert "with thawing, at most: half of them within 4" in done.out.decode()
    assert command(world, "drill").code == 0  # nothing is thawed again: copies are there


def test_daily_calls_begin_one_drill_a_month(command: Command, sleeps: Any) -> None:
    """It continues a waiting drill and begins none while the last one is recent."""
    world = packed("DEEP_ARCHIVE")
    sleeps(world)
    codes = []
    for _ in range(40):
        codes.append(command(world, "drill", "--every", "30", "--quiet").code)
        world.clock.advance(days=1)
    assert codes == [4, 4, *[0] * 28, 4, 4, *[0] * 8]
    early = command(world, "drill", "--every", "30")
    assert "too early for another one" in early.out.decode()
    shown = command(world, "custody", "show", "--last", "9", "--json").out
    kinds = [each["kind"] for each in json.loads(shown)["records"]]
    assert kinds.count("drill") == 2


def test_thawing_above_the_price_limit_is_refused(command: Command) -> None:
    world = packed("DEEP_ARCHIVE")
    before = world.store.snapshot()
    dear = command(world, "drill", "--dollars-max", "0")
    assert (dear.code, "--dollars-max of $0" in dear.err) == (3, True)
    dry = command(world, "drill", "--dry-run")
    assert (dry.code, "2 packs would be thawed; nothing was written" in dry.out.decode()) == (
        0,
        True,
    )
    assert world.store.snapshot() == before


@pytest.mark.parametrize(
    "options",
    [
        ("--confidence", "100"),
        ("--bad-max", "0"),
        ("--confidence", "99.999999", "--bad-max", "0.001"),
        ("--scratch-bucket", "other"),
        ("--planted", "--dry-run"),
        ("--sample", "0"),
    ],
    ids=" ".join,
)
def test_nonsensical_options_exit_with_2(command: Command, options: tuple[str, ...]) -> None:
    world = packed()
    store = CountingStore(world.store)
    assert command(world, "drill", *options, store=store).code == 2
    assert not store.requests


def test_the_sample_is_large_enough(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sample is 299, 459, or the number requested."""
    asked: list[int] = []

    def note(job: Any, target: Any, rules: Any, watch: Any) -> None:
        asked.append(rules.draw.members)

    monkeypatch.setattr(module, "advance_drill", note)
    for options in ([], ["--confidence", "99"], ["--sample", "12"]):
        assert command(packed(), "drill", *options).code == 1  # as if there were no packs
    assert asked == [299, 459, 12]


def test_planted_damage_is_found(command: Command) -> None:
    world = packed()
    before = world.store.snapshot()
    done = command(world, "drill", "--planted")
    assert (done.code, done.out.decode().count("\n  ok     ")) == (0, 4)
    assert world.store.snapshot() == before


def test_each_destination_has_its_own_drill(command: Command) -> None:
    """Where every bucket keeps its own packs, each has its own chain and its own proof."""
    world = make_world(destination_bucket="", other_buckets="logs,more")
    world.store.create_bucket("more", versioning="Enabled")
    for bucket in ("logs", "more"):
        world.put(bucket, trail_key(1), document(1))
    assert world.run().failures == []
    place = ("--other-buckets", "logs,more")
    described = json.loads(command(world, "drill", "--json", place=place).out)["drills"]
    assert [each["bucket"] for each in described] == ["logs", "more"]
    assert all(each["result"]["is_sound"] for each in described)


def test_the_fields_are_documented(command: Command, json_fields: Any, sleeps: Any) -> None:
    """The fields are exactly those of the page, for drills that are done, waiting or found
    something.
    """
    found: set[str] = set()
    frozen = packed("DEEP_ARCHIVE")
    sleeps(frozen)
    damaged = Trails()
    damaged.pack()
    damage_first_member(damaged.world, pack_keys(damaged.world)[0])
    for world, more in (
        (frozen, ()),
        (frozen, ("--wait",)),
        (frozen, ("--every", "30")),
        (damaged.world, ()),
    ):
        sleeps(world)
        described = json.loads(command(world, "drill", *more, "--json").out)
        found |= set(json_fields.flatten(described))
    assert found == set(json_fields.json_fields("drill"))
    planted = json.loads(command(packed(), "drill", "--planted", "--json").out)
    planted["planted"][0]["left"] = ["something"]
    assert set(json_fields.flatten(planted)) == set(json_fields.json_fields("drill --planted"))

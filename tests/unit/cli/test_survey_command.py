"""The `survey` command."""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support.account import FakeAccount, FakeBucket
from tests.support.inventories import take_inventory
from tests.support.world import World, document, flow_key, make_world, trail_key
from tests.unit.cli.conftest import Command, Outcome

from log_aggregator.ports.account import LifecycleRule
from log_aggregator_lab.estate import ACCESS_BUCKET, MAIN_BUCKET, EstateSpec, ListedStore
from log_aggregator_lab.estate import list_estate as list_all

ROOT = Path(__file__).parents[3]
Survey = Callable[..., Outcome]


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> FakeAccount:
    expiring = FakeBucket(lifecycle=(LifecycleRule("old", expiration_days=30),))
    fake = FakeAccount({"logs": expiring, MAIN_BUCKET: FakeBucket(), ACCESS_BUCKET: expiring})
    monkeypatch.setattr("log_aggregator.cli.survey.connect_inspector", lambda *_: fake)
    return fake


@pytest.fixture
def world(account: FakeAccount) -> World:
    world = make_world()
    for number in range(5):
        world.put("logs", trail_key(number), document(number))
    world.put("logs", flow_key("a.log.gz"), b"flow")
    world.put("logs", "export/<b>.parquet", b"x")
    return world


def survey(command: Command, world: World, *arguments: str, **more: Any) -> Outcome:
    return command(world, "survey", "--other-buckets", "logs", *arguments, **more)


def test_the_table_shows_counts_and_costs(command: Command, world: World) -> None:
    """It shows what exists, its cost, what packing takes, and what is left alone or taken."""
    done = survey(command, world)
    assert done.code == 0
    text = done.out.decode()
    for said in (
        "logs: counted to the last key",
        "a month packed, in DEEP_ARCHIVE",
        "CloudTrail in logs",
        "packing these does not pay over 10 years",
        "A run would leave alone",
        "export/<b>.parquet",
        "deleted by a lifecycle rule within 30 days",
    ):
        assert said in text
    assert "95 of 100" not in text


def test_a_sampled_table_shows_intervals(command: Command, account: FakeAccount) -> None:
    """Each figure has its confidence interval, and the table says what a sample cannot show."""
    spec = EstateSpec(accounts=5, objects_a_day=0.5, access_logs_a_day=20)
    store = ListedStore(list(list_all(spec)), page_size=20)
    store.create_bucket("dest")
    buckets = ["--control-tower-bucket", MAIN_BUCKET, "--other-buckets", ACCESS_BUCKET]
    more = ["--requests-max", "500"]
    done = command(make_world(), "survey", *buckets, *more, store=store)
    text = done.out.decode()
    assert done.code == 0
    for said in ("sampled: ", " of 5 accounts", "±", "95 of 100", " to ", "those that were drawn"):
        assert said in text
    described = json.loads(
        command(make_world(), "survey", *buckets, *more, "--json", store=store).out
    )
    assert described["is_sampled"]
    assert described["total"]["objects"]["low"] < described["total"]["objects"]["value"]
    assert described["requests"] <= 500
    few = command(make_world(), "survey", *buckets, "--requests-max", "20", store=store)
    assert few.code == 1
    assert "NOT SURVEYED: too few requests; raise --requests-max" in few.out.decode()


def test_the_fields_are_documented(
    command: Command, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fields are exactly those of docs/reference/json.md."""
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    fields = importlib.import_module("reference_pages.json_fields")
    described = json.loads(survey(command, world, "--json").out)
    found = set(fields.flatten(described))
    assert found == set(fields.json_fields("survey"))


def test_it_changes_nothing(command: Command, world: World) -> None:
    """Every object stays where it was, and there are no new ones."""
    before = world.store.list_object_versions("logs").objects
    survey(command, world)
    assert world.store.list_object_versions("logs").objects == before
    assert world.store.list_objects("dest").objects == ()


def test_a_page_is_written_with_escaped_keys(
    command: Command, world: World, tmp_path: Path
) -> None:
    """The page comes in addition to the table; markup in keys is shown as text."""
    page = tmp_path / "survey.html"
    assert survey(command, world, "--html", f"{page}").code == 0
    text = page.read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>")
    assert "export/&lt;b&gt;.parquet" in text
    assert "<b>.parquet" not in text


def test_bad_options_are_refused_first(command: Command, world: World, tmp_path: Path) -> None:
    """The exit code is 2, with one thing to do."""
    prices = tmp_path / "prices.toml"
    prices.write_text("dollars = 1\n")
    os.mkfifo(tmp_path / "pipe")
    for arguments, said in (
        (["--html", f"{tmp_path}/nowhere/x.html"], "there is no folder"),
        (["--html", f"{tmp_path}/pipe"], "expected a file"),
        (["--prices", f"{prices}"], "there is no such price"),
        (["--requests-max", "3"], "20"),
        (["--inventory", "somewhere"], "s3://BUCKET"),
    ):
        done = survey(command, world, *arguments)
        assert done.code == 2
        assert said in done.err


def test_prices_and_years_affect_the_result(command: Command, world: World, tmp_path: Path) -> None:
    """More expensive storage and longer retention both save more."""
    prices = tmp_path / "prices.toml"
    prices.write_text("[storage.STANDARD]\ngb_month = 2000\n")
    world.put("logs", flow_key("large.log.gz"), bytes(100_000))

    def saved(*more: str) -> float:
        described = json.loads(survey(command, world, "--json", *more).out)
        return float(described["total"]["saved"])

    assert saved("--prices", f"{prices}") > 1_000 * abs(saved())
    assert saved("--years", "20") > saved("--years", "1")


def test_an_inventory_can_replace_a_listing(command: Command, world: World) -> None:
    """It replaces its own bucket's listing; another bucket's inventory is refused."""
    location = take_inventory(world.store)
    described = json.loads(survey(command, world, "--json", "--inventory", location).out)
    assert described["buckets"][0]["way"] == "inventory"
    assert described["total"]["objects"]["value"] == 6
    assert described["requests"] == 0
    other = take_inventory(world.store, "dest", prefix="other")
    refused = survey(command, world, "--inventory", other)
    assert (refused.code, "expected one of a bucket in" in refused.err) == (2, True)
    twice = survey(command, world, "--inventory", location, "--inventory", location)
    assert (twice.code, "there is another of" in twice.err) == (2, True)


def test_a_missing_permission_is_reported(
    command: Command, world: World, account: FakeAccount
) -> None:
    """The missing permission is named, and the rest is reported all the same."""
    account.deny("GetBucketLifecycleConfiguration")
    done = survey(command, world)
    assert done.code == 0
    assert "grant s3:GetLifecycleConfiguration" in done.out.decode()

"""The `report` command."""

from __future__ import annotations

import importlib
import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from tests.support.account import FakeAccount, FakeBucket
from tests.support.reports import (
    make_calendar,
    make_check,
    make_drill,
    make_place,
    make_record,
    make_report,
)
from tests.support.world import DAY, World, flow_key, make_world, pack_gzip
from tests.unit.cli.conftest import Command

from log_aggregator.core.evidence.calendar import DayState, RowName
from log_aggregator.errors import AccessDenied
from log_aggregator.ports.account import LifecycleRule, Transition
from log_aggregator.reports.evidence.report import describe_report
from log_aggregator.steps.custody.once import Finding

ROOT = Path(__file__).parents[3]
DAYS = ("--from", f"{DAY}", "--to", f"{DAY}")
SOURCE = ("--other-buckets", "logs")


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeAccount:
    monkeypatch.chdir(tmp_path)
    fake = FakeAccount({"logs": FakeBucket(), "dest": FakeBucket()})
    monkeypatch.setattr("log_aggregator.cli.report.connect_inspector", lambda *_: fake)
    return fake


@pytest.fixture
def world(account: FakeAccount, command: Command) -> World:
    world = make_world()
    world.put("logs", flow_key("a.log.gz"), pack_gzip(b"flow\n"))
    assert command(world, "run", *SOURCE, "--date", f"{DAY}").code == 0
    return world


def test_the_page_shows_only_the_requested_account(
    command: Command, world: World, tmp_path: Path
) -> None:
    """It shows only that account's days."""
    words = (*SOURCE, *DAYS, "--account", "999999999999", "--json")
    done = command(world, "report", *words, "--output", "evidence.html")
    described = json.loads(done.out)
    assert (described["accounts"], described["coverage"]["rows"]) == (["999999999999"], 0)
    text = (tmp_path / "evidence.html").read_text(encoding="utf-8")
    assert "account 999999999999" in text
    assert "vpcflowlogs" not in text


def test_a_page_is_written_and_nothing_else(command: Command, world: World, tmp_path: Path) -> None:
    """Its result is printed, and nothing in a bucket changes."""
    before = world.store.snapshot()
    done = command(world, "report", *SOURCE, *DAYS, "--output", "evidence.html")
    assert done.code == 0, done.err
    assert world.store.snapshot() == before
    text = (tmp_path / "evidence.html").read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>")
    assert f"{DAY} to {DAY}" in text
    assert "vpcflowlogs" in text
    assert "custody/0000000/0000000001.jsonl.gz" in text
    lines = done.out.decode()
    assert "✓ in order  Is it complete?" in lines
    assert "There has been no drill yet" in lines


def test_problems_exit_with_1_and_the_page_is_written(
    command: Command, world: World, tmp_path: Path
) -> None:
    """The page is written all the same."""
    (*_, record) = world.store.list_objects("dest", prefix="custody/").objects
    world.store.put("dest", record.key, b"damaged")
    done = command(world, "report", *SOURCE, *DAYS)
    assert done.code == 1
    assert "✗ wrong" in done.out.decode()
    assert "The custody records are broken" in (tmp_path / "report.html").read_text("utf-8")


def test_the_default_is_a_year_until_yesterday(command: Command, world: World) -> None:
    """The default range is in UTC and includes both days."""
    found = json.loads(command(world, "report", "--without-coverage", "--json").out)
    last = datetime.now(UTC).date() - timedelta(days=1)
    days = date.fromisoformat(found["last_date"]) - date.fromisoformat(found["first_date"])
    assert days.days == 364
    assert abs((date.fromisoformat(found["last_date"]) - last).days) <= 1  # it may be midnight
    assert found["coverage"] is None


def test_a_missing_permission_is_reported(
    command: Command, world: World, account: FakeAccount
) -> None:
    """A refusal is reported and does not end the command."""
    account.broken = {"GetObjectLockConfiguration": AccessDenied("not you")}
    done = command(world, "report", *SOURCE, *DAYS)
    assert done.code == 0
    assert "not you" in done.out.decode()


@pytest.mark.parametrize(
    "arguments",
    [
        ("--to", "yesterday"),
        ("--from", "2025-13-01"),
        ("--from", "2025-04-9"),
    ],
    ids=["to", "from", "short"],
)
def test_a_wrong_day_exits_with_2(
    command: Command, world: World, arguments: tuple[str, ...]
) -> None:
    """It is refused before anything is asked or written."""
    done = command(world, "report", *SOURCE, *arguments)
    assert done.code == 2
    assert not Path("report.html").exists()


def test_a_file_that_is_not_a_page_stays(command: Command, world: World, tmp_path: Path) -> None:
    """A target that cannot be written is reported before anything is read."""
    done = command(world, "report", *SOURCE, *DAYS, "--output", f"{tmp_path}")
    assert done.code == 2


def test_the_fields_are_documented(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fields are those of a report in which every part is present."""
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    fields = importlib.import_module("reference_pages.json_fields")
    states = bytes(DayState)
    calendar = make_calendar([(RowName("CloudTrail", "111122223333"), states)])
    place = make_place(
        [
            make_record(3, drill=make_drill()),
            make_record(2, at_rest=make_check()),
        ],
        findings=[Finding("where", "what")],
    )
    place.walked.notes.append(Finding("where", "what"))
    place.walked.proven.stamped = None
    rule = LifecycleRule("r", transitions=(Transition("GLACIER", 1),))
    answer = replace(place.protection.lifecycle, value=(rule,))
    place = replace(place, protection=replace(place.protection, lifecycle=answer))
    report = replace(make_report(calendar, place), accounts=("111122223333",))
    report.totals.unread.append(("where", "why"))
    found = set(fields.flatten(json.loads(json.dumps(describe_report(report)))))
    assert found == set(fields.json_fields("report"))

"""The monthly report as a function: a stored page, its notification and its metrics, under the role
of the template.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from tests.infra.stack import deploy, load_template
from tests.support.account import FakeAccount, FakeBucket
from tests.support.cloud import Context
from tests.support.roles import RoleStore
from tests.support.world import World, document, make_world, trail_key
from tests.unit.steps.evidence.drills.test_drill import drill, packed
from tests.unit.steps.evidence.test_coverage import (
    date_of,
    day,
    delete,
    is_digest,
    is_log,
    site_of,
)

from log_aggregator.errors import SettingsError
from log_aggregator.handlers import entry
from log_aggregator.handlers.report import handler
from log_aggregator.ports.store import ObjectStore
from log_aggregator.steps.packs.pages import list_all

Deploy = Callable[..., World]


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> Deploy:
    """The template's environment, and the world's store, clock and account."""

    def deploy_it(world: World, store: ObjectStore | None = None) -> World:
        rules = world.rules
        world.store.create_bucket("work")
        account = FakeAccount({"logs": FakeBucket(), "dest": FakeBucket()})
        monkeypatch.setattr(entry, "_connect", lambda *_: store or world.store)
        monkeypatch.setattr(entry, "_connect_account", lambda _: account)
        monkeypatch.setattr(entry, "SystemClock", lambda: world.clock)
        monkeypatch.setenv("LOG_AGGREGATOR_OTHER_BUCKETS", ",".join(rules.other_buckets))
        monkeypatch.setenv("LOG_AGGREGATOR_CONTROL_TOWER_BUCKET", ",".join(rules.main_buckets))
        monkeypatch.setenv("LOG_AGGREGATOR_DESTINATION_BUCKET", rules.destination_bucket or "")
        monkeypatch.setenv(entry.WORK_BUCKET, "work")
        return world

    return deploy_it


def read_metrics(capsys: pytest.CaptureFixture[str]) -> dict[str, float]:
    (line,) = (line for line in capsys.readouterr().out.splitlines() if "_aws" in line)
    found: dict[str, float] = json.loads(line)
    return {name: value for name, value in found.items() if name.startswith("Report")}


def list_keys(world: World) -> set[str]:
    return {found.key for found in list_all(world.store, "dest", "")}


def test_a_page_is_stored_and_announced(
    deployed: Deploy, capsys: pytest.CaptureFixture[str]
) -> None:
    """A page for people, the same for programs, and a sentence for each of three questions."""
    world = deployed(packed())
    assert drill(world).drill is not None
    world.clock.advance(days=3)
    before = list_keys(world)
    told = handler({}, Context("r"))
    now = world.clock.now()
    folder = f"reports/{now:%Y-%m-%d}/report-{now:%H%M%S}Z"
    assert list_keys(world) - before == {f"{folder}.html", f"{folder}.json"}
    assert told["page"] == f"{folder}.html"
    page = world.store.get_object("dest", told["page"]).data
    assert page.startswith(b"<!DOCTYPE html>")
    described = json.loads(world.store.get_object("dest", f"{folder}.json").data)
    assert described["last_date"] == told["last_date"] == f"{now.date() - timedelta(days=1)}"
    assert [each["section"] for each in described["verdicts"]][:2] == ["coverage", "integrity"]
    assert told["drills"].startswith("in order: ")
    metrics = read_metrics(capsys)
    assert metrics["ReportDrillAgeDays"] == 3
    assert metrics["ReportPartsWrong"] == 0


def test_before_the_first_drill_the_worst_finding_is_announced(
    deployed: Deploy, capsys: pytest.CaptureFixture[str]
) -> None:
    """The open question is reported, though all else is in order; and no age, because no number
    would be true.
    """
    deployed(packed())
    told = handler({}, Context("r"))
    assert told["drills"].startswith("open: ")
    assert told["integrity"].startswith("open: The newest records are not signed")
    assert "ReportDrillAgeDays" not in read_metrics(capsys)


def test_two_reports_on_one_day_are_both_stored(deployed: Deploy) -> None:
    """Nothing is overwritten."""
    world = deployed(packed())
    pages = []
    for _ in range(2):
        pages.append(handler({}, Context("r"))["page"])
        world.clock.advance(seconds=1)
    assert len(set(pages)) == 2


def test_problems_are_announced(deployed: Deploy, capsys: pytest.CaptureFixture[str]) -> None:
    """A day's log files are gone, and the digests still name them; another day has no digest."""
    site = site_of(days=9)  # up to yesterday
    gone = delete(site, lambda key: is_log(key) and date_of(key) == day(1))
    deployed(site.world)
    told = handler({}, Context("r"))
    assert told["coverage"].startswith("wrong: Something that must be there is missing: 1 day")
    assert (
        b"Something that must be there is missing"
        in site.store.get_object("dest", told["page"]).data
    )
    metrics = read_metrics(capsys)
    assert metrics["ReportFilesMissing"] == len(gone)
    assert metrics["ReportHoursWithoutDigest"] == 0
    assert metrics["ReportPartsWrong"] == 1


def test_hours_without_a_digest_are_counted(
    deployed: Deploy, capsys: pytest.CaptureFixture[str]
) -> None:
    """Hours count for a day without logs, because only such days' digests are read."""
    site = site_of(days=9)  # up to yesterday
    delete(site, lambda key: is_log(key) and date_of(key) == day(1))
    lost = delete(site, lambda key: is_digest(key) and date_of(key) == day(1))
    deployed(site.world)
    handler({}, Context("r"))
    assert 0 < read_metrics(capsys)["ReportHoursWithoutDigest"] <= len(lost)


def test_packs_beside_their_sources_have_no_report(deployed: Deploy) -> None:
    """There are several places, and none has all packs."""
    deployed(make_world(destination_bucket="", other_buckets="logs,more"))
    with pytest.raises(SettingsError, match="log-aggregator report"):
        handler({}, Context("r"))


@pytest.mark.parametrize("others", ["logs", "lo*"], ids=["a name", "a beginning"])
def test_its_role_has_exactly_the_permissions_it_needs(deployed: Deploy, others: str) -> None:
    world = make_world(other_buckets=others)
    for number in range(3):
        world.put("logs", trail_key(number), document(number))
    assert world.run().failures == []
    parameters = {"ControlTowerBucket": "aws-controltower-logs", "OtherBuckets": others}
    stack = deploy(load_template(), parameters)
    used: set[tuple[str, str]] = set()
    deployed(world, RoleStore(world.store, stack, "ReportFunction", used))
    told = handler({}, Context("r"))
    assert told["coverage"].startswith(("in order", "unknown"))
    assert not told["integrity"].startswith(("wrong", "unknown"))
    actions = {action for _, action in used}
    assert {"s3:ListBucket", "s3:GetObject", "s3:PutObject"} <= actions

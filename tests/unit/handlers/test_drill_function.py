"""The daily drill as a function: begun when it is time, resumed while it waits, and an error if
something was not recovered.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from tests.infra.stack import deploy, load_template
from tests.support.cloud import Context
from tests.support.roles import RoleStore
from tests.support.world import World, document, make_world, trail_key
from tests.unit.steps.evidence.drills.test_drill import DEST, damage_first_member, pack_keys, packed

from log_aggregator.core.custody import RecordKind
from log_aggregator.errors import LimitExceeded, RunFailed, SettingsError
from log_aggregator.handlers import entry
from log_aggregator.handlers.drill import handler
from log_aggregator.ports.store import ObjectStore
from log_aggregator.steps.custody.chain import find_end

Deploy = Callable[..., World]


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> Deploy:
    """The template's environment, and the world's store and clock."""

    def deploy_it(world: World, store: ObjectStore | None = None) -> World:
        monkeypatch.setattr(entry, "_connect", lambda *_: store or world.store)
        monkeypatch.setattr(entry, "SystemClock", lambda: world.clock)
        rules = world.rules
        monkeypatch.setenv("LOG_AGGREGATOR_OTHER_BUCKETS", ",".join(rules.other_buckets))
        monkeypatch.setenv("LOG_AGGREGATOR_DESTINATION_BUCKET", rules.destination_bucket or "")
        monkeypatch.setenv(entry.WORK_BUCKET, "work")
        monkeypatch.setenv(entry.DRILL_EVERY_DAYS, "30")
        monkeypatch.setenv(entry.DRILL_DOLLARS_MAX, "1")
        return world

    return deploy_it


def test_the_function_drills_once_a_month(
    deployed: Deploy, capsys: pytest.CaptureFixture[str]
) -> None:
    """The function is called every day for 60 days, with packs that take two days to thaw."""
    world = deployed(packed("DEEP_ARCHIVE"))
    states = []
    for _ in range(60):
        (*found,) = handler({}, Context("r"))["drills"]
        states.append(found[0]["state"] if found else "early")
        world.clock.advance(days=1)
    month = ["waiting", "waiting", "done", *["early"] * 27]
    assert states == [*month, *month]
    metrics = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    assert [(line["DrillMembers"], line["DrillMembersBad"]) for line in metrics] == [(7, 0)] * 2


def test_damage_is_recorded_and_raises_an_error(deployed: Deploy) -> None:
    """The alarm depends on errors; the next day does not drill again."""
    world = deployed(packed())
    damage_first_member(world, pack_keys(world)[0])
    with pytest.raises(RunFailed, match="2 failures in a drill"):
        handler({}, Context("r"))
    newest = find_end(world.store, DEST).newest
    assert newest is not None
    assert newest.record.kind is RecordKind.DRILL
    assert newest.record.drill is not None
    assert newest.record.drill.bad == 1
    assert handler({}, Context("r")) == {"drills": []}


def test_the_price_limit_is_respected(deployed: Deploy, monkeypatch: pytest.MonkeyPatch) -> None:
    world = deployed(packed("DEEP_ARCHIVE"))
    before = world.store.snapshot()
    monkeypatch.setenv(entry.DRILL_DOLLARS_MAX, "0")
    with pytest.raises(LimitExceeded):
        handler({}, Context("r"))
    assert world.store.snapshot() == before


@pytest.mark.parametrize("text", ["", "often"], ids=["missing", "no number"])
def test_missing_environment_variables_are_an_error(
    deployed: Deploy, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    deployed(packed())
    monkeypatch.setenv(entry.DRILL_EVERY_DAYS, text)
    with pytest.raises(SettingsError, match="DRILL_EVERY_DAYS"):
        handler({}, Context("r"))


@pytest.mark.parametrize("destination", ["dest", ""], ids=["apart", "in place"])
@pytest.mark.parametrize("others", ["logs", "lo*"], ids=["a name", "a beginning"])
def test_its_role_has_exactly_the_permissions_it_needs(
    deployed: Deploy, destination: str, others: str
) -> None:
    """A drill waits, resumes and is recorded under the template's role."""
    storage_class = "DEEP_ARCHIVE"
    world = make_world(
        destination_bucket=destination, other_buckets=others, storage_class=storage_class
    )
    for number in range(3):
        world.put("logs", trail_key(number), document(number))
    assert world.run().failures == []
    parameters = {
        "ControlTowerBucket": "aws-controltower-logs",
        "OtherBuckets": others,
        "UseCommonDestinationBucket": "Yes" if destination else "No",
        "FinalAggregationPrefix": world.rules.final_aggregation_prefix,
    }
    stack = deploy(load_template(), parameters)
    used: set[tuple[str, str]] = set()
    deployed(world, RoleStore(world.store, stack, "DrillFunction", used))
    states = []
    for _ in range(3):
        states += [found["state"] for found in handler({}, Context("r"))["drills"]]
        world.clock.advance(days=1)
    assert states == ["waiting", "waiting", "done"]
    actions = {action for _, action in used}
    assert {"s3:ListBucket", "s3:GetObject", "s3:PutObject", "s3:RestoreObject"} <= actions

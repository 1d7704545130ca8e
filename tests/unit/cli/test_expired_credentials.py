"""How the command line reports a run whose credentials expire halfway."""

from __future__ import annotations

import json

import pytest
from tests.support.world import fail_on
from tests.unit.cli.conftest import Command
from tests.unit.steps.packing.test_credentials_end import ENDED, ending_at, make_long_world

from log_aggregator.adapters.patience import PatientStore
from log_aggregator.steps.packing.run import REST
from log_aggregator_lab.stores.faults import Fault, FaultyStore

RUN = (
    *("run", "--other-buckets", "logs", "--from", "2025-04-02", "--to", "2025-04-04"),
    *("--delete-originals", "--groups-at-once", "1", "--json"),
)


def test_a_run_with_expired_credentials_prints_its_report(command: Command) -> None:
    """The exit code is that of a run with failures, and the unwritten record is reported. After
    renewal the same command continues.
    """
    world = make_long_world()
    store = PatientStore(FaultyStore(world.store, fail_on(ending_at(3), ENDED)))
    outcome = command(world, *RUN, store=store)
    described = json.loads(outcome.out)
    assert outcome.code == 1
    assert described["objects"]["packed"] == 2
    assert described["stopped"] is False
    advices = {failure["where"]: failure["advice"] for failure in described["failures"]}
    assert "Renew the credentials" in advices[REST]
    assert any(where.startswith("custody record in ") for where in advices)
    outcome = command(world, *RUN)
    described = json.loads(outcome.out)
    assert (outcome.code, described["failures"]) == (0, [])
    assert not world.store.list_objects("logs").objects


UNDER_WAY_MAX = 10
"""Requests of other threads that were sent before the first refusal came."""
COMMANDS = {
    "plan": ("plan", "--other-buckets", "logs", "--from", "2025-04-02", "--to", "2025-04-04"),
    "find": ("find", "--date", "2025-04-03", "--count"),
    "verify": ("verify", "--all"),
    "verify --level read-back": ("verify", "--all", "--level", "read-back"),
    "index rebuild": ("index", "rebuild", "--all"),
    "custody verify": ("custody", "verify"),
    "thaw": ("thaw", "--date", "2025-04-03"),
    "drill": ("drill",),
}


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("number", [0, 1, 2, 3, 5, 8, 13])
def test_every_command_stops_when_credentials_expire(
    command: Command, name: str, number: int
) -> None:
    """Whichever request fails, no request follows it."""
    world = make_long_world()
    assert command(world, *RUN).code == 0
    store = FaultyStore(world.store, lambda at, _: Fault(before=ENDED) if at >= number else None)
    outcome = command(world, *COMMANDS[name], "--readers", "1", store=PatientStore(store))
    if len(store.calls) <= number:
        assert outcome.code == 0  # it was done before
        return
    assert outcome.code in (1, 3)
    assert "ExpiredToken" in outcome.out.decode() + outcome.err
    assert "renew the credentials" in outcome.out.decode() + outcome.err
    assert len(store.calls) <= number + UNDER_WAY_MAX
